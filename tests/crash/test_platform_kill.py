"""SIGKILL of a whole platform at random moments loses nothing that a client was told is done, and leaves nothing.

The ledger and the clients live in this process; the platform is one like a user's, on one folder and one port.
"""

import time
from pathlib import Path

import pytest

from tests.crash.conftest import Tell
from tests.crash.lives import WITHIN, Lives

REPORT_EVERY = 25
ROUND = 20
"""Every kind of death has its turn within so many."""


def kill_many(folder: Path, kills: int, seed: int, *options: str, tell: Tell = lambda text: None) -> None:
    """So many lives, and the judgement."""
    begin = time.monotonic()
    with Lives(folder, seed, options) as lives:
        for done in range(1, kills + 1):
            lives.next_death()
            if done % REPORT_EVERY == 0:
                tell(f"platform, seed {seed}: {done} of {kills} kills, {time.monotonic() - begin:.0f} s")
        lives.judge()
        assert len(lives.ledger.events) >= kills // 8  # at least one of each life that puts some
        tell(f"platform, seed {seed}: {dict(lives.deaths)} of {kills} kills, each within the transaction")
        if kills >= ROUND:
            assert lives.deaths.keys() == {*WITHIN, "migration"}


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Objects, uploads, buckets, functions and log lines are as acknowledged; every event has had its effect."""
    kill_many(tmp_path, 34, 2026)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", [("--driver", "process"), ("--durability", "power")], ids=lambda it: it[1])
def test_nothing_is_lost_with_other_drivers_and_durability(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The same, shorter."""
    kill_many(tmp_path, 8, 7, *options)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_nothing_acknowledged_is_lost_in_many_kills(tmp_path: Path, seed: int, tell: Tell) -> None:
    """The same, 100 kills on one folder, with ten seeds."""
    kill_many(tmp_path, 100, seed, tell=tell)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("launchers", [False, True], ids=["platform", "platform and launchers"])
@pytest.mark.parametrize("driver", ["auto", "process"])
def test_no_sandbox_outlives_its_platform(tmp_path: Path, driver: str, launchers: bool) -> None:
    """Frozen processes cannot see that nobody asks them any more; they go without the help of another start.

    Only the empty cgroups of launchers that were killed too have to wait for it.
    """
    with Lives(tmp_path, 1, ("--driver", driver)) as lives:
        lives.die_frozen(launchers=launchers)
        assert lives.survivors() == []
        assert lives.kernel_leftovers() == []
        assert launchers or lives.groups_left() == []
        with lives.alive():
            pass
        assert lives.groups_left() == []


@pytest.mark.timeout(600)
def test_the_log_of_a_function_survives(tmp_path: Path) -> None:
    """Its lines are written within 100 ms or so, whether or not anybody asks; SIGKILL loses what is younger."""
    with Lives(tmp_path, 2) as lives:
        lives.die_frozen(launchers=False)
        with lives.alive():
            events = lives.clients.logs.filter_log_events(logGroupName="/aws/lambda/effect")["events"]
    kinds = [event["message"].split()[0] for event in events]
    assert [kind for kind in kinds if kind in ("START", "END", "REPORT")] == ["START", "END", "REPORT"]
