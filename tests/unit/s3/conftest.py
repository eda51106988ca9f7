"""S3 without sockets: the operations on a real database and blob store, and a context that tests can bend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from tests.state import open_state
from tests.unit.s3.bench import Bench, bench_on
from undercast.services.s3.schema import SCHEMA


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def s3(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Bench]:
    """A bench with one bucket, "bkt"."""
    async with open_state(tmp_path, clock, schemas={"s3": SCHEMA}) as state:
        bench = bench_on(state, clock)
        await bench.call("CreateBucket", Bucket="bkt")
        yield bench
        assert await state.blobs.audit() == ()
