"""What a client may cost: unwanted bodies, limits on sizes and counts, and time. On both event loops."""

import asyncio
import contextlib
import socket

import pytest

from tests.unit.http.serving import Client, address_of, connected, serving, until
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.http.limits import HttpLimits
from undercast.http.options import ServeOptions

GET = b"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n"


# Bodies that the handler does not want.


async def refuse(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=403, body=b"no")


async def test_a_small_unwanted_body_is_dropped_and_the_connection_kept() -> None:
    """One error does not cost a client its connection."""
    async with serving(refuse, gathered_body_bytes=0) as listener, connected(listener) as client:
        await client.send(b"PUT / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
        assert (await client.response())[0] == 403
        await client.send(b"x" * 100_000)
        assert (await (await client.send(GET)).response())[0] == 403


@pytest.mark.parametrize("framing", [b"Content-Length: 90000000", b"Transfer-Encoding: chunked"])
async def test_a_large_unwanted_body_ends_the_connection_but_not_the_response(framing: bytes) -> None:
    """The client, still sending, reads its 403 before the end."""
    async with serving(refuse, linger_s=0.5, drain_bytes=1000) as listener, connected(listener) as client:
        await client.send(b"PUT / HTTP/1.1\r\n%s\r\n\r\n" % framing)
        assert (await client.response())[0] == 403
        with pytest.raises(ConnectionError):
            while True:
                await client.send(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        await until(lambda: listener.connections == 0)


# Limits.


async def only(client: Client, data: bytes) -> tuple[int, bytes]:
    """Status and body of a response that ends the connection."""
    status, headers, body = await (await client.send(data)).response()
    assert headers["connection"] == "close"
    assert await client.rest() == b""
    return status, body


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/3.7\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"PUT / HTTP/1.1\r\nExpect: a-miracle\r\nContent-Length: 3\r\n\r\n", 417),
        (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 2000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 300 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: a\r\n" % number for number in range(41)) + b"\r\n", 431),
        (b"PUT / HTTP/1.1\r\nContent-Length: 5001\r\n\r\n", 413),
        # What two servers could read differently (request smuggling): RFC 9112, sections 2.2, 5.1, 5.2, 6.1 and 6.3.
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 0, 0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\r\n folded: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n X: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
    ],
)
async def test_what_cannot_be_served_gets_its_status_and_the_end(data: bytes, status: int) -> None:
    """RFC 9110 and RFC 6585; nothing behind such a request is read."""
    limits = HttpLimits(max_head_bytes=1000, max_headers=40, max_body_bytes=5000, linger_s=0.05)
    async with serving(options=ServeOptions(limits=limits)) as listener, connected(listener) as client:
        assert (await only(client, data))[0] == status


async def test_a_bad_request_behind_good_ones_is_answered_in_its_turn() -> None:
    """The good ones are not lost."""
    async with serving(linger_s=0.05) as listener, connected(listener) as client:
        await client.send(GET + GET + b"nonsense\r\n\r\n" + GET)
        assert [(await client.response())[0] for _ in range(3)] == [200, 200, 400]
        assert await client.rest() == b""


async def test_a_chunked_body_above_the_limit_is_an_error_for_its_reader() -> None:
    """EntityTooLarge; its length was not known before."""

    async def handler(request: HttpRequest) -> HttpResponse:
        try:
            await request.body.read()
        except ServiceError as error:
            return HttpResponse(status=error.status, body=error.code.encode())
        return HttpResponse(status=200)

    async with serving(handler, max_body_bytes=1000, linger_s=0.05) as listener, connected(listener) as client:
        data = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"64\r\n" + b"x" * 100 + b"\r\n"
        await client.send(data, *[b"64\r\n" + b"x" * 100 + b"\r\n"] * 12)
        assert await only(client, b"") == (413, b"EntityTooLarge")


@pytest.mark.parametrize(("begin", "more"), [(b"1;", b"a" * 400), (b"", b"1;" + b"a" * 400 + b"\r\nx\r\n")])
async def test_chunks_that_bring_hardly_any_body_are_an_error_for_its_reader(begin: bytes, more: bytes) -> None:
    """CVE-2023-39326: an extension of a chunk may be of any length, and nobody reads it."""
    errors: list[str] = []

    async def handler(request: HttpRequest) -> HttpResponse:
        try:
            await request.body.read()
        except ServiceError as error:
            errors.append(error.message)
        return HttpResponse(status=400)

    limits = HttpLimits(max_head_bytes=1000, linger_s=0.05)
    async with serving(handler, options=ServeOptions(limits=limits)) as listener, connected(listener) as client:
        await client.send(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + begin)
        with contextlib.suppress(OSError):
            for _ in range(50):
                await client.send(more)
                await asyncio.sleep(0)
        assert (await client.response())[0] == 400
    assert errors == ["Too much between the chunks of a body"]


async def test_small_chunks_are_a_body() -> None:
    """One byte each, with the extension of a signature."""
    async with serving(max_head_bytes=1000) as listener, connected(listener) as client:
        body = b"1;s=abc\r\nx\r\n" * 2000
        await client.send(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body[:13000])
        await client.send(body[13000:] + b"0\r\n\r\n")
        assert (await client.response())[2].startswith(b"PUT / 2000 ")


async def test_a_body_that_is_cut_off_is_an_error_for_its_reader() -> None:
    """IncompleteBody, whether the client half-closes or breaks the framing; nothing half-sent is ever committed."""
    codes: list[str] = []

    async def handler(request: HttpRequest) -> HttpResponse:
        try:
            await request.body.read()
        except ServiceError as error:
            codes.append(error.code)
            return HttpResponse(status=400)
        return HttpResponse(status=200)

    async with serving(handler, gathered_body_bytes=0, linger_s=0.05) as listener:
        async with connected(listener) as client:
            await client.send(b"PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
            client.writer.write_eof()
            assert (await client.response())[0] == 400
        async with connected(listener) as client:
            await client.send(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"zz\r\n")
            assert (await client.response())[0] == 400
        async with connected(listener) as client:
            await client.send(b"PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
        await until(lambda: len(codes) == 3)
    assert codes == ["IncompleteBody", "InvalidRequest", "IncompleteBody"]


async def test_too_many_waiting_requests_are_refused() -> None:
    """A client cannot pile up requests behind a slow one."""
    go = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        await go.wait()
        return HttpResponse(status=200)

    async with serving(handler, max_pipelined=4, linger_s=0.05) as listener, connected(listener) as client:
        await client.send(GET * 10)
        go.set()
        statuses = [(await client.response())[0] for _ in range(4)]
        assert statuses[:3] == [200] * 3
        assert b" 429 " in await client.rest() or 429 in statuses


# Time.


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHos", b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_a_client_that_falls_silent_is_let_go(sent: bytes) -> None:
    """Slow loris: silently closed before a request, 408 within one."""
    async with (
        serving(head_timeout_s=0.1, body_timeout_s=0.1, linger_s=0.05) as listener,
        connected(listener) as client,
    ):
        if sent:
            await client.send(sent)
            assert (await client.response())[0] == 408
        assert await client.rest() == b""


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 9", b"Content-Length: 100000", b"Transfer-Encoding: chunked"],
    ids=["small", "large", "chunks"],
)
async def test_a_body_that_is_asked_for_and_does_not_come_is_let_go(framing: bytes) -> None:
    """100 Continue is out, and the client says nothing more: its reader gets an error, and the connection ends."""
    errors: list[str] = []

    async def handler(request: HttpRequest) -> HttpResponse:
        try:
            await request.body.read()
        except ServiceError as error:
            errors.append(error.code)
        return HttpResponse(status=400)

    async with serving(handler, body_timeout_s=0.1, linger_s=0.05) as listener, connected(listener) as client:
        await client.send(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\n" + framing + b"\r\n\r\n")
        answered = await client.rest()
        assert answered.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 ")
    assert errors == ["RequestTimeout"]


async def test_dripping_a_head_does_not_extend_its_time() -> None:
    """A byte now and then is not a sign of life."""
    async with serving(head_timeout_s=0.2, linger_s=0.05) as listener, connected(listener) as client:

        async def drip() -> None:
            while True:
                client.writer.write(b"X")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        await client.send(b"GET / HTTP/1.1\r\n")
        assert (await client.response())[0] == 408
        dripping.cancel()


async def test_dripping_a_body_does_not_extend_its_time() -> None:
    """A body must bring a minimum of bytes per second."""

    async def handler(request: HttpRequest) -> HttpResponse:
        try:
            await request.body.read()
        except ServiceError as error:
            return HttpResponse(status=error.status, body=error.code.encode())
        return HttpResponse(status=200)

    limits = HttpLimits(body_timeout_s=0.2, min_body_rate=1000.0, gathered_body_bytes=0, linger_s=0.05)
    async with serving(handler, options=ServeOptions(limits=limits)) as listener, connected(listener) as client:

        async def drip() -> None:
            while True:
                client.writer.write(b"X")
                await asyncio.sleep(0.02)

        await client.send(b"PUT / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
        dripping = asyncio.create_task(drip())
        status, _, body = await client.response()
        assert (status, body) == (400, b"RequestTimeout")
        dripping.cancel()


async def test_an_idle_connection_ends_after_its_time_and_a_busy_one_does_not() -> None:
    """The keep-alive time runs between requests only."""

    async def handler(request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0.3)
        return HttpResponse(status=200)

    async with (
        serving(handler, keep_alive_timeout_s=0.1, head_timeout_s=0.1) as listener,
        connected(listener) as client,
    ):
        assert (await (await client.send(GET)).response())[0] == 200
        assert await client.rest() == b""


async def test_what_clients_leave_unread_is_bounded() -> None:
    """A function asks for answers and reads none: they would be held outside of its memory, on each connection."""

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=bytes(20 << 20))

    clients = [socket.socket() for _ in range(6)]
    async with serving(handler, unread_bytes=40 << 20) as listener:
        for client in clients:
            client.connect(address_of(listener))
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        held = listener._connections.held
        await until(lambda: held.unread_bytes > 0 and 0 < listener.connections < len(clients))
        await until(lambda: held.unread_bytes <= 40 << 20)
        for client in clients:
            client.close()
        await until(lambda: listener.connections == 0)
        assert held.unread_bytes == 0


async def test_a_client_that_never_reads_is_cut_off() -> None:
    """It cannot hold what was made for it for ever."""
    async with serving(write_timeout_s=0.2) as listener:

        async def handler(request: HttpRequest) -> HttpResponse:
            return HttpResponse(status=200, body=b"x" * (32 << 20))

        async with serving(handler, write_timeout_s=0.2) as large, connected(large) as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await client.send(GET)
            await until(lambda: large.connections == 1)
            await until(lambda: large.connections == 0)
        assert listener.connections == 0


@pytest.mark.parametrize(
    "chunks",
    [
        b"0x1\r\nx\r\n0\r\n\r\n",
        b"-1\r\nx\r\n0\r\n\r\n",
        b"1 \r\nx\r\n0\r\n\r\n",
        b"1\nx\n0\n\n",
        b"1;a\nb\r\nx\r\n0\r\n\r\n",
        b"1\r\nxy0\r\n\r\n",
        b"fffffffffffffffff\r\nx",
        b"0\r\nContent-Length: 5\nx: y\r\n\r\n",
    ],
)
async def test_chunks_that_two_servers_could_read_differently_end_the_connection(chunks: bytes) -> None:
    """RFC 9112, 7.1: their reader gets an error, and what is behind them is no request."""
    async with serving() as listener, connected(listener) as client:
        await client.send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        await client.send(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        answered = await client.rest()
        assert not answered.startswith(b"HTTP/1.1 200")
        assert b"/smuggled" not in answered
