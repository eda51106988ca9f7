"""A stop goes on whatever one part of it does."""

import asyncio

import pytest

from undercast.app.quiescing import quiesced


async def raises() -> None:
    raise OSError("disk full")


async def hangs() -> None:
    await asyncio.get_running_loop().create_future()


async def test_one_that_fails_keeps_nobody_from_ending(caplog: pytest.LogCaptureFixture) -> None:
    """The log says who; the others are waited for."""
    ended: list[str] = []

    async def slow() -> None:
        await asyncio.sleep(0)
        ended.append("slow")

    await quiesced({"pipes": raises(), "lambda": slow()}, 30)
    assert ended == ["slow"]
    assert [record.getMessage() for record in caplog.records] == ["the stop of pipes failed"]
    assert "disk full" in caplog.text


async def test_one_that_does_not_end_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """After the limit, with a line in the log."""
    await quiesced({"pipes": hangs()}, 0)
    assert [record.getMessage() for record in caplog.records] == [
        "the stop of pipes has not ended after 0.0 s and is left"
    ]
