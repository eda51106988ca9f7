"""Writes responses: one write for a whole one, back-pressure for a streamed one.

A streamed response whose length is known sends its head with the first bytes, so that an error before them is still a
500; one without a length sends its head at once, because its first event may be long in coming.
AWS: RFC 9112, sections 6 and 7.
"""

import asyncio
from collections.abc import AsyncIterator

from undercast.core.http import HttpResponse
from undercast.http.exchange import Exchange
from undercast.http.head import DateLine, encode_head
from undercast.http.limits import HttpLimits
from undercast.http.streams import Held

_JOIN_BYTES = 64 * 1024


class ClientGone(Exception):
    """The connection was closed while its response was being written."""


class TruncatedBody(Exception):
    """The iterator of a streamed response gave another number of bytes than was declared."""


class ResponseWriter:
    """The writing half of a connection."""

    __slots__ = ("_date", "_drained", "_held", "_limits", "_loop", "_stall", "_transport", "_unread", "head_sent")

    def __init__(self, transport: asyncio.Transport, limits: HttpLimits, held: Held) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._held = held
        self._unread = 0
        self._date = DateLine()
        self._drained: asyncio.Future[None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self.head_sent = False
        """Whether the response that is being written has begun."""
        transport.set_write_buffer_limits(high=limits.buffer_bytes)

    @property
    def paused(self) -> bool:
        """Whether the client has left too much unread."""
        return self._stall is not None

    def pause(self) -> None:
        """asyncio: the transport's buffer is full. A client that never reads loses the connection."""
        if self._stall is None:
            self._stall = self._loop.call_later(self._limits.write_timeout_s, self._transport.abort)
            self._unread = self._transport.get_write_buffer_size()
            if not self._held.leave_unread(self._unread, self._limits.unread_bytes):
                self._transport.abort()

    def resume(self) -> None:
        """asyncio: the buffer has been drained, or the connection is gone."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
            self._held.unread_bytes -= self._unread
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def close(self) -> None:
        """Close behind what is written; a client that does not read it is cut off."""
        if self._transport.get_write_buffer_size():
            self.pause()
        self._transport.close()

    def whole(self, exchange: Exchange, response: HttpResponse, body: bytes, now: float) -> None:
        """Write a response whose body is in memory. Raises ClientGone."""
        status, date = response.status, self._date.at(now)
        if status in (204, 304) or status < 200:
            framing, body = date, b""
        elif exchange.method == "HEAD":
            framing, body = _head_framing(date, response), b""
        else:
            framing = f"{date}Content-Length: {len(body)}\r\n"
        head = encode_head(status, response.headers, framing + _connection(exchange))
        if len(body) <= _JOIN_BYTES:
            self._write(head + body)
        else:
            self._write(head, body)

    async def stream(self, exchange: Exchange, response: HttpResponse, body: AsyncIterator[bytes], now: float) -> None:
        """Write a response as its iterator yields. Raises what the iterator raises, TruncatedBody and ClientGone."""
        length = response.length
        if length is None and exchange.http10:
            exchange.keep_alive = False
        chunked = length is None and not exchange.http10
        framing = f"Content-Length: {length}\r\n" if length is not None else ""
        if chunked:
            framing = "Transfer-Encoding: chunked\r\n"
        head = encode_head(response.status, response.headers, self._date.at(now) + framing + _connection(exchange))
        if length is None:
            head = self._write(head)
        sent = 0
        async for part in body:
            if not part:
                continue
            sent += len(part)
            if length is not None and sent > length:
                raise TruncatedBody(f"more than the declared {length} bytes")
            if chunked:
                self._write(b"%x\r\n" % len(part), part, b"\r\n")
            else:
                head = self._write(head, part)
            if self._stall is not None:
                await self._drain()
        if chunked:
            self._write(b"0\r\n\r\n")
        elif length is not None and sent != length:
            raise TruncatedBody(f"{sent} of the declared {length} bytes")
        elif head:
            self._write(head)

    def _write(self, *parts: bytes) -> bytes:
        if self._transport.is_closing():
            raise ClientGone
        self.head_sent = True
        try:
            if len(parts) == 1:
                self._transport.write(parts[0])
            else:
                self._transport.writelines([part for part in parts if part])
        except RuntimeError:
            # uvloop closes a handle when an operation on it fails, before `is_closing` says so.
            raise ClientGone from None
        return b""

    async def _drain(self) -> None:
        self._drained = self._loop.create_future()
        try:
            await self._drained
        finally:
            self._drained = None


def _head_framing(date: str, response: HttpResponse) -> str:
    length = response.length
    if length is None and isinstance(response.body, bytes):
        length = len(response.body)
    return date if length is None else f"{date}Content-Length: {length}\r\n"


def _connection(exchange: Exchange) -> str:
    if not exchange.keep_alive:
        return "Connection: close\r\n"
    return "Connection: keep-alive\r\n" if exchange.http10 else ""
