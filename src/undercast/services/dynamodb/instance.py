"""DynamoDB as its operations see it."""

from dataclasses import dataclass

from undercast.core.clock import PlatformClock
from undercast.core.ids import Ids
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.services.dynamodb.tables import Tables
from undercast.services.dynamodb.throttle import Throttle
from undercast.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamo:
    """One per platform."""

    database: Database
    tables: Tables
    causality: CausalLog
    arrivals: Arrivals
    outbox: Outbox
    throttle: Throttle
    clock: PlatformClock
    ids: Ids
