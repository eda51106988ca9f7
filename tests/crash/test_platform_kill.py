"""SIGKILL of a whole platform at random moments loses nothing that a client was told is done, and leaves nothing.

The ledger and the clients live in this process; the platform is one like a user's, on one folder and one port.
"""

from pathlib import Path

import pytest

from tests.crash.lives import Lives


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Objects, uploads, buckets, functions and log lines are as acknowledged; every event has had its effect."""
    with Lives(tmp_path, seed=2026) as lives:
        for _ in range(50):
            lives.next_death()
        lives.judge()
    assert len(lives.ledger.events) > 50


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_nothing_acknowledged_is_lost_in_many_kills(tmp_path: Path, seed: int) -> None:
    """The same, 100 kills on one folder, with ten seeds."""
    with Lives(tmp_path, seed=seed) as lives:
        for _ in range(100):
            lives.next_death()
        lives.judge()
