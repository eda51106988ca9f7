"""The composition root: builds every part once and hands each what it needs. Starts and stops them in order.

Nothing else constructs a part. What cannot be started says what is wrong and what to do.
"""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import secrets
import signal
import socket
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

import undercast.sandbox
from undercast.core.clock import HostClock, PlatformClock
from undercast.core.config import Config
from undercast.core.ids import SystemIds
from undercast.events.causality import CausalLog
from undercast.events.delivery import Target
from undercast.events.outbox import Outbox
from undercast.events.router import Router
from undercast.gateway.admin import Admin, AdminTools
from undercast.gateway.auth import Authenticator, Authorizer
from undercast.gateway.cross_origin import page_allowed
from undercast.gateway.dispatch import Dispatcher, Gate, Tools
from undercast.gateway.hosts import HostNames
from undercast.gateway.request_log import RequestLog
from undercast.gateway.server import FrontDoor, bind
from undercast.http.limits import HttpLimits
from undercast.http.tls import CertificateAuthority
from undercast.sandbox.admission import Limits
from undercast.sandbox.driver import Driver
from undercast.sandbox.drivers.choice import choose_driver
from undercast.sandbox.pool import Pool, PoolParts
from undercast.sandbox.runtimes.families import Ground, installs_dir, language_families
from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.plan import Runtimes
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.python import PythonRuntime
from undercast.sandbox.runtimes.survey import summary, survey
from undercast.services import registry
from undercast.services.lambda_.credentials import RoleCredentials
from undercast.services.logs.sink import FunctionLogs
from undercast.services.parts import Parts
from undercast.services.registry import Mounted
from undercast.store import clock_offset
from undercast.store.blobs import BlobStore
from undercast.store.database import Database, Tx
from undercast.store.errors import StoreError, is_disk_full
from undercast.store.folder import DataFolder
from undercast.store.journal import Journal
from undercast.store.migrations import migrate_all

log = logging.getLogger(__name__)

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})
_RUNTIME_API_PORT = 9001
_KEPT_BY_RESET = frozenset({"schema_version", "clock"})
GRACE_S = 5.0
"""How long requests in flight may take after SIGTERM."""


class CannotStart(Exception):
    """The platform cannot start; `fix` says what to do."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What is on disk, opened and migrated."""

    folder: DataFolder
    database: Database
    journal: Journal
    blobs: BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A platform that has been built; `start` it once, `stop` it once."""

    config: Config
    folder: DataFolder
    database: Database
    journal: Journal
    blobs: BlobStore
    platform_clock: PlatformClock
    causality: CausalLog
    outbox: Outbox
    router: Router
    pool: Pool
    driver: Driver
    front_door: FrontDoor
    listening: socket.socket
    request_log: RequestLog
    authority: CertificateAuthority
    services: Mapping[str, Mounted]

    @property
    def url(self) -> str:
        """Where callers reach it."""
        host = "localhost" if self.config.host in _LOOPBACK | _EVERY_ADDRESS else self.config.host
        return f"http://{host}:{self.config.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can call."""
        return self.config.host in _LOOPBACK

    async def start(self) -> None:
        """Begin to work: sandboxes first, then services and deliveries, callers last."""
        await self.request_log.start()
        await asyncio.to_thread(self.authority.write_bundle, self.folder.ca / "bundle.pem")
        await self.driver.start()
        await self.pool.start(self.config.port)
        for mounted in self.services.values():
            if mounted.manifest.start is not None:
                await mounted.manifest.start(mounted.instance)
        await self.router.start()
        self.front_door.listen(self.listening)
        self.folder.address.write_text(f"{self.url}\n")

    async def stop(self) -> None:
        """End in the opposite order. What was acknowledged is on disk when this returns."""
        await self.front_door.stop_accepting(GRACE_S)
        await self.router.stop()
        await self.pool.stop()
        await self.driver.stop()
        await self.front_door.close()
        for mounted in self.services.values():
            if mounted.manifest.stop is not None:
                await mounted.manifest.stop(mounted.instance)
        await self.request_log.stop()
        await self.causality.close()
        await self.blobs.close()
        await self.journal.close()
        await self.database.close()
        self.folder.unlock()

    async def reset(self) -> None:
        """Forget everything that callers made: as a new data folder, with zygotes and the clock as they are."""
        for function in self.pool.status()["functions"]:
            self.pool.retire(function["function"])
        await self.database.write(partial(_wipe, self.outbox), long=True)
        await self.journal.write(partial(_wipe, None))
        for mounted in self.services.values():
            if mounted.manifest.reset is not None:
                mounted.manifest.reset(mounted.instance)
        await self.blobs.sweep()

    def status(self) -> Mapping[str, Any]:
        """For `undercast status`."""
        return {
            "url": self.url,
            "driver": self.driver.name,
            "data": str(self.config.data_dir),
            "pid": os.getpid(),
            "clock": {"now": self.platform_clock.now(), "ahead_s": self.platform_clock.offset_s},
            "connections": self.front_door.connections,
            "tasks": len(asyncio.all_tasks()),
            "deliveries": self.router.status(),
            "sandboxes": self.pool.status(),
        }


def build_platform(config: Config) -> Platform:
    """Build every part. Raises CannotStart; then nothing stays open."""
    if config.port == _RUNTIME_API_PORT:
        raise CannotStart(
            f"port {_RUNTIME_API_PORT} is the Runtime API's inside every sandbox",
            "choose another: undercast start --port 4566",
        )
    state = _open_state(config)
    config = replace(config, data_dir=state.folder.path)
    try:
        listening = bind(config.host, config.port)
    except OSError as error:
        state.folder.unlock()
        raise CannotStart(
            f"cannot listen on {config.host}:{config.port}: {error.strerror}",
            "stop what uses the port, or choose another: undercast start --port 4567",
        ) from error
    return _compose(replace(config, port=listening.getsockname()[1]), state, listening)


def _open_state(config: Config) -> _State:
    folder = DataFolder.temporary() if config.ephemeral else DataFolder(config.data_dir)
    try:
        folder.lock()
        database = Database.open(folder.state_db, durability=config.durability)
        journal = Journal.open(folder.journal_db)
        owned = {
            "blob": BlobStore.SCHEMA,
            "event": Outbox.SCHEMA,
            "causality": CausalLog.SCHEMA,
            "clock": clock_offset.SCHEMA,
        }
        migrate_all(database, owned)
        migrate_all(journal.database, {"causality": CausalLog.JOURNAL_SCHEMA})
    except StoreError as error:
        raise CannotStart(str(error)) from error
    return _State(folder=folder, database=database, journal=journal, blobs=BlobStore(folder.blobs, database))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What everything above the store is made with."""

    config: Config
    state: _State
    host_clock: HostClock
    platform_clock: PlatformClock
    ids: SystemIds
    causality: CausalLog
    outbox: Outbox
    host_names: HostNames
    request_log: RequestLog
    authority: CertificateAuthority


def _base(config: Config, state: _State) -> _Base:
    host_clock = HostClock()
    platform_clock = PlatformClock(host_clock, clock_offset.offset_of(state.database))
    causality = CausalLog(state.database, state.journal, platform_clock)
    return _Base(
        config=config,
        state=state,
        host_clock=host_clock,
        platform_clock=platform_clock,
        ids=SystemIds(),
        causality=causality,
        outbox=Outbox(state.database, platform_clock, causality),
        host_names=HostNames(config.extra_hosts, addresses=config.host not in _LOOPBACK),
        request_log=RequestLog(state.folder.requests_log),
        authority=CertificateAuthority(state.folder.ca, host_clock),
    )


def _compose(config: Config, state: _State, listening: socket.socket) -> Platform:
    base = _base(config, state)
    dispatcher = Dispatcher(_tools(base))
    built: list[Platform] = []  # the admin endpoints show what is built after them
    front_door = FrontDoor(
        dispatcher.handle,
        Admin(_admin_tools(base, built)),
        HttpLimits(max_head_bytes=config.max_head_bytes, max_body_bytes=config.max_body_bytes),
        base.authority.ssl_context,
        base.host_clock,
    )
    driver = choose_driver(config, state.folder.run)
    function_logs = FunctionLogs()
    credentials = RoleCredentials(dispatcher.internal, lambda key: built[0].services["sts"].instance.end(key))
    pool = Pool(_pool_parts(base, credentials, front_door, driver, function_logs))
    services = registry.mount(_parts(base, dispatcher, pool))
    function_logs.attach(services["logs"].instance.intake)
    dispatcher.mount(services, _gate(base, services))
    platform = Platform(
        config=config,
        folder=state.folder,
        database=state.database,
        journal=state.journal,
        blobs=state.blobs,
        platform_clock=base.platform_clock,
        causality=base.causality,
        outbox=base.outbox,
        router=Router(state.database, base.outbox, _targets(services), base.platform_clock, base.causality),
        pool=pool,
        driver=driver,
        front_door=front_door,
        listening=listening,
        request_log=base.request_log,
        authority=base.authority,
        services=services,
    )
    built.append(platform)
    return platform


def _tools(base: _Base) -> Tools:
    return Tools(
        host_names=base.host_names,
        causality=base.causality,
        platform_clock=base.platform_clock,
        host_clock=base.host_clock,
        ids=base.ids,
        request_log=base.request_log,
        default_region=base.config.default_region,
        endpoint=f"http://localhost:{base.config.port}",
    )


def _admin_tools(base: _Base, built: list[Platform]) -> AdminTools:
    return AdminTools(
        token=_token(base.state.folder),
        host_names=base.host_names,
        services=lambda: dict.fromkeys(built[0].services, "running"),
        status=lambda: built[0].status(),
        capabilities=lambda: capabilities_of(built[0].driver),
        causality=base.causality,
        platform_clock=base.platform_clock,
        keep_offset=lambda offset_s: base.state.database.write(lambda tx: clock_offset.keep_offset(tx, offset_s)),
        reset=lambda: built[0].reset(),
        drained=lambda: built[0].router.drained(),
        code=lambda request: built[0].services["lambda"].instance.locations.serve(request),
    )


def _pool_parts(
    base: _Base, credentials: RoleCredentials, front_door: FrontDoor, driver: Driver, logs: FunctionLogs
) -> PoolParts:
    state = base.state
    client = Path(undercast.sandbox.__file__).parent / "client"
    return PoolParts(
        driver=driver,
        runtimes=Runtimes(
            PythonLookup(base.config.search_path, base.config.home_dir),
            PythonRuntime(runtimes_dir=state.folder.path / "runtimes", client_dir=client),
            language_families(
                Ground(
                    lookup=ProgramLookup(base.config.search_path, base.config.home_dir),
                    runtimes_dir=state.folder.path / "runtimes",
                    client_dir=client,
                    installs_dir=installs_dir(base.config.home_dir),
                )
            ),
        ),
        logs=logs,
        credentials=credentials,
        front_door=front_door,
        causes=base.causality,
        host_clock=base.host_clock,
        platform_clock=base.platform_clock,
        ids=base.ids,
        config=base.config,
        limits=_machine_limits(base.config),
        ca_bundle=state.folder.ca / "bundle.pem",
    )


def _parts(base: _Base, dispatcher: Dispatcher, pool: Pool) -> Parts:
    return Parts(
        config=base.config,
        database=base.state.database,
        blobs=base.state.blobs,
        journal=base.state.journal,
        outbox=base.outbox,
        causality=base.causality,
        pool=pool,
        platform_clock=base.platform_clock,
        host_clock=base.host_clock,
        ids=base.ids,
        internal=dispatcher.internal,
    )


def _gate(base: _Base, services: Mapping[str, Mounted]) -> Gate:
    iam, sts = services["iam"].instance, services["sts"].instance
    loopback = base.config.host in _LOOPBACK
    return Gate(
        authenticator=Authenticator(
            (iam.credential, sts.session),
            base.host_clock,
            issued_keys_only=not loopback,
            page_allowed=partial(page_allowed, services=services),
            used=iam.note_key_use,
        ),
        authorizer=Authorizer(iam.policies_of, base.host_clock, base.config.iam),
    )


def _targets(services: Mapping[str, Mounted]) -> dict[str, Target]:
    found: dict[str, Target] = {}
    for mounted in services.values():
        if mounted.manifest.targets is not None:
            found.update(mounted.manifest.targets(mounted.instance))
    return found


def _machine_limits(config: Config) -> Limits:
    """At most 2 x cores INITs at once; environments may take half of the memory that is free now."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 2 << 30
    return Limits(
        inits=2 * (os.cpu_count() or 1),
        environments=config.max_environments,
        memory_mb=max(1024, free // 2 // 2**20),
    )


def _wipe(outbox: Outbox | None, tx: Tx) -> None:
    """Delete every row but those that say what the file is."""
    tx.execute("PRAGMA defer_foreign_keys = ON")
    if outbox is not None:
        outbox.clear(tx)
    for row in tx.all("SELECT name FROM sqlite_master WHERE type = 'table'"):
        if row["name"] not in _KEPT_BY_RESET and not row["name"].startswith("sqlite_"):
            tx.execute(f"DELETE FROM {row['name']}")


def _token(folder: DataFolder) -> str:
    """The secret that authorises changes under /_undercast/, new at every start."""
    token = secrets.token_urlsafe(24)
    folder.token.unlink(missing_ok=True)
    folder.token.touch(mode=0o600)
    folder.token.write_text(token)
    return token


def capabilities_of(driver: Driver) -> Mapping[str, Any]:
    """A driver's promises on this machine, for `undercast doctor`."""
    capabilities = driver.capabilities()
    return {
        "driver": capabilities.driver,
        "promises": {
            promise.name: f"{promise.strength}: {promise.how}" + (f" (fix: {promise.fix})" if promise.fix else "")
            for promise in capabilities.promises
        },
        "notes": list(capabilities.notes),
    }


async def examine(config: Config) -> Mapping[str, Any]:
    """What this machine can isolate and run, without a platform."""
    folder = DataFolder.temporary()
    folder.lock()
    try:
        driver = choose_driver(config, folder.run)
        await driver.start()
        try:
            search = (config.search_path, config.home_dir)
            states = survey(PythonLookup(*search), ProgramLookup(*search))
            return {**capabilities_of(driver), "runtimes": summary(states)}
        finally:
            await driver.stop()
    finally:
        folder.unlock()


def serve(config: Config, ready: Callable[[Platform], None]) -> None:
    """Run a platform until SIGTERM or SIGINT. Raises CannotStart."""
    # Each sandbox holds a dozen descriptors and a relay two per connection; the usual soft limit is 1,024.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses what its kernel cannot give
        resource.setrlimit(resource.RLIMIT_NOFILE, (most if most != resource.RLIM_INFINITY else 1 << 20, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, ready))


def _calm_collector() -> None:
    """Leave what start-up made out of every later collection, and collect less often.

    Requests make few cycles; with Python's defaults collections took 13 % of an invoke's CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _serve(config: Config, ready: Callable[[Platform], None]) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        platform = build_platform(config)
        await platform.start()
    except (OSError, sqlite3.OperationalError) as error:
        if not is_disk_full(error):
            raise
        fix = "free some space, or start with another folder: undercast start --data DIR"
        raise CannotStart("No space left on the disk of the data folder", fix) from error
    _calm_collector()
    sweeping = asyncio.create_task(platform.blobs.sweep(), name="sweep")  # safe beside traffic, so nobody waits for it
    try:
        ready(platform)
        await ended.wait()
    finally:
        await asyncio.wait([sweeping])
        await platform.stop()
