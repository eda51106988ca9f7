"""A change of an alarm and what follows of it in composite alarms are one commit.

AWS: CloudWatch User Guide, "Create a composite alarm": it is in the state that its rule and its children say. The store
refuses the composite's row here, as a power cut behind the child's row would; then the child must not have changed.
"""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
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
from undercast.services.cloudwatch import alarm_store
from undercast.services.cloudwatch.actions import ActionTarget
from undercast.services.cloudwatch.composites import Composites
from undercast.services.cloudwatch.evaluator import Evaluator
from undercast.services.cloudwatch.housekeeping import Housekeeping
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.services.cloudwatch.intake import Intake
from undercast.services.cloudwatch.schema import JOURNAL_SCHEMA, SCHEMA
from undercast.services.cloudwatch.service import MANIFEST
from undercast.services.cloudwatch.transitions import Transitions
from undercast.store.database import Tx
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("111122223333"), Region("us-west-2"))
QUIET = {
    "Namespace": "App", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "breaching",
}  # fmt: skip
"""Goes into ALARM when it is evaluated, for there are no data."""


async def _nobody(
    ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
) -> dict[str, Any]:
    raise not_implemented(service, operation)


async def _permits(principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]) -> bool:
    return True


def _internal(scope: Scope, principal: Principal, cause: Any = EXTERNAL) -> RequestContext:
    raise not_implemented("cloudwatch", "internal work in unit tests")


@dataclass(frozen=True, slots=True)
class World:
    """CloudWatch with its own files."""

    cloudwatch: CloudWatch
    clock: FakeClock

    async def call(self, operation: str, **params: Any) -> None:
        """Run an operation as dispatch does."""
        ids = CountingIds()
        ctx = RequestContext(
            request_id=ids.uuid(),
            scope=SCOPE,
            principal=root_principal(SCOPE.account_id),
            cause=EXTERNAL,
            clock=self.clock,
            host_clock=self.clock.host,
            ids=ids,
            caller=_nobody,
            permits=_permits,
        )
        await MANIFEST.operations[operation](self.cloudwatch, ctx, params)

    async def composite_is_refused(self, refused: bool) -> None:
        """Whether the store takes no composite alarm that is in ALARM."""
        sql = (
            "CREATE TRIGGER cut BEFORE INSERT ON cloudwatch_alarm WHEN NEW.kind = 'CompositeAlarm' AND"
            " NEW.state = 'ALARM' BEGIN SELECT RAISE(ABORT, 'cut'); END"
            if refused
            else "DROP TRIGGER cut"
        )
        await self.cloudwatch.database.write(lambda tx: tx.execute(sql))

    async def states(self) -> dict[str, str]:
        """Of every alarm."""
        alarms = await self.cloudwatch.database.read(lambda tx: alarm_store.of_scope(tx, SCOPE))
        return {alarm.name: alarm.state.value for alarm in alarms}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A metric alarm and a composite alarm that looks at it; nothing evaluates them by itself."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"cloudwatch": SCHEMA}) as state:
        migrate(state.journal.database, "cloudwatch", JOURNAL_SCHEMA)
        intake, transitions = Intake(state.journal, Metrics()), Transitions(state.outbox, CountingIds())
        composites = Composites(clock, transitions)
        one = World(
            CloudWatch(
                database=state.database,
                journal=state.journal,
                intake=intake,
                evaluator=Evaluator(intake, state.database, clock, transitions, composites),
                composites=composites,
                transitions=transitions,
                actions=ActionTarget(state.database, clock, _internal),
                housekeeping=Housekeeping(intake, clock),
                clock=clock,
            ),
            clock,
        )
        await one.call("PutMetricAlarm", AlarmName="child", **QUIET)
        yield one


BEFORE = {"child": "INSUFFICIENT_DATA", "parent": "OK"}
AFTER = {"child": "ALARM", "parent": "ALARM"}


async def test_an_evaluation_and_its_composites_are_one_commit(world: World) -> None:
    """What failed is done by a later evaluation."""
    await world.call("PutCompositeAlarm", AlarmName="parent", AlarmRule="ALARM(child)")
    await world.composite_is_refused(True)
    with pytest.raises(sqlite3.IntegrityError):
        await world.cloudwatch.evaluator.round()
    assert await world.states() == BEFORE
    await world.composite_is_refused(False)
    world.clock.tick(60)
    await world.cloudwatch.evaluator.round()
    assert await world.states() == AFTER


async def test_set_alarm_state_and_its_composites_are_one_commit(world: World) -> None:
    """The caller may ask again."""
    await world.call("PutCompositeAlarm", AlarmName="parent", AlarmRule="ALARM(child)")
    await world.composite_is_refused(True)
    with pytest.raises(sqlite3.IntegrityError):
        await world.call("SetAlarmState", AlarmName="child", StateValue="ALARM", StateReason="r")
    assert await world.states() == BEFORE
    await world.composite_is_refused(False)
    await world.call("SetAlarmState", AlarmName="child", StateValue="ALARM", StateReason="r")
    assert await world.states() == AFTER


async def test_a_composite_alarm_is_put_in_the_state_that_it_has(world: World) -> None:
    """Its first evaluation is in the commit that makes it."""
    await world.call("SetAlarmState", AlarmName="child", StateValue="ALARM", StateReason="r")
    await world.composite_is_refused(True)
    with pytest.raises(sqlite3.IntegrityError):
        await world.call("PutCompositeAlarm", AlarmName="parent", AlarmRule="ALARM(child)")
    assert await world.states() == {"child": "ALARM"}
    await world.composite_is_refused(False)
    await world.call("PutCompositeAlarm", AlarmName="parent", AlarmRule="ALARM(child)")
    assert await world.states() == AFTER


async def test_an_alarm_that_fails_costs_only_itself(world: World) -> None:
    """Its band is none, which PutMetricAlarm took once: it knows nothing, and the others are evaluated."""
    stat = {"Metric": {"Namespace": "App", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    banded: dict[str, Any] = {
        "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanUpperThreshold", "ThresholdMetricId": "e",
        "Metrics": [
            {"Id": "m", "MetricStat": stat, "ReturnData": True},
            {"Id": "e", "Expression": "FIRST(ANOMALY_DETECTION_BAND(m))", "ReturnData": True},
        ],
    }  # fmt: skip

    def put_before_it(tx: Tx) -> None:
        child = alarm_store.find(tx, SCOPE, "child")
        assert child is not None
        rest = {name: value for name, value in child.settings.items() if name not in QUIET}
        state = replace(child.state, value="OK")
        alarm_store.put(tx, replace(child, name="a-bad", settings={**rest, **banded}, state=state))

    await world.cloudwatch.database.write(put_before_it)
    await world.cloudwatch.evaluator.round()
    assert await world.states() == {"a-bad": "INSUFFICIENT_DATA", "child": "ALARM"}
