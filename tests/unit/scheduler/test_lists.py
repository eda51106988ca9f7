"""Lists of schedules: what a page costs, and where the next one begins."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.errors import not_implemented
from undercast.core.identity import Principal, root_principal
from undercast.core.metrics import Metrics
from undercast.events.alarm import Alarm
from undercast.services.scheduler import schema, store
from undercast.services.scheduler.instance import Scheduler
from undercast.services.scheduler.measures import Measures
from undercast.services.scheduler.models import Group, MadeBy, Planned, planned_of
from undercast.services.scheduler.service import MANIFEST
from undercast.store.database import Row, Tx

SCOPE = Scope(AccountId("111122223333"), Region("us-west-2"))
OTHER = Scope(AccountId("444455556666"), SCOPE.region)


async def _nobody(
    ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
) -> dict[str, Any]:
    raise not_implemented(service, operation)


async def _anything(principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]) -> bool:
    return True


def _never(*_: object, **__: object) -> Any:
    raise AssertionError("nothing is called here")


class Caller:
    """An account's root."""

    def __init__(self, scheduler: Scheduler, clock: FakeClock) -> None:
        self.scheduler = scheduler
        self.clock = clock

    async def listed(self, **params: Any) -> Any:
        """ListSchedules."""
        ctx = RequestContext(
            request_id="r",
            scope=SCOPE,
            principal=root_principal(SCOPE.account_id),
            cause=EXTERNAL,
            clock=self.clock,
            host_clock=self.clock.host,
            ids=self.scheduler.ids,
            caller=_nobody,
            permits=_anything,
            operation="ListSchedules",
        )
        return await MANIFEST.operations["ListSchedules"](self.scheduler, ctx, params)

    async def every(self, **params: Any) -> list[str]:
        """Group and name of what is on all pages."""
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            answer = await self.listed(**params, **token)
            found += [f"{one['GroupName']}/{one['Name']}" for one in answer["Schedules"]]
            if "NextToken" not in answer:
                return found
            token = {"NextToken": answer["NextToken"]}

    def make(self, group: str, name: str, state: str = "ENABLED", scope: Scope = SCOPE) -> None:
        """A schedule."""
        given = {"ScheduleExpression": "rate(1 day)", "State": state, "Target": {"Arn": "arn"}}
        one = Planned(
            scope=scope, group=group, name=name, given=given, begins_at=None, ends_at=None, made_by=MadeBy("", ""),
            created_at=1.0, changed_at=1.0, anchored_at=1.0,
        )  # fmt: skip
        self.scheduler.database.write_now(lambda tx: store.put(tx, one, None))


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"scheduler": schema.SCHEMA}) as state:
        scheduler = Scheduler(
            database=state.database,
            outbox=state.outbox,
            internal=_never,
            clock=clock,
            ids=CountingIds(),
            sdk=_never,  # type: ignore[arg-type]
            measures=Measures(Metrics(), clock),
            alarm=Alarm(state.database, clock, store.next_round),
        )
        yield Caller(scheduler, clock)


async def test_a_page_reads_what_is_on_it(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the first one behind it, however many schedules there are."""
    for number in range(300):
        caller.make("default", f"s{number:03d}")
    read: list[Row] = []

    def counted(row: Row) -> Planned:
        read.append(row)
        return planned_of(row)

    monkeypatch.setattr("undercast.services.scheduler.store.planned_of", counted)
    first = await caller.listed(MaxResults=2)
    second = await caller.listed(MaxResults=2, NextToken=first["NextToken"])
    prefixed = await caller.listed(MaxResults=2, NamePrefix="s29", GroupName="default")
    names = [one["Name"] for answer in (first, second, prefixed) for one in answer["Schedules"]]
    assert names == ["s000", "s001", "s002", "s003", "s290", "s291"]
    assert len(read) == 9


@pytest.mark.parametrize("params", [{}, {"NamePrefix": "s"}, {"GroupName": "default"}, {"State": "DISABLED"}])
async def test_no_page_is_sorted(caller: Caller, monkeypatch: pytest.MonkeyPatch, params: dict[str, str]) -> None:
    """Its rows are read in their order: a sort would read all of them first."""
    asked: list[tuple[str, Sequence[Any]]] = []
    read = Tx.all

    def noted(tx: Tx, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        asked.append((sql, params))
        return read(tx, sql, params)

    with monkeypatch.context() as patched:
        patched.setattr(Tx, "all", noted)
        await caller.listed(**params)
    ((sql, values),) = asked
    plan = caller.scheduler.database.read_now(lambda tx: tx.all(f"EXPLAIN QUERY PLAN {sql}", values))
    assert ["SEARCH" in step["detail"] for step in plan] == [True]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_pages_have_everything_once(caller: Caller, size: int) -> None:
    """By group and name, whatever the groups' names begin with; each filter by itself and together."""
    for group in ("a", "a-b", "a.b", "b"):
        made = Group(scope=SCOPE, name=group, tags={}, made_by=MadeBy("", ""), created_at=1.0, changed_at=1.0)
        caller.scheduler.database.write_now(lambda tx, made=made: store.put_group(tx, made, 1.0))  # type: ignore[misc]
        for name in ("x", "xx", "y"):
            caller.make(group, name, "DISABLED" if name == "xx" else "ENABLED")
    caller.make("a", "x", scope=OTHER)
    every = [f"{group}/{name}" for group in ("a", "a-b", "a.b", "b") for name in ("x", "xx", "y")]
    assert await caller.every(MaxResults=size) == every
    assert await caller.every(MaxResults=size, NamePrefix="x") == [one for one in every if "/x" in one]
    assert await caller.every(MaxResults=size, GroupName="a") == every[:3]
    assert await caller.every(MaxResults=size, State="DISABLED") == every[1::3]
    assert await caller.every(MaxResults=size, GroupName="b", NamePrefix="x", State="ENABLED") == ["b/x"]
