"""What a function may do to its Runtime API: nothing that it sends or leaves unread grows the platform."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from undercast.sandbox.runtime_api import MAX_CONNECTIONS, RuntimeApi, RuntimeEvent
from undercast.sandbox.runtime_connection import MAX_HEAD_BYTES, MAX_PIPELINED, MAX_URL_BYTES
from undercast.sandbox.runtime_messages import Answer, Message

NOT_FOUND = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: h\r\n\r\n"
PIECE = b"a" * 65_536


class Seen:
    """RuntimeEvents that count."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.nexts = 0

    def on_next(self) -> None:
        """See RuntimeEvents."""
        self.nexts += 1

    def on_response(self, answer: Answer) -> None:
        """See RuntimeEvents."""
        self.answers.append(answer)

    def on_restore_next(self) -> None:
        """Nobody asks for it here."""

    def on_init_error(self, answer: Answer) -> None:
        """See RuntimeEvents."""

    def on_truncated(self) -> None:
        """See RuntimeEvents."""


class Wire(asyncio.Transport):
    """A transport whose other side reads nothing: keeps what was written, and whether reading is paused."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.paused = self.closed = False

    def write(self, data: object) -> None:
        """See Transport."""
        self.written += data  # type: ignore[arg-type]

    def writelines(self, parts: object) -> None:
        """See Transport."""
        for part in parts:  # type: ignore[attr-defined]
            self.written += part

    def pause_reading(self) -> None:
        """See Transport."""
        self.paused = True

    def resume_reading(self) -> None:
        """See Transport."""
        self.paused = False

    def abort(self) -> None:
        """See Transport."""
        self.closed = True

    def close(self) -> None:
        """See Transport."""
        self.closed = True


def connected(api: RuntimeApi) -> tuple["asyncio.Protocol", Wire]:
    """A connection of a runtime."""
    connection, wire = api.connection(), Wire()
    connection.connection_made(wire)
    return connection, wire


def fed(connection: asyncio.Protocol, wire: Wire, start: bytes, piece: bytes, at_most: int) -> int:
    """Send start and then pieces until the connection is closed; how many bytes of pieces it took."""
    connection.data_received(start)
    took = 0
    while not wire.closed and took < at_most:
        connection.data_received(piece)
        took += len(piece)
    return took


@pytest.fixture
async def seen() -> AsyncIterator[Seen]:
    """Inside a running loop."""
    yield Seen()


@pytest.mark.parametrize(
    ("start", "limit"),
    [
        (b"GET /", MAX_URL_BYTES),
        (b"GET /x HTTP/1.1\r\nX: ", MAX_HEAD_BYTES),
        (b"GET /x HTTP/1.1\r\nX", MAX_HEAD_BYTES),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", MAX_HEAD_BYTES),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", MAX_HEAD_BYTES),
    ],
    ids=["url", "header value", "header name", "trailer", "chunk extension"],
)
async def test_endless_head_ends_the_connection(seen: Seen, start: bytes, limit: int) -> None:
    """A head is counted as it comes, whether or not any header of it is complete."""
    connection, wire = connected(RuntimeApi(seen))
    assert fed(connection, wire, start, PIECE, 64 * 1024 * 1024) <= limit + len(PIECE)
    assert wire.closed


async def test_head_that_comes_byte_by_byte_ends_the_connection(seen: Seen) -> None:
    """The parser copies a value as it grows, so many small pieces cost more than their bytes."""
    connection, wire = connected(RuntimeApi(seen))
    assert fed(connection, wire, b"GET /x HTTP/1.1\r\nX: ", b"a", MAX_HEAD_BYTES) <= 2048
    assert wire.closed


async def test_large_x_ray_cause_is_taken(seen: Seen) -> None:
    """Runtimes send up to 1 MB of X-Ray cause in one header."""
    api = RuntimeApi(seen)
    connection, wire = connected(api)
    api.offer(RuntimeEvent(request_id="r", payload=b"1", deadline_ms=1, invoked_arn="arn"))
    connection.data_received(b"POST /2018-06-01/runtime/invocation/r/error HTTP/1.1\r\nX-Cause: ")
    for _ in range(16):
        connection.data_received(PIECE)
    connection.data_received(b"\r\nContent-Length: 2\r\n\r\n{}")
    assert [answer.payload for answer in seen.answers] == [b"{}"]
    assert not wire.closed


async def test_requests_in_one_read_are_bounded(seen: Seen) -> None:
    """A runtime asks and waits for the answer; one that sends thousands of requests at once is cut off."""
    connection, wire = connected(RuntimeApi(seen))
    connection.data_received(NOT_FOUND * 5000)
    assert wire.written.count(b"HTTP/1.1 404") == MAX_PIPELINED
    assert wire.closed


async def test_answers_that_nobody_reads_stop_the_reading(seen: Seen) -> None:
    """While the transport cannot write, nothing more is read, and what was read already ends the connection."""
    connection, wire = connected(RuntimeApi(seen))
    connection.data_received(NOT_FOUND)
    connection.pause_writing()
    assert wire.paused
    connection.data_received(NOT_FOUND)
    assert wire.written.count(b"HTTP/1.1 404") == 1
    assert wire.closed


async def test_reading_goes_on_once_the_answers_are_read(seen: Seen) -> None:
    """Back-pressure ends with its cause."""
    connection, wire = connected(RuntimeApi(seen))
    connection.pause_writing()
    connection.resume_writing()
    assert not wire.paused
    connection.data_received(NOT_FOUND)
    assert wire.written.count(b"HTTP/1.1 404") == 1


def _running(seen: Seen, kind: bytes = b"response") -> tuple[RuntimeApi, "asyncio.Protocol", Wire]:
    """A runtime that has read the head of its answer to "r-1", and asks for the next event on another connection."""
    api = RuntimeApi(seen)
    answering, _ = connected(api)
    answering.data_received(NEXT)
    api.offer(RuntimeEvent(request_id="r-1", payload=b"1", deadline_ms=1, invoked_arn="a"))
    answering.data_received(
        b"POST /2018-06-01/runtime/invocation/r-1/%b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" % kind
    )
    asking, wire = connected(api)
    asking.data_received(NEXT)
    return api, answering, wire


async def test_next_beside_an_answer_that_is_being_read_waits_for_its_end(seen: Seen) -> None:
    """AWS's client for Node asks before its trailers are out; the same event again would run the handler twice."""
    api, answering, asking = _running(seen)
    assert (seen.nexts, bytes(asking.written)) == (1, b"")
    answering.data_received(b"2\r\nok\r\n0\r\n\r\n")
    assert ([answer.payload for answer in seen.answers], seen.nexts, bytes(asking.written)) == ([b"ok"], 2, b"")
    api.offer(RuntimeEvent(request_id="r-2", payload=b"2", deadline_ms=1, invoked_arn="a"))
    assert b"r-2" in asking.written


@pytest.mark.parametrize("kind", [b"response", b"applause"])
async def test_next_beside_an_answer_that_is_none_gets_the_running_event(seen: Seen, kind: bytes) -> None:
    """A body that breaks HTTP ends its connection, not the invocation; another path is no answer."""
    _, answering, asking = _running(seen, kind)
    if kind == b"response":
        answering.data_received(b"no chunk\r\n")
        answering.connection_lost(None)
    else:
        answering.data_received(b"0\r\n\r\n")
    assert (seen.answers, seen.nexts) == ([], 1)
    assert b"r-1" in asking.written


async def test_next_behind_an_answer_gets_its_event_behind_the_acceptance(seen: Seen) -> None:
    """A runtime may ask in the packet of its answer, and the next event be there already: answers keep their order."""
    api = RuntimeApi(seen)
    connection, wire = connected(api)
    api.offer(RuntimeEvent(request_id="r-1", payload=b"1", deadline_ms=1, invoked_arn="a"))
    connection.data_received(
        b"POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok" + NEXT
    )
    api.offer(RuntimeEvent(request_id="r-2", payload=b"2", deadline_ms=1, invoked_arn="a"))
    await asyncio.sleep(0)
    written = bytes(wire.written)
    assert (seen.nexts, written.count(b"202 Accepted")) == (1, 1)
    assert written.index(b"202 Accepted") < written.index(b"r-2")


async def test_answer_is_accepted_before_the_end_of_its_connection(seen: Seen) -> None:
    """The loop may read the answer and the end behind it in one turn."""
    api = RuntimeApi(seen)
    connection, wire = connected(api)
    api.offer(RuntimeEvent(request_id="r-1", payload=b"1", deadline_ms=1, invoked_arn="a"))
    connection.data_received(
        b"POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1\r\nContent-Length: 2\r\n\r\nok"
    )
    connection.eof_received()
    assert wire.written.count(b"202 Accepted") == 1


async def test_request_behind_a_waiting_next_ends_the_connection(seen: Seen) -> None:
    """Its answer could only come before that of `next`; the queue of waiting connections would grow, too."""
    connection, wire = connected(RuntimeApi(seen))
    connection.data_received(NEXT * 3)
    assert wire.closed
    assert seen.nexts == 1


async def test_connections_are_bounded(seen: Seen) -> None:
    """One function cannot take the descriptors of all."""
    api = RuntimeApi(seen)
    wires = [connected(api)[1] for _ in range(1000)]
    assert sum(not wire.closed for wire in wires) == MAX_CONNECTIONS


async def test_refused_connection_leaves_the_others_alone(seen: Seen) -> None:
    """Room comes back when a connection ends."""
    api = RuntimeApi(seen)
    pairs = [connected(api) for _ in range(MAX_CONNECTIONS + 1)]
    refused, first = pairs[-1][0], pairs[0][0]
    refused.data_received(NOT_FOUND)
    refused.connection_lost(None)
    first.connection_lost(None)
    assert not connected(api)[1].closed


async def test_body_that_is_no_answer_is_not_kept(seen: Seen) -> None:
    """Only the current invocation's answer, or an error of INIT, is worth memory."""
    api = RuntimeApi(seen)
    api.offer(RuntimeEvent(request_id="r", payload=b"1", deadline_ms=1, invoked_arn="arn"))
    for path in (b"/x", b"/2018-06-01/runtime/invocation/other/response", b"/2018-06-01/runtime/init/error"):
        connection, _ = connected(api)
        connection.data_received(b"POST " + path + b" HTTP/1.1\r\nContent-Length: 6000000\r\n\r\n" + PIECE)
        assert api.held_bytes == 0
    right, _ = connected(api)
    right.data_received(
        b"POST /2018-06-01/runtime/invocation/r/response HTTP/1.1\r\nContent-Length: 6000000\r\n\r\n" + PIECE
    )
    assert len(PIECE) == api.held_bytes


async def test_many_halves_of_an_answer_hold_no_more_than_two_whole_ones(seen: Seen) -> None:
    """Connections that each send the body of the same answer are cut off beyond that."""
    api = RuntimeApi(seen)
    api.offer(RuntimeEvent(request_id="r", payload=b"1", deadline_ms=1, invoked_arn="arn"))
    head = b"POST /2018-06-01/runtime/invocation/r/response HTTP/1.1\r\nContent-Length: 6000000\r\n\r\n"
    for _ in range(8):
        connection, wire = connected(api)
        fed(connection, wire, head, PIECE, 5_000_000)
    assert api.held_bytes <= 2 * 6_291_556


async def test_body_in_tiny_pieces_takes_its_bytes_only() -> None:
    """A million chunks of one byte are one megabyte."""
    message = Message()
    message.limit = 1_000_000
    for _ in range(100_000):
        message.add(b"a")
    assert message.answer(is_error=False).payload == b"a" * 100_000
    assert isinstance(message.body, bytearray)


async def test_platform_goes_on_beside_a_flood_on_real_sockets(seen: Seen) -> None:
    """The same over the loop's own transports: a thousand connections and a flood leave a bounded rest."""
    api = RuntimeApi(seen)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(api.connection, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    flood_reader, flood = await asyncio.open_connection(host, port)
    sent = 0
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(1):
            while sent < 64 * 1024 * 1024:
                flood.write(NOT_FOUND * 64)
                await flood.drain()
                sent += 64 * len(NOT_FOUND)
    assert sent < 64 * 1024 * 1024
    others = [await asyncio.open_connection(host, port) for _ in range(200)]
    async with asyncio.timeout(5):
        await asyncio.wait({asyncio.ensure_future(others[-1][0].read())})
    assert len(api.connections) <= MAX_CONNECTIONS
    for _, writer in [*others, (flood_reader, flood)]:
        writer.transport.abort()
    server.close()
    await api.closed(5)
