"""The Logs service as its operations see it."""

import asyncio
from dataclasses import field

from undercast.core.arn import Scope
from undercast.core.clock import Clock
from undercast.core.context import RequestContext
from undercast.core.record import record
from undercast.services.logs import classes, store
from undercast.services.logs.destination import Internal
from undercast.services.logs.errors import no_group, no_stream
from undercast.services.logs.exports import Exports
from undercast.services.logs.housekeeping import Housekeeping
from undercast.services.logs.intake import Intake
from undercast.services.logs.live_tail import LiveTails
from undercast.services.logs.metric_filters import MetricFilters
from undercast.services.logs.models import Group, Stream
from undercast.services.logs.queries import Queries
from undercast.services.logs.subscriptions import Subscriptions
from undercast.store.database import Database, Tx
from undercast.store.journal import Journal


@record
class Logs:
    """One per platform. Execution environments write to `intake` too, through `sink.FunctionLogs`."""

    journal: Journal
    intake: Intake
    housekeeping: Housekeeping
    subscriptions: Subscriptions
    metric_filters: MetricFilters
    live_tails: LiveTails
    queries: Queries
    exports: Exports
    database: Database
    """state.db: what is configured."""
    internal: Internal
    clock: Clock
    belongings: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a group goes, and while one that is there gets what goes with it: the two are in two files."""

    def now_ms(self) -> int:
        """Platform time in milliseconds."""
        return int(self.clock.now() * 1000)


def existing_group(tx: Tx, scope: Scope, name: str) -> Group:
    """Raises ResourceNotFoundException."""
    group = store.group(tx, scope, name)
    if group is None:
        raise no_group()
    return group


def offering_group(tx: Tx, ctx: RequestContext, name: str) -> Group:
    """One whose class has the operation that is asked for. Raises ResourceNotFoundException, ValidationException."""
    group = existing_group(tx, ctx.scope, name)
    classes.check(group.group_class, ctx.operation)
    return group


def existing_stream(tx: Tx, scope: Scope, group: str, name: str) -> Stream:
    """Raises ResourceNotFoundException, for the group or for the stream."""
    existing_group(tx, scope, group)
    stream = store.stream(tx, scope, group, name)
    if stream is None:
        raise no_stream()
    return stream
