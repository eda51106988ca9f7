"""The Runtime API of one execution environment: invocation/next, /response, /error and init/error.

No task, no queue, no parsing of payloads: the waiting `next` connection gets the event in one write, and an answer is
handed to the environment in the callback that read it. That is why it does not use the front door's protocol.
AWS: Lambda Developer Guide, "Using the Lambda runtime API"; state names and errors as the public Runtime Interface
Emulator renders them.
"""

import asyncio
import base64
import json
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

import httptools

MAX_PAYLOAD_BYTES = 6_291_556
"""Lambda Developer Guide, "Lambda quotas": 6 MB of payload; the recorded byte limit."""
MAX_HEAD_BYTES = 1280 * 1024
"""Runtimes send up to 1 MB of X-Ray cause in one header. Trailers and chunk extensions count, too."""
_LEAST_READ_BYTES = 2048
"""A read inside a head counts at least this much: the parser copies a value as it grows."""
MAX_URL_BYTES = 8192
MAX_PIPELINED = 64
"""Requests that one read may hold. A runtime asks one thing and waits for the answer, or sends `next` behind it."""
MAX_CONNECTIONS = 64
"""Of one environment; runtimes open one or two."""
_MAX_HELD_BYTES = 2 * MAX_PAYLOAD_BYTES
"""Bodies of answers that are being read on all connections of one environment."""
_JOIN_BYTES = 256 * 1024
"""Up to here head and payload are joined for one write; above, copying would cost more than a second system call."""
_PREFIX = b"/2018-06-01/runtime/"
_INVOCATION = _PREFIX + b"invocation/"
_NEXT = _INVOCATION + b"next"
_INIT_ERROR = _PREFIX + b"init/error"
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + b'{"status":"OK"}\n'
)
_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    501: "Not Implemented",
}
_LATER = (b"/2020-01-01/extension/", b"/2020-08-15/logs", b"/2022-07-01/telemetry")


class Misuse(Exception):
    """Raised in a parser callback: the function does what no runtime does, and its connection is cut."""


class RuntimeState(StrEnum):
    """The runtime's state by the names that appear in InvalidStateTransition messages."""

    STARTED = "Started"
    INIT_ERROR = "InitError"
    READY = "Ready"
    RUNNING = "Running"
    RESPONSE_SENT = "RuntimeResponseSentState"


class RuntimeEvents(Protocol):
    """What the Runtime API tells the environment. Each is called in the callback that read the request."""

    def on_next(self) -> None:
        """The runtime waits for an event: INIT is over, or the last invocation is."""
        ...

    def on_response(self, answer: "Answer") -> None:
        """The handler's result or error for the current invocation."""
        ...

    def on_init_error(self, answer: "Answer") -> None:
        """The runtime could not initialise."""
        ...

    def on_truncated(self) -> None:
        """The connection ended inside a response."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a runtime posted. `error_type` is None for a result; for an error it is the runtime's word for it or ""."""

    payload: bytes
    error_type: str | None = None
    too_large: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeEvent:
    """One event for `next`. Header values may hold any text; line breaks are taken out."""

    request_id: str
    payload: bytes
    deadline_ms: int
    invoked_arn: str
    trace_header: str = ""
    client_context: str = ""

    def head(self) -> bytes:
        """The response head, in the order in which AWS sends the headers."""
        optional = ""
        if self.trace_header:
            optional = f"Lambda-Runtime-Trace-Id: {_one_line(self.trace_header)}\r\n"
        if self.client_context:
            optional += f"Lambda-Runtime-Client-Context: {_one_line(self.client_context)}\r\n"
        return (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {self.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {self.deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {_one_line(self.invoked_arn)}\r\n"
            f"{optional}Content-Length: {len(self.payload)}\r\n\r\n"
        ).encode()


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ") if "\n" in text or "\r" in text else text


class RuntimeApi:
    """State of one runtime towards its API; outlives the processes of a reset."""

    def __init__(self, events: RuntimeEvents) -> None:
        self._events = events
        self.state = RuntimeState.STARTED
        self._current: RuntimeEvent | None = None
        self._answer_prefix = b""
        self._waiting: deque[Connection] = deque()
        self.connections: set[Connection] = set()
        self.held_bytes = 0
        """Of answers that are being read."""
        self._closed: asyncio.Future[None] | None = None

    def connection(self) -> "Connection":
        """Protocol factory for `loop.create_server`."""
        return Connection(self)

    def offer(self, event: RuntimeEvent) -> None:
        """Hand an event to the runtime: at once when it waits, else as soon as it asks."""
        self._current = event
        self._answer_prefix = b"%s%s/" % (_INVOCATION, event.request_id.encode())
        self.state = RuntimeState.RUNNING
        if self._waiting:
            self._waiting.popleft().send_event(event)

    def restart(self) -> None:
        """Forget the runtime: its processes were killed. Connections that are left belong to nobody."""
        self.state = RuntimeState.STARTED
        self._current = None
        self._waiting.clear()
        for connection in tuple(self.connections):
            connection.abort()
        self.connections.clear()

    async def closed(self, timeout_s: float) -> None:
        """Wait until every connection has ended, so that nothing a dead runtime sent is missed; or so long."""
        if not self.connections:
            return
        self._closed = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._closed
        except TimeoutError:
            pass
        finally:
            self._closed = None

    def opened(self, connection: "Connection") -> bool:
        """A runtime connected. False when there are too many connections already."""
        if len(self.connections) >= MAX_CONNECTIONS:
            return False
        self.connections.add(connection)
        return True

    def keeps(self, url: bytes) -> bool:
        """Whether the body of a request is an answer that the runtime may give now."""
        if self.state is RuntimeState.RUNNING:
            return url.startswith(self._answer_prefix)
        return self.state is RuntimeState.STARTED and url == _INIT_ERROR

    def hold(self, size_bytes: int) -> None:
        """A piece of such a body is in memory. Raises Misuse when it is too much for one runtime."""
        self.held_bytes += size_bytes
        if self.held_bytes > _MAX_HELD_BYTES:
            raise Misuse

    def lost(self, connection: "Connection", *, unfinished: bool) -> None:
        """A connection ended; `unfinished` inside a response for the current invocation."""
        self.connections.discard(connection)
        if connection in self._waiting:
            self._waiting.remove(connection)
        if unfinished and self.state is RuntimeState.RUNNING:
            self._events.on_truncated()
        if not self.connections and self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def serve(self, connection: "Connection", message: "Message") -> None:
        """Answer one complete request."""
        url = message.url
        if url == _NEXT:
            self._next(connection, message)
        elif url.startswith(_INVOCATION):
            self._answer(connection, message)
        elif url == _INIT_ERROR:
            self._init_error(connection, message)
        elif url.startswith(_LATER):
            path = url.decode("latin-1")
            connection.send_error(501, "NotImplemented", f"Undercast does not implement {path} yet")
        else:
            connection.send_error(404, "NotFound", "404 page not found")

    def _next(self, connection: "Connection", message: "Message") -> None:
        if message.method != b"GET":
            connection.send_error(405, "MethodNotAllowed", "Method Not Allowed")
        elif self.state is RuntimeState.RUNNING and self._current is not None:
            # The emulator answers a second `next` of a running invocation with the same event.
            connection.send_event(self._current)
        elif self.state is RuntimeState.INIT_ERROR:
            connection.send_error(403, "InvalidStateTransition", _transition(self.state, RuntimeState.READY))
        else:
            connection.waits = True
            self._waiting.append(connection)
            if self.state is not RuntimeState.READY:
                self.state = RuntimeState.READY
                self._events.on_next()

    def _answer(self, connection: "Connection", message: "Message") -> None:
        request_id, _, kind = message.url[len(_INVOCATION) :].decode("latin-1").rpartition("/")
        if kind not in ("response", "error") or not request_id:
            connection.send_error(404, "NotFound", "404 page not found")
        elif message.method != b"POST":
            connection.send_error(405, "MethodNotAllowed", "Method Not Allowed")
        elif self.state is not RuntimeState.RUNNING:
            target = "InvocationResponse" if kind == "response" else "InvocationErrorResponse"
            connection.send_error(403, "InvalidStateTransition", _transition(self.state, target))
        elif self._current is None or request_id != self._current.request_id or not message.kept:
            connection.send_error(400, "InvalidRequestID", "Invalid request ID")
        else:
            self.state = RuntimeState.RESPONSE_SENT
            self._current = None
            self._events.on_response(message.answer(is_error=kind == "error"))
            if message.too_large:
                text = f"Exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."
                connection.send_error(413, "RequestEntityTooLarge", text)
            else:
                # Behind the caller's task, which `on_response` has woken: whoever waits for the answer gets it first.
                asyncio.get_running_loop().call_soon(connection.write, _ACCEPTED)

    def _init_error(self, connection: "Connection", message: "Message") -> None:
        if message.method != b"POST":
            connection.send_error(405, "MethodNotAllowed", "Method Not Allowed")
        elif self.state is not RuntimeState.STARTED:
            connection.send_error(403, "InvalidStateTransition", _transition(self.state, RuntimeState.INIT_ERROR))
        else:
            self.state = RuntimeState.INIT_ERROR
            connection.write(_ACCEPTED)
            self._events.on_init_error(message.answer(is_error=True))


def _transition(state: str, target: str) -> str:
    return f"State transition from {state} to {target} failed for runtime. Error: State transition is not allowed"


def _decoded(value: bytes) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return value


class Message:
    """One request as it is being read."""

    __slots__ = (
        "_size",
        "body",
        "continued",
        "error_body",
        "error_type",
        "kept",
        "method",
        "too_large",
        "unread",
        "url",
    )

    def __init__(self) -> None:
        self.url = b""
        self.method = b""
        self.error_type = ""
        self.error_body = b""
        self.unread = 0
        """Bytes that came since the last piece of body and were neither that nor the message's end."""
        self.kept = False
        """Whether the body is an answer, known at the end of the head."""
        self.continued = False
        self.too_large = False
        self.body: bytes | bytearray = b""
        self._size = 0

    def add(self, part: bytes) -> None:
        """Take a piece of body; above the limit it is read and dropped, so that memory stays flat."""
        self._size += len(part)
        if self._size > MAX_PAYLOAD_BYTES:
            self.too_large = True
            self.body = b""
        elif not self.kept:
            return
        elif not self.body:
            self.body = part
        else:
            if isinstance(self.body, bytes):
                self.body = bytearray(self.body)
            self.body += part

    def answer(self, *, is_error: bool) -> Answer:
        """The body as an answer. A streamed response may name its error in trailers."""
        body = bytes(self.body)
        if is_error:
            return Answer(body, self.error_type, self.too_large)
        if self.error_type:
            return Answer(self.error_body or body, self.error_type, self.too_large)
        return Answer(body, None, self.too_large)


class Connection(asyncio.Protocol):
    """One connection of a runtime: HTTP/1.1, keep-alive, requests answered in order.

    The function at the other end may be hostile: nothing it sends or leaves unread grows without bound.
    """

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._message: Message | None = None
        self._held = 0
        self._requests = 0
        self._writing_paused = False
        self.waits = False
        """For the event that answers its `next`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        if not self._api.opened(self):
            self.abort()
            self._transport = None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        message, self._message, self._transport = self._message, None, None
        self._let_go()
        self._api.lost(self, unfinished=message is not None and message.url.endswith((b"/response", b"/error")))

    def pause_writing(self) -> None:
        """The runtime does not read its answers: nothing more is taken from it."""
        self._writing_paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It has read them."""
        self._writing_paused = False
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._transport is None:
            return
        self._requests = 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._message = None
            self._let_go()
            self.abort()
            return
        message = self._message
        if message is not None:
            message.unread += max(len(data), _LEAST_READ_BYTES)
            if message.unread > MAX_HEAD_BYTES:
                self.abort()

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
        if len(name) == 6 and name.lower() == b"expect":
            if not message.continued:
                message.continued = True
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif len(name) > 30:
            lowered = name.lower()
            if lowered == b"lambda-runtime-function-error-type":
                message.error_type = value.decode("latin-1")
            elif lowered == b"lambda-runtime-function-error-body":
                message.error_body = _decoded(value)

    def on_headers_complete(self) -> None:
        """Parser callback."""
        message = self._message
        if message is not None:
            message.method = self._parser.get_method()
            message.kept = self._api.keeps(message.url)

    def on_body(self, body: bytes) -> None:
        """Parser callback."""
        message = self._message
        if message is not None:
            message.unread = 0
            message.add(body)
            if message.kept:
                self._hold(len(message.body) - self._held)

    def on_message_complete(self) -> None:
        """Parser callback."""
        message, self._message = self._message, None
        if message is not None:
            self._let_go()
            self._api.serve(self, message)
            if not self._parser.should_keep_alive() and not message.url.endswith(_NEXT) and self._transport:
                self._transport.close()

    def _hold(self, more_bytes: int) -> None:
        self._held += more_bytes
        self._api.hold(more_bytes)

    def _let_go(self) -> None:
        if self._held:
            self._api.held_bytes -= self._held
            self._held = 0

    def send_event(self, event: RuntimeEvent) -> None:
        """Answer a waiting `next`."""
        self.waits = False
        if len(event.payload) <= _JOIN_BYTES:
            self.write(event.head() + event.payload)
        elif self._transport is not None:
            self._transport.writelines((event.head(), event.payload))

    def send_error(self, status: int, error_type: str, message: str) -> None:
        """Answer with the Runtime API's error shape."""
        body = json.dumps({"errorMessage": message, "errorType": error_type}).encode() + b"\n"
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        self.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def write(self, data: bytes) -> None:
        """One write; silently nothing when the runtime has gone."""
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()
