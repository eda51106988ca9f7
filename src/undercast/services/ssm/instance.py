"""Parameter Store as its operations see it, and the task that deletes expired parameters.

AWS: Systems Manager User Guide, "Assigning parameter policies in Parameter Store".
"""

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import PlatformClock
from undercast.core.recurring import Rounds
from undercast.services.ssm import store
from undercast.store.database import Database, Tx

ROUND_S = 60.0


class Ssm:
    """One per platform. `rounds`, which delete what has expired, are started and stopped with it."""

    def __init__(self, database: Database, clock: PlatformClock) -> None:
        self.database = database
        self.clock = clock
        self.rounds = Rounds("Parameter Store's expiry", self._round, clock, ROUND_S)

    async def _round(self) -> None:
        await self.database.write(self._expire)

    def _expire(self, tx: Tx) -> None:
        for row in store.expired(tx, self.clock.now()):
            store.delete(tx, Scope(AccountId(row["account_id"]), Region(row["region"])), row["name"])
