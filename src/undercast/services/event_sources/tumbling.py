"""Tumbling windows: to which window a record belongs, and what the function is told of it.

Pure. Windows begin at multiples of their length since the epoch; a record belongs to the window in which it arrived in
its stream. The state that the function gives back comes with the next batch of the window.
AWS: Lambda Developer Guide, "Implementing stateful Kinesis Data Streams processing in Lambda".
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.clock import moment
from undercast.core.record import record
from undercast.services.event_sources.records import Record

MAX_STATE_BYTES = 1024 * 1024


@record
class Window:
    """One window, as a batch belongs to it."""

    start: float
    length_s: int
    final: bool = False
    """Whether this is the last invocation for it."""
    early: bool = False
    """Whether it ends before its time: the shard has ended, or the state is too large."""

    @property
    def end(self) -> float:
        """When it is over."""
        return self.start + self.length_s

    def members(self, state: str) -> dict[str, Any]:
        """What the event has besides Records, shardId and eventSourceARN."""
        return {
            "window": {"start": _shown(self.start), "end": _shown(self.end)},
            "state": json.loads(state) if state else {},
            "isFinalInvokeForWindow": self.final,
            "isWindowTerminatedEarly": self.early,
        }


def window_of(record: Record, length_s: int, open_since: float) -> float:
    """When the record's window began. One that comes late belongs to the window that is open."""
    return max(record.arrived_at // length_s * length_s, open_since)


def state_of(payload: bytes) -> str | None:
    """The state that the function has given back, as JSON; None where there is none: AWS takes that for a failure."""
    try:
        answer = json_values.parse(payload) if payload else None
    except ValueError:
        return None
    if not isinstance(answer, Mapping) or answer.get("state") is None:
        return None
    return json.dumps(answer["state"], ensure_ascii=False)


def is_too_large(state: str) -> bool:
    """Whether a window with this state has to end at once."""
    return 4 * len(state) > MAX_STATE_BYTES and len(state.encode()) > MAX_STATE_BYTES


def _shown(at: float) -> str:
    return moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")
