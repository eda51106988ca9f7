"""What `undercast doctor` says of the drivers: the same promises, kept to different degrees."""

from pathlib import Path

import pytest

from undercast.core.config import Config
from undercast.sandbox.drivers.capabilities import namespace_capabilities
from undercast.sandbox.drivers.choice import choose_driver
from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.drivers.process import ProcessDriver
from undercast.sandbox.limits import Cgroups
from undercast.sandbox.tmpdisk import TmpDisks

SPECIFICATION = Path(__file__).resolve().parents[3] / "SPECIFICATION.md"


def test_both_drivers_speak_of_the_same_promises(tmp_path: Path) -> None:
    """What one cannot give at all is told as "none" with its fix, not left out."""
    namespace, process = NamespaceDriver(tmp_path / "a").capabilities(), ProcessDriver(tmp_path / "b").capabilities()
    assert {promise.name for promise in namespace.promises} == {promise.name for promise in process.promises}
    assert [promise.name for promise in process.promises if promise.strength != "hard" and not promise.fix] == []


def test_the_promises_are_the_rows_of_the_specification(tmp_path: Path) -> None:
    """`undercast doctor` prints every row of the isolation table, by the name that it has there (up to its colon)."""
    table = SPECIFICATION.read_text("utf-8").partition("## Isolation")[2].partition("\n## ")[0]
    cells = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    # A row without cells for machines names tests of all the others.
    rows = {row[0].removeprefix("| ").partition(":")[0]: row for row in cells if len(row) > 5}
    del rows["promise"]
    for driver in (NamespaceDriver(tmp_path / "a"), ProcessDriver(tmp_path / "b")):
        assert {promise.name for promise in driver.capabilities().promises} == set(rows)
    for promise in ProcessDriver(tmp_path / "c").capabilities().promises:
        cell = rows[promise.name][5]
        assert promise.strength == ("best effort" if cell.startswith("*") else cell.partition(" ")[0]), promise.name


@pytest.mark.parametrize(("freezes", "strength"), [(True, "hard"), (False, "best effort")])
def test_a_freeze_by_signal_is_best_effort(tmp_path: Path, freezes: bool, strength: str) -> None:
    """SIGSTOP is sent and not awaited; the cgroup freezer tells when all have stopped."""
    cgroups = Cgroups(freezer_v1=tmp_path if freezes else None)
    found = namespace_capabilities(cgroups, TmpDisks(tmp_path), rootless=True)
    assert {promise.name: promise.strength for promise in found.promises}["Freeze"] == strength


def test_unmodified_sdks_are_a_promise(tmp_path: Path) -> None:
    """X3: AWS's own host names lead to the platform only where a sandbox has a resolver of its own."""
    found = {
        driver.name: {promise.name: promise.strength for promise in driver.capabilities().promises}
        for driver in (NamespaceDriver(tmp_path / "a"), ProcessDriver(tmp_path / "b"))
    }
    assert found["namespace"]["AWS's host names lead here"] == "hard"
    assert found["process"]["AWS's host names lead here"] == "none"


def test_who_chooses_the_process_driver_is_told_what_it_lacks(tmp_path: Path) -> None:
    """The line stands below the ready line."""
    assert "no wall" in choose_driver(Config(data_dir=tmp_path, driver="process"), tmp_path).notice
    assert choose_driver(Config(data_dir=tmp_path, driver="namespace"), tmp_path).notice == ""
