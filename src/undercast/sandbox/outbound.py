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

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._names = NameTable()
        self._resolver = Resolver(self._names)
        self._relay = Relay(self._names)

    async def start(self, listeners: Mapping[str, socket.socket]) -> None:
        """Serve whichever of our listeners the sandbox has; the others are left alone."""
        for name, listening in listeners.items():
            if name == DNS:
                await self._resolver.start(listening)
            elif name == HTTP:
                self._relay.listen(listening, lambda connection: self._serve(connection, False))
            elif name == HTTPS:
                self._relay.listen(listening, lambda connection: self._serve(connection, True))
            elif name.startswith(FORWARDED):
                self._relay.listen(listening)

    async def close(self) -> None:
        """Close the listeners and cut every connection off."""
        self._resolver.close()
        await self._relay.close()
