"""Takes the snapshots of SnapStart versions: one INIT in an environment that is given up behind it.

At the publishing, and again at the first use of a version whose image is gone: the platform was restarted, the memory
was wanted for others, or its session is about to end. AWS: Lambda Developer Guide, "Improving startup performance with
Lambda SnapStart".
"""

import asyncio
import os

from undercast.core.clock import HostClock
from undercast.sandbox.admission import Admission, being_emptied
from undercast.sandbox.creation import Creation, Start
from undercast.sandbox.driver import Driver, SandboxError
from undercast.sandbox.environment import Environment, Watchers
from undercast.sandbox.extension_files import external_extensions
from undercast.sandbox.fleet import Fleet
from undercast.sandbox.snapstart import AHEAD, Snapshot, Snapshots, refusal, size_of


class Checkpoints:
    """One per pool."""

    def __init__(self, driver: Driver, admission: Admission, clock: HostClock) -> None:
        self._driver = driver
        self._admission = admission
        self._clock = clock
        self._snapshots = Snapshots(admission.limits.memory_mb)
        self._taking: dict[Fleet, asyncio.Task[None]] = {}
        self._creation: Creation | None = None
        self._watchers: Watchers | None = None

    def start(self, creation: Creation, watchers: Watchers) -> None:
        """From now on snapshots can be taken."""
        self._creation, self._watchers = creation, watchers

    async def stop(self) -> None:
        """Nothing is kept."""
        tasks = tuple(self._taking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._snapshots.clear()

    def abandon(self) -> None:
        """No snapshot is taken any more; whoever waits for one gets a ServiceError."""
        for task in tuple(self._taking.values()):
            task.cancel()

    async def image(self, fleet: Fleet) -> int | None:
        """The version's snapshot, taken now where there is none, as a descriptor that the caller closes.

        None, and `fleet.ahead` says why, where it cannot be one. Raises InitFailed, ServiceError.
        """
        known = self._known(fleet)
        if known is None and not fleet.ahead:
            task = self._taking.get(fleet)
            if task is None:
                task = self._taking[fleet] = asyncio.ensure_future(self._take(fleet))
                task.add_done_callback(lambda done: (self._taking.pop(fleet), done.cancelled() or done.exception()))
            await asyncio.wait((task,))  # which goes on where its caller leaves
            if task.cancelled():
                raise being_emptied()
            task.result()
            known = self._known(fleet)
        return None if known is None else os.dup(known.image)

    async def drop(self, function_arn: str, version: str | None) -> None:
        """A version of a function is gone, or all are."""
        for key in self._snapshots.of(function_arn, version):
            await self._end(self._snapshots.drop(key))

    def _known(self, fleet: Fleet) -> Snapshot | None:
        known = self._snapshots.get(fleet.key)
        return known if known is not None and known.usable_until > self._clock.now() else None

    async def _take(self, fleet: Fleet) -> None:
        assert self._creation is not None
        assert self._watchers is not None
        assert fleet.plan is not None
        function = fleet.function
        reason = refusal(fleet.plan, self._driver, extensions=bool(external_extensions(function.layers)))
        snapshot: Snapshot | None = None
        environment: Environment | None = None
        if not reason:
            self._admission.enter(fleet.memory_mb)
            try:
                start = Start(init_type="snap-start")
                environment = await self._creation.create(function, fleet.plan, self._watchers, start)
                snapshot = await _checkpoint(environment)
            except SandboxError as error:
                reason = str(error)
            finally:
                await self._give_up(fleet, environment, keep_session=snapshot is not None)
        if snapshot is None:
            fleet.ahead = f"SnapStart: this version {AHEAD} {reason}"
        elif fleet.retired:
            os.close(snapshot.image)
            await self._end([snapshot])
        else:
            await self._end(self._snapshots.keep(fleet.key, snapshot))

    async def _give_up(self, fleet: Fleet, environment: Environment | None, *, keep_session: bool) -> None:
        self._admission.init_over()
        self._admission.leave(fleet.memory_mb)
        if environment is not None and self._creation is not None:
            try:
                await self._creation.release(environment.id, keep_session=keep_session)
            finally:
                await environment.destroy()

    async def _end(self, gone: list[Snapshot]) -> None:
        """The clients that were made in their INITs are gone with them."""
        for snapshot in gone:
            if self._creation is not None:
                await self._creation.credentials.end(snapshot.environment_id)


async def _checkpoint(environment: Environment) -> Snapshot:
    image = await environment.checkpoint()
    return Snapshot(
        image=image,
        environment_id=environment.id,
        usable_until=environment.usable_until,
        size_bytes=size_of(image),
    )
