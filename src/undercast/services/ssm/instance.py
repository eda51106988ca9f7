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
_AT_ONCE = 100


class Ssm:
    """One per platform. `rounds`, which apply policies, are started and stopped with it."""

    def __init__(self, database: Database, clock: PlatformClock, notices: Notices) -> None:
        self.database = database
        self.clock = clock
        self.notices = notices
        self.rounds = Rounds("Parameter Store's policies", self._round, clock, ROUND_S)

    async def _round(self) -> None:
        while await self.database.write(self._apply, long=True):
            pass

    def _apply(self, tx: Tx) -> bool:
        """Whether there may be more."""
        now = self.clock.now()
        found = store.due(tx, now, _AT_ONCE)
        for version in found:
            self._apply_to(tx, version, now)
        return len(found) == _AT_ONCE

    def _apply_to(self, tx: Tx, version: Version, now: float) -> None:
        due = [one for one in policies.due(version.policies, version.modified_at, version.applied) if one.at <= now]
        expires = any(policy["Type"] == policies.EXPIRATION for _, policy, _ in due)
        for place, policy, _ in due:
            if expires and policy["Type"] == policies.EXPIRES_SOON:
                continue  # it would say that the parameter expires in some days
            self.notices.applied(tx, version, policy, now)
            if policy["Type"] == policies.EXPIRATION:
                store.delete(tx, version.scope, version.name)
                return
            version = replace(version, applied=(*version.applied, place))
        store.set_applied(tx, version)
