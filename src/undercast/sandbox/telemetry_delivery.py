"""Delivers one subscriber's telemetry in batches, over HTTP or TCP, into the sandbox.

Buffers are bounded: what does not fit while the subscriber is slow is dropped and counted, and the next batch says so.
A failed delivery is repeated with growing pauses. The subscriber may be hostile: it gets connections, never waits.
AWS: Lambda Developer Guide, Telemetry API, "Configuring memory usage and buffering", "Specifying a destination
protocol".
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from socket import socket
from typing import Literal

from undercast.core.record import record
from undercast.sandbox.driver import SandboxError

_ANSWER_LIMIT_S = 5.0
"""Of time that the environment is not frozen."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_MAX_LINE_BYTES = 8192


@record
class Destination:
    """Where to, and how much at once."""

    protocol: Literal["HTTP", "TCP"]
    port: int
    host: str = "sandbox.localdomain"
    path: str = "/"
    method: Literal["POST", "PUT"] = "POST"
    max_items: int = 10_000
    max_bytes: int = 262_144
    timeout_s: float = 1.0


@dataclass(slots=True)
class Budget:
    """Bytes that all subscribers of one environment together may make us keep."""

    limit_bytes: int = 8 * 1024 * 1024
    held_bytes: int = 0


class Delivery:
    """See the module. `dropped` makes the event that tells how many records and bytes were dropped."""

    def __init__(
        self,
        destination: Destination,
        connect: Callable[[int], Awaitable[socket]],
        dropped: Callable[[int, int], bytes],
        budget: Budget,
    ) -> None:
        self._destination = destination
        self._budget = budget
        self._connect = connect
        self._dropped_event = dropped
        self._loop = asyncio.get_running_loop()
        self._events: list[bytes] = []
        self._bytes = 0
        self._sending: tuple[bytes, ...] = ()
        self._sending_bytes = 0
        self._dropped = [0, 0]
        self._hurries = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._thaws = 0
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._closed = asyncio.Event()
        self._tcp: asyncio.StreamWriter | None = None

    def add(self, event: bytes) -> None:
        """Buffer an event; a full buffer goes out at once."""
        limits = self._destination
        if self._closed.is_set():
            return
        size = len(event)
        has_room = len(self._events) < limits.max_items and self._bytes + size <= 2 * limits.max_bytes
        if not has_room or self._budget.held_bytes + size > self._budget.limit_bytes:
            self._dropped[0] += 1
            self._dropped[1] += size
            return
        self._events.append(event)
        self._bytes += size
        self._budget.held_bytes += size
        if self._is_full():
            self.flush()
        elif self._timer is None and self._task is None:
            self._timer = self._loop.call_later(limits.timeout_s, self._on_timer)

    def flush(self) -> "asyncio.Task[None] | None":
        """Send what is there. The task that does, None when there is nothing or nobody can listen now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None and not self._task.done():
            self._hurries = True
        elif not self._closed.is_set() and self._thawed.is_set() and self._events:
            self._task = self._loop.create_task(self._run())
            self._task.add_done_callback(self._on_done)
        return self._task

    def _on_timer(self) -> None:
        self.flush()

    def freeze(self) -> None:
        """Whoever listens is about to stand still."""
        self._thawed.clear()

    def thaw(self) -> None:
        """It goes on; what has been due meanwhile is sent."""
        self._thawed.set()
        self._thaws += 1
        if self._timer is None:
            self.flush()

    def close(self) -> None:
        """Give up."""
        self._closed.set()
        self.flush()
        self._let_go()
        self._budget.held_bytes -= self._bytes
        self._events, self._bytes = [], 0
        if self._task is not None:
            self._task.cancel()
        self._hang_up()

    def _on_done(self, task: "asyncio.Task[None]") -> None:
        if task is self._task:  # `flush` may have begun another since it ended
            self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": "delivery of telemetry failed", "exception": error})
        elif self._events and self._task is None and not self._closed.is_set():
            self._timer = self._timer or self._loop.call_later(self._destination.timeout_s, self._on_timer)

    async def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while self._events or self._sending:
            await self._thawed.wait()
            if not self._sending:
                self._take()
            try:
                await self._while_thawed(self._send(self._sending))
            except (OSError, SandboxError, TimeoutError, ValueError):
                self._hang_up()
                await self._rest(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            self._let_go()
            pause_s = _FIRST_PAUSE_S
            hurries, self._hurries = self._hurries, False
            if not hurries and not self._is_full():
                return  # what came meanwhile waits for its own time

    def _is_full(self) -> bool:
        return self._bytes >= self._destination.max_bytes or len(self._events) >= self._destination.max_items

    def _let_go(self) -> None:
        self._budget.held_bytes -= self._sending_bytes
        self._sending, self._sending_bytes = (), 0

    def _take(self) -> None:
        self._sending_bytes = self._bytes
        events, self._events, self._bytes = self._events, [], 0
        if self._dropped[0]:
            events.append(self._dropped_event(*self._dropped))
            self._dropped = [0, 0]
        self._sending = tuple(events)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return

    async def _while_thawed(self, work: Awaitable[None]) -> None:
        """Wait for the answer; time in which nobody could answer does not count."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                thaws = self._thaws
                await asyncio.wait((task,), timeout=_ANSWER_LIMIT_S)
                if not task.done() and self._thawed.is_set() and thaws == self._thaws:
                    raise TimeoutError
                await self._thawed.wait()
            task.result()
        finally:
            task.cancel()

    async def _send(self, batch: tuple[bytes, ...]) -> None:
        if self._destination.protocol == "HTTP":
            await self._post(b"[" + b",".join(batch) + b"]")
            return
        if self._tcp is None:
            _, self._tcp = await self._open()
            # Else `drain` returns while 64 KiB are still ours, and a batch counts that nobody has.
            self._tcp.transport.set_write_buffer_limits(high=0)
        self._tcp.write(b"\n".join(batch) + b"\n")
        await self._tcp.drain()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = await self._connect(self._destination.port)
        return await asyncio.open_connection(sock=connection, limit=_MAX_LINE_BYTES)

    async def _post(self, body: bytes) -> None:
        to = self._destination
        reader, writer = await self._open()
        try:
            writer.write(
                f"{to.method} {to.path} HTTP/1.1\r\nHost: {to.host}:{to.port}\r\nContent-Type: application/json\r\n"
                f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
            status = (await reader.readline()).partition(b" ")[2][:3]
            if not status.isdigit() or not 200 <= int(status) < 300:
                raise ValueError("the subscriber refused a batch")
        finally:
            writer.transport.abort()

    def _hang_up(self) -> None:
        tcp, self._tcp = self._tcp, None
        if tcp is not None:
            tcp.transport.abort()
