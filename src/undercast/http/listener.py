"""Serves a listening socket: accepts, tells TLS from plain HTTP by the first byte, and closes in good order.

The first byte is looked at with MSG_PEEK before asyncio owns the socket: `start_tls` after reading it hangs. No number
of silent clients keeps others out: the longest idle connection makes room for a new one.
AWS: none; HTTP and HTTPS share one port, see ARCHITECTURE.md.
"""

import asyncio
import contextlib
import errno
import logging
import math
import select
import socket
import ssl
from collections.abc import Callable
from typing import Literal

from undercast.core.http import HttpHandler
from undercast.http.options import ServeOptions
from undercast.http.server import Connections, HttpProtocol

log = logging.getLogger(__name__)

_HANDSHAKE_BYTE = 0x16
_SNIFF_TIMEOUT_S = 5.0
_TLS_HANDSHAKE_TIMEOUT_S = 10.0
_TLS_SHUTDOWN_TIMEOUT_S = 2.0
_OPENING_S = 0.2
"""How long closing waits for handshakes."""
_ACCEPT_BATCH = 64
_RETRY_S = 0.1
_OUT_OF_DESCRIPTORS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

TlsMode = Literal["sniff", "always", "never"]


class Listener:
    """One listening socket and the connections that came from it. Owns both from `start` to `close`.

    `tls` gives the SSL context when the first TLS client comes. Without it TLS is refused.
    """

    def __init__(
        self,
        listening: socket.socket | None,
        handler: HttpHandler,
        options: ServeOptions | None = None,
        *,
        tls: Callable[[], ssl.SSLContext] | None = None,
        tls_mode: TlsMode = "sniff",
    ) -> None:
        self._listening = listening
        self._handler = handler
        self._options = options or ServeOptions()
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._tls_mode: TlsMode = tls_mode if tls is not None else "never"
        self._loop = asyncio.get_running_loop()
        self._connections = Connections()
        self._sniffing: dict[socket.socket, asyncio.TimerHandle] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._handshaking: dict[asyncio.Task[None], tuple[float, socket.socket]] = {}
        """Those of `_opening` that speak TLS, the oldest first, and when they began."""
        self._accepting = False
        self._retry: asyncio.TimerHandle | None = None
        self._closed = False

    def start(self) -> None:
        """Accept from now on."""
        if self._listening is not None:
            self._listening.setblocking(False)
            self._accept_on(True)

    @property
    def connections(self) -> int:
        """How many connections are open, those included that have sent nothing yet."""
        return len(self._connections) + len(self._sniffing) + len(self._opening)

    def serve(self, connection: socket.socket) -> None:
        """Serve a connection that somebody else has accepted; the socket is ours from here.

        Beyond the limit the longest idle one is closed for it, or, where all are busy, the new one: it cannot wait.
        """
        full = self.connections >= self._options.limits.max_connections
        if self._closed or (full and not self._evict()):
            connection.close()
        else:
            self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if self._tls_mode == "sniff":
            self._sniff(connection)
        else:
            self._open(connection, secure=self._tls_mode == "always")

    async def close(self, grace_s: float = 5.0) -> None:
        """Stop accepting, let the requests in hand finish for so long, then cut the rest off."""
        self._closed = True
        self._accept_on(False)
        if self._retry is not None:
            self._retry.cancel()
        if self._listening is not None:
            self._listening.close()
        for connection in list(self._sniffing):
            self._drop(connection)
        await self._end_opening()
        for protocol in list(self._connections):
            protocol.stop()
        await self._all_closed(grace_s)
        if self._connections:
            await asyncio.gather(*(protocol.abort() for protocol in list(self._connections)))

    async def _end_opening(self) -> None:
        opening = list(self._opening)
        if opening:
            # One turn of the loop without TLS. Cancelled within it, uvloop closes a connection that has a request
            # already, and never says that it is lost.
            await asyncio.wait(opening, timeout=_OPENING_S)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)

    async def _all_closed(self, grace_s: float) -> None:
        deadline = self._loop.time() + grace_s
        while self._connections and (left := deadline - self._loop.time()) > 0:
            protocol = next(iter(self._connections))
            await asyncio.wait((protocol.closed,), timeout=left)

    # Accepting.

    def _accept_on(self, wanted: bool) -> None:
        if self._listening is None or wanted == self._accepting:
            return
        self._accepting = wanted
        if wanted:
            self._loop.add_reader(self._listening, self._accept)
        else:
            self._loop.remove_reader(self._listening)

    def _accept(self) -> None:
        listening = self._listening
        if listening is None:
            return
        for _ in range(_ACCEPT_BATCH):
            if self.connections >= self._options.limits.max_connections:
                if not _is_readable(listening):
                    return  # nobody is there for whom another had to go
                if not self._evict():
                    self._wait_to_accept()
                    return
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    log.error("accepting on %s failed: %s", listening, error)
                self._evict()
                self._wait_to_accept()
                return
            self._take(connection)

    def _wait_to_accept(self) -> None:
        """Leave new connections in the kernel's queue for a moment: level-triggered readiness would spin."""
        self._accept_on(False)
        self._retry = self._loop.call_later(_RETRY_S, self._accept_on, True)

    def _evict(self) -> bool:
        """Close the connection that has waited longest without a request in hand. False when all are busy.

        Those that have not come to a request yet go first.
        """
        silent = next(iter(self._sniffing.items()), None)
        task, (began, connection) = next(iter(self._handshaking.items()), (None, (math.inf, None)))
        if silent is not None and silent[1].when() - _SNIFF_TIMEOUT_S <= began:
            self._drop(silent[0])
            return True
        if task is not None and connection is not None:
            # It is not cancelled (see `_end_opening`): the handshake finds its client gone.
            del self._handshaking[task]
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            return True
        idle = min((p for p in self._connections if p.idle), key=lambda p: p.idle_since, default=None)
        if idle is None:
            return False
        idle.evict()
        return True

    # The first byte.

    def _sniff(self, connection: socket.socket) -> None:
        try:
            first = connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            timer = self._loop.call_later(_SNIFF_TIMEOUT_S, self._drop, connection)
            self._sniffing[connection] = timer
            self._loop.add_reader(connection, self._first_byte, connection)
            return
        except OSError:
            connection.close()
            return
        self._sniffed(connection, first)

    def _first_byte(self, connection: socket.socket) -> None:
        try:
            first = connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        self._forget(connection)
        self._sniffed(connection, first)

    def _sniffed(self, connection: socket.socket, first: bytes) -> None:
        if first:
            self._open(connection, secure=first[0] == _HANDSHAKE_BYTE)
        else:
            connection.close()

    def _forget(self, connection: socket.socket) -> None:
        self._sniffing.pop(connection).cancel()
        self._loop.remove_reader(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._forget(connection)
        connection.close()

    # Handing over to asyncio.

    def _open(self, connection: socket.socket, *, secure: bool) -> None:
        task = self._loop.create_task(self._connect(connection, secure))
        self._opening.add(task)
        if secure:
            self._handshaking[task] = (self._loop.time(), connection)
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._handshaking.pop(task, None)

    async def _connect(self, connection: socket.socket, secure: bool) -> None:
        def protocol() -> HttpProtocol:
            return HttpProtocol(self._handler, self._options, secure=secure, connections=self._connections)

        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secure and self._tls is not None:
                if self._context is None:
                    self._context = await asyncio.to_thread(self._tls)
                await self._loop.connect_accepted_socket(
                    protocol,
                    connection,
                    ssl=self._context,
                    ssl_handshake_timeout=_TLS_HANDSHAKE_TIMEOUT_S,
                    ssl_shutdown_timeout=_TLS_SHUTDOWN_TIMEOUT_S,
                )
            else:
                await self._loop.connect_accepted_socket(protocol, connection)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            log.debug("a connection failed before its first request: %s", error)
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise


def _is_readable(listening: socket.socket) -> bool:
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    return bool(poll.poll(0))
