"""DynamoDB as its operations see it."""

import logging
from dataclasses import field

from undercast.core.clock import PlatformClock
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.core.tasks import Tasks
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.services.dynamodb.measures import Measures
from undercast.services.dynamodb.tables import Tables
from undercast.services.dynamodb.throttle import Throttle
from undercast.services.parts import Internal
from undercast.store.database import Database

log = logging.getLogger(__name__)


def _tell(error: BaseException) -> None:
    log.error("an export or import of a table did not end", exc_info=error)


@record
class Dynamo:
    """One per platform."""

    database: Database
    tables: Tables
    causality: CausalLog
    arrivals: Arrivals
    outbox: Outbox
    throttle: Throttle
    measures: Measures
    clock: PlatformClock
    ids: Ids
    internal: Internal
    tasks: Tasks = field(default_factory=lambda: Tasks(_tell))
    """Exports and imports that run."""
