"""Deletes traces 30 days after they came, on the platform's clock, looked at every hour of it; readers never see
an older one meanwhile.

AWS: X-Ray FAQs and quotas, "Trace and service graph retention: 30 days".
"""

from undercast.core.clock import PlatformClock
from undercast.core.recurring import Rounds
from undercast.services.xray import store
from undercast.store.journal import Journal

RETENTION_S = 30 * 86400.0
INTERVAL_S = 3600.0


class Upkeep:
    """See the module. `rounds` is started and stopped with the platform."""

    def __init__(self, journal: Journal, clock: PlatformClock) -> None:
        self._journal = journal
        self._clock = clock
        self.rounds = Rounds("the expiry of traces", self.expire, clock, INTERVAL_S)

    async def expire(self) -> None:
        """Remove what is too old by now, a piece at a time."""
        before = self._clock.now() - RETENTION_S
        while await self._journal.write(lambda tx: store.expire(tx, before)):
            continue
