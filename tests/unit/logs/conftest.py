"""CloudWatch Logs on a real journal with clocks that stand still."""

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
from undercast.core.service import Reply
from undercast.services.logs.exports import Exports
from undercast.services.logs.housekeeping import Housekeeping
from undercast.services.logs.instance import Logs
from undercast.services.logs.intake import Intake
from undercast.services.logs.live_tail import LiveTails
from undercast.services.logs.metric_filters import MetricFilters
from undercast.services.logs.queries import Queries
from undercast.services.logs.schema import JOURNAL_SCHEMA, SCHEMA
from undercast.services.logs.service import MANIFEST
from undercast.services.logs.subscriptions import Subscriptions
from undercast.store.journal import Journal
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("111122223333"), Region("us-west-2"))

CLOSED = "arn:aws:lambda:us-west-2:111122223333:function:closed"
"""A function that lets nobody in."""


@dataclass
class World:
    """The Logs service and everything around it that a test looks at."""

    logs: Logs
    clock: FakeClock
    ids: CountingIds
    journal: Journal
    metrics: Metrics

    @property
    def now_ms(self) -> int:
        """Platform time."""
        return int(self.clock.now() * 1000)

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Run an operation as dispatch does; its output."""
        result = await MANIFEST.operations[operation](self.logs, self._context(operation), params)
        return dict(result.output if isinstance(result, Reply) else result or {})

    async def put(self, group: str, stream: str, *events: tuple[int, str]) -> dict[str, Any]:
        """PutLogEvents, of (milliseconds from now, message)."""
        given = [{"timestamp": self.now_ms + offset, "message": message} for offset, message in events]
        return await self.call("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=given)

    async def stream(self, group: str, *streams: str) -> None:
        """Make a group unless it is there, and streams."""
        if not (await self.call("DescribeLogGroups", logGroupNamePrefix=group))["logGroups"]:
            await self.call("CreateLogGroup", logGroupName=group)
        for name in streams:
            await self.call("CreateLogStream", logGroupName=group, logStreamName=name)

    def _context(self, operation: str) -> RequestContext:
        return RequestContext(
            request_id=self.ids.uuid(),
            scope=SCOPE,
            operation=operation,
            principal=root_principal(SCOPE.account_id),
            cause=EXTERNAL,
            clock=self.clock,
            host_clock=self.clock.host,
            ids=self.ids,
            caller=_nobody,
            permits=_permits,
        )


async def _nobody(
    ctx: RequestContext,
    service: str,
    operation: str,
    params: Mapping[str, Any],
    checked: bool = False,
) -> dict[str, Any]:
    raise not_implemented(service, operation)


async def _permits(principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]) -> bool:
    return resource_arn != CLOSED


def _internal(scope: Scope, principal: Principal, cause: Any = EXTERNAL) -> RequestContext:
    raise not_implemented("logs", "internal work in unit tests")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A Logs service with its own files."""
    clock, ids = FakeClock(), CountingIds()
    async with open_state(tmp_path, clock, schemas={"logs": SCHEMA}) as state:
        journal = state.journal
        migrate(journal.database, "logs", JOURNAL_SCHEMA)
        intake, metrics = Intake(journal, clock, ids), Metrics()
        logs = Logs(
            journal=journal,
            intake=intake,
            housekeeping=Housekeeping(journal, clock),
            subscriptions=Subscriptions(state.outbox, intake.followers, clock, ids),
            metric_filters=MetricFilters(state.database, intake.followers, metrics, clock),
            live_tails=LiveTails(),
            queries=Queries(journal),
            exports=Exports(state.database, journal, _internal, clock),
            database=state.database,
            internal=_internal,
            clock=clock,
        )
        yield World(logs=logs, clock=clock, ids=ids, journal=journal, metrics=metrics)
        await logs.housekeeping.stop()
        await logs.queries.stop()
        await logs.subscriptions.stop()
        await logs.intake.stop()
