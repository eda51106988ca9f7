"""HTTP/2 on the same port, for clients that insist on it.

AWS: RFC 9113; Kinesis API Reference, SubscribeToShard.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from tests.unit.http.serving import PATIENCE_S, address_of, describe, serving
from undercast.core.http import HttpHandler, HttpRequest, HttpResponse
from undercast.http import frames
from undercast.http.frames import Frame, FrameReader
from undercast.http.hpack import Decoder, encode
from undercast.http.http2 import MAX_EMPTY_FRAMES, MAX_STREAMS, Http2Protocol
from undercast.http.limits import HttpLimits
from undercast.http.listener import Listener
from undercast.http.options import ServeOptions

HEAD = encode([(":method", "POST"), (":path", "/")])


class Http2Client:
    """Speaks frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()
        self._decoder = Decoder(max_list_bytes=65_536)
        self._waiting: list[Frame] = []

    def send(self, *parts: bytes) -> None:
        self._writer.write(b"".join(parts))

    def abort(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()

    def ask(self, stream: int, path: str = "/", body: bytes | None = None, method: str = "POST") -> None:
        """A request in as few frames as it takes."""
        headers = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        self.send(frames.header_frames(stream, encode(headers), ends=body is None))
        if body is not None:
            parts = [body[at : at + 16_384] for at in range(0, len(body), 16_384)] or [b""]
            for place, part in enumerate(parts):
                flags = frames.END_STREAM if place == len(parts) - 1 else 0
                self.send(frames.frame(frames.DATA, flags, stream, part))

    async def frame(self, *kinds: int) -> Frame:
        """The next one of these kinds; those before are dropped."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while self._waiting:
                    found = self._waiting.pop(0)
                    if found.kind in kinds:
                        return found
                data = await self._reader.read(65_536)
                if not data:
                    raise EOFError
                self._waiting += self._frames.feed(data)

    async def answer(self) -> tuple[int, int, bytes]:
        """(stream, status, body) of the next response whose frames come one after the other."""
        head = await self.frame(frames.HEADERS)
        status = int(dict(self._decoder.decode(head.payload))[":status"])
        body = b""
        while not head.flags & frames.END_STREAM:
            head = await self.frame(frames.DATA)
            body += head.payload
        return head.stream, status, body


@asynccontextmanager
async def speaking(
    handler: HttpHandler = describe, *, windows: bool = True, **limits: Any
) -> AsyncIterator[tuple[Http2Client, Listener]]:
    """A client behind its preface. Without `windows` it takes 65,535 bytes and says nothing more."""
    async with serving(handler, **limits) as listener:
        reader, writer = await asyncio.open_connection(*address_of(listener))
        client = Http2Client(reader, writer)
        client.send(frames.PREFACE, frames.settings({frames.INITIAL_WINDOW_SIZE: 2**30} if windows else {}))
        if windows:
            client.send(frames.window_update(0, 2**30))
        try:
            yield client, listener
        finally:
            writer.close()


async def test_requests_are_answered_on_their_streams() -> None:
    """One connection, several streams; bodies in several frames."""
    async with speaking() as (client, _):
        client.ask(1, "/a?b=c", b"text")
        assert await client.answer() == (1, 200, b"POST /a?b=c 4 text")
        client.ask(3, "/", None, "GET")
        assert await client.answer() == (3, 200, b"GET / 0 ")
        client.ask(5, "/large", b"x" * 3_000_000)
        assert await client.answer() == (5, 200, b"POST /large 3000000 " + b"x" * 40)


async def test_a_slow_request_holds_up_no_other() -> None:
    """Streams are answered in the order in which they are ready."""
    release = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.path == "/slow":
            await release.wait()
        return await describe(request)

    async with speaking(handler) as (client, _):
        client.ask(1, "/slow")
        client.ask(3, "/fast")
        assert (await client.answer())[0] == 3
        release.set()
        assert (await client.answer())[0] == 1


async def test_headers_are_those_of_http() -> None:
    """:authority is Host; a header that comes twice is joined; header blocks may be split."""
    seen: list[HttpRequest] = []

    async def handler(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse(status=200, headers=(("X-Name", "v"), ("Connection", "close")), body=b"ok")

    async with speaking(handler) as (client, _):
        block = encode([(":method", "GET"), (":path", "/p"), (":authority", "h:1"), ("x-a", "1"), ("x-a", "2")])
        client.send(frames.frame(frames.HEADERS, frames.END_STREAM, 1, block[:9]))
        client.send(frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, block[9:]))
        head = await client.frame(frames.HEADERS)
        names = dict(Decoder(max_list_bytes=4096).decode(head.payload))
    assert (names[":status"], names["x-name"], names["content-length"]) == ("200", "v", "2")
    assert "connection" not in names
    assert (seen[0].headers["host"], seen[0].headers["x-a"], seen[0].target) == ("h:1", "1,2", "/p")


async def test_a_response_waits_for_the_clients_windows() -> None:
    """No byte beyond 65,535 until the client makes room, for the stream and for the connection."""

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=b"y" * 100_000)

    async with speaking(handler, windows=False) as (client, _):
        client.ask(1)
        await client.frame(frames.HEADERS)
        size = 0
        while size < frames.FIRST_WINDOW:
            size += len((await client.frame(frames.DATA)).payload)
        assert size == frames.FIRST_WINDOW
        client.send(frames.frame(frames.PING, 0, 0, b"12345678"))
        assert (await client.frame(frames.PING, frames.DATA)).payload == b"12345678"
        client.send(frames.window_update(0, 50_000), frames.window_update(1, 50_000))
        while size < 100_000:
            size += len((await client.frame(frames.DATA)).payload)
        assert size == 100_000


async def test_a_client_that_makes_hardly_any_room_is_cut_off() -> None:
    """A stalled answer is kept in memory: a byte of room, or SETTINGS, now and then gives it no more time."""

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=b"y" * 200_000)

    async with speaking(handler, windows=False, write_timeout_s=0.3) as (client, listener):
        client.ask(1)
        async with asyncio.timeout(PATIENCE_S):
            while listener.connections:
                client.send(frames.window_update(1, 1), frames.window_update(0, 1), frames.settings({}))
                await asyncio.sleep(0.02)


async def test_a_stream_that_stalls_ends_alone() -> None:
    """RFC 9113, section 5.2.2: windows of a stream hold up that stream. What is left unread of one is dropped, and the
    answers of the others come."""
    release = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.path == "/slow":
            await release.wait()
            return HttpResponse(status=200, body=b"late")
        return HttpResponse(status=200, body=b"y" * 200_000)

    async with speaking(handler, write_timeout_s=0.1) as (client, listener):
        client.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 10}))
        client.ask(1)
        client.ask(3, "/slow")
        reset = await client.frame(frames.RST_STREAM)
        assert (reset.stream, int.from_bytes(reset.payload)) == (1, frames.CANCEL)
        assert listener._connections.held.unread_bytes == 0
        release.set()
        assert await client.answer() == (3, 200, b"late")


@pytest.mark.parametrize("error", [ConnectionResetError, TimeoutError])
async def test_a_body_that_fails_ends_its_stream_alone(error: type[Exception]) -> None:
    """Also where what failed is a connection of its own: the client's is not meant."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        raise error

    async def handler(request: HttpRequest) -> HttpResponse:
        return await describe(request) if request.path == "/x" else HttpResponse(status=200, body=parts())

    async with speaking(handler) as (client, _):
        client.ask(1)
        reset = await client.frame(frames.RST_STREAM)
        assert (reset.stream, int.from_bytes(reset.payload)) == (1, frames.INTERNAL_ERROR)
        client.ask(3, "/x")
        assert await client.answer() == (3, 200, b"POST /x 0 ")


async def test_what_streams_leave_unread_is_bounded() -> None:
    """As of HTTP/1.1's connections: the connection that goes beyond it ends."""

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=bytes(200_000))

    async with speaking(handler, windows=False, unread_bytes=1_000_000) as (client, listener):
        for number in range(1, 12, 2):
            client.ask(number)
        with pytest.raises(EOFError):
            await client.frame(frames.GOAWAY)
        async with asyncio.timeout(PATIENCE_S):
            while listener.connections:
                await asyncio.sleep(0.005)
        assert listener._connections.held.unread_bytes == 0


async def test_a_stream_that_is_cancelled_ends_its_events() -> None:
    """RST_STREAM closes a live answer's iterator; the connection goes on."""
    closed = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.path == "/events":
            return HttpResponse(status=200, body=events())
        return await describe(request)

    async with speaking(handler) as (client, _):
        client.ask(1, "/events")
        assert (await client.frame(frames.DATA)).payload == b"first"
        client.send(frames.reset(1, frames.CANCEL))
        async with asyncio.timeout(PATIENCE_S):
            await closed.wait()
        client.ask(3, "/x")
        assert await client.answer() == (3, 200, b"POST /x 0 ")


@pytest.mark.parametrize("leave", ["stream", "connection"])
async def test_a_body_whose_client_has_left_before_it_began_is_closed(leave: str) -> None:
    """Its maker may hold back a function that streams."""
    asked, go, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Pieces:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            await asyncio.Event().wait()
            return b""

        async def aclose(self) -> None:
            closed.set()

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.path == "/events":
            asked.set()
            await go.wait()
            return HttpResponse(status=200, body=Pieces())
        return await describe(request)

    async with speaking(handler) as (client, listener), asyncio.timeout(PATIENCE_S):
        client.ask(1, "/events")
        await asked.wait()
        if leave == "stream":
            client.send(frames.reset(1, frames.CANCEL))
            client.ask(3, "/x")
            assert await client.answer() == (3, 200, b"POST /x 0 ")
        else:
            client.abort()
            (connection,) = listener._connections
            while not cast(Http2Protocol, connection)._lost:
                await asyncio.sleep(0.001)
        go.set()
        await closed.wait()


async def test_the_end_of_the_connection_ends_its_events() -> None:
    """As with HTTP/1.1."""
    closed = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=events())

    async with speaking(handler) as (client, listener):
        client.ask(1)
        await client.frame(frames.DATA)
        client._writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            await closed.wait()
            while listener.connections:
                await asyncio.sleep(0.01)


async def test_failures_and_sizes_have_statuses() -> None:
    """A handler that breaks is 500; a body beyond 16 MiB is 413."""

    async def handler(request: HttpRequest) -> HttpResponse:
        raise ValueError("broken")

    async with speaking(handler) as (client, _):
        client.ask(1)
        assert (await client.answer())[:2] == (1, 500)
        client.ask(3, "/", b"z" * (16 * 1024 * 1024 + 1))
        assert (await client.answer())[:2] == (3, 413)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frames.frame(frames.HEADERS, frames.END_HEADERS, 2, b"\x82"), frames.PROTOCOL_ERROR),
        (frames.frame(frames.HEADERS, frames.END_HEADERS, 1, b"\x80"), frames.COMPRESSION_ERROR),
        (frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, b"\x82"), frames.PROTOCOL_ERROR),
        (frames.frame(frames.HEADERS, 0, 1, b"\x82") + frames.settings({}), frames.PROTOCOL_ERROR),
        (frames.frame(frames.PUSH_PROMISE, 0, 1, b"\0\0\0\2"), frames.PROTOCOL_ERROR),
        (frames.frame(frames.PING, 0, 0, b"1"), frames.FRAME_SIZE_ERROR),
        (frames.frame(frames.SETTINGS, 0, 0, b"1"), frames.FRAME_SIZE_ERROR),
        (frames.frame(frames.DATA, frames.PADDED, 1, b"\xff"), frames.PROTOCOL_ERROR),
        (frames.window_update(0, 2**31 - 1) * 2, frames.FLOW_CONTROL_ERROR),
        (frames.header_frames(1, HEAD, ends=False) + frames.window_update(1, 2**31 - 1), frames.FLOW_CONTROL_ERROR),
        (frames.header_frames(1, HEAD, ends=False) + frames.window_update(1, 0), frames.FLOW_CONTROL_ERROR),
        (b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", frames.FRAME_SIZE_ERROR),
    ],
)
async def test_what_breaks_the_protocol_ends_the_connection(sent: bytes, code: int) -> None:
    """GOAWAY with the error's code."""
    async with speaking(windows=False) as (client, _):
        client.send(sent)
        found = await client.frame(frames.GOAWAY)
        assert int.from_bytes(found.payload[4:8]) == code
        with pytest.raises(EOFError):
            await client.frame(frames.GOAWAY)


async def test_closing_answers_what_is_in_hand() -> None:
    """GOAWAY, then the answer, then the end."""
    release, begun = asyncio.Event(), asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        begun.set()
        await release.wait()
        return await describe(request)

    async with speaking(handler) as (client, listener):
        client.ask(1)
        await begun.wait()
        closing = asyncio.create_task(listener.close(PATIENCE_S))
        await client.frame(frames.GOAWAY)
        client.ask(3)
        assert (await client.frame(frames.RST_STREAM)).stream == 3
        release.set()
        assert (await client.answer())[:2] == (1, 200)
        await closing
        assert listener.connections == 0


async def test_a_body_that_does_not_come_times_out() -> None:
    """408, as HTTP/1.1's rule is; the connection goes on, and nothing of it is held any more."""
    async with speaking(body_timeout_s=0.05) as (client, listener):
        client.send(frames.header_frames(1, HEAD, ends=False), frames.frame(frames.DATA, 0, 1, b"xyz"))
        assert (await client.answer())[:2] == (1, 408)
        client.ask(3, "/", b"y")
        assert (await client.answer())[:2] == (3, 200)
        assert listener._connections.held.size_bytes == 0


async def test_what_all_connections_hold_is_bounded() -> None:
    """503 beyond it, until others have been answered."""
    async with speaking(held_bytes=50_000) as (first, listener), serving_client(listener) as second:
        first.send(frames.header_frames(1, HEAD, ends=False), frames.frame(frames.DATA, 0, 1, b"x" * 16_000) * 2)
        first.send(frames.frame(frames.PING, 0, 0, b"12345678"))
        await first.frame(frames.PING)
        second.ask(1, "/", b"y" * 30_000)
        assert (await second.answer())[:2] == (1, 503)
        first.send(frames.reset(1, frames.CANCEL), frames.frame(frames.PING, 0, 0, b"12345678"))
        await first.frame(frames.PING)
        second.ask(3, "/", b"y" * 30_000)
        assert (await second.answer())[:2] == (3, 200)


@asynccontextmanager
async def serving_client(listener: Listener) -> AsyncIterator[Http2Client]:
    """One more client of a listener."""
    reader, writer = await asyncio.open_connection(*address_of(listener))
    client = Http2Client(reader, writer)
    client.send(frames.PREFACE, frames.settings({}))
    try:
        yield client
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("head", "empty"),
    [
        (frames.header_frames(1, HEAD, ends=False), frames.frame(frames.DATA, 0, 1)),
        (frames.header_frames(1, HEAD, ends=False), frames.frame(frames.DATA, frames.PADDED, 1, b"\x02\0\0")),
        (frames.header_frames(1, HEAD, ends=False), frames.header_frames(1, b"", ends=False)),
        (frames.frame(frames.HEADERS, 0, 1, HEAD), frames.frame(frames.CONTINUATION, 0, 1)),
    ],
    ids=["data", "padding", "trailers", "continuation"],
)
async def test_a_flood_of_empty_frames_ends_the_connection(head: bytes, empty: bytes) -> None:
    """CVE-2019-9518: they cost their sender nothing."""
    async with speaking() as (client, _):
        client.send(head, empty * (MAX_EMPTY_FRAMES + 1))
        found = await client.frame(frames.GOAWAY)
        assert int.from_bytes(found.payload[4:8]) == frames.ENHANCE_YOUR_CALM


async def test_streams_that_are_reset_at_once_count_until_their_handlers_end() -> None:
    """CVE-2023-44487: asking and cancelling in one breath begins no more work at a time than a client may ask for."""
    running = most = 0
    release = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1
        return await describe(request)

    async with speaking(handler) as (client, listener):
        for number in range(1, 4001, 2):
            client.ask(number)
            client.send(frames.reset(number, frames.CANCEL))
        client.send(frames.frame(frames.PING, 0, 0, b"12345678"))
        await client.frame(frames.PING)
        assert most == MAX_STREAMS
        release.set()
        while len(listener._connections) and not all(one.idle for one in listener._connections):
            await asyncio.sleep(0.005)
        client.ask(4001)
        assert await client.answer() == (4001, 200, b"POST / 0 ")
        assert listener._connections.held.size_bytes == 0


async def test_headers_that_go_on_without_end_are_refused() -> None:
    """CVE-2024-27316 and its like: CONTINUATION counts against the limit of a head, however little each brings."""
    async with speaking(max_head_bytes=4096) as (client, _):
        client.send(frames.frame(frames.HEADERS, 0, 1, HEAD), frames.frame(frames.CONTINUATION, 0, 1, b"\0") * 5000)
        found = await client.frame(frames.GOAWAY)
        assert int.from_bytes(found.payload[4:8]) == frames.ENHANCE_YOUR_CALM


class Unread(asyncio.Transport):
    """A client that leaves what is written unread."""

    def __init__(self) -> None:
        super().__init__()
        self.is_paused = self.is_closed = self.is_aborted = False
        self.last = b""
        self.kinds: list[int] = []

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...
    def write(self, data: Any) -> None:
        self.last = bytes(data)
        self.kinds.append(data[3])

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True


def unread(begun: bytes = frames.PREFACE, **limits: Any) -> tuple[Http2Protocol, Unread]:
    """A connection of such a client."""
    transport = Unread()
    options = ServeOptions(limits=HttpLimits(**limits))
    protocol = Http2Protocol(describe, options, cast(asyncio.Transport, transport), secure=False, peer="")
    protocol.begin(None, begun)
    return protocol, transport


async def test_nothing_is_read_while_the_client_does_not_read() -> None:
    """CVE-2019-9512 and 9515: each ping and each SETTINGS has an answer, which would be kept."""
    protocol, transport = unread()
    protocol.pause_writing()
    assert transport.is_paused
    protocol.resume_writing()
    assert not transport.is_paused
    protocol.connection_lost(None)


async def test_a_body_that_is_not_read_is_not_late() -> None:
    """Its time begins anew once the client has caught up."""
    protocol, transport = unread(body_timeout_s=0.02)
    protocol.data_received(frames.header_frames(1, HEAD, ends=False))
    protocol.pause_writing()
    await asyncio.sleep(0.1)
    assert frames.HEADERS not in transport.kinds
    protocol.resume_writing()
    async with asyncio.timeout(PATIENCE_S):
        while frames.HEADERS not in transport.kinds:
            await asyncio.sleep(0.005)
    protocol.connection_lost(None)


@pytest.mark.parametrize("end", [Http2Protocol.pause_writing, Http2Protocol.stop], ids=["paused", "closing"])
async def test_a_client_that_does_not_read_is_cut_off(end: Callable[[Http2Protocol], None]) -> None:
    """Also where it is the last that is written: GOAWAY."""
    protocol, transport = unread(write_timeout_s=0.02)
    end(protocol)
    assert not transport.is_aborted
    async with asyncio.timeout(PATIENCE_S):
        while not transport.is_aborted:
            await asyncio.sleep(0.005)
    protocol.connection_lost(None)


@pytest.mark.parametrize("begun", [frames.PREFACE[:20], frames.PREFACE + frames.frame(frames.HEADERS, 0, 1, HEAD[:3])])
async def test_a_head_that_does_not_go_on_ends_the_connection(begun: bytes) -> None:
    """Neither the preface nor a block of headers is waited for longer than HTTP/1.1's head."""
    protocol, transport = unread(begun, head_timeout_s=0.02)
    assert not transport.is_closed
    async with asyncio.timeout(PATIENCE_S):
        while not transport.is_closed:
            await asyncio.sleep(0.005)
    assert transport.last == frames.goaway(0, frames.ENHANCE_YOUR_CALM)
    protocol.connection_lost(None)


async def test_a_connection_that_goes_gives_back_what_its_bodies_held() -> None:
    """Else clients that leave in the middle of a body fill what all connections may hold, and nobody is served."""
    async with speaking(held_bytes=50_000) as (client, listener):
        async with serving_client(listener) as gone:
            gone.send(frames.header_frames(1, HEAD, ends=False), frames.frame(frames.DATA, 0, 1, b"x" * 16_000) * 2)
            gone.send(frames.frame(frames.PING, 0, 0, b"12345678"))
            await gone.frame(frames.PING)
        async with asyncio.timeout(PATIENCE_S):
            while listener.connections > 1:
                await asyncio.sleep(0.001)
        client.ask(1, "/", b"y" * 30_000)
        assert (await client.answer())[:2] == (1, 200)


async def test_a_connection_that_makes_room_has_ended() -> None:
    """Whoever closes the listener waits for each connection: this one has nothing more to do."""
    protocol, transport = unread()
    assert protocol.idle
    protocol.evict()
    assert (transport.is_aborted, protocol.closed.done()) == (True, True)


async def test_a_request_begins_once_whatever_comes_behind_its_end() -> None:
    """RFC 9113, 5.1, "half-closed (remote)": the client has ended the stream; more of it runs nothing again."""
    release, begun = asyncio.Event(), 0

    async def handler(request: HttpRequest) -> HttpResponse:
        nonlocal begun
        begun += 1
        await release.wait()
        return await describe(request)

    async with speaking(handler) as (client, _):
        client.ask(1, "/", b"x")
        client.send(frames.header_frames(1, b"", ends=True), frames.frame(frames.PING, 0, 0, b"12345678"))
        await client.frame(frames.PING)
        release.set()
        assert await client.answer() == (1, 200, b"POST / 1 x")
        assert begun == 1
