"""A streamed answer between a runtime's connection and its caller."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from undercast.sandbox import response_stream
from undercast.sandbox.response_stream import MAX_STREAM_BYTES, ResponseStream, paced


class Valve:
    """A source that notes what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def rest(self) -> None:
        self.told.append("rest")

    def go_on(self) -> None:
        self.told.append("go on")


async def collect(stream: ResponseStream) -> bytes:
    """Everything until its end."""
    return b"".join([piece async for piece in stream.pieces()])


async def test_pieces_come_in_order_until_the_end() -> None:
    """A caller that waits is woken by each."""
    stream = ResponseStream()
    collecting = asyncio.create_task(collect(stream))
    await asyncio.sleep(0)
    stream.begin("text/plain", Valve())
    for piece in (b"a", b"b", b"c"):
        assert stream.pour(piece)
        await asyncio.sleep(0)
    stream.end()
    assert await collecting == b"abc"
    assert (stream.begun, stream.content_type) == (True, "text/plain")


async def test_a_source_rests_while_its_caller_does_not_take() -> None:
    """More than 256 KiB are not read ahead."""
    stream, valve = ResponseStream(), Valve()
    stream.begin("", valve)
    for _ in range(5):
        stream.pour(b"x" * 65_536)
    assert valve.told == ["rest"]
    stream.end()
    assert len(await collect(stream)) == 5 * 65_536


async def test_a_source_goes_on_when_its_caller_has_taken() -> None:
    """And when its caller leaves: then the rest goes to waste."""
    stream, valve = ResponseStream(), Valve()
    stream.begin("", valve)
    pieces = stream.pieces()
    stream.pour(b"x" * 300_000)
    assert len(await anext(pieces)) == 300_000
    assert valve.told == ["rest", "go on"]
    stream.pour(b"y" * 300_000)
    await pieces.aclose()  # type: ignore[attr-defined]
    assert valve.told == ["rest", "go on", "rest", "go on"]
    assert stream.pour(b"z" * 300_000)
    assert valve.told == ["rest", "go on", "rest", "go on"]


async def test_two_hundred_megabytes_are_the_limit() -> None:
    """The piece that goes beyond is refused."""
    stream = ResponseStream()
    stream.begin("", Valve())
    pieces = stream.pieces()
    for _ in range(MAX_STREAM_BYTES // 2**20):
        assert stream.pour(bytes(2**20))
        await anext(pieces)
    assert not stream.pour(b"x")


async def test_opened_returns_at_the_beginning_or_at_the_end() -> None:
    """A runtime that does not stream never begins."""
    stream = ResponseStream()
    waiting = asyncio.create_task(stream.opened())
    await asyncio.sleep(0)
    assert not waiting.done()
    stream.end()
    await waiting
    assert not stream.begun


async def test_pacing_changes_no_byte() -> None:
    """6 MB at once, what follows in tenths of a second's 2 MB."""
    given = [b"a" * (6 * 2**20 - 1), b"b" * 100_000, b"c" * 150_000]

    async def source() -> AsyncIterator[bytes]:
        for piece in given:
            yield piece

    got = [piece async for piece in paced(source())]
    assert b"".join(got) == b"".join(given)
    assert max(len(piece) for piece in got[1:]) <= 2 * 2**20 // 10


async def test_behind_the_burst_two_megabytes_come_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted on a clock that only the pauses move; the burst is one of the answer, not of each piece."""
    seconds, came = 0.0, 0

    def every(length_s: float) -> Callable[[], Awaitable[None]]:
        async def pause() -> None:
            nonlocal seconds
            seconds += length_s

        return pause

    async def source() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(2**20)

    monkeypatch.setattr(response_stream, "every", every)
    async for piece in paced(source()):
        came += len(piece)
        assert came - 6 * 2**20 <= 2 * 2**20 * seconds + 1
    assert (came, round(seconds, 6)) == (10 * 2**20, 2.0)
