"""A listener on a free port of the loopback, and clients that send exactly the bytes they are told to."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from undercast.core.http import HttpHandler, HttpRequest, HttpResponse
from undercast.http.limits import HttpLimits
from undercast.http.listener import Listener
from undercast.http.options import ServeOptions

PATIENCE_S = 10.0
"""What no test waits for unless something is broken."""


async def describe(request: HttpRequest) -> HttpResponse:
    """Answers with what it was asked."""
    body = await request.body.read()
    text = f"{request.method} {request.target} {len(body)} {body[:40].decode('latin-1')}"
    return HttpResponse(status=200, body=text.encode("latin-1"))


@asynccontextmanager
async def serving(
    handler: HttpHandler = describe, *, options: ServeOptions | None = None, **arguments: Any
) -> AsyncIterator[Listener]:
    """A started listener; keyword arguments are HttpLimits, but for `tls` and `tls_mode`."""
    listening = socket.create_server(("127.0.0.1", 0))
    transport = {name: arguments.pop(name) for name in ("tls", "tls_mode") if name in arguments}
    options = options or ServeOptions(limits=HttpLimits(**arguments))
    listener = Listener(listening, handler, options, **transport)
    listener.start()
    try:
        yield listener
    finally:
        await listener.close(0)


def address_of(listener: Listener) -> tuple[str, int]:
    """Where it listens."""
    assert listener._listening is not None
    host, port = listener._listening.getsockname()[:2]
    return host, port


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> "Client":
        """Send the parts, each in a packet of its own."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if len(parts) > 1:
                await asyncio.sleep(0.005)
        return self

    async def response(self, *, head_only: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body of the next response."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(status_line.split(" ")[1])
        if head_only or status in (100, 204, 304):
            return status, headers, b""
        return status, headers, await self._body(headers)

    async def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), PATIENCE_S)
        if headers.get("transfer-encoding") != "chunked":
            return await self.rest()
        body = b""
        while size := int((await asyncio.wait_for(self.reader.readuntil(b"\r\n"), PATIENCE_S)).strip(), 16):
            body += (await asyncio.wait_for(self.reader.readexactly(size + 2), PATIENCE_S))[:-2]
        await self.reader.readexactly(2)
        return body

    async def rest(self) -> bytes:
        """Everything until the server closes; what a reset cuts off is lost."""
        data = b""
        try:
            while part := await asyncio.wait_for(self.reader.read(65536), PATIENCE_S):
                data += part
        except ConnectionResetError:
            pass
        return data


@asynccontextmanager
async def connected(listener: Listener) -> AsyncIterator[Client]:
    """A client of a listener."""
    reader, writer = await asyncio.open_connection(*address_of(listener))
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds; the test's own timeout ends it otherwise."""
    while not condition():
        await asyncio.sleep(0.001)
