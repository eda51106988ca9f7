"""The world as a sandbox may reach it: real hosts by name, never the machine's own services unless asked for by name.

Names are resolved here, on the machine, and the address that was checked is the one connected to (DNS rebinding).
AWS: EC2 User Guide, "Instance metadata": 169.254.169.254 would hand out the credentials of a cloud machine.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from undercast.core.addresses import is_this_machine
from undercast.core.names import addresses_of
from undercast.sandbox.resolver import HOST_NAME

CONNECT_TIMEOUT_S = 10.0
LOOKUPS = 2
"""So many names of one sandbox are looked up at the same time; each has a thread meanwhile."""
SERVICE_LOOKUPS = 64
"""So many of all those that a service sends to because functions said so; `LOOKUPS` for each role that named some."""
_OWNERS_KEPT = 256
WEB_PORTS = (80, 443)
"""Those that every sandbox reaches."""
_LOOPBACK = ("127.0.0.1", "::1")
_METADATA = frozenset(ipaddress.ip_address(address) for address in ("fd00:ec2::254", "100.100.100.200"))

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""Host name, port -> IP addresses in the order to try. Raises OSError."""
Connect = Callable[[str, int], Awaitable[socket.socket]]
"""Host name, port -> a connected, non-blocking socket. Raises OSError."""
ConnectFor = Callable[[str], Connect]
"""The ARN of the role that named the host -> `Connect`: names that do not answer hold its own others up alone."""


class Refused(OSError):
    """The host has no address that a sandbox may reach."""


def is_allowed(address: str) -> bool:
    """Whether a sandbox may reach an IP address: none of this machine's, no link-local, metadata or multicast one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    embedded = _embedded(ip)
    if embedded is not None:
        ip = embedded
    if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast or ip in _METADATA:
        return False
    return not ((ip.version == 4 and (ip.packed[0] == 0 or ip.is_reserved)) or is_this_machine(str(ip)))


def _embedded(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address in an IPv4-mapped, 6to4 or NAT64 one: the kernel or a gateway would unpack it."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in ipaddress.IPv6Network("64:ff9b::/96") or (ip in ipaddress.IPv6Network("::/96") and int(ip) > 1):
        return ipaddress.IPv4Address(ip.packed[-4:])
    return ip.ipv4_mapped or ip.sixtofour


async def lookup(name: str, port: int) -> list[str]:
    """Ask the machine's resolver."""
    return [str(address.sockaddr[0]) for address in await addresses_of(name, port)]


class Lookups:
    """The names that one sandbox, or one service for all of them, has looked up, few at a time. See `Lookup`.

    A question keeps a thread, also when nobody waits for its answer any more. With a name server that does not answer,
    as anybody may have one, threads would become ever more. Whoever asks for the same name waits for the same answer,
    so that one silent name, asked for a hundred times, leaves the other turns to others.
    """

    def __init__(self, resolve: Lookup = lookup, at_a_time: int = LOOKUPS) -> None:
        self._resolve = resolve
        self._free = asyncio.Semaphore(at_a_time)
        self._running: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._running

    async def __call__(self, name: str, port: int) -> list[str]:
        """Wait for a turn and for the answer."""
        asking = self._running.get((name, port))
        if asking is None:
            await self._free.acquire()
            asking = self._running.get((name, port))
            if asking is None:
                asking = self._ask(name, port)
            else:
                self._free.release()
        return await asyncio.shield(asking)

    def _ask(self, name: str, port: int) -> asyncio.Task[list[str]]:
        asking = self._running[name, port] = asyncio.ensure_future(self._resolve(name, port))
        asking.add_done_callback(partial(self._answered, (name, port)))
        return asking

    def _answered(self, key: tuple[str, int], asking: asyncio.Task[list[str]]) -> None:
        del self._running[key]
        self._free.release()
        if not asking.cancelled():
            asking.exception()  # whoever still waits has it


async def connect(name: str, port: int, resolve: Lookup = lookup) -> socket.socket:
    """A connected, non-blocking socket to a real host. Raises OSError (`Refused`, TimeoutError among them)."""
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        if name == HOST_NAME:
            addresses = list(_LOOPBACK)
        else:
            addresses = [address for address in await resolve(name, port) if is_allowed(address)]
        problem: OSError = Refused(f"{name} has no address that a sandbox may reach (this machine is {HOST_NAME})")
        for address in addresses:
            try:
                return await _connect(address, port)
            except OSError as error:
                problem = error
        raise problem


def connecting(resolve: Lookup = lookup) -> Connect:
    """`connect` for one sandbox."""
    lookups = Lookups(resolve)
    return lambda name, port: connect(name, port, lookups)


class _Shared:
    """The lookups of a service: those of each owner by themselves, and no more threads than all together may have."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(SERVICE_LOOKUPS)
        self._owners: dict[str, Lookups] = {}

    def of(self, owner: str) -> Lookups:
        """The owner's own."""
        if owner not in self._owners and len(self._owners) >= _OWNERS_KEPT:
            self._owners = {name: one for name, one in self._owners.items() if not one.idle}
        return self._owners.setdefault(owner, Lookups(self._ask))

    async def _ask(self, name: str, port: int) -> list[str]:
        async with self._all:
            return await lookup(name, port)


def as_a_sandbox(forward_ports: Iterable[int], to: Connect | None = None) -> ConnectFor:
    """`connect` for what the platform sends because a function said so: to the ports that the function reaches itself.

    Others raise Refused, by whatever name the host is called.
    """
    ports = frozenset((*WEB_PORTS, *forward_ports))
    shared = _Shared()

    def connect_for(owner: str) -> Connect:
        async def connect_within(name: str, port: int) -> socket.socket:
            if port not in ports:
                raise Refused(f"functions do not reach port {port} of {name} (--forward-ports)")
            return await (to(name, port) if to is not None else connect(name, port, shared.of(owner)))

        return connect_within

    return connect_for


async def _connect(address: str, port: int) -> socket.socket:
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection
