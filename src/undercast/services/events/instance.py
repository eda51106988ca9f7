"""EventBridge as its operations see it."""

import logging
from dataclasses import field
from pathlib import Path

from undercast.core.clock import HostClock, PlatformClock
from undercast.core.config import Profile
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.core.tasks import Tasks
from undercast.events.alarm import Alarm
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.sandbox.upstream import ConnectFor
from undercast.services.events.measures import Measures
from undercast.services.events.store import Buses
from undercast.services.parts import Internal
from undercast.store.database import Database

log = logging.getLogger(__name__)


def _tell(error: BaseException) -> None:
    log.error("EventBridge's background work ended: %r", error)


@record
class Events:
    """One per platform."""

    database: Database
    buses: Buses
    outbox: Outbox
    causality: CausalLog
    internal: Internal
    clock: PlatformClock
    host_clock: HostClock
    """For the ends of OAuth tokens, which others have made."""
    ids: Ids
    profile: Profile
    measures: Measures
    alarm: Alarm
    """Rings when a schedule comes round (`rounds.Rounds`)."""
    ca_bundle: Path
    """Whom HTTPS endpoints may be certified by: the machine's authorities and the platform's own."""
    connect_as_sandbox: ConnectFor
    """To the endpoints that a function named: what a sandbox reaches."""
    tasks: Tasks = field(default_factory=lambda: Tasks(_tell))
    """What runs beside the requests: schedules, replays."""
