"""The last step of a start: sandboxes, deliveries and the platform's own endpoints, over the services. And a stop.

Loaded behind the ready line, while first calls are answered (`app/behind.py`).
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any

import undercast.sandbox
from undercast.app import debugging
from undercast.app.base import Base
from undercast.app.ending import Ending
from undercast.app.machine import machine_limits
from undercast.app.sandboxes import capabilities_of
from undercast.app.stopping import Begun, stop
from undercast.app.traces import Traces
from undercast.core.memory import Memory, in_use
from undercast.core.record import record
from undercast.core.recurring import every, recur
from undercast.events.dead import DeadDeliveries
from undercast.events.delivery import Target
from undercast.events.outbox import Outbox
from undercast.events.router import Router
from undercast.events.settlement import Sender, Senders
from undercast.gateway.admin import Admin, AdminTools
from undercast.sandbox.debugging.programs import Debuggers
from undercast.sandbox.driver import Driver
from undercast.sandbox.pool import Pool
from undercast.sandbox.pool_parts import PoolParts
from undercast.sandbox.runtimes.families import Ground, installs_dir, language_families
from undercast.sandbox.runtimes.leftovers import put_aside, remove_unused
from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.plan import Runtimes
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.python import PythonRuntime
from undercast.services.lambda_.credentials import RoleCredentials
from undercast.services.lambda_.images import endpoint as images
from undercast.services.logs.sink import FunctionLogs
from undercast.services.registry import Mounted
from undercast.store import clock_offset
from undercast.store.database import Tx

_KEPT_BY_RESET = frozenset({"schema_version", "clock"})
_LOOK_AT_MEMORY_S = 2.0
_SHOWN_DEAD = 20


@record
class Platform:
    """A platform that has been built; `start` it once, `stop` it once."""

    base: Base
    router: Router
    dead: DeadDeliveries
    pool: Pool
    driver: Driver
    services: Mapping[str, Mounted]
    housework: set[asyncio.Task[Any]] = field(default_factory=set)
    """Ends by itself."""
    recurring: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Begin to work. Sandboxes and services have begun."""
        await self.router.start()
        admin = Admin(_admin_tools(self))
        self.base.door.entrance.complete(admin.handle, self.driver.name)
        self.housework.add(asyncio.create_task(self.base.parts.blobs.sweep(), name="sweep"))  # safe beside traffic
        leftovers = asyncio.to_thread(remove_unused, self.base.door.folder.runtimes)
        self.housework.add(asyncio.create_task(leftovers, name="leftovers"))
        memory = Memory(lambda: self.base.request_log.written)
        self.recurring.add(asyncio.create_task(recur("giving memory back", memory.look, every(_LOOK_AT_MEMORY_S))))

    async def stop(self, ending: Ending) -> None:
        """End in the opposite order. The door is left: `Door.close` follows."""
        sandboxes = {
            "the housework": self._end_housework,
            "the execution environments": self.pool.stop,
            "the driver": self.driver.stop,
        }
        deliveries = {"the router": self.router.stop}
        self.pool.end_abandoned()
        begun = Begun(
            base=self.base,
            services=self.services,
            deliveries=deliveries,
            sandboxes=sandboxes,
            left=lambda: self.driver.remaining,
        )
        await stop(begun, ending)

    async def _end_housework(self) -> None:
        for task in (*self.housework, *self.recurring):  # a sweep can be left at any point: the next start goes on
            task.cancel()
        await asyncio.gather(*self.housework, *self.recurring, return_exceptions=True)

    async def reset(self) -> None:
        """Forget everything that callers made: as a new data folder, with zygotes and the clock as they are.

        Services forget with the commit that deletes the rows of state.db; from then on the journal keeps what comes.
        What is made behind it is there, and known.
        """
        known = [(mounted.manifest, mounted.instance) for mounted in self.services.values()]
        forgets = [partial(one.reset, instance) for one, instance in known if one.reset is not None]
        emptied: list[asyncio.Task[None]] = []

        def empty_journal() -> None:
            emptied.append(self.base.door.journal.empty(partial(_wipe, None, ())))

        async with self.pool.emptied():  # what still ran, or began, would log, and call, after the rest is gone
            wipe = partial(_wipe, self.base.parts.outbox, [*forgets, self.pool.forget, empty_journal])
            await self.base.door.database.write(wipe, long=True)
            await asyncio.gather(*emptied)
        await self.base.parts.blobs.sweep()

    async def status(self) -> Mapping[str, Any]:
        """For `undercast status`."""
        await self.services["lambda"].instance.deployments.look_again()
        return {
            "url": self.base.door.url,
            "driver": self.driver.name,
            "data": str(self.base.door.config.data_dir),
            "pid": os.getpid(),
            "hot_reload_root": str(self.base.door.config.hot_reload_root or ""),
            "clock": {"now": self.base.parts.platform_clock.now(), "ahead_s": self.base.parts.platform_clock.offset_s},
            "connections": self.base.door.front_door.connections,
            "tasks": len(asyncio.all_tasks()),
            "memory_in_use": in_use(),
            "deliveries": {**self.router.status(), "dead": await self.dead.count()},  # as many as can be listed
            "dead_deliveries": await self.dead.shown(_SHOWN_DEAD),
            "cannot_run": self.services["lambda"].instance.unable.shown(),
            "sandboxes": self.pool.status(),
        }


async def start_pool(base: Base, services: Mapping[str, Mounted], driver: Driver) -> Pool:
    """Where functions run. The services are there that it writes to. Raises CannotStart for what `--debug` asked."""
    put_aside(base.door.folder.runtimes, base.door.host_clock.now())
    logs = FunctionLogs(services["logs"].instance.intake)
    credentials = RoleCredentials(base.parts.internal, services["sts"].instance.end)
    traces = Traces(services["xray"].instance.intake, base.parts.internal)
    pool = Pool(replace(_pool_parts(base, credentials, driver, logs), traces=traces))
    try:
        await pool.start(base.door.config.port)
        await debugging.begin(pool, base.door.config)
    except BaseException:
        await pool.stop()
        raise
    return pool


def build_platform(base: Base, services: Mapping[str, Mounted], driver: Driver, pool: Pool) -> Platform:
    """All services are there."""
    outbox = base.parts.outbox
    router = Router(outbox, _targets(services), _senders(services))
    return Platform(base=base, router=router, dead=DeadDeliveries(outbox), pool=pool, driver=driver, services=services)


def _admin_tools(platform: Platform) -> AdminTools:
    database, clock = platform.base.door.database, platform.base.parts.platform_clock
    return AdminTools(
        token=platform.base.door.token,
        host_names=platform.base.door.host_names,
        status=platform.status,
        capabilities=lambda: capabilities_of(platform.driver),
        causality=platform.base.parts.causality,
        platform_clock=clock,
        keep_offset=lambda offset_s: database.write(lambda tx: clock_offset.keep_offset(tx, offset_s, clock.now())),
        reset=platform.reset,
        debug=partial(debugging.change, platform.pool),
        drained=platform.router.drained,
        dead=platform.dead.shown,
        retry=platform.dead.retry,
        outbox=platform.services["sns"].instance.local.shown,
        opt_out=platform.services["sns"].instance.local.stop,
        unregister=platform.services["sns"].instance.local.unregister,
        images=partial(images.serve, platform.services["lambda"].instance.images),
        code=platform.services["lambda"].instance.locations.serve,
    )


def _pool_parts(base: Base, credentials: RoleCredentials, driver: Driver, logs: FunctionLogs) -> PoolParts:
    door, config, parts = base.door, base.door.config, base.parts
    client = Path(undercast.sandbox.__file__).parent / "client"
    return PoolParts(
        driver=driver,
        runtimes=Runtimes(
            PythonLookup(config.search_path, config.home_dir, config.moved_homes),
            PythonRuntime(
                runtimes_dir=door.folder.runtimes,
                client_dir=client,
                installs_dir=installs_dir(config.home_dir),
            ),
            language_families(
                Ground(
                    lookup=ProgramLookup(config.search_path, config.home_dir, config.moved_homes),
                    runtimes_dir=door.folder.runtimes,
                    client_dir=client,
                    installs_dir=installs_dir(config.home_dir),
                    ca_bundle=door.folder.ca / "bundle.pem",
                )
            ),
            Debuggers(
                search_path=config.search_path, home=config.home_dir, installs_dir=installs_dir(config.home_dir)
            ).applied,
        ),
        logs=logs,
        credentials=credentials,
        front_door=door.front_door,
        causes=parts.causality,
        host_clock=parts.host_clock,
        platform_clock=parts.platform_clock,
        ids=parts.ids,
        config=config,
        limits=machine_limits(config),
        ca_bundle=door.folder.ca / "bundle.pem",
    )


def _senders(services: Mapping[str, Mounted]) -> Senders:
    return {
        name: Sender(
            hears=of.hears and partial(of.hears, mounted.instance),
            finishes=of.finishes and partial(of.finishes, mounted.instance),
        )
        for name, mounted in services.items()
        if (of := mounted.manifest).hears is not None or of.finishes is not None
    }


def _targets(services: Mapping[str, Mounted]) -> dict[str, Target]:
    found: dict[str, Target] = {}
    for mounted in services.values():
        if mounted.manifest.targets is not None:
            found.update(mounted.manifest.targets(mounted.instance))
    return found


def _wipe(outbox: Outbox | None, forgets: Sequence[Callable[[], None]], tx: Tx) -> None:
    """Delete every row but those that say what the file is. With the commit, services forget what they have read."""
    tx.execute("PRAGMA defer_foreign_keys = ON")
    if outbox is not None:
        outbox.clear(tx)
    for row in tx.all("SELECT name FROM sqlite_master WHERE type = 'table'"):
        if row["name"] not in _KEPT_BY_RESET and not row["name"].startswith("sqlite_"):
            tx.execute(f"DELETE FROM {row['name']}")
    for forget in forgets:
        tx.after_commit(forget)
