"""Deletes keys whose waiting period is over, gives new material to keys that rotate. On the platform's clock.

AWS: KMS Developer Guide, "Deleting AWS KMS keys", "Rotating AWS KMS keys".
"""

import asyncio

from undercast.core.clock import PlatformClock
from undercast.core.recurring import Rounds
from undercast.services.kms import material, store
from undercast.services.kms.models import Key, Material
from undercast.store.database import Database, Tx

ROUND_S = 3600.0
DAY_S = 86_400.0


class Upkeep:
    """See the module. `rounds` is started and stopped with the platform."""

    def __init__(self, database: Database, clock: PlatformClock) -> None:
        self._database = database
        self._clock = clock
        self.rounds = Rounds("KMS's upkeep of keys", self.round, clock, ROUND_S)

    async def round(self) -> None:
        """Delete and rotate what is due."""
        await self._database.write(lambda tx: store.delete_due(tx, self._clock.now()))
        for key in await self._database.read(lambda tx: store.rotation_due(tx, self._clock.now())):
            await self.rotate(key, "AUTOMATIC")

    async def rotate(self, key: Key, reason: str) -> None:
        """New material for what is encrypted from now on."""
        secret = await asyncio.to_thread(material.generate, key.spec)
        now = self._clock.now()

        def write(tx: Tx) -> None:
            newest = store.material(tx, key)
            if newest is None:
                return  # deleted meanwhile
            store.add_material(tx, key, Material(number=newest.number + 1, secret=secret, made_at=now, reason=reason))
            if reason == "AUTOMATIC":
                store.change(tx, key, rotates_at=now + key.rotation_days * DAY_S)

        await self._database.write(write)
