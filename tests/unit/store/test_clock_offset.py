"""The platform clock's offset and jumps in the store."""

from pathlib import Path

from tests.fakes import START, FakeClock, FakeHostClock
from undercast.core.clock import MOST_JUMPS, PlatformClock
from undercast.store import clock_offset
from undercast.store.database import Database
from undercast.store.migrations import migrate
from undercast.store.schema import CLOCK


def test_a_clock_knows_what_it_jumped_over_behind_a_restart(tmp_path: Path) -> None:
    """What was jumped over is no time that has passed; the latest jumps are kept."""
    database, clock = Database.open(tmp_path / "state.db"), FakeClock()

    def advance(seconds: float) -> None:
        offset_s = clock.offset_s + seconds
        database.write_now(lambda tx: clock_offset.keep_offset(tx, offset_s, clock.now()))
        clock.advance(seconds)

    try:
        migrate(database, "clock", CLOCK[:1])
        migrate(database, "clock", CLOCK)
        advance(100)
        clock.tick(50)
        advance(0)
        advance(10)
        host = FakeHostClock(clock.host.now() + 1000)
        later = PlatformClock(host, clock_offset.offset_of(database), clock_offset.jumps_of(database))
        for one in (clock, later):
            ages = (START, START + 40, START + 100, START + 155, START + 160, START + 999)
            assert [one.jumped_s(since) for since in ages] == [110, 70, 10, 5, 0, 0]
        assert later.now() == START + 1160
        for _ in range(MOST_JUMPS):
            advance(1)
        assert len(clock_offset.jumps_of(database)) == MOST_JUMPS
        assert clock.jumped_s(0) == MOST_JUMPS
    finally:
        database.drop()
