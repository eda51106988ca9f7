"""The X-Ray daemon as the processes of one execution environment see it: UDP for segments, TCP for sampling rules.

Not a process: two sockets of the sandbox, looked at by the platform's loop when something has come. What came is handed
to the sink, which knows X-Ray. AWS: X-Ray Developer Guide, "AWS X-Ray daemon", "Sending segment documents to the X-Ray
daemon"; Lambda Developer Guide, "Defined runtime environment variables" (AWS_XRAY_DAEMON_ADDRESS).
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping

from undercast.sandbox.model import FunctionVersion, TraceSink

log = logging.getLogger(__name__)

_MAX_PACKET_BYTES = 65_536
_AT_ONCE, _BYTES_AT_ONCE = 16, 65_536
"""Packets or connections, and bytes, before others have their turn."""
_LAST_TURNS = 16
PACKETS_PER_S, BYTES_PER_S = 2600, 4 * 1024 * 1024
"""X-Ray's quota of segments is an account's and region's, here each environment's; that of bytes is ours. What is
beyond is not read before the second is over: what does not fit into the socket then the kernel drops, which costs us
nothing.
"""
_MAX_CONNECTIONS = 16
_RETRY_S = 0.1
TCP, UDP = "xray", "xray-udp"
"""The names of the listeners in `Sandbox.listeners`."""


class XRayDaemon:
    """Serves from its making to `close`; the sandbox closes the sockets."""

    def __init__(self, function: FunctionVersion, sink: TraceSink, listeners: Mapping[str, socket.socket]) -> None:
        self._function = function
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._watched: list[socket.socket] = []
        self._second, self._packets, self._bytes = 0, 0, 0
        self._told_at = -1
        self._resting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._connections: list[asyncio.Transport] = []
        self._entering: set[asyncio.Task[None]] = set()
        try:
            self._watch(listeners.get(UDP), self._receive)
            self._watch(listeners.get(TCP), self._accept)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Take what has come, and look at the sockets no more."""
        for timer in self._resting.values():
            timer.cancel()
        for one in self._watched:
            self._loop.remove_reader(one)
        try:
            for one in self._watched:
                if one.type == socket.SOCK_DGRAM:
                    for _ in range(_LAST_TURNS):
                        self._take(one)
        finally:
            for task in self._entering:
                task.cancel()
            for connection in self._connections:
                connection.abort()

    def _watch(self, one: socket.socket | None, arrived: Callable[[socket.socket], None]) -> None:
        if one is not None:
            one.setblocking(False)
            self._loop.add_reader(one, arrived, one)
            self._watched.append(one)

    def _let_rest(self, one: socket.socket, arrived: Callable[[socket.socket], None], rest_s: float) -> None:
        """Look at it later: what waits in it would call us in every turn of the loop."""
        self._loop.remove_reader(one)
        self._resting[one] = self._loop.call_later(rest_s, self._look_again, one, arrived)

    def _look_again(self, one: socket.socket, arrived: Callable[[socket.socket], None]) -> None:
        del self._resting[one]
        self._loop.add_reader(one, arrived, one)

    def _receive(self, datagrams: socket.socket) -> None:
        """One turn; beyond the quota the socket rests until the second is over."""
        if (rest_s := self._take(datagrams)) > 0:
            self._let_rest(datagrams, self._receive, rest_s)

    def _take(self, datagrams: socket.socket) -> float:
        """What has come, as much as one turn and the quota have; for how long nothing more is to be read."""
        taken_bytes = 0
        for _ in range(_AT_ONCE):
            if (rest_s := self._rest_s()) > 0:
                return rest_s
            try:
                packet = datagrams.recv(_MAX_PACKET_BYTES)
            except OSError:
                break
            taken_bytes += len(packet)
            self._packets += 1
            self._bytes += len(packet)
            if self._bytes <= BYTES_PER_S:
                self._sink.segment(self._function, packet)
            if taken_bytes >= _BYTES_AT_ONCE:
                break
        return 0.0

    def _rest_s(self) -> float:
        """0 within the quota, else what is left of the second. Of a packet the size is known once it has been read."""
        now = self._loop.time()
        second = int(now)
        if second != self._second:
            self._second, self._packets, self._bytes = second, 0, 0
        if self._packets < PACKETS_PER_S and self._bytes < BYTES_PER_S:
            return 0.0
        if self._told_at != second:
            self._told_at = second
            text = "%s sends more than %d packets or %d bytes a second to X-Ray"
            log.warning(text, self._function.arn, PACKETS_PER_S, BYTES_PER_S)
        return second + 1 - now

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors are left
                log.warning("accepting a connection to the X-Ray daemon failed: %s", error)
                self._let_rest(listener, self._accept, _RETRY_S)
                return
            self._connections = [one for one in self._connections if not one.is_closing()]
            if len(self._connections) + len(self._entering) >= _MAX_CONNECTIONS:
                connection.close()
                continue
            connection.setblocking(False)
            task = self._loop.create_task(self._enter(connection))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, connection: socket.socket) -> None:
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: self._sink.connection(self._function), connection
            )
        except OSError as error:
            log.info("a connection to the X-Ray daemon failed: %s", error)
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise
        else:
            self._connections.append(transport)
