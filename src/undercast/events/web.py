"""Sends one HTTP request to a host that a user named: SNS's subscribers, EventBridge's API destinations.

Bounded in time and bytes; no redirect is followed, and of the answer's body no more is read than was asked for. The
address that is connected to is the one that `connect` chose. AWS: SNS Developer Guide, "Fanout to HTTPS endpoints".
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal
from urllib.parse import unquote, urlsplit

from undercast.core.names import addresses_of
from undercast.core.record import record

Connect = Callable[[str, int], Awaitable[socket.socket]]
"""Host name, port -> a connected, non-blocking socket. Raises OSError."""
TlsContext = Callable[[], Awaitable[ssl.SSLContext]]

HOST_NAME = "host.undercast.internal"
"""This machine, as functions call it."""
_MAX_LINE_BYTES = 16 * 1024
_MAX_LINES = 100
_MAX_INTERIM = 5


WebFailure = Literal["timeout", "connection", "forbidden"]


class WebError(Exception):
    """Nothing answered, in time and in HTTP; the text says why. What is `forbidden` is so the next time, too."""

    def __init__(self, text: str, kind: WebFailure = "connection") -> None:
        super().__init__(text)
        self.kind = kind


@record
class Answer:
    """A response. Header names are lower case; the body is b"" unless it was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@record
class WebRequest:
    """One request. `url` may carry user and password, which are not part of what is sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"
    answer_bytes: int = 0
    """How much of the answer's body is wanted."""

    @property
    def credentials(self) -> str:
        """ "user:password" of the URL; "" for none."""
        parts = urlsplit(self.url)
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username is not None else ""


async def send(request: WebRequest, *, connect: Connect, tls: TlsContext, timeout_s: float) -> Answer:
    """Raises WebError."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(request, connect, tls)
    except TimeoutError as error:
        raise WebError(f"no answer within {timeout_s:.0f} s", "timeout") from error
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        raise WebError(str(error) or type(error).__name__) from error


async def _exchange(request: WebRequest, connect: Connect, tls: TlsContext) -> Answer:
    parts = urlsplit(request.url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    connection = await connect(host, parts.port or (443 if secure else 80))
    writer = None
    try:
        reader, writer = await asyncio.open_connection(
            sock=connection,
            ssl=await tls() if secure else None,
            server_hostname=host if secure else None,
            limit=_MAX_LINE_BYTES,
        )
        writer.write(_head(request) + request.body)
        await writer.drain()
        return await _answer(reader, request)
    finally:
        if writer is not None:
            writer.transport.abort()
        else:
            connection.close()


def _head(request: WebRequest) -> bytes:
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": parts.netloc.rpartition("@")[2], "Connection": "close", **request.headers}
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line break in the head of a request")
    return ("\r\n".join([*lines, f"Content-Length: {len(request.body)}"]) + "\r\n\r\n").encode("latin-1", "replace")


async def _answer(reader: asyncio.StreamReader, request: WebRequest) -> Answer:
    for _ in range(_MAX_INTERIM):
        line = await reader.readline()
        version, _, rest = line.partition(b" ")
        code = rest[:3]
        if not version.startswith(b"HTTP/1.") or not code.isdigit():
            raise ValueError("the answer is not HTTP")
        headers = await _headers(reader)
        if not 100 <= int(code) < 200:
            body = await _body(reader, headers, request.answer_bytes) if request.answer_bytes else b""
            return Answer(status=int(code), headers=headers, body=body)
    raise ValueError("interim answers without end")


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str], most: int) -> bytes:
    """At most so many bytes: what is longer is cut."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        found = b""
        while len(found) < most and (size := int((await reader.readline()).partition(b";")[0] or b"0", 16)):
            found += await reader.readexactly(min(size, most))
            if size > most:
                break
            await reader.readline()
        return found[:most]
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit():
        return await reader.readexactly(min(int(length), most))
    found = b""
    while len(found) < most and (piece := await reader.read(most - len(found))):
        found += piece
    return found


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(_MAX_LINES):
        line = await reader.readline()
        if line in (b"\r\n", b"\n", b""):
            return headers
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    raise ValueError("too many headers in the answer")


async def connect_anywhere(name: str, port: int) -> socket.socket:
    """To whatever host the user of this machine names: its own ports, too."""
    loop = asyncio.get_running_loop()
    local = name == HOST_NAME or name.endswith(".localhost")  # resolvers do not all know that these are loopback
    problem: OSError = OSError(f"{name} has no address")
    for address in await addresses_of("localhost" if local else name, port):
        connection = socket.socket(address.family, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, address.sockaddr)
        except OSError as error:
            connection.close()
            problem = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise problem
