"""The X-Ray daemon of an environment: what comes to its two sockets reaches the sink."""

import asyncio
import errno
import resource
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes_sandbox import a_function
from undercast.sandbox import xray_daemon
from undercast.sandbox.model import FunctionVersion, TracedRun
from undercast.sandbox.xray_daemon import TCP, UDP, XRayDaemon


class Echo(asyncio.Protocol):
    """Gives back what it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Sink:
    """Remembers packets."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.came = asyncio.Event()

    def segment(self, function: FunctionVersion, packet: bytes) -> None:
        self.packets.append(packet)
        self.came.set()

    def connection(self, function: FunctionVersion) -> asyncio.Protocol:
        return Echo()

    def ran(self, run: TracedRun) -> None:
        raise AssertionError("that is the reporter's")


@pytest.fixture
def sockets() -> Iterator[dict[str, socket.socket]]:
    listener, datagrams = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    yield {TCP: listener, UDP: datagrams}
    listener.close()
    datagrams.close()


async def test_packets_and_connections_reach_the_sink(sockets: dict[str, socket.socket]) -> None:
    """Each packet is one segment; a connection is served by who the sink says."""
    sink = Sink()
    daemon = XRayDaemon(a_function(), sink, sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"one", sockets[UDP].getsockname())
        await asyncio.wait_for(sink.came.wait(), 10)
    reader, writer = await asyncio.open_connection(*sockets[TCP].getsockname())
    writer.write(b"hello")
    assert await asyncio.wait_for(reader.readexactly(5), 10) == b"hello"
    assert sink.packets == [b"one"]
    daemon.close()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_flood_has_an_end(sockets: dict[str, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    """X-Ray's quota: what is beyond it within a second is dropped."""
    monkeypatch.setattr(xray_daemon, "PACKETS_PER_S", 3)
    sink = Sink()
    daemon = XRayDaemon(a_function(), sink, sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(10):
            sender.sendto(b"one", sockets[UDP].getsockname())
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 7.0, raising=False)
    daemon.close()
    assert len(sink.packets) == 3


async def test_a_flood_of_large_packets_has_an_end(
    sockets: dict[str, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes are counted too, for each of them costs the loop something; the next second is a new one."""
    monkeypatch.setattr(xray_daemon, "BYTES_PER_S", 25)
    sink, loop = Sink(), asyncio.get_running_loop()
    daemon = XRayDaemon(a_function(), sink, sockets)
    for second, expected in ((7.0, 2), (7.9, 2), (8.0, 4)):
        monkeypatch.setattr(loop, "time", lambda now=second: now, raising=False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(4):
                sender.sendto(b"ten bytes.", sockets[UDP].getsockname())
        daemon._receive(sockets[UDP])
        assert len(sink.packets) == expected
    daemon.close()


async def test_what_came_before_the_end_is_taken(sockets: dict[str, socket.socket]) -> None:
    """A function's last packets are in the socket when its environment ends."""
    sink = Sink()
    daemon = XRayDaemon(a_function(), sink, sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for text in (b"one", b"two"):
            sender.sendto(text, sockets[UDP].getsockname())
    daemon.close()
    assert sink.packets == [b"one", b"two"]


async def test_beyond_the_quota_nothing_is_read_before_the_second_is_over(
    sockets: dict[str, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood costs the loop its quota, and no more: what is beyond stays in the socket, or is the kernel's to drop."""
    monkeypatch.setattr(xray_daemon, "PACKETS_PER_S", 3)
    sink, loop = Sink(), asyncio.get_running_loop()
    now = loop.time()
    daemon = XRayDaemon(a_function(), sink, sockets)
    monkeypatch.setattr(loop, "time", lambda: int(now) + 0.5, raising=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(5):
            sender.sendto(b"%d" % number, sockets[UDP].getsockname())
        await asyncio.wait_for(sink.came.wait(), 10)
        for _ in range(10):
            await asyncio.sleep(0)
        assert sink.packets == [b"0", b"1", b"2"]
        assert loop.remove_reader(sockets[UDP]) is False, "it is looked at while it rests"
        sink.came.clear()
        monkeypatch.undo()
        await asyncio.wait_for(sink.came.wait(), 10)
        assert sink.packets == [b"0", b"1", b"2", b"3", b"4"]
    daemon.close()
    assert loop.remove_reader(sockets[UDP]) is False


async def test_without_descriptors_a_connection_waits(sockets: dict[str, socket.socket]) -> None:
    """EMFILE: the listener stays readable, and is looked at again a little later."""
    loop = asyncio.get_running_loop()
    daemon = XRayDaemon(a_function(), Sink(), sockets)
    with socket.create_connection(sockets[TCP].getsockname()) as client:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
        try:
            daemon._accept(sockets[TCP])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert loop.remove_reader(sockets[TCP]) is False, "it is looked at while it rests"
        client.setblocking(False)
        await loop.sock_sendall(client, b"hello")
        assert await asyncio.wait_for(loop.sock_recv(client, 5), 10) == b"hello"
    daemon.close()
    assert loop.remove_reader(sockets[TCP]) is False


async def test_a_socket_that_cannot_be_watched_leaves_none_watched(
    sockets: dict[str, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of the two, for want of memory say: the sandbox closes both, and a number would be another's then."""
    loop = asyncio.get_running_loop()
    add_reader = loop.add_reader

    def add(one: socket.socket, *call: Any) -> None:
        if one.type == socket.SOCK_STREAM:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        add_reader(one, *call)

    monkeypatch.setattr(loop, "add_reader", add, raising=False)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        XRayDaemon(a_function(), Sink(), sockets)
    assert loop.remove_reader(sockets[UDP]) is False


async def test_beyond_the_bytes_nothing_is_read_and_it_is_told_once_a_second(
    sockets: dict[str, socket.socket], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Reading costs the loop, also what is thrown away then; a line for each look would cost it more."""
    monkeypatch.setattr(xray_daemon, "BYTES_PER_S", 25)
    sink, loop = Sink(), asyncio.get_running_loop()
    daemon = XRayDaemon(a_function(), sink, sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(b"ten bytes.", sockets[UDP].getsockname())
    for second, lines in ((7.0, 1), (7.5, 1), (8.0, 1)):
        monkeypatch.setattr(loop, "time", lambda now=second: now, raising=False)
        daemon._take(sockets[UDP])
        assert sum("bytes a second to X-Ray" in one for one in caplog.messages) == lines
        if second < 8:  # the third was beyond it: two wait in the socket
            assert len(sockets[UDP].recv(100, socket.MSG_PEEK)) == 10
    assert len(sink.packets) == 4
    monkeypatch.undo()
    daemon.close()


async def test_the_last_packets_may_be_more_than_one_turn_takes(sockets: dict[str, socket.socket]) -> None:
    """A function that ends behind many subsegments; a flood is bounded by its turns."""
    sink = Sink()
    daemon = XRayDaemon(a_function(), sink, sockets)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(100):
            sender.sendto(b"%d" % number, sockets[UDP].getsockname())
    daemon.close()
    assert sink.packets == [b"%d" % number for number in range(100)]


async def test_a_daemon_that_is_closed_while_a_socket_rests_looks_no_more(
    sockets: dict[str, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox closes the sockets then, and a number may be another's when the rest is over."""
    monkeypatch.setattr(xray_daemon, "PACKETS_PER_S", 0)
    loop = asyncio.get_running_loop()
    daemon = XRayDaemon(a_function(), Sink(), sockets)
    daemon._let_rest(sockets[UDP], daemon._receive, 0.01)
    daemon.close()
    over = loop.create_future()
    loop.call_later(0.02, over.set_result, None)
    await over
    assert loop.remove_reader(sockets[UDP]) is False


async def test_a_sink_that_fails_on_a_packet_stops_no_end(
    sockets: dict[str, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes of what waits at the end: the sockets are looked at no more, connections end."""
    sink, loop = Sink(), asyncio.get_running_loop()

    def fail(function: FunctionVersion, packet: bytes) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(sink, "segment", fail)
    daemon = XRayDaemon(a_function(), sink, sockets)
    reader, writer = await asyncio.open_connection(*sockets[TCP].getsockname())
    writer.write(b"hello")
    assert await asyncio.wait_for(reader.readexactly(5), 10) == b"hello"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"one", sockets[UDP].getsockname())
    with pytest.raises(RuntimeError, match="no"):
        daemon.close()
    assert (loop.remove_reader(sockets[UDP]), loop.remove_reader(sockets[TCP])) == (False, False)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_sixteen_connections_are_served_at_once(sockets: dict[str, socket.socket]) -> None:
    """One more is closed; another is taken when one of them has ended."""
    daemon, writers = XRayDaemon(a_function(), Sink(), sockets), []

    async def answer() -> bytes:
        reader, writer = await asyncio.open_connection(*sockets[TCP].getsockname())
        writers.append(writer)
        writer.write(b"hello")
        try:
            return await asyncio.wait_for(reader.read(5), 10)
        except ConnectionError:  # closed with our bytes unread
            return b""

    assert [await answer() for _ in range(17)] == [b"hello"] * 16 + [b""]
    writers[0].close()
    async with asyncio.timeout(10):
        while not daemon._connections[0].is_closing():
            await asyncio.sleep(0)
    assert await answer() == b"hello"
    daemon.close()
    for writer in writers:
        writer.close()
