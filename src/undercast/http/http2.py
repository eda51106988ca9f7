"""One HTTP/2 connection: for clients that insist on it, as AWS's SDKs for Java and JavaScript do with Kinesis.

Begins where HTTP/1.1 reads HTTP/2's preface. Each stream is one request to the same handler; its body is gathered in
memory, up to 16 MiB, and all that a listener holds is bounded. Responses are written as the client's windows allow.
While the client leaves them unread, nothing is read from it. Whatever is begun and does not go on has a deadline.
AWS: RFC 9113; Kinesis API Reference, SubscribeToShard ("over HTTP/2").
"""

import asyncio
import logging
from typing import Protocol

from undercast.core.closing import close
from undercast.core.deadline import Deadline
from undercast.core.http import HttpHandler, HttpResponse
from undercast.http import frames
from undercast.http.frames import ConnectionFailed, Frame, FrameReader
from undercast.http.header_blocks import Block, HeaderBlocks
from undercast.http.hpack import HpackError, encode
from undercast.http.options import ServeOptions
from undercast.http.outflow import ClientGone, Outflow, Stalled
from undercast.http.streams import NEVER, Held, Origin, Stream, head_of, release, request_of, set_aside, tls_version

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_STREAMS = 128
MAX_EMPTY_FRAMES = 100
"""That bring nothing and end nothing, one after the other."""
_WINDOW, _CONNECTION_WINDOW = 1024 * 1024, 64 * 1024 * 1024
_FAILURE = HttpResponse(status=500, headers=(("content-type", "text/plain"),), body=b"Internal failure\n")
_TOO_LARGE = HttpResponse(status=413, headers=(("content-type", "text/plain"),), body=b"Payload too large\n")
_TOO_LATE = HttpResponse(status=408, headers=(("content-type", "text/plain"),), body=b"Request timeout\n")
_TOO_MUCH = HttpResponse(status=503, headers=(("content-type", "text/plain"),), body=b"Too many requests in hand\n")


class Connections(Protocol):
    """Who keeps the connections of a listener."""

    @property
    def held(self) -> Held: ...
    def add(self, connection: "Http2Protocol", /) -> None: ...
    def discard(self, connection: "Http2Protocol", /) -> None: ...


class Http2Protocol(asyncio.Protocol):
    """See the module. Has what a listener asks of a connection, as `HttpProtocol` has."""

    def __init__(
        self, handler: HttpHandler, options: ServeOptions, transport: asyncio.Transport, *, secure: bool, peer: str
    ) -> None:
        self._handler = handler
        self._options = options
        self._transport = transport
        self._origin = Origin(
            secure=secure, tls_version=tls_version(transport), peer=peer, environment_id=options.environment_id
        )
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader()
        self._blocks = HeaderBlocks(options.limits.max_head_bytes)
        self._outflow = Outflow(transport, options.limits)
        self._preface = len(frames.PREFACE)
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._held = Held()
        self._empty_frames = 0
        self._stopping = False
        self._lost = False
        self._deadline = Deadline(self._loop, self._expire)
        self._head_due = NEVER
        """Loop time when the preface, or a block of headers, must be there."""
        self._unread_due = NEVER
        """Loop time when the client must have caught up, or the connection be closed."""
        self._connections: Connections | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection is gone and its handlers have ended."""
        self.idle_since = self._loop.time()
        """Loop time since when no request is in hand."""

    def begin(self, connections: Connections | None, data: bytes) -> None:
        """Take the connection over, with what has come of it."""
        self._connections = connections
        if connections is not None:
            connections.add(self)
            self._held = self._outflow.held = connections.held
        self._head_due = self._within(self._options.limits.head_timeout_s)
        self._transport.set_protocol(self)
        ours = {
            frames.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
            frames.INITIAL_WINDOW_SIZE: _WINDOW,
            frames.MAX_HEADER_LIST_SIZE: self._options.limits.max_head_bytes,
        }
        more = _CONNECTION_WINDOW - frames.FIRST_WINDOW
        self._transport.write(frames.settings(ours) + frames.window_update(0, more))
        self._rest()
        self.data_received(data)

    # What asyncio calls.

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        if self._transport.is_closing():
            return
        if self._preface:
            begun = len(frames.PREFACE) - self._preface
            expected = frames.PREFACE[begun : begun + len(data)]
            if data[: len(expected)] != expected:
                self._transport.abort()
                return
            self._preface -= len(expected)
            data = data[len(expected) :]
            if not self._preface:
                self._head_due = NEVER
        try:
            for frame in self._reader.feed(data):
                self._receive(frame)
        except HpackError as error:
            self._fail(frames.COMPRESSION_ERROR, str(error))
        except ConnectionFailed as error:
            self._fail(error.code, str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone. Streaming ends; a started handler runs on unless it ends with its client."""
        self._lost = True
        self._deadline.cancel()
        self._outflow.end()
        for stream in tuple(self._streams.values()):
            if stream.task is None:
                self._streams.pop(stream.id, None)
                release(self._held, stream)
            elif stream.live or self._options.ends_with_client:
                stream.task.cancel()
        self._leave()

    def pause_writing(self) -> None:
        """asyncio: the client does not read as fast as we write. Its pings and settings would be answered, too: no more
        of them (CVE-2019-9512, CVE-2019-9515)."""
        self._outflow.pause()
        if not self._transport.is_closing():
            self._transport.pause_reading()
            self._unread_due = self._within(self._options.limits.write_timeout_s)

    def resume_writing(self) -> None:
        """asyncio: the client has caught up."""
        self._outflow.resume()
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._unread_due = NEVER
            self._give_time()

    def _leave(self) -> None:
        if self._lost and not self._streams:
            if self._connections is not None:
                self._connections.discard(self)
            if not self.closed.done():
                self.closed.set_result(None)

    # What the listener calls.

    @property
    def idle(self) -> bool:
        """Whether no request is in hand."""
        return not self._streams

    def stop(self) -> None:
        """Take no more requests; close once those in hand are answered."""
        self._stopping = True
        self._transport.write(frames.goaway(self._last, frames.NO_ERROR))
        if self.idle:
            self._close()

    def evict(self) -> None:
        """Make room: close at once, nothing is in hand."""
        self._transport.abort()
        self._lost = True
        self._leave()

    async def abort(self) -> None:
        """Close now and end the handlers."""
        self._transport.abort()
        tasks = [stream.task for stream in self._streams.values() if stream.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._options.limits.linger_s)

    def _rest(self) -> None:
        """No request is in hand: wait for the next, but not for ever."""
        self.idle_since = self._loop.time()
        if self._options.limits.keep_alive_timeout_s is not None:
            self._within(self._options.limits.keep_alive_timeout_s)

    def _within(self, seconds: float) -> float:
        """A moment when `_expire` will look, if not before."""
        moment = self._loop.time() + seconds
        if moment < self._deadline.moment and not self._lost:
            self._deadline.put(moment)
        return moment

    def _expire(self) -> None:
        now, keep_alive_s = self._loop.time(), self._options.limits.keep_alive_timeout_s
        resting_until = self.idle_since + keep_alive_s if self.idle and keep_alive_s is not None else NEVER
        if now >= self._unread_due:
            self._transport.abort()
        elif self._unread_due < NEVER:  # nothing is read meanwhile: only this counts
            self._deadline.put(self._unread_due)
        elif now >= self._head_due:
            self._fail(frames.ENHANCE_YOUR_CALM, "the headers do not go on")
        elif now >= resting_until:
            self.stop()
        else:
            unfinished = [stream for stream in self._streams.values() if stream.task is None]
            for stream in unfinished:
                self._judge(stream, now)
            due = (stream.due for stream in unfinished if stream.task is None)
            moment = min(self._unread_due, self._head_due, resting_until, *due)
            if moment < NEVER:
                self._deadline.put(moment)

    def _judge(self, stream: Stream, now: float) -> None:
        """As with HTTP/1.1, a body brings so many bytes in each span, or its request has timed out."""
        limits = self._options.limits
        if now < stream.due:
            return
        if stream.size - stream.seen < limits.min_body_rate * limits.body_timeout_s:
            self._refuse(stream, _TOO_LATE)
        else:
            stream.due, stream.seen = now + limits.body_timeout_s, stream.size

    def _give_time(self) -> None:
        """We did not read: nobody is late by that."""
        if self._head_due < NEVER:
            self._head_due = self._within(self._options.limits.head_timeout_s)
        for stream in self._streams.values():
            if stream.task is None:
                stream.due, stream.seen = self._within(self._options.limits.body_timeout_s), stream.size
        self._within(0.0)

    def _fail(self, code: int, text: str) -> None:
        log.debug("an HTTP/2 connection fails: %s", text)
        self._transport.write(frames.goaway(self._last, code))
        self._close()

    def _close(self) -> None:
        """Once the client has read what is written; but it cannot keep us waiting."""
        if not self._transport.is_closing():
            self._transport.close()
            self._unread_due = self._within(self._options.limits.write_timeout_s)

    # Frames.

    def _receive(self, frame: Frame) -> None:
        self._blocks.check_turn(frame)
        if frame.kind == frames.DATA:
            self._data(frame)
        elif frame.kind == frames.HEADERS:
            self._headers(frame)
        elif frame.kind == frames.CONTINUATION:
            self._continuation(frame)
        elif frame.kind == frames.SETTINGS:
            self._settings(frame)
        elif frame.kind == frames.WINDOW_UPDATE:
            self._outflow.more(frame, self._streams.get(frame.stream))
        elif frame.kind == frames.PING:
            if len(frame.payload) != 8:
                raise ConnectionFailed(frames.FRAME_SIZE_ERROR, "a ping has eight bytes")
            if not frame.flags & frames.ACK:
                self._transport.write(frames.frame(frames.PING, frames.ACK, 0, frame.payload))
        elif frame.kind == frames.RST_STREAM:
            self._cancelled(frame.stream)
        elif frame.kind == frames.PUSH_PROMISE:
            raise ConnectionFailed(frames.PROTOCOL_ERROR, "clients push nothing")
        # PRIORITY is advice, GOAWAY says that the client will close, and unknown kinds are to be passed over.

    def _headers(self, frame: Frame) -> None:
        block = self._blocks.add(frame)
        if block is not None:
            self._block_ended(block)
        else:
            self._head_due = self._within(self._options.limits.head_timeout_s)

    def _continuation(self, frame: Frame) -> None:
        self._count_empty(bool(frame.payload or frame.flags & frames.END_HEADERS))
        block = self._blocks.add(frame)
        if block is not None:
            self._block_ended(block)

    def _block_ended(self, block: Block) -> None:
        stream_id, ends, headers = block
        self._head_due = NEVER
        stream = self._streams.get(stream_id)
        if stream is not None:  # trailers: nobody here asks for them
            self._count_empty(ends)
            if ends and stream.task is None:
                self._start(stream)
            return
        if stream_id <= self._last:
            raise ConnectionFailed(frames.PROTOCOL_ERROR, "streams are used once")
        self._last = stream_id
        if self._stopping or len(self._streams) >= MAX_STREAMS:
            self._transport.write(frames.reset(stream_id, frames.REFUSED_STREAM))
            return
        stream = self._streams[stream_id] = Stream(stream_id, self._outflow.stream_window, headers)
        if not self._hold(stream, stream.head_bytes):
            self._refuse(stream, _TOO_MUCH)
        elif ends:
            self._start(stream)
        else:
            stream.due = self._within(self._options.limits.body_timeout_s)

    def _count_empty(self, useful: bool) -> None:
        """Frames that bring nothing cost their sender nothing, either (CVE-2019-9518)."""
        self._empty_frames = 0 if useful else self._empty_frames + 1
        if self._empty_frames > MAX_EMPTY_FRAMES:
            raise ConnectionFailed(frames.ENHANCE_YOUR_CALM, "too many frames are empty")

    def _hold(self, stream: Stream, size_bytes: int) -> bool:
        return set_aside(self._held, self._options.limits.held_bytes, stream, size_bytes)

    def _data(self, frame: Frame) -> None:
        part, ends = frame.content(), bool(frame.flags & frames.END_STREAM)
        self._count_empty(bool(part) or ends)
        if frame.payload:
            self._transport.write(frames.window_update(0, len(frame.payload)))
        stream = self._streams.get(frame.stream)
        if stream is None or stream.task is not None:
            return  # it was refused, cancelled, or answered before its end
        stream.size += len(part)
        if stream.size > MAX_BODY_BYTES:
            self._refuse(stream, _TOO_LARGE)
            return
        if not self._hold(stream, len(part)):
            self._refuse(stream, _TOO_MUCH)
            return
        stream.body += part
        if ends:
            self._start(stream)
        elif frame.payload:
            self._transport.write(frames.window_update(frame.stream, len(frame.payload)))

    def _settings(self, frame: Frame) -> None:
        if frame.flags & frames.ACK:
            return
        self._outflow.set(frames.read_settings(frame.payload), self._streams.values())
        self._transport.write(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _cancelled(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if stream.task is None:
            self._forget(stream)
        elif stream.live or self._options.ends_with_client:
            stream.task.cancel()
        else:
            stream.gone = True
            self._outflow.wake()

    # Requests.

    def _start(self, stream: Stream, answer: HttpResponse | None = None) -> None:
        stream.task = self._loop.create_task(self._serve(stream, answer))

    def _refuse(self, stream: Stream, answer: HttpResponse) -> None:
        """Answer without the handler, and keep nothing of what has come and will come."""
        stream.body = bytearray()
        release(self._held, stream)
        self._start(stream, answer)

    async def _serve(self, stream: Stream, answer: HttpResponse | None) -> None:
        try:
            if answer is None:
                try:
                    answer = await self._handler(request_of(stream, self._origin))
                except Exception:
                    log.exception("answering an HTTP/2 request failed")
                    answer = _FAILURE
            await self._write(stream, answer)
        except ClientGone:
            pass  # whoever ended the stream, or the connection, has said so
        except Stalled as stalled:
            if stalled.connection:
                self._transport.abort()
            else:
                self._reset(stream, frames.CANCEL)
        except asyncio.CancelledError:
            self._reset(stream, frames.CANCEL)
            raise
        except Exception:
            log.exception("writing an HTTP/2 response failed")
            self._reset(stream, frames.INTERNAL_ERROR)
        finally:
            self._forget(stream)

    def _reset(self, stream: Stream, code: int) -> None:
        """End one stream in the middle; the others go on."""
        if not self._transport.is_closing():
            self._transport.write(frames.reset(stream.id, code))

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        release(self._held, stream)
        if not self._streams:
            self._rest()
            if self._stopping:
                self._close()
        self._leave()

    # Responses.

    async def _write(self, stream: Stream, response: HttpResponse) -> None:
        try:
            if not (stream.gone or self._lost):
                await self._respond(stream, response)
        finally:
            await close(response.body)  # whoever makes it works for nobody from here

    async def _respond(self, stream: Stream, response: HttpResponse) -> None:
        body = b"" if stream.is_head or response.status in (204, 304) else response.body
        headers = head_of(response, self._options.clock.now())
        length = response.length if response.length is not None or not isinstance(body, bytes) else len(body)
        if length is not None:
            headers.append(("content-length", str(length)))
        ends = body == b""
        self._transport.write(frames.header_frames(stream.id, encode(headers), ends=ends))
        if isinstance(body, bytes):
            if not ends:
                await self._outflow.send(stream, body, ends=True)
            return
        stream.live = True
        async for part in body:
            if part:
                await self._outflow.send(stream, part, ends=False)
        await self._outflow.send(stream, b"", ends=True)
