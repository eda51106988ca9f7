"""A port of the host's loopback that leads to the debugger of the function's present execution environment.

It stays while environments come and go: who connects early waits for the next one. AWS: none.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from undercast.core.recurring import every
from undercast.sandbox.debugging.session import Debugger
from undercast.sandbox.driver import SandboxError

MAX_CLIENTS = 16
"""Of one function at once: a debugger has one or two connections, its tools some more."""
_WAIT_LIMIT_S = 600.0
_GRACE_S = 0.5
"""At the end: the debugger may still have the answer to its client's last word."""
_TRY_EVERY_S = 0.05
_PIECE_BYTES = 64 * 1024

Connect = Callable[[int], Awaitable[socket.socket]]


class PortTaken(Exception):
    """Another program listens there."""


class _Target(NamedTuple):
    connect: Connect
    debugger: Debugger


class DebugPort:
    """See the module. `inner_port` is where the debugger listens in each sandbox."""

    def __init__(self, inner_port: int) -> None:
        self._inner_port = inner_port
        self._target: _Target | None = None
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self.number = 0

    async def open(self, number: int) -> None:
        """Listen on a port of 127.0.0.1; 0 takes a free one. Raises PortTaken."""
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", number)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            # Not strerror: asyncio writes the address into it once more.
            raise PortTaken(f"port {number} of 127.0.0.1: {os.strerror(error.errno)}") from error
        self.number = self._server.sockets[0].getsockname()[1]

    def lead_to(self, connect: Connect, debugger: Debugger) -> None:
        """An environment is there."""
        self._target = _Target(connect, debugger)

    def leave(self, debugger: Debugger) -> None:
        """It has gone."""
        if self._target is not None and self._target.debugger is debugger:
            self._target = None

    async def close(self) -> None:
        """Listen no more; clients are cut off, and nobody is waited for."""
        if self._server is not None:
            self._server.close()
        if self._target is not None:
            self._target.debugger.dismiss()
        clients = list(self._clients)
        if clients and self._target is not None:
            await asyncio.wait(clients, timeout=_GRACE_S)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) <= MAX_CLIENTS:
                async with asyncio.timeout(_WAIT_LIMIT_S) as waiting:
                    while (target := self._target) is None and not reader.at_eof():
                        await every(_TRY_EVERY_S)()
                    waiting.reschedule(None)
                    if target is not None:
                        await self._forward(target, reader, writer)
        except (OSError, SandboxError, asyncio.CancelledError):
            return  # one of both has gone, or nobody came
        finally:
            self._clients.discard(task)
            writer.close()

    async def _forward(self, target: _Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # First: a frozen sandbox does not answer.
        target.debugger.opened()
        try:
            connection = await self._reach(target)
            inner_reader, inner_writer = await asyncio.open_connection(sock=connection)
            try:
                await _until_one_ends(_copy(reader, inner_writer), _copy(inner_reader, writer))
            finally:
                inner_writer.close()
        finally:
            target.debugger.closed()

    async def _reach(self, target: _Target) -> socket.socket:
        """The debugger takes a moment until it listens. Raises OSError when the environment has gone."""
        async with asyncio.timeout(_WAIT_LIMIT_S):
            while self._target is target:
                with contextlib.suppress(OSError, SandboxError):
                    return await target.connect(self._inner_port)
                await every(_TRY_EVERY_S)()
        raise ConnectionResetError


async def _until_one_ends(*copies: Coroutine[Any, Any, None]) -> None:
    """Debuggers' protocols know no half-closed connection."""
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE_BYTES):
        writer.write(piece)
        await writer.drain()


def free_port() -> int:
    """A port that is free on this machine now: for the debugger inside, where sandboxes share the host's loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
