"""Deletes keys whose waiting period is over, gives new material to keys that rotate. On the platform's clock.

AWS: KMS Developer Guide, "Deleting AWS KMS keys", "Rotating AWS KMS keys".
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from undercast.core.clock import PlatformClock
from undercast.core.recurring import Rounds
from undercast.services.kms import material, store
from undercast.services.kms.models import ENABLED, Key, Material
from undercast.store.database import Database, Tx

ROUND_S = 3600.0
DAY_S = 86_400.0
AUTOMATIC, ON_DEMAND = "AUTOMATIC", "ON_DEMAND"


class Upkeep:
    """See the module. `rounds` is started and stopped with the platform."""

    def __init__(self, database: Database, clock: PlatformClock) -> None:
        self._database = database
        self._clock = clock
        self.rounds = Rounds("KMS's upkeep of keys", self.round, clock, ROUND_S)

    async def round(self) -> None:
        """Delete and rotate what is due."""
        await self._database.write(lambda tx: store.delete_due(tx, self._clock.now()))
        while due := await self._database.read(lambda tx: store.rotation_due(tx, self._clock.now())):
            for key in due:
                await self._rotate_as_scheduled(key)

    async def rotate_on_demand(self, key: Key, check: Callable[[Tx], None]) -> None:
        """New material for what is encrypted from now on, where `check` of the write lets it; the schedule stays."""
        secret = await asyncio.to_thread(material.generate, key.spec)
        now = self._clock.now()

        def write(tx: Tx) -> None:
            check(tx)
            _add(tx, key, Material(number=0, secret=secret, made_at=now, reason=ON_DEMAND))

        await self._database.write(write)

    async def _rotate_as_scheduled(self, key: Key) -> None:
        """One period further. Dates are those of the schedule, however late the round is."""
        at = key.rotates_at
        assert at is not None, "only these are due"
        secret = await asyncio.to_thread(material.generate, key.spec)

        def write(tx: Tx) -> None:
            now = store.find_in_region(tx, key.id, key.scope.region)
            if now is None or now.state != ENABLED or now.rotates_at != at:
                return  # deleted, disabled, to be deleted or rescheduled meanwhile
            _add(tx, key, Material(number=0, secret=secret, made_at=at, reason=AUTOMATIC))
            store.change(tx, key, rotates_at=at + key.rotation_days * DAY_S)

        await self._database.write(write)


def _add(tx: Tx, key: Key, made: Material) -> None:
    newest = store.material(tx, key)
    if newest is not None:  # else the key was deleted meanwhile
        store.add_material(tx, key, replace(made, number=newest.number + 1))
