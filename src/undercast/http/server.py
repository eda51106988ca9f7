"""One HTTP/1.1 connection: bytes in, requests to the handler, one write per response. Front door and Runtime API.

A client that begins with HTTP/2 is handed to `http2.py`.

Requests are answered in their order. The handler starts when the head is complete; a body of at most
`gathered_body_bytes` is in memory by then, any other is read as it comes. Whatever a client does ends in a status or a
close. AWS: RFC 9110 and RFC 9112; S3 API Reference, "List of error codes".
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import cast

from undercast.core.closing import close
from undercast.core.deadline import Deadline
from undercast.core.http import HttpHandler, HttpRequest, HttpResponse
from undercast.http.direct import DirectBody
from undercast.http.exchange import Exchange
from undercast.http.http2 import Http2Protocol
from undercast.http.options import ServeOptions
from undercast.http.requests import RequestReader
from undercast.http.responses import ClientGone, ResponseWriter
from undercast.http.streams import Held, tls_version

log = logging.getLogger(__name__)

_HTTP2 = b"PRI * HTTP/2.0"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FAILURE_TEXT = b"Internal failure\n"
_FAILURE = HttpResponse(status=500, headers=(("content-type", "text/plain"),), close=True)


class HttpProtocol(asyncio.Protocol):
    """One connection. `connections`, when given, holds it while it is open or its handler runs."""

    __slots__ = (
        "_active",
        "_connections",
        "_deadline",
        "_direct",
        "_half_closed",
        "_handler",
        "_heading",
        "_keep_alive_s",
        "_lingering",
        "_live",
        "_loop",
        "_options",
        "_paused",
        "_peer",
        "_reader",
        "_received_before",
        "_secure",
        "_stopping",
        "_streaming",
        "_task",
        "_tls_version",
        "_transport",
        "_waiting",
        "_watched",
        "_writer",
        "closed",
        "idle_since",
    )

    _transport: asyncio.Transport
    _writer: ResponseWriter

    def __init__(
        self,
        handler: HttpHandler,
        options: ServeOptions,
        *,
        secure: bool = False,
        connections: "Connections | None" = None,
    ) -> None:
        self._handler = handler
        self._options = options
        self._secure = secure
        self._keep_alive_s = options.limits.keep_alive_timeout_s
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(options.limits, self)
        self._peer = ""
        self._tls_version = ""
        self._active: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._streaming = False
        self._waiting = False
        """Whether the handler waits for something that only its client wants."""
        self._live = False
        self._paused = False
        self._direct: DirectBody | None = None
        self._heading = True
        self._half_closed = False
        self._stopping = False
        self._lingering = False
        self._watched: Exchange | None = None
        self._received_before = 0
        self._deadline = Deadline(self._loop, self._expire)
        self.closed: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection is gone and its handler has ended."""
        self.idle_since = 0.0
        """Loop time since when the connection waits for a request."""

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open."""
        self._transport = cast(asyncio.Transport, transport)
        held = self._connections.held if self._connections is not None else Held()
        self._writer = ResponseWriter(self._transport, self._options.limits, held)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        self._tls_version = tls_version(transport) if self._secure else ""
        if self._connections is not None:
            self._connections.add(self)
        self.idle_since = self._loop.time()
        self._deadline.arm(self._options.limits.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone. Streaming ends; a started handler runs on unless it ends with its client."""
        self._reader.end()
        self._reader.queue.clear()
        self._writer.resume()
        self._deadline.cancel()
        if self._task is None:
            self._leave()
            return
        self._task.add_done_callback(self._leave)
        if self._streaming or self._waiting or self._options.ends_with_client:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        reader = self._reader
        if self._lingering:
            return
        if data.startswith(_HTTP2) and self.idle and not reader.in_head:
            self._upgrade(data)
            return
        reader.feed(data)
        if self._active is None and (reader.queue or reader.closed):
            self._advance()
        if reader.in_head or reader.receiving is not None or reader.queue:
            self._watch()

    def _upgrade(self, data: bytes) -> None:
        """The client speaks HTTP/2, without asking: over TLS it was offered, else it takes it for granted."""
        self._deadline.cancel()
        self._leave()
        peer = self._peer
        successor = Http2Protocol(self._handler, self._options, self._transport, secure=self._secure, peer=peer)
        successor.begin(self._connections, data)

    def eof_received(self) -> bool:
        """asyncio: the client sends nothing more; what it asked for is still answered."""
        self._half_closed = True
        self._reader.end()
        ends = self._waiting or self._options.ends_with_client
        if self._lingering or (ends and self._active is not None):
            return False
        if self._live:
            # Nothing tells a client that has gone from one that only sends no more, and a live stream may stay
            # silent for ever: it ends.
            return False
        self._advance()
        return not self.idle and not self._secure

    def pause_writing(self) -> None:
        """asyncio: the client does not read as fast as we write."""
        self._writer.pause()

    def resume_writing(self) -> None:
        """asyncio: the client has caught up."""
        self._writer.resume()
        self._advance()

    def _leave(self, _: object = None) -> None:
        if self._connections is not None:
            self._connections.discard(self)
        if not self.closed.done():
            self.closed.set_result(None)

    # What the listener calls.

    @property
    def idle(self) -> bool:
        """Whether no request is being answered or received with its head complete."""
        return self._active is None and not self._reader.queue and self._reader.receiving is None

    def stop(self) -> None:
        """Close once the request in hand is answered; at once when there is none."""
        self._stopping = True
        if self.idle:
            self._writer.close()

    def evict(self) -> None:
        """Make room: close at once, nothing is in hand."""
        self._transport.abort()
        self._leave()

    async def abort(self) -> None:
        """Close now and end the handler."""
        self._transport.abort()
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait((task,), timeout=self._options.limits.linger_s)

    # What a body calls (exchange.Flow).

    def body_wanted(self, exchange: Exchange) -> None:
        """See `Flow`."""
        if exchange.expects_continue:
            exchange.expects_continue = False
            if not exchange.received_bytes and not self._transport.is_closing():
                self._transport.write(_CONTINUE)

    def body_taken(self) -> None:
        """See `Flow`."""
        if self._paused:
            self._control_reading()

    def room_given(self, exchange: Exchange) -> None:
        """See `Flow`. TLS has its own buffers: there the parser goes on."""
        if self._direct is None:
            if self._secure or self._transport.is_closing() or not self._reader.lend(exchange):
                return
            if not self._paused:
                self._transport.pause_reading()
            self._direct = DirectBody(self, self._transport, exchange)
            self._transport.set_protocol(self._direct)
        self._direct.resume()

    def room_taken(self, exchange: Exchange) -> None:
        """See `Flow`."""
        if self._direct is not None:
            self._direct.pause()

    def direct_ended(self) -> None:
        """See `direct.Lender`."""
        self._end_direct()
        self._reader.body_received()

    def _end_direct(self) -> None:
        """Receive here again."""
        direct, self._direct, self._paused = self._direct, None, False
        if direct is not None and not self._transport.is_closing():
            direct.pause()
            self._transport.set_protocol(self)
            self._transport.resume_reading()

    # Requests.

    def _advance(self) -> None:
        """Start the next request if it is its turn."""
        queue = self._reader.queue
        while queue and self._active is None and queue[0].ready and not self._writer.paused and not self._lingering:
            self._active = exchange = queue.popleft()
            if exchange.asks_at_once:
                self.body_wanted(exchange)  # while it comes, the handler looks at the head
            self._heading = False
            self._task = self._loop.create_task(self._serve(exchange))
        if self._paused:
            self._control_reading()
        if self._reader.closed and self.idle and not self._lingering and not self._transport.is_closing():
            self._linger()

    async def _serve(self, exchange: Exchange) -> None:
        self._writer.head_sent = False
        try:
            response = exchange.refusal or await self._handler(self._request(exchange))
            if response.close or self._stopping or self._half_closed:
                exchange.keep_alive = False
            if not exchange.complete:
                self._give_up_body(exchange)
            if not isinstance(response.body, bytes):
                await self._stream(exchange, response, aiter(response.body))
            else:
                self._writer.whole(exchange, response, response.body, self._options.clock.now())
        except ClientGone:
            self._transport.abort()
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except Exception:
            log.exception("answering %s %s failed", exchange.method, exchange.target)
            self._fail(exchange)
        self._finish(exchange)

    def _request(self, exchange: Exchange) -> HttpRequest:
        return HttpRequest(
            method=exchange.method,
            target=exchange.target,
            headers=exchange.headers,
            body=exchange.body(),
            secure=self._secure,
            tls_version=self._tls_version,
            peer=self._peer,
            environment_id=self._options.environment_id,
            end_with_client=self._end_with_client,
        )

    def _end_with_client(self) -> None:
        # A client that had closed its half before may still read.
        self._waiting = not self._half_closed

    async def _stream(self, exchange: Exchange, response: HttpResponse, iterator: AsyncIterator[bytes]) -> None:
        writer, now = self._writer, self._options.clock.now()
        self._streaming = True
        self._live = response.length is None and not self._half_closed
        try:
            if exchange.method == "HEAD" or response.status in (204, 304):
                writer.whole(exchange, response, b"", now)
            else:
                await writer.stream(exchange, response, iterator, now)
        finally:
            self._streaming = self._live = False
            await close(iterator)

    def _fail(self, exchange: Exchange) -> None:
        """The handler or the writing broke: 500 when nothing is out yet, else cut the connection."""
        if self._writer.head_sent or self._transport.is_closing():
            self._transport.abort()
            return
        exchange.keep_alive = False
        with suppress(ClientGone):
            self._writer.whole(exchange, _FAILURE, _FAILURE_TEXT, self._options.clock.now())

    def _give_up_body(self, exchange: Exchange) -> None:
        """The response is known before the request has come in whole: drop a little that is left, else close."""
        if self._direct is not None:
            self._end_direct()
            self._reader.take_back(exchange)
        exchange.unwanted, exchange.parts, exchange.held_bytes = True, [], 0
        exchange.limit_bytes = exchange.received_bytes + self._options.limits.drain_bytes
        left = (exchange.declared_bytes or 0) - exchange.received_bytes
        if exchange.expects_continue or exchange.error or left > self._options.limits.drain_bytes:
            exchange.keep_alive = False

    def _finish(self, exchange: Exchange) -> None:
        """The response is written."""
        self._active = self._task = None
        self._waiting = False
        if self._transport.is_closing():
            return
        reader = self._reader
        if not exchange.keep_alive or self._stopping or (self._half_closed and not reader.queue):
            self._linger() if not exchange.complete else self._writer.close()
            return
        self.idle_since = self._loop.time()
        if reader.queue:
            self._loop.call_soon(self._advance)
        elif reader.receiving is not None or reader.in_head:
            self._deadline.lift()
            self._watch()
        elif self._keep_alive_s is None:
            self._deadline.lift()
        else:
            self._deadline.put(self.idle_since + self._keep_alive_s)

    def _linger(self) -> None:
        """Close so that a client that is still sending gets to read the response: no RST before it has."""
        if self._half_closed:
            self._writer.close()
            return
        self._lingering = True
        self._reader.closed = True
        try:
            if self._transport.can_write_eof():
                self._transport.write_eof()
        except OSError:  # asyncio shuts the socket down at once, uvloop later: the client may have reset it just now
            self._transport.abort()
            return
        self._control_reading()
        self._deadline.arm(self._options.limits.linger_s)

    # Time and back-pressure.

    def _control_reading(self) -> None:
        """Stop the sender while requests wait or a body is not read; let it go on else."""
        if self._direct is not None:
            return
        reader = self._reader
        body = reader.receiving
        full = body is not None and not body.gathers and body.held_bytes > self._options.limits.buffer_bytes
        waiting = bool(reader.queue) and (self._active is not None or self._writer.paused)
        pause = (full or waiting) and not self._lingering
        if pause != self._paused and not self._transport.is_closing():
            self._paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _watch(self) -> None:
        """Something is incomplete or has to wait: set its deadline and the flow."""
        reader = self._reader
        self._control_reading()
        if reader.receiving is not None:
            if reader.receiving is not self._watched:
                self._watched = reader.receiving
                self._received_before = reader.receiving.received_bytes
                self._deadline.arm(self._options.limits.body_timeout_s)
        elif reader.in_head and self._active is None and not self._heading:
            self._heading = True
            self._deadline.arm(self._options.limits.head_timeout_s)

    def _expire(self) -> None:
        reader, limits = self._reader, self._options.limits
        body = reader.receiving
        if self._lingering:
            self._writer.close()
        elif body is not None:
            arrived = body.received_bytes - self._received_before
            waits = self._paused or (self._direct is not None and not self._direct.reading)
            if waits or body.expects_continue or arrived >= limits.min_body_rate * limits.body_timeout_s:
                self._received_before = body.received_bytes
                self._deadline.arm(limits.body_timeout_s)
            else:
                reader.time_out()
                self._advance()
        elif self._active is None and not reader.queue:
            if reader.in_head:
                reader.time_out()
                self._advance()
            else:
                self._writer.close()


Connection = HttpProtocol | Http2Protocol
"""What a listener keeps."""


class Connections(dict[Connection, None]):
    """Those of one listener, the oldest first, and what they share.

    In an order: of those that are idle since the same moment, as a loop's clock tells it, the oldest makes room.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held = Held()

    def add(self, connection: Connection) -> None:
        """It is served from now on."""
        self[connection] = None

    def discard(self, connection: Connection) -> None:
        """It is gone, or was not there."""
        self.pop(connection, None)
