"""State, a clock that stands still, and a router with targets that tests command."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.events.recording import Bench, open_bench
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def bench(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path, clock) as opened:
        yield opened
