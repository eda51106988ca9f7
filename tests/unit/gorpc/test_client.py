"""The net/rpc client against peers that answer, and against peers that do not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.gorpc.test_gob import RESPONSES, values
from undercast.sandbox.driver import ExitStatus
from undercast.sandbox.gorpc.client import GoRpc
from undercast.sandbox.gorpc.gob import BYTES, STRING, UINT, Encoder, Struct
from undercast.sandbox.runtime_api import RuntimeApi, RuntimeEvent
from undercast.sandbox.runtime_messages import MAX_PAYLOAD_BYTES, Answer

RESPONSE = Struct("Response", (("ServiceMethod", STRING), ("Seq", UINT), ("Error", STRING)))
PING = Struct("PingResponse", ())
INVOKE = Struct("InvokeResponse", (("Payload", BYTES),))
EVENT = RuntimeEvent(request_id="r", payload=b"{}", deadline_ms=1_700_000_000_005, invoked_arn="arn")


@dataclass
class Seen:
    """What the environment is told, and the process that it may kill."""

    told: list[Any] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    pid: int = 1
    stdout: int = -1
    stderr: int = -1
    telemetry: int | None = None
    exited: "asyncio.Future[ExitStatus]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def on_next(self) -> None:
        """See RuntimeEvents."""
        self.told.append("next")

    def on_response(self, answer: Answer) -> None:
        """See RuntimeEvents."""
        self.told.append(answer)

    def on_restore_next(self) -> None:
        """Nobody asks for it here."""

    def on_init_error(self, answer: Answer) -> None:
        """See RuntimeEvents."""
        self.told.append("init error")

    def on_truncated(self) -> None:
        """See RuntimeEvents."""
        self.told.append("truncated")

    def signal(self, number: int) -> None:
        """See SandboxProcess."""
        self.signals.append(number)


@dataclass
class Peer:
    """The function's end of the connection."""

    api: RuntimeApi
    seen: Seen
    connection: socket.socket
    encoder: Encoder = field(default_factory=Encoder)

    async def say(self, data: bytes) -> None:
        """Send, and let the client read."""
        await asyncio.get_running_loop().sock_sendall(self.connection, data)
        await self.settle()

    async def settle(self) -> None:
        """Let the client act."""
        for _ in range(20):
            await asyncio.sleep(0.001)

    def answer(self, sequence: int, kind: Struct, value: dict[str, object], error: str = "") -> bytes:
        """One response of net/rpc."""
        head = {"ServiceMethod": "Function.Any", "Seq": sequence, "Error": error}
        return self.encoder.encode(RESPONSE, head) + self.encoder.encode(kind, value)

    async def heard(self) -> bytes:
        """What the client has sent so far."""
        await self.settle()
        try:
            return self.connection.recv(1 << 20)
        except BlockingIOError:
            return b"(nothing)"


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A client that has just connected."""
    seen = Seen()
    api = RuntimeApi(seen)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: GoRpc(api, seen), sock=ours)
    yield Peer(api=api, seen=seen, connection=theirs)
    transport.abort()
    theirs.close()


async def test_ping_then_invoke_then_the_next(peer: Peer) -> None:
    """The first answer ends INIT; each result is followed by the readiness for another event."""
    assert values(await peer.heard()) == [{"ServiceMethod": "Function.Ping"}, {}]
    await peer.say(peer.answer(0, PING, {}))
    assert peer.seen.told == ["next"]
    peer.api.offer(EVENT)
    assert b"Function.Invoke" in await peer.heard()
    await peer.say(peer.answer(1, INVOKE, {"Payload": b'"done"'}))
    assert peer.seen.told == ["next", Answer(b'"done"'), "next"]


async def test_a_panic_ends_the_process(peer: Peer) -> None:
    """ShouldExit: the answer is the panic, the process is killed, and it is asked nothing more (X2)."""
    pinged = RESPONSES.index(bytes.fromhex("16ff80010f46"))
    await peer.say(RESPONSES[:pinged])
    peer.api.offer(EVENT)
    rest = RESPONSES[pinged:]
    result, panic = rest.index(bytes.fromhex("0cff84")), rest.index(bytes.fromhex("21ff84"))
    await peer.say(rest[:result] + rest[panic:])
    body = b'{"errorMessage":"m","errorType":"t","stackTrace":[{"path":"p","line":70000,"label":"l"},'
    assert peer.seen.told == ["next", Answer(body + b'{"path":"","line":-3,"label":"k"}]}', "t")]
    assert peer.seen.signals == [9]


async def test_an_error_of_the_protocol_is_the_answer(peer: Peer) -> None:
    """net/rpc puts it into the response's head, and an empty struct behind it."""
    await peer.say(peer.answer(0, PING, {}))
    peer.api.offer(EVENT)
    await peer.say(peer.answer(1, PING, {}, error="rpc: can't find service"))
    body = b'{"errorMessage":"rpc: can\'t find service","errorType":"Runtime.RPCError"}'
    assert peer.seen.told[1] == Answer(body, "Runtime.RPCError")


async def test_a_payload_beyond_the_limit_is_read_and_told(peer: Peer) -> None:
    """It takes no memory, and the function goes on."""
    await peer.say(peer.answer(0, PING, {}))
    peer.api.offer(EVENT)
    large = peer.answer(1, INVOKE, {"Payload": bytes(MAX_PAYLOAD_BYTES + 1024 * 1024)})
    await peer.say(large)
    assert peer.seen.told == ["next", Answer(b"", None, too_large=True), "next"]
    peer.api.offer(EVENT)
    await peer.say(peer.answer(2, INVOKE, {"Payload": b"1"}))
    assert peer.seen.told[3:] == [Answer(b"1"), "next"]


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(4000), b"\xf8" + b"\xff" * 8, b"\xfc\x7f\xff\xff\xff", b"\x01"],
)
async def test_what_is_no_answer_ends_the_connection(peer: Peer, data: bytes) -> None:
    """During a call that is a truncated response; the client holds nothing of it."""
    await peer.say(peer.answer(0, PING, {}))
    peer.api.offer(EVENT)
    await peer.say(data)
    peer.connection.close()
    await peer.settle()
    assert peer.seen.told == ["next", "truncated"]


async def test_an_answer_to_another_call_is_no_answer(peer: Peer) -> None:
    """A sequence number that was not asked."""
    await peer.say(peer.answer(0, PING, {}))
    peer.api.offer(EVENT)
    await peer.say(peer.answer(7, INVOKE, {"Payload": b"1"}))
    assert peer.seen.told == ["next", "truncated"]
