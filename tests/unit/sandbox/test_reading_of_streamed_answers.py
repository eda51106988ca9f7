"""When a runtime's connection is read: while a slow caller takes its answer, behind it, and beside answers unread."""

import asyncio

import pytest

from tests.unit.sandbox.test_runtime_api_limits import NEXT, Seen, Wire, connected
from undercast.sandbox.response_stream import ResponseStream
from undercast.sandbox.runtime_api import RuntimeApi, RuntimeEvent
from undercast.sandbox.runtime_messages import Answer

HIGH = 256 * 1024
HEAD = (
    b"POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1\r\nHost: h\r\n"
    b"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
)


class Invoked(Seen):
    """RuntimeEvents of one streamed invocation, which ends as the Lambda service ends it: behind the answer."""

    def __init__(self, stream: ResponseStream) -> None:
        super().__init__()
        self.stream = stream
        self.asked = asyncio.Event()

    def on_next(self) -> None:
        """The runtime waits."""
        super().on_next()
        self.asked.set()

    def on_response(self, answer: Answer) -> None:
        """The task of the invocation ends in a later turn of the loop."""
        super().on_response(answer)
        asyncio.get_running_loop().call_soon(self.stream.end)


def offered(events: Seen, stream: ResponseStream) -> RuntimeApi:
    """A Runtime API whose next event is streamed."""
    api = RuntimeApi(events)
    api.offer(RuntimeEvent(request_id="r-1", payload=b"1", deadline_ms=1, invoked_arn="a", stream=stream))
    return api


def chunk(size: int) -> bytes:
    """One of a chunked body."""
    return b"%x\r\n%b\r\n" % (size, b"x" * size)


def pouring(stream: ResponseStream, size: int = HIGH + 1) -> tuple["asyncio.Protocol", Wire]:
    """A connection that has read so much of an answer."""
    connection, wire = connected(offered(Seen(), stream))
    connection.data_received(HEAD)
    connection.data_received(chunk(size))
    return connection, wire


@pytest.mark.parametrize("size", [n * HIGH + more for n in (1, 2, 4, 8) for more in (-65_536, -1, 0, 1, 65_536)])
async def test_next_behind_a_streamed_answer_is_read(size: int) -> None:
    """However long the answer, and however slowly it is taken: else the environment waits for its deadline."""
    stream = ResponseStream()
    events = Invoked(stream)
    api = offered(events, stream)
    server = await asyncio.get_running_loop().create_server(api.connection, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())

    async def runtime() -> None:
        writer.write(HEAD + chunk(size) + b"0\r\n\r\n")
        await reader.readuntil(b'{"status":"OK"}\n')
        writer.write(NEXT)

    taken = 0
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(runtime())
        async for piece in stream.pieces():
            taken += len(piece)
            await asyncio.sleep(0.01)
        await events.asked.wait()
    writer.transport.abort()
    server.close()
    await api.closed(5)
    assert (taken, len(events.answers)) == (size, 1)


async def test_connection_is_read_again_when_its_invocation_ends() -> None:
    """The last read may have been the one too much: nobody takes for the sake of a source that has nothing left."""
    stream = ResponseStream()
    _, wire = pouring(stream)
    assert wire.paused
    stream.end()
    assert not wire.paused


async def test_reading_rests_until_both_reasons_are_gone() -> None:
    """A runtime that reads its answers does not make its slow caller faster, nor the other way round."""
    stream = ResponseStream()
    connection, wire = pouring(stream)
    connection.pause_writing()
    connection.resume_writing()
    assert wire.paused
    connection.pause_writing()
    await anext(stream.pieces())
    assert wire.paused
    connection.resume_writing()
    assert not wire.paused


async def test_what_is_poured_into_an_answer_that_is_over_is_not_kept() -> None:
    """Another connection has answered: what the first one still sends is nobody's, and waits for nobody."""
    stream = ResponseStream()
    connection, wire = pouring(stream, 1)
    stream.end()
    connection.data_received(chunk(2 * HIGH))
    assert not wire.paused
    assert [piece async for piece in stream.pieces()] == [b"x"]


async def test_second_streamed_answer_does_not_mix_with_the_first() -> None:
    """A function may post on two connections at once; only the first one streams, and each keeps to its limits."""
    stream = ResponseStream()
    api = offered(Seen(), stream)
    (first, wire), (second, _) = connected(api), connected(api)
    for connection in (first, second):
        connection.data_received(HEAD)
    second.data_received(chunk(HIGH))
    assert api.held_bytes == HIGH
    first.data_received(chunk(HIGH + 1))
    assert wire.paused
    assert len(await anext(stream.pieces())) == HIGH + 1
    assert not wire.paused
