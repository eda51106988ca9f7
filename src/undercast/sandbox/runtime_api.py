"""The Runtime API of one execution environment: invocation/next, /response, /error, init/error, restore/next, /error.

No task, no queue, no parsing of payloads: the waiting `next` connection gets the event in one write, and an answer is
handed to the environment in the callback that read it. That is why it does not use the front door's protocol.
AWS: Lambda Developer Guide, "Using the Lambda runtime API"; state names and errors as the public Runtime Interface
Emulator renders them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from undercast.core.record import record
from undercast.sandbox.response_stream import MAX_STREAM_BYTES, ResponseStream
from undercast.sandbox.runtime_connection import ACCEPTED, Connection, Misuse
from undercast.sandbox.runtime_messages import MAX_PAYLOAD_BYTES, Answer, Message

MAX_CONNECTIONS = 64
"""Of one environment; runtimes and extensions open one or two each."""
_MAX_HELD_BYTES = 2 * MAX_PAYLOAD_BYTES
"""Bodies of answers that are being read on all connections of one environment."""
_MAX_OTHER_BODY_BYTES = 256 * 1024
"""Of a request to another API than the runtime's: registrations and subscriptions have a few hundred."""
_PREFIX = b"/2018-06-01/runtime/"
_INVOCATION = _PREFIX + b"invocation/"
_INVOCATION_PATH = _INVOCATION.decode()
_NEXT = _INVOCATION + b"next"
_INIT_ERROR = _PREFIX + b"init/error"
_RESTORE_NEXT = _PREFIX + b"restore/next"
_RESTORE_ERROR = _PREFIX + b"restore/error"
Handler = Callable[[Connection, Message], None]
"""Answers one request of an API beside the runtime's."""


class RuntimeState(StrEnum):
    """The runtime's state by the names that appear in InvalidStateTransition messages."""

    STARTED = "Started"
    INIT_ERROR = "InitError"
    RESTORE_READY = "RestoreReady"
    RESTORING = "Restoring"
    RESTORE_ERROR = "RestoreError"
    READY = "Ready"
    RUNNING = "Running"
    RESPONSE_SENT = "RuntimeResponseSentState"


class RuntimeEvents(Protocol):
    """What the Runtime API tells the environment. Each is called in the callback that read the request."""

    def on_next(self) -> None:
        """The runtime waits for an event: INIT is over, or the last invocation is."""
        ...

    def on_restore_next(self) -> None:
        """The runtime of a SnapStart function is ready for its snapshot: `RuntimeApi.restore` answers."""
        ...

    def on_response(self, answer: Answer) -> None:
        """The handler's result or error for the current invocation."""
        ...

    def on_init_error(self, answer: Answer) -> None:
        """The runtime could not initialise."""
        ...

    def on_truncated(self) -> None:
        """The connection ended inside a response."""
        ...


@record
class RuntimeEvent:
    """One event for `next`. Header values may hold any text; line breaks are taken out."""

    request_id: str
    payload: bytes
    deadline_ms: int
    invoked_arn: str
    trace_header: str = ""
    client_context: str = ""
    stream: ResponseStream | None = None
    """Where a runtime that streams answers to; None for a caller that waits for the whole."""

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


class Peer(Protocol):
    """A connection of the runtime or an extension."""

    extension: bool

    def abort(self) -> None:
        """Close it at once."""
        ...


class Waiter(Peer, Protocol):
    """A runtime that speaks another protocol and takes its events here."""

    def take(self, event: RuntimeEvent) -> None:
        """The event that it asked for."""
        ...


class RuntimeApi:
    """State of one runtime towards its API; outlives the processes of a reset."""

    def __init__(self, events: RuntimeEvents, others: Mapping[bytes, Handler] = MappingProxyType({})) -> None:
        """`others` serve what begins with their path, on the same listener."""
        self._events = events
        self._others = others
        self.state = RuntimeState.STARTED
        self._current: RuntimeEvent | None = None
        self.answer_path = b""
        """See Served."""
        self._waiting: deque[Connection] = deque()
        self._answering: Connection | None = None
        """The one on which the current invocation's answer is being read."""
        self._waiter: Waiter | None = None
        self._restoring: Connection | None = None
        """Has asked for `restore/next`."""
        self.connections: set[Peer] = set()
        self.held_bytes = 0
        """Of answers that are being read."""
        self._closed: asyncio.Future[None] | None = None

    def connection(self) -> Connection:
        """Protocol factory for `loop.create_server`."""
        return Connection(self)

    def offer(self, event: RuntimeEvent) -> None:
        """Hand an event to the runtime: at once when it waits, else as soon as it asks."""
        self._current = event
        self._answering = None
        self.answer_path = f"{_INVOCATION_PATH}{event.request_id}/".encode()
        self.state = RuntimeState.RUNNING
        if self._waiting:
            self._waiting.popleft().send(event.head(), event.payload)
        elif self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            waiter.take(event)

    def restore(self, answer: bytes, *, again: bool = False) -> None:
        """Answer `restore/next`; `again`: it will be asked once more, in a copy of the runtime."""
        connection, self._restoring = self._restoring, None
        self.state = RuntimeState.STARTED if again else RuntimeState.RESTORING
        if connection is not None:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
            connection.send(head.encode(), answer)

    def joined(self, peer: Peer) -> None:
        """A connection of the runtime that is no connection to this API, but ends like one."""
        self.connections.add(peer)

    def asks(self, waiter: Waiter) -> None:
        """What `next` is to a runtime that speaks this API."""
        self._waiter = waiter
        if self.state is not RuntimeState.READY:
            self.state = RuntimeState.READY
            self._events.on_next()

    def answered(self, answer: Answer) -> None:
        """What a response or an error is to a runtime that speaks this API."""
        if self.state is RuntimeState.RUNNING:
            self.state = RuntimeState.RESPONSE_SENT
            self._current = None
            self._events.on_response(answer)

    def restart(self) -> None:
        """Forget the runtime: its processes were killed. Connections that are left belong to nobody."""
        self.state = RuntimeState.STARTED
        self._current = self._answering = None
        self._waiting.clear()
        self._waiter = self._restoring = None
        for connection in tuple(self.connections):
            connection.abort()
        self.connections.clear()

    async def closed(self, timeout_s: float) -> None:
        """Wait until all connections of the runtime have ended, so that nothing it sent is missed; or so long."""
        if not self._runtime_is_connected():
            return
        self._closed = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._closed
        except TimeoutError:
            pass
        finally:
            self._closed = None

    def opened(self, connection: Connection) -> bool:
        """See Served."""
        if len(self.connections) >= MAX_CONNECTIONS:
            return False
        self.connections.add(connection)
        return True

    def body_limit(self, connection: Connection, url: bytes) -> int:
        """See Served: an answer that the runtime may give now, or what an extension sends."""
        if self.state is RuntimeState.RUNNING and url.startswith(self.answer_path):
            self._answering = connection
            return MAX_PAYLOAD_BYTES
        if not url.startswith(_PREFIX):
            return _MAX_OTHER_BODY_BYTES if self._other(url) is not None else 0
        fails = {RuntimeState.STARTED: _INIT_ERROR, RuntimeState.RESTORING: _RESTORE_ERROR}.get(self.state)
        return MAX_PAYLOAD_BYTES if url == fails else 0

    def stream_of(self, url: bytes) -> ResponseStream | None:
        """See Served. The answer that began first is the one that streams."""
        stream = self._current.stream if self._current is not None and url.endswith(b"/response") else None
        return stream if stream is not None and not stream.begun else None

    def hold(self, size_bytes: int) -> None:
        """See Served."""
        self.held_bytes += size_bytes
        if self.held_bytes > _MAX_HELD_BYTES:
            raise Misuse

    def lost(self, connection: Peer, *, unfinished: bool) -> None:
        """See Served."""
        self.connections.discard(connection)
        if connection is self._waiter:
            self._waiter = None
        if connection is self._restoring:
            self._restoring = None
        if connection in self._waiting:
            self._waiting = deque(one for one in self._waiting if one is not connection)
        if unfinished and self.state is RuntimeState.RUNNING:
            self._events.on_truncated()
        elif connection is self._answering:
            self._no_answer()
        if self._closed is not None and not self._closed.done() and not self._runtime_is_connected():
            self._closed.set_result(None)

    def _no_answer(self) -> None:
        """What was being read was none. A `next` that waits for its end is one of a running invocation after all."""
        self._answering = None
        if self._current is not None and self._waiting:
            self._waiting.popleft().send(self._current.head(), self._current.payload)

    def serve(self, connection: Connection, message: Message) -> None:
        """See Served."""
        url = message.url
        if url == _NEXT:
            self._next(connection, message)
        elif url.startswith(_INVOCATION):
            self._answer(connection, message)
        elif url == _INIT_ERROR:
            self._error(connection, message, RuntimeState.STARTED, RuntimeState.INIT_ERROR)
        elif url == _RESTORE_NEXT:
            self._restore_next(connection, message)
        elif url == _RESTORE_ERROR:
            self._error(connection, message, RuntimeState.RESTORING, RuntimeState.RESTORE_ERROR)
        elif (handler := self._other(url)) is not None:
            connection.extension = True
            if message.too_large:
                text = f"Exceeded maximum allowed payload size ({_MAX_OTHER_BODY_BYTES} bytes)."
                connection.send_error(413, "RequestEntityTooLarge", text)
            else:
                handler(connection, message)
        else:
            connection.send_error(404, "NotFound", "404 page not found")
        if connection is self._answering:
            self._no_answer()

    def _other(self, url: bytes) -> Handler | None:
        return next((handler for path, handler in self._others.items() if url.startswith(path)), None)

    def _runtime_is_connected(self) -> bool:
        return any(not connection.extension for connection in self.connections)

    def _next(self, connection: Connection, message: Message) -> None:
        if message.method != b"GET":
            connection.send_error(405, "MethodNotAllowed", "Method Not Allowed")
        elif message.if_accepted and connection.refused:
            connection.send_error(403, "InvalidStateTransition", _transition(self.state, RuntimeState.READY))
        elif self._answering is not None:
            # AWS's client for Node asks for the next event before the trailers of a streamed error are out.
            connection.waits = True
            self._waiting.append(connection)
        elif self.state is RuntimeState.RUNNING and self._current is not None:
            # The emulator answers a second `next` of a running invocation with the same event.
            connection.send(self._current.head(), self._current.payload)
        elif self.state in (RuntimeState.INIT_ERROR, RuntimeState.RESTORE_ERROR):
            connection.send_error(403, "InvalidStateTransition", _transition(self.state, RuntimeState.READY))
        else:
            connection.waits = True
            self._waiting.append(connection)
            if self.state is not RuntimeState.READY:
                self.state = RuntimeState.READY
                self._events.on_next()

    def _answer(self, connection: Connection, message: Message) -> None:
        request_id, _, kind = message.url[len(_INVOCATION) :].rpartition(b"/")
        connection.refused = True
        if (kind != b"response" and kind != b"error") or not request_id:
            connection.send_error(404, "NotFound", "404 page not found")
        elif message.method != b"POST":
            connection.send_error(405, "MethodNotAllowed", "Method Not Allowed")
        elif self.state is not RuntimeState.RUNNING:
            target = "InvocationResponse" if kind == b"response" else "InvocationErrorResponse"
            connection.send_error(403, "InvalidStateTransition", _transition(self.state, target))
        elif self._current is None or not message.limit or message.url != self.answer_path + kind:
            connection.send_error(400, "InvalidRequestID", "Invalid request ID")
        else:
            self.state = RuntimeState.RESPONSE_SENT
            self._current = self._answering = None
            self._events.on_response(message.answer(is_error=kind == b"error"))
            if message.too_large:
                limit = MAX_PAYLOAD_BYTES if message.to is None else MAX_STREAM_BYTES
                text = f"Exceeded maximum allowed payload size ({limit} bytes)."
                connection.send_error(413, "RequestEntityTooLarge", text)
            else:
                # Behind the caller's task, which `on_response` has woken: whoever waits for the answer gets it first.
                connection.refused = False
                connection.accept_soon()
            if self._waiting and self.state is RuntimeState.RESPONSE_SENT:
                self.state = RuntimeState.READY
                self._events.on_next()

    def _restore_next(self, connection: Connection, message: Message) -> None:
        if message.method != b"GET":
            connection.send_error(405, "MethodNotAllowed", "Method Not Allowed")
        elif self.state is not RuntimeState.STARTED:
            connection.send_error(403, "InvalidStateTransition", _transition(self.state, RuntimeState.RESTORE_READY))
        else:
            self.state = RuntimeState.RESTORE_READY
            connection.waits = True
            self._restoring = connection
            self._events.on_restore_next()

    def _error(self, connection: Connection, message: Message, during: RuntimeState, failed: RuntimeState) -> None:
        """INIT, or a restore, has failed."""
        if message.method != b"POST":
            connection.send_error(405, "MethodNotAllowed", "Method Not Allowed")
        elif self.state is not during:
            connection.send_error(403, "InvalidStateTransition", _transition(self.state, failed))
        else:
            self.state = failed
            connection.write(ACCEPTED)
            self._events.on_init_error(message.answer(is_error=True))


def _transition(state: str, target: str) -> str:
    return f"State transition from {state} to {target} failed for runtime. Error: State transition is not allowed"
