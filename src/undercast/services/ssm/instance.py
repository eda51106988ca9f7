"""Parameter Store as its operations see it, and the task that applies parameter policies when they are due.

AWS: Systems Manager User Guide, "Assigning parameter policies in Parameter Store" (enforced by periodic scans).
"""

from dataclasses import replace

from undercast.core.clock import PlatformClock
from undercast.core.recurring import Rounds
from undercast.services.ssm import policies, store
from undercast.services.ssm.models import Version
from undercast.services.ssm.notices import Notices
from undercast.store.database import Database, Tx

ROUND_S = 60.0


class Ssm:
    """One per platform. `rounds`, which apply policies, are started and stopped with it."""

    def __init__(self, database: Database, clock: PlatformClock, notices: Notices) -> None:
        self.database = database
        self.clock = clock
        self.notices = notices
        self.rounds = Rounds("Parameter Store's policies", self._round, clock, ROUND_S)

    async def _round(self) -> None:
        await self.database.write(self._apply)

    def _apply(self, tx: Tx) -> None:
        now = self.clock.now()
        for version in store.due(tx, now):
            self._apply_to(tx, version, now)

    def _apply_to(self, tx: Tx, version: Version, now: float) -> None:
        for place, policy, at in policies.due(version.policies, version.modified_at, version.applied):
            if at > now:
                break
            self.notices.applied(tx, version, policy, now)
            if policy["Type"] == policies.EXPIRATION:
                store.delete(tx, version.scope, version.name)
                return
            version = replace(version, applied=(*version.applied, place))
        store.set_applied(tx, version)
