"""The front door: one port for HTTP and HTTPS, and the same service on listeners inside sandboxes.

Knows sockets and lifetimes only; where a request goes is `entrance`'s business.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

from undercast.core.clock import HostClock
from undercast.core.http import HttpHandler
from undercast.http.limits import HttpLimits
from undercast.http.listener import Listener, TlsMode
from undercast.http.options import ServeOptions

BACKLOG = 1024
INNER_CONNECTIONS = 256
"""Of one listener inside a sandbox: one function must not take the platform's descriptors from the others,"""
INNER_UNREAD_BYTES = 256 * 1024 * 1024
"""nor its memory."""


class FrontDoor:
    """Listens for callers from outside, and for those inside sandboxes (`sandbox.model.FrontDoor`)."""

    def __init__(
        self, handler: HttpHandler, limits: HttpLimits, tls: Callable[[], ssl.SSLContext], clock: HostClock
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._inner_limits = replace(limits, max_connections=INNER_CONNECTIONS, unread_bytes=INNER_UNREAD_BYTES)
        self._tls = tls
        self._clock = clock
        self._outer: list[Listener] = []
        self._inner: dict[str, list[Listener]] = {}
        self._relayed: dict[tuple[str, bool], Listener] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def listen(self, listening: socket.socket) -> None:
        """Serve callers from outside on a bound socket."""
        self._outer.append(self._serve(listening, None, tls=False))

    def adopt(self, listener: socket.socket, environment_id: str, *, tls: bool) -> None:
        """See `sandbox.model.FrontDoor`."""
        served = self._serve(listener, environment_id, tls=tls)
        self._inner.setdefault(environment_id, []).append(served)

    def accept(self, connection: socket.socket, environment_id: str, *, tls: bool) -> None:
        """See `sandbox.model.FrontDoor`."""
        served = self._relayed.get((environment_id, tls))
        if served is None:
            served = self._relayed[environment_id, tls] = self._serve(None, environment_id, tls=tls)
            self._inner.setdefault(environment_id, []).append(served)
        served.serve(connection)

    def release(self, environment_id: str) -> None:
        """See `sandbox.model.FrontDoor`."""
        for tls in (False, True):
            self._relayed.pop((environment_id, tls), None)
        for listener in self._inner.pop(environment_id, ()):
            task = asyncio.get_running_loop().create_task(listener.close(0))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def stop_accepting(self, grace_s: float) -> None:
        """Let requests from outside finish for so long, then close."""
        outer, self._outer = self._outer, []
        await asyncio.gather(*(listener.close(grace_s) for listener in outer))

    async def close(self) -> None:
        """Close what sandboxes left."""
        for environment_id in list(self._inner):
            self.release(environment_id)
        await asyncio.gather(*self._closing)

    @property
    def connections(self) -> int:
        """Open connections from outside."""
        return sum(listener.connections for listener in self._outer)

    def _serve(self, listening: socket.socket | None, environment_id: str | None, *, tls: bool) -> Listener:
        limits = self._limits if environment_id is None else self._inner_limits
        options = ServeOptions(limits=limits, environment_id=environment_id, clock=self._clock)
        mode: TlsMode = "always" if tls else "sniff"
        listener = Listener(listening, self._handler, options, tls=self._tls, tls_mode=mode)
        listener.start()
        return listener


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
