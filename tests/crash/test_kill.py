"""SIGKILL at random moments loses nothing that was acknowledged (I6) and leaves nothing half-done.

The ledger lives in this process; the killed one is tests/crash/worker.py.
"""

import sys
import time
from pathlib import Path

import pytest

from tests.crash.conftest import Tell
from tests.crash.ledger import LEAST_EVENTS, Killer, Ledger, Victim


def run(folder: Path, number: int, durability: str, step: str, ledger: Ledger) -> Victim:
    return Victim([sys.executable, "-m", "tests.crash.worker", str(folder), str(number), durability, step], ledger)


def kill_many(folder: Path, kills: int, seed: int, durability: str, *, tell: Tell = lambda text: None) -> Ledger:
    """So many runs, each killed; then one that ends by itself with every delivery done."""
    begin = time.monotonic()
    ledger = Ledger()
    killer = Killer(seed)
    for number in range(kills):
        killer.strike(lambda step, number=number: run(folder, number, durability, str(step), ledger))  # type: ignore[misc]
        assert ledger.problems == []
    last = run(folder, kills, durability, "drain", ledger)
    assert last.finish() == 0
    tell(f"store, seed {seed}: {kills} kills, {time.monotonic() - begin:.0f} s")
    ledger.check_effects()
    return ledger


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("durability", "kills"), [("process", 14), ("power", 6)])
def test_nothing_acknowledged_is_lost(tmp_path: Path, durability: str, kills: int) -> None:
    """Every object holds what was acknowledged, every event had its effect, no blob without row or row without blob."""
    ledger = kill_many(tmp_path, kills, 20260, durability)
    assert ledger.problems == []
    assert len(ledger.events) >= LEAST_EVENTS * len(range(0, kills, 3))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_nothing_acknowledged_is_lost_in_many_kills(tmp_path: Path, seed: int, tell: Tell) -> None:
    """The same, 100 kills on one folder, with ten seeds."""
    assert kill_many(tmp_path, 100, seed, "process", tell=tell).problems == []
