"""Bodies in memory: read whole, without holding up others."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError

PART = b"0123456789abcdef" * 4096


async def _parts(number: int, at_the_end: list[str]) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield PART
    asyncio.get_running_loop().call_soon(at_the_end.append, "others had a turn")


@pytest.mark.parametrize(("number", "turns"), [(4, []), (64, ["others had a turn"])])
async def test_a_large_body_is_put_together_beside_the_loop(number: int, turns: list[str]) -> None:
    """Between its last part and the whole others have their turn: 50 MB would stop them for 40 ms."""
    seen: list[str] = []
    assert await BodyStream(_parts(number, seen), None).read() == PART * number
    assert seen == turns


async def test_a_body_beyond_the_limit_is_refused() -> None:
    """In AWS's words for a request that is too large."""
    with pytest.raises(ServiceError) as caught:
        await BodyStream(_parts(64, []), None).read(len(PART) * 63)
    assert caught.value.code == "RequestEntityTooLargeException"
