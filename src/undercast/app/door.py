"""The first step of a start: the data folder is ours and of our version, the port is ours and answers.

Imports little, for nothing else is loaded yet: `tests/architecture/test_start.py` names what may not be. Everything
that a user's mistake can make fail is here: a folder or a port in use, newer data. Tables are made behind it.
"""

import errno
import os
import socket
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from undercast.app import tables
from undercast.app.ending import FILES_S, Ending
from undercast.app.errors import CannotStart
from undercast.core.clock import HostClock
from undercast.core.config import Config
from undercast.core.record import record
from undercast.gateway.entrance import Entrance
from undercast.gateway.health import Health
from undercast.gateway.hosts import HostNames
from undercast.gateway.server import FrontDoor, bind
from undercast.http.limits import HttpLimits
from undercast.http.tls import CertificateAuthority
from undercast.services import catalogue
from undercast.store.database import Database
from undercast.store.errors import StoreError
from undercast.store.folder import DataFolder
from undercast.store.journal import Journal
from undercast.store.migrations import check_all, migrate_all, versions_in

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})
_RUNTIME_API_PORT = 9001
_CLOSING_S = 10.0
_WRITING_S = 30.0
"""A disk may be slow; what is not folded into the database then is in its WAL."""


@record
class Door:
    """What a platform is made around. `config` has the folder and the port that it really got."""

    config: Config
    folder: DataFolder
    database: Database
    journal: Journal
    token: str
    host_clock: HostClock
    host_names: HostNames
    authority: CertificateAuthority
    entrance: Entrance
    front_door: FrontDoor
    listening: socket.socket

    @property
    def url(self) -> str:
        """Where callers reach it."""
        host = "localhost" if self.config.host in _LOOPBACK | _EVERY_ADDRESS else self.config.host
        return f"http://{host}:{self.config.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can call."""
        return self.config.host in _LOOPBACK

    def listen(self) -> None:
        """Answer from now on."""
        self.front_door.listen(self.listening)
        self.folder.address.write_text(f"{self.url}\n")

    def migrate(self) -> None:
        """Make the tables, or bring them to this program's version. In any thread, before anything uses them."""
        schemas = tables.schemas()
        migrate_all(self.database, schemas.state, partial(tables.whole, "state"))
        migrate_all(self.journal.database, schemas.journal, partial(tables.whole, "journal"))

    async def close(self, ending: Ending) -> None:
        """Give port and folder back; what was acknowledged is on disk then."""
        ending.stage(FILES_S)
        await ending.part("the front door", partial(self.front_door.stop_accepting, 0), _CLOSING_S)
        await ending.part("the port", self.listening.close, _CLOSING_S)
        await ending.part("the journal", self.journal.close, _WRITING_S)
        await ending.part("the database", self.database.close, _WRITING_S)
        await ending.part("the data folder", self.folder.unlock, _CLOSING_S)


def open_door(config: Config) -> Door:
    """Take folder and port. Raises CannotStart; then nothing stays open."""
    if config.port == _RUNTIME_API_PORT:
        raise CannotStart(
            f"port {_RUNTIME_API_PORT} is the Runtime API's inside every sandbox",
            "choose another: undercast start --port 4566",
        )
    with ExitStack() as opened:
        door = _open(config, opened)
        opened.pop_all()
    return door


def _open(config: Config, opened: ExitStack) -> Door:
    """`opened` gets what is to be closed when this, or a later step, fails."""
    folder, database, journal = _open_state(config, opened)
    listening = opened.enter_context(_bind(config))
    config = replace(config, data_dir=folder.path, port=listening.getsockname()[1])
    clock = HostClock()
    authority = CertificateAuthority(folder.ca, clock)
    host_names = HostNames(config.extra_hosts, addresses=config.host not in _LOOPBACK)
    entrance = Entrance(Health(host_names, catalogue.names()))
    limits = HttpLimits(max_head_bytes=config.max_head_bytes, max_body_bytes=config.max_body_bytes)
    return Door(
        config=config,
        folder=folder,
        database=database,
        journal=journal,
        token=_token(folder),
        host_clock=clock,
        host_names=host_names,
        authority=authority,
        entrance=entrance,
        front_door=FrontDoor(entrance.handle, limits, authority.ssl_context, clock),
        listening=listening,
    )


def _bind(config: Config) -> socket.socket:
    try:
        return bind(config.host, config.port)
    except OSError as error:
        raise CannotStart(
            f"cannot listen on {config.host}:{config.port}: {error.strerror}", _listening_fix(error.errno)
        ) from error


def _listening_fix(number: int | None) -> str:
    if number == errno.EADDRINUSE:
        return "stop what uses it (a platform: undercast stop), or take a free port: undercast start --port 0"
    if number == errno.EACCES:
        return "ports below 1024 are the administrator's: undercast start --port 4566"
    return "--host takes an address of this machine: 127.0.0.1, or 0.0.0.0 for all of them"


def _open_state(config: Config, opened: ExitStack) -> tuple[DataFolder, Database, Journal]:
    folder = DataFolder.temporary() if config.ephemeral else DataFolder(config.data_dir)
    try:
        folder.lock()
        opened.callback(folder.unlock)
        database = Database.open(folder.state_db, durability=config.durability)
        opened.callback(database.drop)
        journal = Journal.open(folder.journal_db)
        opened.callback(journal.database.drop)
        if versions_in(database) or versions_in(journal.database):
            schemas = tables.schemas()
            check_all(database, schemas.state)
            check_all(journal.database, schemas.journal)
    except StoreError as error:
        raise CannotStart(str(error)) from error
    return folder, database, journal


def _token(folder: DataFolder) -> str:
    """The secret that authorises changes under /_undercast/, new at every start."""
    token = os.urandom(24).hex()
    folder.token.unlink(missing_ok=True)
    folder.token.touch(mode=0o600)
    folder.token.write_text(token)
    return token
