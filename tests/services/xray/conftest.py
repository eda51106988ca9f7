"""X-Ray on the real platform, in an account of the test's own."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.platform import RunningPlatform


@dataclass
class Account:
    """A client, and traces that are made by hand. `began` is the platform clock's time, in seconds."""

    platform: RunningPlatform
    id: str
    began: float = 0.0
    _made: int = field(default=0)

    def __post_init__(self) -> None:
        self.xray: Any = self.platform.client("xray", account=self.id)
        self.began = float(self.platform.ask("/_undercast/status")["clock"]["now"])

    def segment(self, name: str, trace_id: str = "", *, took: float = 1.0, **members: Any) -> dict[str, Any]:
        """A document; of a new trace where none is named."""
        self._made += 1
        return {
            "name": name,
            "id": f"{self._made:016x}",
            "trace_id": trace_id or f"1-{int(self.began):08x}-{self._made:024x}",
            "start_time": self.began,
            "end_time": self.began + took,
            **members,
        }

    def put(self, *documents: dict[str, Any]) -> list[dict[str, Any]]:
        """Send them; what was not taken."""
        texts = [json.dumps(one) for one in documents]
        unprocessed: list[dict[str, Any]] = self.xray.put_trace_segments(TraceSegmentDocuments=texts)[
            "UnprocessedTraceSegments"
        ]
        return unprocessed

    @property
    def range(self) -> dict[str, datetime]:
        """StartTime and EndTime around now."""
        now = datetime.fromtimestamp(self.began, UTC)
        return {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=5)}

    def find(self, expression: str = "", **params: Any) -> list[str]:
        """The ids of the traces that match."""
        asked = {**self.range, **({"FilterExpression": expression} if expression else {}), **params}
        return [one["Id"] for one in self.xray.get_trace_summaries(**asked)["TraceSummaries"]]

    def whole(self, trace_id: str) -> list[dict[str, Any]]:
        """The segments of a trace."""
        (trace,) = self.xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
        return [json.loads(one["Document"]) for one in trace["Segments"]]


@pytest.fixture
def aws(platform: RunningPlatform, account: str) -> Account:
    """An empty account."""
    return Account(platform, account)
