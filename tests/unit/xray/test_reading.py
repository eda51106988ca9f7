"""How traces are read: in pages that hold the journal's thread for little, and with an end."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import moment
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.errors import not_implemented
from undercast.core.identity import root_principal
from undercast.services.xray import reading, store
from undercast.services.xray.assembly import MAX_BYTES, assemble
from undercast.services.xray.documents import received
from undercast.services.xray.instance import XRay
from undercast.services.xray.intake import Intake
from undercast.services.xray.operations import traces
from undercast.services.xray.schema import JOURNAL_SCHEMA, SCHEMA
from undercast.services.xray.service import MANIFEST
from undercast.services.xray.upkeep import Upkeep
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("111122223333"), Region("us-west-2"))


async def _nobody(
    ctx: RequestContext, service: str, operation: str, params: Any, checked: bool = False
) -> dict[str, Any]:
    raise not_implemented(service, operation)


async def _permits(principal: Any, action: str, resource_arn: str, conditions: Any) -> bool:
    return True


def _internal(scope: Scope, principal: Any, cause: Any = EXTERNAL) -> RequestContext:
    raise not_implemented("xray", "internal work in unit tests")


@pytest.fixture
async def xray(tmp_path: Path) -> AsyncIterator[XRay]:
    """The service with its own files."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"xray": SCHEMA}) as state:
        migrate(state.journal.database, "xray", JOURNAL_SCHEMA)
        yield XRay(
            database=state.database,
            journal=state.journal,
            intake=Intake(state.journal, clock),
            upkeep=Upkeep(state.journal, clock),
            exporter=None,
            internal=_internal,
            clock=clock,
            ids=CountingIds(),
        )


def trace_id(xray: XRay, number: int) -> str:
    """The larger the number the older it is."""
    return f"1-{int(xray.clock.now()) - number:08x}-{number:024x}"


async def put(xray: XRay, number: int, *, name: str = "n", segments: int = 1, size: int = 0) -> None:
    """A trace of so many segments."""
    now = xray.clock.now()
    made = [
        {"name": name, "id": f"{one:016x}", "trace_id": trace_id(xray, number), "start_time": now, "end_time": now + 1}
        for one in range(segments)
    ]
    await xray.intake.keep(SCOPE, [received(json.dumps(one | {"user": "x" * size})) for one in made])


async def ask(xray: XRay, operation: str, **params: Any) -> dict[str, Any]:
    """Run an operation over the last hour."""
    ctx = RequestContext(
        request_id="1",
        scope=SCOPE,
        principal=root_principal(SCOPE.account_id),
        cause=EXTERNAL,
        clock=FakeClock(),
        host_clock=FakeClock().host,
        ids=CountingIds(),
        caller=_nobody,
        permits=_permits,
    )
    now = xray.clock.now()
    times = {"StartTime": moment(now - 3600), "EndTime": moment(now + 60)}
    output: Any = await MANIFEST.operations[operation](xray, ctx, times | params)
    return dict(output)


async def test_pages_are_small(xray: XRay, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has few traces, or few bytes; together they are all, in order, also what nobody knows."""
    monkeypatch.setattr(reading, "PAGE_TRACES", 3)
    monkeypatch.setattr(reading, "PAGE_BYTES", 5000)
    for number in range(4):
        await put(xray, number, size=3000 if number == 0 else 10)
    await put(xray, 4, segments=3, size=4000)
    ids = [trace_id(xray, number) for number in (0, 1, 2, 3, 99, 4, 0)]
    pages = [page async for page in reading.pages(xray, SCOPE, ids)]
    assert [[len(texts) for _, texts in page] for page in pages] == [[1, 1, 1], [1, 0, 3], [1]]
    assert [one for page in pages for one, _ in page] == ids


async def test_of_a_trace_no_more_is_read_than_is_told(xray: XRay) -> None:
    """500 KB; that there was more is known."""
    await put(xray, 0, segments=12, size=60_000)
    (((one, texts),),) = [page async for page in reading.pages(xray, SCOPE, [trace_id(xray, 0)])]
    assert sum(map(len, texts)) - len(texts[-1]) <= MAX_BYTES < sum(map(len, texts))
    assert assemble(one, texts).limit_exceeded


async def test_a_filter_that_nothing_matches_does_not_read_it_all(xray: XRay, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer has looked at so many traces; its NextToken leads on, through an empty page too."""
    monkeypatch.setattr(traces, "MOST_PROCESSED", 4)
    for number in range(10):
        await put(xray, number, name="rare" if number == 9 else "n")
    asked = {"FilterExpression": 'service("rare")'}
    told: list[tuple[int, list[str]]] = []
    while True:
        answer = await ask(xray, "GetTraceSummaries", **asked)
        told.append((answer["TracesProcessedCount"], [one["Id"] for one in answer["TraceSummaries"]]))
        if "NextToken" not in answer:
            break
        asked["NextToken"] = answer["NextToken"]
    assert told == [(4, []), (4, []), (2, [trace_id(xray, 9)])]


async def test_a_service_graph_is_of_the_newest_traces(xray: XRay, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many that memory and time have an end."""
    monkeypatch.setattr(reading, "MAX_TRACES", 3)
    for number in range(5):
        await put(xray, number, name="new" if number < 3 else "old")
    graph = await ask(xray, "GetServiceGraph")
    counts = {one["Name"]: one["SummaryStatistics"]["TotalCount"] for one in graph["Services"] if "AccountId" in one}
    assert counts == {"new": 3}


@pytest.mark.parametrize(
    ("kind", "index"), [("TraceId", "xray_segment_by_creation"), ("Service", "xray_segment_by_start")]
)
async def test_a_time_range_is_found_by_an_index(xray: XRay, kind: store.TimeRange, index: str) -> None:
    """Not by looking at thirty days of documents."""
    sql, params = store.range_query(SCOPE, kind, (0.0, 1.0), (0, 5))
    plan = await xray.journal.read(lambda tx: tx.all(f"EXPLAIN QUERY PLAN {sql}", params))
    assert any(index in row["detail"] for row in plan)
