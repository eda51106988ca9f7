"""Scheduler as its operations see it."""

import logging
from dataclasses import field

from undercast.core.clock import PlatformClock
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.core.tasks import Tasks
from undercast.events.alarm import Alarm
from undercast.events.outbox import Outbox
from undercast.services.parts import Internal, SdkCalls
from undercast.services.scheduler.measures import Measures
from undercast.store.database import Database

log = logging.getLogger(__name__)


def _tell(error: BaseException) -> None:
    log.error("Scheduler's background work ended: %r", error)


@record
class Scheduler:
    """One per platform."""

    database: Database
    outbox: Outbox
    internal: Internal
    clock: PlatformClock
    ids: Ids
    sdk: SdkCalls
    measures: Measures
    alarm: Alarm
    """Rings when a target is to be called (`rounds.Rounds`)."""
    tasks: Tasks = field(default_factory=lambda: Tasks(_tell))
