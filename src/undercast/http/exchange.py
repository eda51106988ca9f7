"""One request between the parser and its response, with the part of its body that was not read yet.

Holds no socket: the connection is told through `Flow` when the reader wants bytes or has taken them (back-pressure).
AWS: S3 API Reference, "List of error codes" (IncompleteBody).
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpResponse


class Flow(Protocol):
    """What a body asks of its connection."""

    def body_wanted(self, exchange: "Exchange") -> None:
        """The handler starts to read: the client may be waiting for 100 Continue."""
        ...

    def body_taken(self) -> None:
        """The reader has taken what was held: the sender may go on."""
        ...

    def room_given(self, exchange: "Exchange") -> None:
        """The reader has given a buffer (`Exchange.room`) and holds nothing: bytes may go straight into it."""
        ...

    def room_taken(self, exchange: "Exchange") -> None:
        """The buffer is the reader's again."""
        ...


class Exchange:
    """One request. Made when its head is complete; `complete` once its last byte has come."""

    __slots__ = (
        "_flow",
        "_waiter",
        "asks_at_once",
        "chunked",
        "complete",
        "declared_bytes",
        "error",
        "expects_continue",
        "gathers",
        "headers",
        "held_bytes",
        "http10",
        "keep_alive",
        "limit_bytes",
        "method",
        "parts",
        "received_bytes",
        "refusal",
        "room",
        "stream",
        "target",
        "trailers",
        "unwanted",
    )

    def __init__(self, method: str, target: str, headers: dict[str, str], flow: Flow) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self._flow = flow
        self.keep_alive = True
        self.http10 = False
        self.declared_bytes: int | None = 0
        self.chunked = False
        self.expects_continue = False
        self.gathers = True
        """Whether the handler waits until the body is complete."""
        self.asks_at_once = False
        """Whether 100 Continue goes out before the handler starts: a small body costs less than to wait for leave."""
        self.parts: list[bytes] = []
        self.held_bytes = 0
        self.received_bytes = 0
        self.limit_bytes = 0
        self.complete = False
        self.unwanted = False
        """The response is out; what still comes of the body is dropped."""
        self.error: ServiceError | None = None
        self.refusal: HttpResponse | None = None
        """The answer to a request that never reaches the handler."""
        self.stream: BodyStream | None = None
        self.room: memoryview | None = None
        """What is left of the buffer that `fill` was given; only while it waits."""
        self.trailers: dict[str, str] | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether the handler may start."""
        return self.complete or not self.gathers or self.refusal is not None

    def body(self) -> BodyStream:
        """The body as the handler sees it."""
        if self.complete:
            parts = self.parts
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            stream = BodyStream(None, len(data), data)
            if self.trailers:
                stream.trailers = self.trailers
        else:
            stream = BodyStream(self, self.declared_bytes)
            stream.blocks = _Blocks(self)
        self.stream = stream
        return stream

    def feed(self, part: bytes) -> None:
        """Bytes of the body have come."""
        self.received_bytes += len(part)
        if self.unwanted:
            return
        self.parts.append(part)
        self.held_bytes += len(part)
        self._wake()

    def finish(self) -> None:
        """The last byte has come."""
        self.complete = True
        self._wake()

    def fail(self, error: ServiceError) -> None:
        """The rest will not come: whoever reads gets this error behind what did come."""
        if not self.complete and self.error is None:
            self.error = error
            self._wake()

    @property
    def left_bytes(self) -> int:
        """How much of a body of declared length has not come."""
        return (self.declared_bytes or 0) - self.received_bytes

    def filled(self, size: int) -> None:
        """So many bytes have come straight into the room."""
        self.received_bytes += size
        room = self.room
        if room is not None:
            self.room = room = room[size:]
            if not room or not self.left_bytes:
                self._wake()

    async def fill(self, buffer: memoryview) -> int:
        """See `core.body.Blocks`."""
        self._flow.body_wanted(self)
        rest = buffer
        while rest and not (self.complete and not self.parts):
            if self.parts:
                rest = rest[self._hand_over(rest) :]
            elif self.error is not None:
                raise self.error
            else:
                rest = await self._received_into(rest)
        return len(buffer) - len(rest)

    async def _received_into(self, room: memoryview) -> memoryview:
        """Wait for bytes; what is left of the room when some have come straight into it."""
        self.room = room
        self._flow.room_given(self)
        try:
            await self._arrival()
        finally:
            room, self.room = self.room, None
            self._flow.room_taken(self)
        return room

    def _hand_over(self, room: memoryview) -> int:
        """Copy what is held into a buffer, as much as it takes."""
        held = self.parts[0]
        size = min(len(held), len(room))
        room[:size] = held[:size]
        if size == len(held):
            del self.parts[0]
        else:
            self.parts[0] = held[size:]
        self.held_bytes -= size
        self._flow.body_taken()
        return size

    async def _arrival(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def __aiter__(self) -> "Exchange":
        return self

    async def __anext__(self) -> bytes:
        self._flow.body_wanted(self)
        while not self.parts:
            if self.complete:
                if self.trailers and self.stream is not None:
                    self.stream.trailers = self.trailers
                raise StopAsyncIteration
            if self.error is not None:
                raise self.error
            await self._arrival()
        part = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts = []
        self.held_bytes = 0
        self._flow.body_taken()
        return part


class _Blocks:
    """See `core.body.Blocks`: a body of which nothing was said yet."""

    __slots__ = ("_exchange",)

    lanes: tuple[Callable[[memoryview], None], ...] = ()
    digests: frozenset[str] = frozenset()

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def fill(self, buffer: memoryview) -> int:
        return await self._exchange.fill(buffer)

    def finish(self) -> Mapping[str, str]:
        return {}
