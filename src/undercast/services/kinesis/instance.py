"""Kinesis as its operations see it."""

from dataclasses import field

from undercast.core.accesses import Accesses
from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.core.service import Params
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.services.kinesis import store
from undercast.services.kinesis.errors import in_use, invalid, no_stream
from undercast.services.kinesis.housekeeping import Housekeeping
from undercast.services.kinesis.measures import Measures
from undercast.services.kinesis.models import Stream, StreamName, named_by_arn
from undercast.services.kinesis.policies import Policies
from undercast.services.kinesis.subscriptions import Subscriptions
from undercast.services.kinesis.throttle import Throttle
from undercast.store.database import Database, Tx


@record
class Kinesis:
    """One per platform."""

    database: Database
    arrivals: Arrivals
    causality: CausalLog
    policies: Policies
    subscriptions: Subscriptions
    housekeeping: Housekeeping
    throttle: Throttle
    measures: Measures
    clock: PlatformClock
    ids: Ids
    accesses: Accesses = field(default_factory=Accesses)


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
