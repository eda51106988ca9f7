"""Pipes as its operations see it."""

from undercast.core.clock import PlatformClock
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.services.parts import Internal
from undercast.services.pipes.measures import Measures
from undercast.services.pipes.running import Running
from undercast.services.pipes.troubles import Troubles
from undercast.store.database import Database


@record
class Pipes:
    """One per platform."""

    database: Database
    arrivals: Arrivals
    outbox: Outbox
    causality: CausalLog
    internal: Internal
    clock: PlatformClock
    ids: Ids
    running: Running
    troubles: Troubles
    measures: Measures
