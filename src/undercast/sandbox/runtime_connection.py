"""One connection of a runtime or an extension to the APIs at 127.0.0.1:9001, and the requests on it.

HTTP/1.1, keep-alive, answers in order. The function at the other end may be hostile: nothing that it sends or leaves
unread grows without bound. What a request means is decided by whoever serves it.
AWS: Lambda Developer Guide, "Using the Lambda runtime API".
"""

import asyncio
import base64
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, cast

import httptools

from undercast.sandbox.response_stream import ResponseStream
from undercast.sandbox.runtime_messages import Message
from undercast.sandbox.usual_requests import UsualRequests

MAX_HEAD_BYTES = 1280 * 1024
"""Runtimes send up to 1 MB of X-Ray cause in one header. Trailers and chunk extensions count, too."""
_LEAST_READ_BYTES = 2048
"""A read inside a head counts at least this much: the parser copies a value as it grows."""
MAX_URL_BYTES = 8192
MAX_PIPELINED = 64
"""Requests that one read may hold. A runtime asks one thing and waits for the answer, or sends `next` behind it."""
_JOIN_BYTES = 256 * 1024
"""Up to here head and payload are joined for one write; above, copying would cost more than a second system call."""
_EXTENSION_HEADER = b"lambda-extension-"
_MODE_HEADER = b"lambda-runtime-function-response-mode"
_IF_ACCEPTED_HEADER = b"undercast-if-accepted"
"""Of our own runtime client: it sends `next` before it has read whether its answer was accepted."""
ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + b'{"status":"OK"}\n'
)
_REASONS: Mapping[int, str] = MappingProxyType(
    {
        200: "OK",
        202: "Accepted",
        400: "Bad Request",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        413: "Request Entity Too Large",
    }
)


class Misuse(Exception):
    """Raised in a parser callback: the function does what no runtime does, and its connection is cut."""


class Served(Protocol):
    """What a connection needs of whoever answers it."""

    held_bytes: int
    """Of bodies that are being read on all connections."""
    answer_path: bytes
    """What the path of an answer to the invocation that runs begins with; of the last one, where none does."""

    def opened(self, connection: "Connection") -> bool:
        """It is there. False when there are too many already."""
        ...

    def lost(self, connection: "Connection", *, unfinished: bool) -> None:
        """It ended; `unfinished` inside a response or an error."""
        ...

    def body_limit(self, connection: "Connection", url: bytes) -> int:
        """How many bytes of the body that comes next are of use; 0 when none is."""
        ...

    def stream_of(self, url: bytes) -> ResponseStream | None:
        """Where a streamed answer goes piece by piece; None when it is collected."""
        ...

    def hold(self, size_bytes: int) -> None:
        """A piece of such a body is in memory. Raises Misuse when it is too much."""
        ...

    def serve(self, connection: "Connection", message: Message) -> None:
        """Answer one complete request."""
        ...


def _decoded(value: bytes) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return value


class Connection(asyncio.Protocol):
    """See the module."""

    def __init__(self, api: Served) -> None:
        self._api = api
        self.loop = asyncio.get_running_loop()
        """Kept, for Python 3.11 asks the system for its process id whenever it is asked for the loop."""
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._message: Message | None = None
        self._usual = UsualRequests()
        self._whole: Message | None = None
        """The last one that this read has ended, unless its connection ends with it."""
        self._held = 0
        self._requests = 0
        self._writing_paused = False
        self._rests = False
        """While the caller of a streamed answer has not taken enough of it."""
        self._owes = False
        """Whether an answer of the runtime is still to be accepted."""
        self._behind: Message | None = None
        """The `next` that came with an answer, until whoever waits for the answer has it."""
        self.refused = False
        """Whether its last answer was."""
        self.waits = False
        """For the event that answers its `next`."""
        self.extension = False
        """An extension's: the end of the runtime does not end it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        if not self._api.opened(self):
            self.abort()
            self._transport = None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        message, self._message, self._transport = self._message, None, None
        self.waits, self._behind = False, None
        self._let_go()
        self._api.lost(self, unfinished=message is not None and message.url.endswith((b"/response", b"/error")))

    def eof_received(self) -> None:
        """See asyncio.Protocol: the transport closes itself behind this."""
        self._accept()

    def pause_writing(self) -> None:
        """The runtime does not read its answers: nothing more is taken from it."""
        self._writing_paused = True
        self._read_or_not()

    def resume_writing(self) -> None:
        """It has read them."""
        self._writing_paused = False
        self._read_or_not()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._transport is None:
            return
        if self._message is not None or self.waits or self._writing_paused:
            self._parse(data)
            return
        first, behind = self._usual.parted(data)
        message = self._usual.read(first, self._api.answer_path)
        if message is not None:
            self._api.serve(self, message)
        else:
            message = self._parse(first)
            if message is None:
                if behind is not None and self._message is not None:
                    self._parse(data[len(first) :])  # inside a payload it is no request
                return
            if self._requests == 1:
                self._usual.learn(first, message)
        if behind is None:
            return
        if self.waits or self.refused or not message.url.endswith(b"/response"):
            self._parse(data[len(first) :])  # what is before it was no answer, or none that was accepted
            return
        self.waits, self._behind = True, behind
        self.loop.call_soon(self._ask)

    def _parse(self, data: bytes) -> Message | None:
        """Serve what is in it; the last request that it ended, unless another has begun or the connection ends."""
        self._requests = 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._message = None
            self._let_go()
            self.abort()
            return None
        message, whole, self._whole = self._message, self._whole, None
        if message is None:
            return whole
        message.unread += max(len(data), _LEAST_READ_BYTES)
        if message.unread > MAX_HEAD_BYTES:
            self.abort()
        return None

    def _ask(self) -> None:
        """Serve the `next` that came with an answer: behind the caller's task, as `accept_soon` accepts."""
        behind, self._behind = self._behind, None
        if behind is not None:
            self.waits = False
            self._api.serve(self, behind)

    def on_message_begin(self) -> None:
        """Parser callback."""
        self._requests += 1
        if self.waits or self._writing_paused or self._requests > MAX_PIPELINED:
            raise Misuse
        self._message = Message()

    def on_url(self, url: bytes) -> None:
        """Parser callback."""
        message = self._message
        if message is not None:
            message.url += url
            if len(message.url) > MAX_URL_BYTES:
                raise Misuse

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback; also called for trailers."""
        message = self._message
        if message is None:
            return
        size = len(name)
        if size == 6 and name.lower() == b"expect":
            if not message.continued:
                message.continued = True
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif size == 12 and name.lower() == b"content-type":
            message.content_type = value.decode("latin-1")
        elif size > 20:
            lowered = name.lower()
            if lowered == b"lambda-runtime-function-error-type":
                message.error_type = value.decode("latin-1")
            elif lowered == b"lambda-runtime-function-error-body":
                message.error_body = _decoded(value)
            elif lowered == _MODE_HEADER:
                message.streams = value.lower() == b"streaming"
            elif lowered == _IF_ACCEPTED_HEADER:
                message.if_accepted = True
            elif lowered.startswith(_EXTENSION_HEADER):
                headers = message.extension_headers = message.extension_headers or {}
                headers[lowered[len(_EXTENSION_HEADER) :].decode("latin-1")] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Parser callback."""
        message = self._message
        if message is not None:
            message.method = self._parser.get_method()
            message.limit = self._api.body_limit(self, message.url)
            if message.streams and message.limit and (stream := self._api.stream_of(message.url)) is not None:
                message.to = stream
                stream.begin(message.content_type, self)

    def on_body(self, body: bytes) -> None:
        """Parser callback."""
        message = self._message
        if message is not None:
            message.unread = 0
            if message.to is not None:
                message.too_large = message.too_large or not message.to.pour(body)
                return
            message.add(body)
            if message.limit:
                self._hold(len(message.body) - self._held)

    def on_message_complete(self) -> None:
        """Parser callback."""
        message, self._message = self._message, None
        if message is not None:
            goes_on = self._parser.should_keep_alive()
            self._whole = message if goes_on else None
            self._let_go()
            self._api.serve(self, message)
            if not goes_on and not message.url.endswith(b"/next") and self._transport:
                self._accept()  # behind the close it would be lost
                self._transport.close()

    def _hold(self, more_bytes: int) -> None:
        self._held += more_bytes
        self._api.hold(more_bytes)

    def _let_go(self) -> None:
        if self._held:
            self._api.held_bytes -= self._held
            self._held = 0

    def rest(self) -> None:
        """See `response_stream.Source`."""
        self._rests = True
        self._read_or_not()

    def go_on(self) -> None:
        """See `response_stream.Source`."""
        self._rests = False
        self._read_or_not()

    def _read_or_not(self) -> None:
        """The one place that decides: either reason is enough to read no further."""
        if self._transport is None:
            return
        if self._writing_paused or self._rests:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def send(self, head: bytes, payload: bytes) -> None:
        """Answer, also a `next` that waits."""
        self.waits = False
        if len(payload) <= _JOIN_BYTES:
            self.write(head + payload)
        elif self._transport is not None:
            self._accept()
            self._transport.writelines((head, payload))

    def send_json(self, status: int, value: object, headers: str = "") -> None:
        """Answer with JSON. `headers` are whole lines, each with its CRLF."""
        body = json.dumps(value).encode() + b"\n"
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\n{headers}Content-Type: application/json\r\n"
        self.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def send_error(self, status: int, error_type: str, message: str) -> None:
        """Answer with the APIs' error shape."""
        self.send_json(status, {"errorMessage": message, "errorType": error_type})

    def accept_soon(self) -> None:
        """Accept an answer behind whoever was waiting for it, and before anything else that is written here.

        Together with the next event, where the runtime waits for both.
        """
        self._owes = True
        self.loop.call_soon(self._accept)

    def _accept(self) -> None:
        if self._owes and self._behind is None:
            self.write(b"")

    def write(self, data: bytes) -> None:
        """One write; silently nothing when the runtime has gone."""
        if self._owes:
            self._owes, data = False, ACCEPTED + data
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Drop the connection."""
        self._behind = None
        if self._transport is not None:
            self._transport.abort()
