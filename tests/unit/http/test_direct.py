"""Bodies that are received straight into their reader's buffers, past the parser."""

import asyncio
import hashlib
import os

import pytest

from tests.unit.http.serving import connected, serving
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse

LARGE = os.urandom(1_300_000)
HEAD = b"PUT /large HTTP/1.1\r\nContent-Length: %d\r\n%s\r\n"
NEXT = b"GET /next HTTP/1.1\r\n\r\n"


async def digest(request: HttpRequest) -> HttpResponse:
    """Reads a large body in blocks of 300,000 bytes; answers with the blocks' sizes and the digest of all."""
    if request.body.blocks is None:
        return HttpResponse(status=200, body=request.target.encode())
    found, sizes = hashlib.md5(usedforsecurity=False), list[int]()
    buffer = bytearray(300_000)
    try:
        while not sizes or sizes[-1] == len(buffer):
            sizes.append(await request.body.blocks.fill(memoryview(buffer)))
            found.update(buffer[: sizes[-1]])
    except ServiceError as error:
        seen.append(error.code)
        raise
    return HttpResponse(status=200, body=f"{sizes} {found.hexdigest()}".encode())


seen: list[str] = []


@pytest.mark.parametrize("expects", [b"", b"Expect: 100-continue\r\n"])
async def test_a_large_body_is_received_in_blocks_and_the_connection_goes_on(expects: bytes) -> None:
    """RFC 9112, 6.2: what comes behind the declared length is the next request."""
    async with serving(digest) as listener, connected(listener) as client:
        for _ in range(2):
            await client.send(HEAD % (len(LARGE), expects))
            if expects:
                assert (await client.response())[0] == 100
            await client.send(LARGE + NEXT)
            expected = f"[300000, 300000, 300000, 300000, 100000] {hashlib.md5(LARGE).hexdigest()}"
            assert (await client.response())[2] == expected.encode()
            assert (await client.response())[2] == b"/next"


async def test_a_large_body_may_come_in_any_pieces() -> None:
    """RFC 9112, 2.2: packets are no boundaries."""
    data = HEAD % (len(LARGE), b"") + LARGE + NEXT
    async with serving(digest) as listener, connected(listener) as client:
        for at in range(0, len(data), 77_777):
            client.writer.write(data[at : at + 77_777])
            await client.writer.drain()
            await asyncio.sleep(0.001)
        assert hashlib.md5(LARGE).hexdigest().encode() in (await client.response())[2]
        assert (await client.response())[2] == b"/next"


@pytest.mark.parametrize("half", [True, False])
async def test_a_client_that_goes_in_the_middle_ends_the_body_with_an_error(half: bool) -> None:
    """S3: IncompleteBody."""
    seen.clear()
    async with serving(digest) as listener:
        async with connected(listener) as client:
            await client.send(HEAD % (len(LARGE), b"") + LARGE[:700_000])
            await asyncio.sleep(0.05)
            if half:
                client.writer.write_eof()
                assert (await client.response())[0] == 500
        for _ in range(200):
            if seen:
                break
            await asyncio.sleep(0.01)
        assert seen == ["IncompleteBody"]


async def test_a_body_that_is_given_up_is_read_past() -> None:
    """The response comes before the body's end; a little that is left is dropped and the connection goes on."""

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.body.blocks is not None:
            await request.body.blocks.fill(memoryview(bytearray(400_000)))
        return HttpResponse(status=200, body=request.target.encode())

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(HEAD % (len(LARGE), b"") + LARGE[:1_000_000])
        assert (await client.response())[2] == b"/large"
        await client.send(LARGE[1_000_000:] + NEXT)
        assert (await client.response())[2] == b"/next"


async def test_a_reader_that_is_slow_stops_the_sender() -> None:
    """Back-pressure: what nobody has room for stays with the client."""
    wanted = asyncio.Event()
    size = 64 << 20

    async def handler(request: HttpRequest) -> HttpResponse:
        assert request.body.blocks is not None
        buffer = memoryview(bytearray(1 << 20))
        await request.body.blocks.fill(buffer)
        await wanted.wait()
        while await request.body.blocks.fill(buffer) == len(buffer):
            pass
        return HttpResponse(status=200)

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(HEAD % (size, b""))
        sending = asyncio.create_task(client.send(bytes(size)))
        await asyncio.sleep(0.3)
        assert not sending.done()
        wanted.set()
        await sending
        assert (await client.response())[0] == 200
