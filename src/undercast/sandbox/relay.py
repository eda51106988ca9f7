"""Carries a sandbox's connections: those to 127.0.0.1 to the platform, all others as raw bytes to the host meant.

Listeners inside are on 0.0.0.0; the address a connection was made to tells which name was asked for. Bytes go both
ways with back-pressure, and each side may close its half. AWS: none; on AWS a function has a network of its own.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import cast

from undercast.sandbox.resolver import HOST_NAME, PLATFORM_ADDRESS, NameTable
from undercast.sandbox.upstream import connecting

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
IDLE_S = 350.0
"""A connection that is silent for so long makes room for a new one. On AWS it has ended: Lambda Developer Guide, "Best
practices" ("Lambda purges idle connections over time"); Knowledge Center, "How can I prevent my Lambda function
connected to an Amazon VPC from timing out?" (350 seconds). Others may wait for slow answers: the new one is refused."""
_ACCEPT_BATCH = 32
_RETRY_S = 0.1
_BUFFER_BYTES = 256 * 1024
_RESET = struct.pack("ii", 1, 0)

Connect = Callable[[str, int], Awaitable[socket.socket]]
"""Host name, port -> a connected socket. Raises OSError."""
Platform = Callable[[socket.socket], None]
"""Takes over an accepted connection that is meant for the platform."""


class Relay:
    """The outbound connections of one sandbox. Owns its listeners from `listen` to `close`."""

    def __init__(
        self,
        names: NameTable,
        connect: Connect | None = None,
        ours: Mapping[int, Platform] = MappingProxyType({}),
        most: int = MAX_CONNECTIONS,
        idle_s: float = IDLE_S,
    ) -> None:
        """`ours` are the platform's own ports on the host's loopback: it gets those connections itself."""
        self._names = names
        self._connect = connect or connecting()
        self._ours = ours
        self._most, self._idle_s = most, idle_s
        self._none_idle_before = 0.0
        self._loop = asyncio.get_running_loop()
        self._listening: dict[socket.socket, Platform | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: set[_End] = set()

    def listen(self, listening: socket.socket, platform: Platform | None = None) -> None:
        """Accept on a listening socket. Connections to 127.0.0.1 go to `platform`; without one they are reset."""
        listening.setblocking(False)
        self._listening[listening] = platform
        self._loop.add_reader(listening, self._accept, listening)

    @property
    def connections(self) -> int:
        """How many relayed connections are open or being made."""
        return len(self._tasks) + len(self._ends) // 2

    async def close(self) -> None:
        """Close the listeners and cut every connection off."""
        for listening in self._listening:
            self._loop.remove_reader(listening)
            listening.close()
        self._listening.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in list(self._ends):
            end.abort()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPT_BATCH):
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("accepting a connection of a sandbox failed: %s", error)
                self._loop.remove_reader(listening)
                self._loop.call_later(_RETRY_S, self._accept_again, listening)
                return
            self._accepted(connection, self._listening[listening])

    def _accept_again(self, listening: socket.socket) -> None:
        if listening in self._listening:
            self._loop.add_reader(listening, self._accept, listening)

    def _accepted(self, connection: socket.socket, platform: Platform | None) -> None:
        connection.setblocking(False)
        address, port = connection.getsockname()[:2]
        if address == PLATFORM_ADDRESS and platform is not None:
            platform(connection)
            return
        name = self._names.name_of(address)
        if name == HOST_NAME and port in self._ours:
            self._ours[port](connection)
            return
        if name is None or not self._has_room():
            _reset(connection)
            return
        task = self._loop.create_task(self._relay(connection, name, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _has_room(self) -> bool:
        """Whether there may be one more, which may end the one that has been silent for longest."""
        now = self._loop.time()
        if self.connections < self._most:
            return True
        if now < self._none_idle_before or not self._ends:  # looked for once: who asks without end costs nothing
            return False
        silent = min(self._ends, key=lambda end: end.silent_since)
        self._none_idle_before = silent.silent_since + self._idle_s
        if now < self._none_idle_before:
            return False
        for end in (silent, silent.peer):
            self._ends.discard(end)
            end.abort()
        return True

    async def _relay(self, inside: socket.socket, name: str, port: int) -> None:
        try:
            outside = await self._connect(name, port)
        except OSError as error:
            log.info("a function's connection to %s:%d failed: %s", name, port, error or type(error).__name__)
            _reset(inside)
            return
        except asyncio.CancelledError:
            _reset(inside)
            raise
        first, second = _End(self._ends, self._loop), _End(self._ends, self._loop)
        first.peer, second.peer = second, first
        try:
            # Outside first: its end must be there before the first byte of the sandbox is read.
            await self._loop.connect_accepted_socket(lambda: second, outside)
            await self._loop.connect_accepted_socket(lambda: first, inside)
        except OSError as error:
            log.info("a function's connection to %s:%d was lost: %s", name, port, error)
            self._undo(second, outside, inside)
        except asyncio.CancelledError:
            self._undo(second, outside, inside)
            raise

    def _undo(self, second: "_End", outside: socket.socket, inside: socket.socket) -> None:
        second.abort()
        outside.close()
        _reset(inside)


class _End(asyncio.Protocol):
    """One side of a relayed connection."""

    peer: "_End"

    def __init__(self, ends: "set[_End]", loop: asyncio.AbstractEventLoop) -> None:
        self._ends = ends
        self._loop = loop
        self._heard_at = loop.time()
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._ended = False
        self._peer_ended = False
        self._peer_lost = False

    @property
    def silent_since(self) -> float:
        """When the last byte came, from either side; on the loop's clock."""
        return max(self._heard_at, self.peer._heard_at)

    def abort(self) -> None:
        """Cut this side off."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        self._ends.add(self)
        if self._early:
            self._transport.writelines(self._early)
            self._early = []
        if self._peer_lost:
            self._transport.close()
        elif self._peer_ended:
            self._transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._ends.discard(self)
        self._transport = None
        self.peer.lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._heard_at = self._loop.time()
        self.peer.write(data)

    def eof_received(self) -> bool:
        """See asyncio.Protocol. The other half stays open until it ends as well."""
        self._ended = True
        self.peer.end()
        return not self._peer_ended

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        peer = self.peer._transport
        if peer is not None and not peer.is_closing():
            peer.pause_reading()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        peer = self.peer._transport
        if peer is not None and not peer.is_closing():
            peer.resume_reading()

    def write(self, data: bytes) -> None:
        """Send bytes of the peer."""
        if self._transport is None:
            self._early.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def lost(self, problem: Exception | None) -> None:
        """The peer is gone. What it sent before is still delivered, unless it broke off."""
        self._peer_lost = True
        if self._transport is None:
            return
        if problem is None:
            self._transport.close()
        else:
            self._transport.abort()

    def end(self) -> None:
        """The peer sends nothing more."""
        self._peer_ended = True
        if self._transport is not None and not self._transport.is_closing():
            if self._ended:
                self._transport.close()
            else:
                self._transport.write_eof()


def _reset(connection: socket.socket) -> None:
    """Close with RST: the nearest to "connection refused" for a connection that was accepted."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    finally:
        connection.close()
