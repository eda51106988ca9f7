"""The second step of a start: builds every part once and hands each what it needs. Starts and stops them in order.

Loaded behind the ready line, with all that it imports.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import undercast.sandbox
from undercast.app import debugging
from undercast.app.door import Door
from undercast.app.ending import Ending
from undercast.app.machine import machine_limits
from undercast.app.sandboxes import capabilities_of
from undercast.app.traces import Traces
from undercast.core.clock import PlatformClock
from undercast.core.ids import SystemIds
from undercast.core.memory import Memory, in_use
from undercast.core.metrics import Metrics
from undercast.core.recurring import every, recur
from undercast.core.service import Manifest
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.events.delivery import Target
from undercast.events.outbox import Outbox
from undercast.events.router import Router, Sender, Senders
from undercast.gateway.admin import Admin, AdminTools
from undercast.gateway.auth import Authenticator, Authorizer, Gate
from undercast.gateway.cross_origin import page_allowed
from undercast.gateway.dispatch import Dispatcher, Tools
from undercast.gateway.request_log import RequestLog
from undercast.sandbox.debugging.programs import Debuggers
from undercast.sandbox.driver import Driver
from undercast.sandbox.pool import Pool
from undercast.sandbox.pool_parts import PoolParts
from undercast.sandbox.runtimes.families import Ground, installs_dir, language_families
from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.plan import Runtimes
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.python import PythonRuntime
from undercast.services import registry
from undercast.services.lambda_.credentials import RoleCredentials
from undercast.services.lambda_.images import endpoint as images
from undercast.services.logs.sink import FunctionLogs
from undercast.services.parts import Parts
from undercast.services.registry import Mounted
from undercast.store import clock_offset
from undercast.store.blobs import BlobStore
from undercast.store.database import Tx
from undercast.wire import sdk_calls

_KEPT_BY_RESET = frozenset({"schema_version", "clock"})
_LOOK_AT_MEMORY_S = 2.0
GRACE_S = 5.0
"""How long requests in flight may take after SIGTERM,"""
LEAST_GRACE_S = 2.0
"""and how long at least behind the end of the platform's own work, which has so long:"""
QUIESCE_S = 6.0
PART_S = 10.0
"""How long any other part of a stop may take; each says less of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A platform that has been built; `start` it once, `stop` it once."""

    door: Door
    blobs: BlobStore
    causality: CausalLog
    outbox: Outbox
    router: Router
    pool: Pool
    driver: Driver
    dispatcher: Dispatcher
    platform_clock: PlatformClock
    request_log: RequestLog
    services: Mapping[str, Mounted]
    housework: set[asyncio.Task[Any]] = field(default_factory=set)
    """Ends by itself."""
    recurring: set[asyncio.Task[None]] = field(default_factory=set)
    begun: dict[str, Mounted] = field(default_factory=dict)
    """The services that `start` has come to."""

    async def start(self) -> None:
        """Begin to work. The driver has started; services come before the deliveries that they get."""
        await self.request_log.start()
        await self.pool.start(self.door.config.port)
        await debugging.begin(self.pool, self.door.config)
        for name, mounted in self.services.items():
            self.begun[name] = mounted
            if mounted.manifest.start is not None:
                await mounted.manifest.start(mounted.instance)
        await self.router.start()
        admin = Admin(_admin_tools(self))
        self.door.entrance.complete(
            admin.handle, self.dispatcher.handle, self.dispatcher.is_elsewhere, self.driver.name
        )
        self.housework.add(asyncio.create_task(self.blobs.sweep(), name="sweep"))  # safe beside traffic
        memory = Memory(lambda: self.request_log.written)
        self.recurring.add(asyncio.create_task(recur("giving memory back", memory.look, every(_LOOK_AT_MEMORY_S))))

    async def stop(self, ending: Ending) -> None:
        """End in the opposite order, also of a start that failed. The door is left: `Door.close` follows.

        Attempts end, or are left to the next start, while the door is open: functions of the process driver call
        through it, and one whose call was refused has failed an attempt of its event, maybe the last.
        """
        grace_ends = self.door.host_clock.monotonic() + GRACE_S
        works = {
            name: partial(mounted.manifest.quiesce, mounted.instance)
            for name, mounted in self.begun.items()
            if mounted.manifest.quiesce is not None
        }
        await ending.together({"the router": self.router.stop, **works}, QUIESCE_S)
        for name, mounted in self.begun.items():
            if mounted.manifest.release is not None:
                release = partial(mounted.manifest.release, mounted.instance)
                await ending.part(f"the answers of {name}", release, PART_S)
        grace_s = max(LEAST_GRACE_S, grace_ends - self.door.host_clock.monotonic())
        await ending.part("the front door", partial(self.door.front_door.stop_accepting, grace_s), grace_s + PART_S)
        await ending.part("the housework", self._end_housework, PART_S)
        await ending.part("the execution environments", self.pool.stop, PART_S)
        await ending.part("the driver", self.driver.stop, PART_S)
        await ending.part("the listeners of sandboxes", self.door.front_door.close, PART_S)
        stops = {
            name: partial(mounted.manifest.stop, mounted.instance)
            for name, mounted in self.begun.items()
            if mounted.manifest.stop is not None
        }
        await ending.together(stops, PART_S)
        await ending.part("the request log", self.request_log.stop, PART_S)
        await ending.part("the causal log", self.causality.close, PART_S)
        await ending.part("the blobs", self.blobs.close, PART_S)

    async def _end_housework(self) -> None:
        for task in (*self.housework, *self.recurring):  # a sweep can be left at any point: the next start goes on
            task.cancel()
        await asyncio.gather(*self.housework, *self.recurring, return_exceptions=True)

    async def reset(self) -> None:
        """Forget everything that callers made: as a new data folder, with zygotes and the clock as they are.

        Services forget with the commit that deletes the rows: what is made behind it, they know.
        """
        known = [(mounted.manifest, mounted.instance) for mounted in self.services.values()]
        of_state = [partial(one.reset, instance) for one, instance in known if one.reset is not None]
        of_journal = [partial(one.reset_journal, instance) for one, instance in known if one.reset_journal is not None]
        await self.pool.clear()  # what still ran would log, and call, after the rest is gone
        await self.door.database.write(partial(_wipe, self.outbox, of_state), long=True)
        await self.door.journal.write(partial(_wipe, None, of_journal))
        await self.blobs.sweep()

    async def status(self) -> Mapping[str, Any]:
        """For `undercast status`."""
        await self.services["lambda"].instance.deployments.look_again()
        return {
            "url": self.door.url,
            "driver": self.driver.name,
            "data": str(self.door.config.data_dir),
            "pid": os.getpid(),
            "hot_reload_root": str(self.door.config.hot_reload_root or ""),
            "clock": {"now": self.platform_clock.now(), "ahead_s": self.platform_clock.offset_s},
            "connections": self.door.front_door.connections,
            "tasks": len(asyncio.all_tasks()),
            "memory_in_use": in_use(),
            "deliveries": self.router.status(),
            "dead_deliveries": self.router.dead(),
            "cannot_run": self.services["lambda"].instance.unable.shown(),
            "sandboxes": self.pool.status(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What everything above the store is made with."""

    door: Door
    blobs: BlobStore
    platform_clock: PlatformClock
    ids: SystemIds
    causality: CausalLog
    outbox: Outbox
    request_log: RequestLog


def _base(door: Door) -> _Base:
    platform_clock = PlatformClock(door.host_clock, clock_offset.offset_of(door.database))
    causality = CausalLog(door.database, door.journal, platform_clock)
    return _Base(
        door=door,
        blobs=BlobStore(door.folder.blobs, door.database),
        platform_clock=platform_clock,
        ids=SystemIds(door.host_clock),
        causality=causality,
        outbox=Outbox(door.database, platform_clock, causality),
        request_log=RequestLog(door.folder.requests_log),
    )


def build_platform(door: Door, driver: Driver, manifests: tuple[Manifest, ...]) -> Platform:
    """Build every part that stands behind the door."""
    base = _base(door)
    dispatcher = Dispatcher(_tools(base))
    built: list[Platform] = []  # the admin endpoints show what is built after them
    function_logs, traces = FunctionLogs(), Traces()
    credentials = RoleCredentials(dispatcher.internal, lambda key: built[0].services["sts"].instance.end(key))
    pool = Pool(replace(_pool_parts(base, credentials, driver, function_logs), traces=traces))
    services = registry.mount(manifests, _parts(base, dispatcher, pool))
    function_logs.attach(services["logs"].instance.intake)
    traces.attach(services["xray"].instance.intake, dispatcher.internal)
    dispatcher.mount(services, _gate(base, services))
    platform = Platform(
        door=door,
        blobs=base.blobs,
        causality=base.causality,
        outbox=base.outbox,
        router=Router(base.outbox, _targets(services), _senders(services)),
        pool=pool,
        driver=driver,
        dispatcher=dispatcher,
        platform_clock=base.platform_clock,
        request_log=base.request_log,
        services=services,
    )
    built.append(platform)
    return platform


def _tools(base: _Base) -> Tools:
    return Tools(
        host_names=base.door.host_names,
        causality=base.causality,
        platform_clock=base.platform_clock,
        host_clock=base.door.host_clock,
        ids=base.ids,
        request_log=base.request_log,
        default_region=base.door.config.default_region,
        endpoint=f"http://localhost:{base.door.config.port}",
    )


def _admin_tools(platform: Platform) -> AdminTools:
    database = platform.door.database
    return AdminTools(
        token=platform.door.token,
        host_names=platform.door.host_names,
        status=platform.status,
        capabilities=lambda: capabilities_of(platform.driver),
        causality=platform.causality,
        platform_clock=platform.platform_clock,
        keep_offset=lambda offset_s: database.write(lambda tx: clock_offset.keep_offset(tx, offset_s)),
        reset=platform.reset,
        debug=partial(debugging.change, platform.pool),
        drained=platform.router.drained,
        outbox=platform.services["sns"].instance.local.shown,
        opt_out=platform.services["sns"].instance.local.stop,
        unregister=platform.services["sns"].instance.local.unregister,
        images=partial(images.serve, platform.services["lambda"].instance.images),
        code=platform.services["lambda"].instance.locations.serve,
    )


def _pool_parts(base: _Base, credentials: RoleCredentials, driver: Driver, logs: FunctionLogs) -> PoolParts:
    door, config = base.door, base.door.config
    client = Path(undercast.sandbox.__file__).parent / "client"
    return PoolParts(
        driver=driver,
        runtimes=Runtimes(
            PythonLookup(config.search_path, config.home_dir),
            PythonRuntime(
                runtimes_dir=door.folder.path / "runtimes",
                client_dir=client,
                installs_dir=installs_dir(config.home_dir),
            ),
            language_families(
                Ground(
                    lookup=ProgramLookup(config.search_path, config.home_dir),
                    runtimes_dir=door.folder.path / "runtimes",
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
        causes=base.causality,
        host_clock=base.door.host_clock,
        platform_clock=base.platform_clock,
        ids=base.ids,
        config=config,
        limits=machine_limits(config),
        ca_bundle=door.folder.ca / "bundle.pem",
    )


def _parts(base: _Base, dispatcher: Dispatcher, pool: Pool) -> Parts:
    return Parts(
        config=base.door.config,
        database=base.door.database,
        blobs=base.blobs,
        journal=base.door.journal,
        outbox=base.outbox,
        arrivals=Arrivals(),
        metrics=Metrics(),
        causality=base.causality,
        pool=pool,
        platform_clock=base.platform_clock,
        host_clock=base.door.host_clock,
        ids=base.ids,
        internal=dispatcher.internal,
        sdk=sdk_calls,
    )


def _gate(base: _Base, services: Mapping[str, Mounted]) -> Gate:
    iam, sts = services["iam"].instance, services["sts"].instance
    return Gate(
        authenticator=Authenticator(
            (iam.credential, sts.session),
            base.door.host_clock,
            issued_keys_only=not base.door.loopback,
            page_allowed=partial(page_allowed, services=services),
            used=iam.note_key_use,
        ),
        authorizer=Authorizer(iam.policies_of, base.door.host_clock, base.door.config.iam),
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
