"""Speaks net/rpc with a go1.x function that listens on _LAMBDA_SERVER_PORT: one connection, one call at a time.

A function may speak the Runtime API instead; whichever speaks first is used. The function may be hostile: what it sends
is bounded, and what is no answer ends the connection, which the environment takes for a truncated response.
aws-lambda-go: lambda/rpc_function.go. Go: package net/rpc.
"""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from functools import partial
from typing import cast

from undercast.sandbox.driver import Sandbox, SandboxError, SandboxProcess
from undercast.sandbox.gorpc.gob import Decoder, Encoder, GobError, Struct, Value, message_size
from undercast.sandbox.gorpc.messages import INVOKE_REQUEST, PING_REQUEST, REQUEST, answer, invoke_request
from undercast.sandbox.processes import Processes
from undercast.sandbox.runtime_api import RuntimeApi, RuntimeEvent, RuntimeState
from undercast.sandbox.runtime_messages import MAX_PAYLOAD_BYTES, Answer

_MAX_MESSAGE_BYTES = MAX_PAYLOAD_BYTES + 256 * 1024
"""A larger one is read and forgotten: the answer is then that it is too large."""
_MAX_LENGTH = 1 << 40
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.05


async def meet(sandbox: Sandbox, api: RuntimeApi, processes: Processes) -> None:
    """Connect to the function's port as soon as it listens, or see it speak the Runtime API; until INIT ends."""
    loop = asyncio.get_running_loop()
    pause_s = _FIRST_PAUSE_S
    while api.state is RuntimeState.STARTED:
        process = processes.runtime
        if process is not None and not process.exited.done():
            with contextlib.suppress(OSError, SandboxError):
                connection = await sandbox.connect(sandbox.rpc_port)
                await loop.create_connection(partial(GoRpc, api, process), sock=connection)
                return
        await asyncio.wait((loop.create_future(),), timeout=pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)


class GoRpc(asyncio.Protocol):
    """One connection. See runtime_api.Waiter and Peer."""

    extension = False

    def __init__(self, api: RuntimeApi, process: SandboxProcess) -> None:
        self._api = api
        self._process = process
        self._transport: asyncio.Transport | None = None
        self._encoder, self._decoder = Encoder(), Decoder()
        self._buffer = bytearray()
        self._skip = 0
        self._sequence = 0
        self._head: Mapping[str, Value] | None = None
        """The response's head, when its body comes next."""
        self._busy = False
        self._broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See Protocol."""
        self._transport = cast(asyncio.Transport, transport)
        self._api.joined(self)
        self._call("Function.Ping", PING_REQUEST, {})

    def connection_lost(self, exc: Exception | None) -> None:
        """See Protocol."""
        self._transport = None
        # Silence is the end of the process, which the environment sees itself; half an answer is told here.
        begun = bool(self._buffer or self._skip or self._head is not None or self._broken)
        self._buffer.clear()
        self._api.lost(self, unfinished=self._busy and begun)

    def abort(self) -> None:
        """See Peer."""
        if self._transport is not None:
            self._transport.abort()

    def take(self, event: RuntimeEvent) -> None:
        """See Waiter."""
        self._busy = True
        self._call("Function.Invoke", INVOKE_REQUEST, invoke_request(event))

    def data_received(self, data: bytes) -> None:
        """See Protocol."""
        if self._skip:
            data = self._skipped(data)
        self._buffer += data
        try:
            while self._next_message():
                pass
        except GobError:
            self._broken = True
            self.abort()

    def _call(self, method: str, kind: Struct, values: Mapping[str, object]) -> None:
        head = self._encoder.encode(REQUEST, {"ServiceMethod": method, "Seq": self._sequence})
        self._sequence += 1
        if self._transport is not None:
            self._transport.write(head + self._encoder.encode(kind, values))

    def _next_message(self) -> bool:
        """Take one message from the buffer, when it is whole."""
        found = message_size(self._buffer)
        if found is None:
            return False
        begin, end = found
        if end - begin > _MAX_MESSAGE_BYTES:
            self._begin_skip(end)
            return False
        if len(self._buffer) < end:
            return False
        message = bytes(memoryview(self._buffer)[begin:end])
        del self._buffer[:end]
        value = self._decoder.decode(message)
        if value is not None:
            self._take_value(value)
        return True

    def _begin_skip(self, end: int) -> None:
        if self._head is None or end > _MAX_LENGTH:
            raise GobError("a message is too long")
        self._skip = end - len(self._buffer)
        self._buffer.clear()
        if self._skip <= 0:
            raise GobError("a message is too long")

    def _skipped(self, data: bytes) -> bytes:
        rest = data[self._skip :]
        self._skip = max(0, self._skip - len(data))
        if not self._skip:
            self._head = None
            self._answered(Answer(b"", None, too_large=True), panicked=False)
        return rest

    def _take_value(self, value: dict[str, Value]) -> None:
        if self._head is None:
            self._head = value
            return
        head, self._head = self._head, None
        if head.get("Seq", 0) != self._sequence - 1:
            raise GobError("an answer to another call")
        if error := head.get("Error"):
            value = {"Error": {"Message": str(error), "Type": "Runtime.RPCError"}}
        if self._busy:
            self._answered(*answer(value, MAX_PAYLOAD_BYTES))
        elif not error:
            self._api.asks(self)

    def _answered(self, given: Answer, panicked: bool) -> None:
        self._busy = False
        self._api.answered(given)
        if panicked:
            self._process.signal(signal.SIGKILL)
        else:
            # Behind the caller's task, which the answer has woken.
            asyncio.get_running_loop().call_soon(self._ask_again)

    def _ask_again(self) -> None:
        if self._transport is not None:
            self._api.asks(self)
