"""The network of one sandbox beside its Runtime API: names, the platform on 80 and 443, and the way out.

Puts resolver and relay on the listeners that the driver made inside. AWS: none; see ARCHITECTURE.md.
"""

import socket
from collections.abc import Callable, Mapping

from undercast.sandbox.relay import Relay
from undercast.sandbox.resolver import NameTable, Resolver

HTTP, HTTPS, DNS, FORWARDED = "http", "https", "dns", "tcp:"
"""The names of the listeners in `Sandbox.listeners`; FORWARDED is followed by the port."""

Serve = Callable[[socket.socket, bool], None]
"""Takes over an accepted connection to the platform; the flag says that it is TLS for certain (port 443)."""


class Outbound:
    """Serves the listeners of one sandbox from `start` to `close`."""

    def __init__(self, serve: Serve, front_door_port: int) -> None:
        """`front_door_port` is the platform's own, on the host and, in clear and as TLS, inside."""
        self._serve = serve
        self._port = front_door_port
        self._names = NameTable()
        self._resolver = Resolver(self._names)
        # Across the host's loopback a function would come back as a stranger, who may be anybody (ADR 0007).
        self._relay = Relay(self._names, ours={front_door_port: self._sniffed})

    def start(self, listeners: Mapping[str, socket.socket]) -> None:
        """Serve whichever of our listeners the sandbox has; the others are left alone."""
        for name, listening in listeners.items():
            if name == DNS:
                self._resolver.start(listening)
            elif name == HTTP:
                self._relay.listen(listening, self._sniffed)
            elif name == HTTPS:
                own = listening.getsockname()[1] == self._port  # AWS_ENDPOINT_URL is http://localhost:443 then
                self._relay.listen(listening, self._sniffed if own else self._secure)
            elif name.startswith(FORWARDED):
                self._relay.listen(listening)

    def _sniffed(self, connection: socket.socket) -> None:
        self._serve(connection, False)

    def _secure(self, connection: socket.socket) -> None:
        self._serve(connection, True)

    async def close(self) -> None:
        """Close the listeners and cut every connection off."""
        self._resolver.close()
        await self._relay.close()
