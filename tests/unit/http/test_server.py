"""The HTTP protocol over real sockets, on both event loops."""

import asyncio
import gc
import logging
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from tests.unit.http.serving import address_of, connected, serving, until
from undercast.core.http import HttpRequest, HttpResponse
from undercast.http.options import ServeOptions

GET = b"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_a_request_is_answered_and_the_connection_kept() -> None:
    """HTTP/1.1 keeps connections; the response has Date and Content-Length."""
    async with serving() as listener, connected(listener) as client:
        for _ in range(3):
            status, headers, body = await (await client.send(GET)).response()
            assert (status, body) == (200, b"GET /a?b=c 0 ")
            assert set(headers) == {"date", "content-length"}


async def test_the_handler_sees_lower_case_names_and_joined_values() -> None:
    """core.http: repeated headers are joined with ",", as SigV4 canonicalises them."""
    seen: list[HttpRequest] = []

    async def handler(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse(status=200)

    async with (
        serving(handler, options=ServeOptions(environment_id="env-1")) as listener,
        connected(listener) as client,
    ):
        long = b"X-" + b"Long" * 20
        head = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a:  2 \r\nX-Empty:\r\nX-B: \xc3\xbc\r\n"
        await client.send(head + long + b": 1\r\n" + long.upper() + b": 2\r\n\r\n")
        await client.response()
    (request,) = seen
    names = {"host": "x", "x-a": "1,2", "x-empty": "", "x-b": "\u00c3\u00bc", long.decode().lower(): "1,2"}
    assert request.headers == names
    assert (request.peer, request.environment_id, request.secure) == ("127.0.0.1", "env-1", False)


async def test_a_target_in_absolute_form_is_understood() -> None:
    """RFC 9112, 3.2.2: a server accepts what a client sends to a proxy."""

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=f"{request.headers['host']} {request.target}".encode())

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(b"GET http://b.localhost:4566/k?a=/b HTTP/1.1\r\nHost: other\r\n\r\n")
        assert (await client.response())[2] == b"b.localhost:4566 /k?a=/b"


async def test_pipelined_requests_are_answered_in_order() -> None:
    """RFC 9112, 9.3.2; also when the first takes longest."""
    order: list[str] = []
    first = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        order.append(request.target)
        if request.target == "/0":
            await first.wait()
        return HttpResponse(status=200, body=request.target.encode())

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(5)))
        await until(lambda: order == ["/0"])
        first.set()
        assert [(await client.response())[2] for _ in range(5)] == [b"/%d" % number for number in range(5)]


@pytest.mark.parametrize("size", [10, 200_000])
async def test_a_body_arrives_in_whatever_pieces(size: int) -> None:
    """A small body is in memory when the handler starts, a large one is read as it comes."""
    body = b"x" * size
    request = b"PUT /k HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size + body
    async with serving() as listener, connected(listener) as client:
        for cut in (len(request), 20, size // 2 + 60):
            await client.send(request[:cut], request[cut:])
            assert (await client.response())[2].startswith(b"PUT /k %d x" % size)


async def test_a_body_that_came_with_its_head_is_buffered() -> None:
    """The invoke path needs no iterator."""
    buffered: list[bytes | None] = []

    async def handler(request: HttpRequest) -> HttpResponse:
        buffered.append(request.body.buffered)
        return HttpResponse(status=204)

    async with serving(handler) as listener, connected(listener) as client:
        status, headers, _ = await (await client.send(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")).response()
        assert (status, "content-length" in headers) == (204, False)
    assert buffered == [b"hi"]


async def test_chunked_bodies_and_their_trailers_are_read() -> None:
    """RFC 9112, 7.1; trailers are on the BodyStream once the end is reached."""

    async def handler(request: HttpRequest) -> HttpResponse:
        assert request.body.length is None or request.body.buffered is not None
        data = await request.body.read()
        return HttpResponse(status=200, body=data + repr(dict(request.body.trailers)).encode())

    head, end = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\nX-Sum: 7\r\n\r\n"
    async with serving(handler) as listener, connected(listener) as client:
        for parts in ((head + b"3\r\nabc\r\n" + end,), (head, b"3\r\nab", b"c\r\n0", b"\r\nX-Sum: 7\r\n\r\n")):
            assert (await (await client.send(*parts)).response())[2] == b"abc{'x-sum': '7'}"


async def test_100_continue_is_sent_when_the_handler_reads() -> None:
    """RFC 9110, 10.1.1: botocore waits for it before it sends an object."""
    async with serving() as listener, connected(listener) as client:
        await client.send(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert (await client.response())[0] == 100
        assert (await (await client.send(b"hello")).response())[2] == b"PUT / 5 hello"


async def test_a_small_body_is_asked_for_before_the_handler_decides() -> None:
    """RFC 9110, 10.1.1: a server may; the answer may come before the body, which is then read past."""

    async def handler(request: HttpRequest) -> HttpResponse:
        assert request.body.buffered is None
        return HttpResponse(status=403)

    async with serving(handler) as listener, connected(listener) as client:
        for _ in range(2):
            await client.send(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            assert [(await client.response())[0], (await client.response())[0]] == [100, 403]
            await client.send(b"hello")


async def test_a_small_body_is_asked_for_in_its_turn() -> None:
    """RFC 9110, 15.2: an interim response comes behind the final one of the request before."""
    wanted = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        await wanted.wait()
        return HttpResponse(status=200, body=await request.body.read())

    async with serving(handler) as listener, connected(listener) as client:
        second = b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        await client.send(b"GET / HTTP/1.1\r\n\r\n" + second)
        await asyncio.sleep(0.05)
        wanted.set()
        assert [(await client.response())[0], (await client.response())[0]] == [200, 100]
        assert (await (await client.send(b"hello")).response())[2] == b"hello"


async def test_100_continue_is_not_sent_when_the_handler_refuses_a_large_body() -> None:
    """A client that is refused never sends its object; the connection ends, because the body may still come."""

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=403)

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n")
        status, headers, _ = await client.response()
        assert (status, headers["connection"]) == (403, "close")
        assert await client.rest() == b""


async def test_a_client_that_does_not_wait_for_100_gets_none() -> None:
    """The body is there already."""
    async with serving() as listener, connected(listener) as client:
        await client.send(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
        assert (await client.response())[2] == b"PUT / 5 hello"


@pytest.mark.parametrize(
    ("request_head", "kept"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\n\r\n", True),
    ],
)
async def test_the_connection_is_kept_as_asked(request_head: bytes, kept: bool) -> None:
    """RFC 9112, 9.3; HTTP/1.0 has to be told that it is kept."""
    async with serving() as listener, connected(listener) as client:
        _, headers, _ = await (await client.send(request_head)).response()
        assert headers.get("connection") == ("close" if not kept else "keep-alive" if b"1.0" in request_head else None)
        if kept:
            assert (await (await client.send(request_head)).response())[0] == 200
        else:
            assert await client.rest() == b""


async def test_an_offer_to_upgrade_is_ignored() -> None:
    """Java's HTTP client offers h2c on every request, also on one with a body."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
    async with serving() as listener, connected(listener) as client:
        for cut in (70, 130, 500):
            data = (
                b"POST /1 HTTP/1.1\r\n"
                + offer
                + b"Content-Length: 4\r\n\r\nbody"
                + b"GET /2 HTTP/1.1\r\n"
                + offer
                + b"\r\n"
            )
            await client.send(data[:cut], data[cut:])
            assert (await client.response())[2] == b"POST /1 4 body"
            assert (await client.response())[2] == b"GET /2 0 "
        chunked = b"POST /3 HTTP/1.1\r\n" + offer + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
        await client.send(chunked + GET)
        assert (await client.response())[2] == b"POST /3 2 ab"
        assert (await client.response())[2] == b"GET /a?b=c 0 "


# Responses.


def streaming(*parts: bytes, length: int | None = None, status: int = 200) -> HttpResponse:
    async def iterate() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return HttpResponse(status=status, body=iterate(), length=length)


@pytest.mark.parametrize(
    ("version", "length", "framing"),
    [
        (b"1.1", None, {"transfer-encoding": "chunked"}),
        (b"1.1", 6, {"content-length": "6"}),
        (b"1.0", None, {"connection": "close"}),
        (b"1.0", 6, {"content-length": "6", "connection": "close"}),
    ],
)
async def test_a_streamed_response_is_framed_for_its_client(
    version: bytes, length: int | None, framing: dict[str, str]
) -> None:
    """Chunked, by length, or until the end of an HTTP/1.0 connection."""

    async def handler(request: HttpRequest) -> HttpResponse:
        return streaming(b"abc", b"", b"def", length=length)

    async with serving(handler) as listener, connected(listener) as client:
        _, headers, body = await (await client.send(b"GET / HTTP/%s\r\n\r\n" % version)).response()
        del headers["date"]
        assert (headers, body) == (framing, b"abcdef")


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    """RFC 9110, 9.3.2; also of a stream, whose iterator is closed unread."""
    closed: list[bool] = []

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.path == "/bytes":
            return HttpResponse(status=200, body=b"12345")
        if request.path == "/length":
            return HttpResponse(status=200, length=77)

        async def iterate() -> AsyncIterator[bytes]:
            yield b"x"

        return HttpResponse(status=200, body=Closing(iterate(), closed), length=99)

    async with serving(handler) as listener, connected(listener) as client:
        for path, length in ((b"/bytes", "5"), (b"/length", "77"), (b"/stream", "99")):
            await client.send(b"HEAD %s HTTP/1.1\r\n\r\n" % path)
            _, headers, _ = await client.response(head_only=True)
            assert headers["content-length"] == length
    assert closed == [True]


class Closing:
    """An iterator that tells when it is closed."""

    def __init__(self, iterator: AsyncIterator[bytes], closed: list[bool]) -> None:
        self._iterator = iterator
        self._closed = closed

    def __aiter__(self) -> "Closing":
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._iterator)

    async def aclose(self) -> None:
        """See AsyncGenerator."""
        self._closed.append(True)


async def test_a_live_stream_shows_its_head_before_its_first_event() -> None:
    """An event stream's first event may be minutes away."""
    go = asyncio.Event()

    async def iterate() -> AsyncIterator[bytes]:
        await go.wait()
        yield b"event"

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=iterate())

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(GET)
        head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 10)
        assert b"Transfer-Encoding: chunked" in head
        go.set()
        assert await asyncio.wait_for(client.reader.readuntil(b"0\r\n\r\n"), 10) == b"5\r\nevent\r\n0\r\n\r\n"


async def test_a_slow_reader_stops_the_stream() -> None:
    """The iterator is asked for no more than the buffer holds, until the client reads."""
    yielded = 0
    size, count = 65536, 2000

    async def iterate() -> AsyncIterator[bytes]:
        nonlocal yielded
        for _ in range(count):
            yielded += 1
            yield b"x" * size

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=iterate(), length=size * count)

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        before = -1
        while yielded != before:
            before = yielded
            await asyncio.sleep(0.05)
        assert yielded < count
        received = 0
        while received < size * count:
            received += len(await asyncio.wait_for(client.reader.read(1 << 20), 10))
        assert yielded == count


async def test_a_handler_that_does_not_read_stops_the_sender() -> None:
    """Back-pressure: the server holds a bounded part of a body."""
    go = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        await go.wait()
        size = 0
        async for part in request.body:
            size += len(part)
        return HttpResponse(status=200, body=b"%d" % size)

    size = 64 << 20
    async with serving(handler) as listener, connected(listener) as client:
        await client.send(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
        client.writer.write(b"x" * size)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.writer.drain(), 0.5)
        go.set()
        assert (await client.response())[2] == b"%d" % size


async def test_a_client_that_goes_ends_the_stream() -> None:
    """The iterator is closed, so that it can release what it holds."""
    ended = asyncio.Event()

    async def iterate() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=iterate())

    async with serving(handler) as listener:
        async with connected(listener) as client:
            await client.send(GET)
            await client.reader.readuntil(b"first")
        await asyncio.wait_for(ended.wait(), 10)
        await until(lambda: listener.connections == 0)


@pytest.mark.parametrize("ends", [True, False])
async def test_a_started_handler_outlives_its_client_unless_told_otherwise(ends: bool) -> None:
    """AWS finishes what a client asked for and did not wait for; a long poll ends with its client."""
    events: list[str] = []
    started, go = asyncio.Event(), asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        started.set()
        try:
            await go.wait()
            events.append("finished")
        except asyncio.CancelledError:
            events.append("cancelled")
            raise
        return HttpResponse(status=200)

    async with serving(handler, options=ServeOptions(ends_with_client=ends)) as listener:
        async with connected(listener) as client:
            await client.send(GET)
            await started.wait()
        if not ends:
            go.set()
        await until(lambda: listener.connections == 0)
    assert events == ["cancelled" if ends else "finished"]


async def test_a_half_closed_client_gets_its_response() -> None:
    """shutdown(SHUT_WR) behind the request is how some clients say that they are done."""
    async with serving() as listener, connected(listener) as client:
        await client.send(GET + GET)
        client.writer.write_eof()
        assert (await client.response())[0] == 200
        assert (await client.response())[0] == 200
        assert await client.rest() == b""


async def test_a_client_that_half_closes_during_a_download_gets_the_rest() -> None:
    """And then the connection ends."""
    go = asyncio.Event()

    async def iterate() -> AsyncIterator[bytes]:
        yield b"first "
        await go.wait()
        yield b"last"

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=iterate(), length=10)

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(GET)
        await client.reader.readuntil(b"first ")
        client.writer.write_eof()
        await asyncio.sleep(0.01)
        go.set()
        assert await client.rest() == b"last"
        await until(lambda: listener.connections == 0)


async def test_a_response_that_breaks_lines_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    """No header value may start another header (response splitting)."""

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, headers=(("x-amz-meta-a", "1\r\nSet-Cookie: x"),))

    with caplog.at_level(logging.CRITICAL):
        async with serving(handler) as listener, connected(listener) as client:
            status, headers, _ = await (await client.send(GET)).response()
            assert (status, "set-cookie" in headers) == (500, False)


async def test_the_protocol_frames_responses_itself() -> None:
    """A handler's own Content-Length, Connection or Date never go out."""

    async def handler(request: HttpRequest) -> HttpResponse:
        headers = (("Content-Length", "999"), ("Transfer-Encoding", "chunked"), ("Date", "x"), ("X-A", "b"))
        return HttpResponse(status=200, headers=headers, body=b"ok")

    async with serving(handler) as listener, connected(listener) as client:
        _, headers, body = await (await client.send(GET)).response()
        assert (headers["content-length"], headers["x-a"], body) == ("2", "b", b"ok")
        assert "transfer-encoding" not in headers


# Failures of the handler.


async def test_a_failing_handler_is_a_logged_500(caplog: pytest.LogCaptureFixture) -> None:
    """Never a dead connection; the traceback is in the log."""

    async def handler(request: HttpRequest) -> HttpResponse:
        raise ConnectionRefusedError("a bug")

    async with serving(handler) as listener, connected(listener) as client:
        status, _, body = await (await client.send(GET)).response()
        assert (status, body) == (500, b"Internal failure\n")
    assert "a bug" in caplog.text
    assert "GET /a?b=c" in caplog.text


@pytest.mark.parametrize("length", [None, 100])
async def test_a_stream_that_breaks_cannot_be_mistaken_for_a_whole_one(
    length: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection is cut: no terminating chunk, fewer bytes than declared."""

    async def iterate() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("broke")

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=iterate(), length=length)

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(GET)
        rest = await client.rest()
        assert not rest.endswith(b"0\r\n\r\n")
    assert "broke" in caplog.text


async def test_a_stream_that_breaks_before_its_first_byte_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """A file that cannot be read is an error, not a cut connection."""

    async def iterate() -> AsyncIterator[bytes]:
        raise RuntimeError("unreadable")
        yield b""

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=iterate(), length=5)

    with caplog.at_level(logging.CRITICAL):
        async with serving(handler) as listener, connected(listener) as client:
            assert (await (await client.send(GET)).response())[0] == 500


@pytest.mark.parametrize("parts", [(b"abc",), (b"abcde", b"fgh")])
async def test_a_stream_of_another_length_is_cut(parts: tuple[bytes, ...], caplog: pytest.LogCaptureFixture) -> None:
    """Too few or too many bytes must not shift into the next response."""

    async def handler(request: HttpRequest) -> HttpResponse:
        return streaming(*parts, length=6)

    with caplog.at_level(logging.CRITICAL):
        async with serving(handler) as listener, connected(listener) as client:
            body = await (await client.send(GET + GET)).rest()
            assert body.count(b"HTTP/1.1") == 1
            assert len(body.partition(b"\r\n\r\n")[2]) < 7


async def test_a_client_that_resets_just_before_the_close_breaks_nothing() -> None:
    """Whether the reset or the end of the response is seen first is chance."""
    gone = asyncio.Event()
    failures: list[dict[str, object]] = []

    async def refuse(request: HttpRequest) -> HttpResponse:
        async def slowly() -> AsyncIterator[bytes]:
            yield b"no"
            await gone.wait()

        return HttpResponse(status=400, body=slowly(), length=2, close=True)

    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with serving(refuse) as listener:
        client = socket.create_connection(address_of(listener))
        client.setblocking(False)
        client.sendall(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n")
        answer = b""
        while not answer.endswith(b"no"):
            answer += await asyncio.get_running_loop().sock_recv(client, 4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        gone.set()
        await until(lambda: listener.connections == 0)
    gc.collect()
    assert failures == []
