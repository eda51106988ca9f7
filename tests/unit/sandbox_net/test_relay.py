"""The relay, with the machine's 127.0.0.0/8 standing in for the loopback of a sandbox."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest

from tests.machine import lacking
from undercast.events.web import connect_anywhere
from undercast.sandbox.outbound import Outbound
from undercast.sandbox.relay import Platform, Relay
from undercast.sandbox.resolver import HOST_ADDRESS, HOST_NAME, NameTable
from undercast.sandbox.upstream import (
    LOOKUPS,
    SERVICE_LOOKUPS,
    Connect,
    Lookups,
    Refused,
    as_a_sandbox,
    connect,
    connecting,
    is_allowed,
)

Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def upstream(session: Session) -> AsyncIterator[int]:
    """A server on the machine's loopback; gives its port."""
    server = await asyncio.start_server(session, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def relaying(address: str, port: int, names: NameTable, platform: Platform | None = None) -> AsyncIterator[Relay]:
    relay = Relay(names)
    relay.listen(socket.create_server((address, port)), platform)
    try:
        yield relay
    finally:
        await relay.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"the end")
    writer.close()


async def test_bytes_go_both_ways_and_each_side_may_close_its_half() -> None:
    """The answer still comes after the request's half was closed."""
    async with upstream(echo) as port, relaying(HOST_ADDRESS, port, NameTable()) as relay:
        reader, writer = await asyncio.open_connection(HOST_ADDRESS, port)
        writer.write(b"hello ")
        assert await reader.readexactly(6) == b"hello "
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b"the end"
        writer.close()
        await writer.wait_closed()
        await until(lambda: relay.connections == 0)


async def test_megabytes_arrive_whole() -> None:
    """Back-pressure both ways: 8 MiB through buffers of 256 KiB."""
    payload = bytes(range(256)) * 32768
    async with upstream(echo) as port, relaying(HOST_ADDRESS, port, NameTable()):
        reader, writer = await asyncio.open_connection(HOST_ADDRESS, port)

        async def send() -> None:
            writer.write(payload)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        received = await asyncio.wait_for(reader.read(), 20)
        await sending
        writer.close()
        assert received == payload + b"the end"


async def test_a_reader_that_stops_stops_the_sender() -> None:
    """What the relay holds is bounded: the sender cannot push 64 MiB into a peer that does not read."""
    stopped = asyncio.Event()

    async def never_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stopped.wait()
        writer.close()

    async with upstream(never_read) as port, relaying(HOST_ADDRESS, port, NameTable()):
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, (HOST_ADDRESS, port))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(loop.sock_sendall(client, b"x" * (64 << 20)), 1)
        stopped.set()


async def test_connections_to_localhost_belong_to_the_platform() -> None:
    """127.0.0.1:443 and :80 inside a sandbox are AWS."""
    taken: list[socket.socket] = []
    async with relaying("127.0.0.1", 0, NameTable(), taken.append) as relay:
        port = listening_port(relay)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: len(taken) == 1)
        assert taken[0].getsockname() == ("127.0.0.1", port)
        taken[0].close()
        writer.close()


async def test_a_connection_that_leads_nowhere_is_reset() -> None:
    """An address that no name has, a forwarded port on localhost, and a host that refuses."""
    names = NameTable()
    unused = socket.create_server((HOST_ADDRESS, 0))
    for address in ("127.64.0.77", "127.0.0.1", names.address_of("nowhere.invalid")):
        async with relaying(address, 0, names) as relay:
            assert await is_reset(address, listening_port(relay))
    unused.close()
    async with relaying(HOST_ADDRESS, unused_port(), names) as relay:
        assert await is_reset(HOST_ADDRESS, listening_port(relay))


async def test_closing_cuts_everything_off() -> None:
    """A destroyed sandbox leaves no connection and no listener behind."""
    async with upstream(echo) as port:
        async with relaying(HOST_ADDRESS, port, NameTable()) as relay:
            reader, writer = await asyncio.open_connection(HOST_ADDRESS, port)
            writer.write(b"x")
            await reader.readexactly(1)
            assert relay.connections == 1
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(HOST_ADDRESS, port)
        writer.close()


@pytest.mark.parametrize("idle_s", [0.0, 3600.0])
async def test_a_new_connection_takes_the_place_of_the_one_that_is_silent_for_longest(idle_s: float) -> None:
    """Only where that is idle, as it would have ended on AWS; else the new one is refused, and nobody else goes."""
    async with upstream(echo) as port:
        relay = Relay(NameTable(), most=2, idle_s=idle_s)
        relay.listen(socket.create_server((HOST_ADDRESS, port)))
        first, second = [await asyncio.open_connection(HOST_ADDRESS, port) for _ in range(2)]
        assert await echoed(first)
        assert await echoed(second)
        await later()
        assert await echoed(first)
        if idle_s:
            assert await is_reset(HOST_ADDRESS, port)
            assert [await echoed(one) for one in (second, first)] == [True, True]
        else:
            third = await asyncio.open_connection(HOST_ADDRESS, port)
            assert [await echoed(one) for one in (third, second, first)] == [True, False, True]
            third[1].close()
        for _, writer in (first, second):
            writer.close()
        await relay.close()


async def test_a_connection_that_only_hears_is_not_silent() -> None:
    """Bytes of either side count: who waits for a stream of events says nothing for hours."""
    told: list[asyncio.StreamWriter] = []

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.append(writer)
        writer.write(b"x")
        await reader.read()
        writer.close()

    async with upstream(tell) as port:
        relay = Relay(NameTable(), most=2, idle_s=0.0)
        relay.listen(socket.create_server((HOST_ADDRESS, port)))
        hears, silent = [await greeted(port), await greeted(port)]
        told[0].write(b"y")
        assert await asyncio.wait_for(hears[0].readexactly(1), 15) == b"y"
        await later()
        third = await greeted(port)
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(silent[0].read(1), 15) == b""
        told[0].write(b"z")
        assert await asyncio.wait_for(hears[0].readexactly(1), 15) == b"z"
        for _, writer in (hears, silent, third):
            writer.close()
        await relay.close()


async def greeted(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A relayed connection whose other side has sent its first byte; the loop's clock has gone on since."""
    connection = await asyncio.open_connection(HOST_ADDRESS, port)
    assert await asyncio.wait_for(connection[0].readexactly(1), 15) == b"x"
    await later()
    return connection


async def later() -> None:
    """Until the loop's clock shows another time; uvloop's has milliseconds."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    await until(lambda: loop.time() > now)


async def echoed(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bool:
    """Whether a byte comes back, or the connection has ended."""
    reader, writer = connection
    try:
        writer.write(b"x")
        return await asyncio.wait_for(reader.read(1), 15) == b"x"
    except ConnectionError:
        return False


async def test_outbound_serves_the_listeners_of_a_sandbox() -> None:
    """http and https to the platform, dns to the resolver, tcp:<port> to the relay; others are left alone."""
    served: list[tuple[socket.socket, bool]] = []
    outbound = Outbound(lambda connection, tls: served.append((connection, tls)), front_door_port=4566)
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind(("127.0.0.1", 0))
    listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in ("http", "https", "tcp:5432", "runtime")}
    ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
    outbound.start({**listeners, "dns": dns})
    for count, name in enumerate(("http", "https"), start=1):
        _, writer = await asyncio.open_connection("127.0.0.1", ports[name])
        await until(partial(holds, served, count))
        writer.close()
    assert await is_reset("127.0.0.1", ports["tcp:5432"])
    await outbound.close()
    assert [tls for _, tls in served] == [False, True]
    assert listeners["runtime"].fileno() >= 0
    for connection in (*(connection for connection, _ in served), listeners["runtime"]):
        connection.close()


async def test_the_way_over_the_host_to_our_own_front_door_ends_at_the_listener() -> None:
    """A function on host.undercast.internal:<front door> stays in its environment; other ports are relayed."""
    handed: list[socket.socket] = []
    async with upstream(echo) as ours, upstream(echo) as other:
        names = NameTable()
        relay = Relay(names, ours={ours: handed.append})
        for port in (ours, other):
            relay.listen(socket.create_server((HOST_ADDRESS, port)))
        _, writer = await asyncio.open_connection(HOST_ADDRESS, ours)
        await until(partial(holds, handed, 1))
        assert relay.connections == 0
        reader, relayed = await asyncio.open_connection(HOST_ADDRESS, other)
        relayed.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b"the end"
        for open_one in (writer, relayed):
            open_one.close()
        handed[0].close()
        await relay.close()


async def test_a_front_door_on_443_is_served_in_clear_and_as_tls() -> None:
    """AWS_ENDPOINT_URL is http://localhost:443 then, and unmodified code speaks TLS to the same port."""
    served: list[tuple[socket.socket, bool]] = []
    https = socket.create_server(("127.0.0.1", 0))
    port = https.getsockname()[1]
    outbound = Outbound(lambda connection, tls: served.append((connection, tls)), front_door_port=port)
    outbound.start({"https": https})
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    await until(partial(holds, served, 1))
    writer.close()
    await outbound.close()
    assert [tls for _, tls in served] == [False]
    served[0][0].close()


# The world.


async def test_few_names_of_a_sandbox_are_looked_up_at_a_time() -> None:
    """Also behind waits that were given up: each has a thread of the platform."""
    asked: list[str] = []
    answered: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def resolve(name: str, port: int) -> list[str]:
        asked.append(name)
        return await asyncio.shield(answered)

    lookups = Lookups(resolve)
    for round_ in range(3):
        waiting = [asyncio.create_task(lookups(f"{round_}-{number}.example", 443)) for number in range(50)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    assert len(asked) == LOOKUPS
    last = asyncio.create_task(lookups("last.example", 443))
    answered.set_result(["192.0.2.1"])
    assert await last == ["192.0.2.1"]
    assert len(asked) == LOOKUPS + 1


async def test_a_name_that_is_asked_for_again_takes_no_turn_of_others() -> None:
    """Messages to an endpoint whose name server is silent, however many, keep no other endpoint waiting."""
    asked: list[tuple[str, int]] = []
    answered: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def resolve(name: str, port: int) -> list[str]:
        asked.append((name, port))
        return await asyncio.shield(answered) if name == "silent.example" else ["192.0.2.1"]

    lookups = Lookups(resolve)
    silent = [asyncio.create_task(lookups("silent.example", 443)) for _ in range(50)]
    await asyncio.sleep(0)
    silent += [asyncio.create_task(lookups("silent.example", 443)) for _ in range(50)]
    assert await asyncio.wait_for(lookups("other.example", 443), 5) == ["192.0.2.1"]
    silent[0].cancel()
    answered.set_result(["192.0.2.2"])
    assert await asyncio.gather(*silent[1:]) == [["192.0.2.2"]] * 99
    assert asked == [("silent.example", 443), ("other.example", 443)]
    assert await lookups("silent.example", 443) == ["192.0.2.2"]
    assert len(asked) == 3


class Silence:
    """Name servers of which those for .silent do not answer, as the machine's resolver has it: its threads wait."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._ask = socket.getaddrinfo
        self._over = threading.Event()

    def getaddrinfo(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """See `socket`."""
        if not name.endswith(".silent"):
            return self._ask(name, *args, **kwargs)
        self.asked.append(name)
        self._over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    @asynccontextmanager
    async def lasting(self, *connects: Connect) -> AsyncIterator[None]:
        """Each of these asks for more names than it has turns; at the end all are answered and their threads over."""
        threads = threading.active_count()
        waiting = [asyncio.ensure_future(to(f"{number}.silent", 80)) for to in connects for number in range(20)]
        try:
            yield
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            self._over.set()
            await until(lambda: threading.active_count() <= threads)


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Silence:
    found = Silence()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found


async def test_names_whose_servers_do_not_answer_keep_no_others_names_waiting(silence: Silence) -> None:
    """Neither other functions', nor those that SNS and EventBridge send to, nor this machine's."""
    async with upstream(echo) as port:
        service, other = as_a_sandbox((port,)), as_a_sandbox((port,))
        async with silence.lasting(service("a"), *(connecting() for _ in range(20))):
            await until(lambda: len(silence.asked) == 20 * LOOKUPS + LOOKUPS)
            assert await asyncio.wait_for(Lookups()("localhost", port), 10)
            for to in (other("a"), connect_anywhere):
                (await asyncio.wait_for(to(HOST_NAME, port), 10)).close()


async def test_silent_names_of_one_function_keep_those_of_others_waiting_nowhere(silence: Silence) -> None:
    """Endpoints of topics and of event buses have names of their owners' choice, too: twenty of a function that do not
    answer are its own to wait for, in the same service."""
    service = as_a_sandbox(())
    async with silence.lasting(service("a")):
        await until(lambda: len(silence.asked) == LOOKUPS)
        with pytest.raises(Refused, match="localhost has no address"):
            await asyncio.wait_for(service("b")("localhost", 80), 10)
        assert len(silence.asked) == LOOKUPS


async def test_what_a_service_sends_for_functions_asks_for_so_many_names_at_a_time(silence: Silence) -> None:
    """However many roles there are. Another service has its own."""
    service, other = as_a_sandbox(()), as_a_sandbox(())
    async with silence.lasting(*(service(f"role {number}") for number in range(SERVICE_LOOKUPS))):
        await until(lambda: len(silence.asked) == SERVICE_LOOKUPS)
        async with silence.lasting(other("a")):
            await until(lambda: len(silence.asked) >= SERVICE_LOOKUPS + LOOKUPS)
            assert len(silence.asked) == SERVICE_LOOKUPS + LOOKUPS


async def test_a_name_that_is_not_found_is_told_and_makes_room() -> None:
    """The turn is given back whatever the answer is."""

    async def resolve(name: str, port: int) -> list[str]:
        raise OSError("no such name")

    lookups = Lookups(resolve)
    for _ in range(LOOKUPS + 1):
        with pytest.raises(OSError, match="no such name"):
            await lookups("nowhere.example", 443)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "100.100.100.200",
        "not an address",
    ],
)
def test_loopback_and_metadata_are_out_of_reach(address: str) -> None:
    """Credentials of a cloud machine live on 169.254.169.254; its services on loopback."""
    assert not is_allowed(address)


async def test_the_machines_own_addresses_are_out_of_reach() -> None:
    """Its services, our front door among them, are there for who asks for host.undercast.internal by name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.7", 9))  # sends nothing
        except OSError:
            lacking("this machine has no network")
        own = probe.getsockname()[0]
    assert not is_allowed(own)
    assert not is_allowed(f"::ffff:{own}")

    async def resolve(name: str, port: int) -> list[str]:
        return [own]

    with socket.create_server((own, 0)) as service, pytest.raises(Refused, match=r"host\.undercast\.internal"):
        await connect("mine.example", service.getsockname()[1], resolve)


@pytest.mark.parametrize("address", ["93.184.216.34", "10.1.2.3", "192.168.1.1", "2606:2800:220:1::1", "fd12::1"])
def test_the_world_and_the_local_network_are_in_reach(address: str) -> None:
    """A function in a VPC reaches private addresses, too."""
    assert is_allowed(address)


async def test_a_name_that_resolves_to_the_machine_is_refused() -> None:
    """DNS rebinding: the address that was checked is the one connected to, and loopback never passes."""

    async def resolve(name: str, port: int) -> list[str]:
        return ["127.0.0.1", "::1", "169.254.169.254"]

    async with upstream(echo) as port:
        with pytest.raises(Refused, match=r"evil\.example has no address"):
            await connect("evil.example", port, resolve)
        connection = await connect(HOST_NAME, port, resolve)
        connection.close()


async def test_what_is_sent_for_a_function_goes_to_the_functions_ports() -> None:
    """By the host's name, too: a sandbox has no listener on other ports than 80, 443 and the forwarded ones."""
    asked: list[tuple[str, int]] = []

    async def to(name: str, port: int) -> socket.socket:
        asked.append((name, port))
        return socket.socket()

    connect_within = as_a_sandbox((5432,), to)("role")
    for port in (80, 443, 5432):
        (await connect_within(HOST_NAME, port)).close()
    for name in (HOST_NAME, "other.example"):
        with pytest.raises(Refused, match=r"port 22 of .*--forward-ports"):
            await connect_within(name, 22)
    assert asked == [(HOST_NAME, 80), (HOST_NAME, 443), (HOST_NAME, 5432)]


async def test_a_name_without_an_address_is_an_error() -> None:
    """The machine's resolver decides."""

    async def resolve(name: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(OSError, match="not known"):
        await connect("nowhere.invalid", 443, resolve)


async def is_reset(address: str, port: int) -> bool:
    """Whether a connection is made and broken off; the reset may overtake the news that it was made."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        try:
            await loop.sock_connect(client, (address, port))
            return await asyncio.wait_for(loop.sock_recv(client, 1), 15) is None
        except ConnectionResetError:
            return True


def listening_port(relay: Relay) -> int:
    (listening,) = relay._listening
    return int(listening.getsockname()[1])


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def holds(items: list[Any], count: int) -> bool:
    return len(items) == count


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds; the test's own timeout ends it otherwise."""
    while not condition():
        await asyncio.sleep(0.001)
