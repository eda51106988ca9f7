"""CloudWatch with its own files, run operation by operation; nothing evaluates alarms by itself."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
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
