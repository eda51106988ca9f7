"""Kinesis as its operations see it."""

from collections.abc import Callable
from dataclasses import field
from typing import TypeVar

from undercast.core.accesses import Accesses
from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.core.service import Params
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.services.kept import Kept
from undercast.services.kinesis import store
from undercast.services.kinesis.errors import in_use, invalid, no_stream
from undercast.services.kinesis.housekeeping import Housekeeping
from undercast.services.kinesis.measures import Measures
from undercast.services.kinesis.models import OpenStream, Stream, StreamName, named_by_arn
from undercast.services.kinesis.subscriptions import Subscriptions
from undercast.services.kinesis.throttle import Throttle
from undercast.store.database import Database, Tx

T = TypeVar("T")


@record
class Kinesis:
    """One per platform."""

    database: Database
    arrivals: Arrivals
    causality: CausalLog
    streams: Kept[StreamName, OpenStream]
    policies: Kept[str, str]
    """By the ARN of a stream or a consumer; "" for none. Every request asks for one."""
    subscriptions: Subscriptions
    housekeeping: Housekeeping
    throttle: Throttle
    measures: Measures
    clock: PlatformClock
    ids: Ids
    accesses: Accesses = field(default_factory=Accesses)

    async def change(self, of: StreamName, fn: Callable[[Tx], T], *, long: bool = False) -> T:
        """Run a transaction that changes more of a stream than its records: its row or its shards."""

        def write(tx: Tx) -> T:
            self.streams.changed(tx, of)
            return fn(tx)

        return await self.database.write(write, long=long)


def named(ctx: RequestContext, params: Params) -> StreamName:
    """The stream of a StreamARN, or of a StreamName in the caller's account. Raises InvalidArgumentException."""
    arn, name = params.get("StreamARN"), params.get("StreamName")
    if arn is None and name is None:
        raise invalid("Either StreamName or StreamARN must be specified.")
    if arn is None:
        return StreamName(ctx.scope, str(name))
    of = named_by_arn(arn)
    if name is not None and name != of.name:
        raise invalid(f"StreamName {name} and StreamARN {arn} do not name the same stream.")
    if of.scope.region != ctx.region:
        raise no_stream(of.scope, of.name)
    return of


def asked(tx: Tx, ctx: RequestContext, params: Params) -> Stream:
    """The stream that a request means. Raises ResourceNotFoundException."""
    return store.existing(tx, named(ctx, params))


def refuse_second(tx: Tx, of: StreamName) -> None:
    """Raises ResourceInUseException where there is such a stream."""
    if store.find(tx, of) is not None:
        raise in_use(f"Stream {of.name} under account {of.scope.account_id} already exists.")
