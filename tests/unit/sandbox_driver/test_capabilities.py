"""What `undercast doctor` says of the drivers: the same promises, kept to different degrees."""

from pathlib import Path

from undercast.sandbox.drivers.namespace import NamespaceDriver
from undercast.sandbox.drivers.process import ProcessDriver


def test_both_drivers_speak_of_the_same_promises(tmp_path: Path) -> None:
    """What one cannot give at all is told as "none" with its fix, not left out."""
    namespace, process = NamespaceDriver(tmp_path / "a").capabilities(), ProcessDriver(tmp_path / "b").capabilities()
    assert {promise.name for promise in namespace.promises} == {promise.name for promise in process.promises}
    assert [promise.name for promise in process.promises if promise.strength != "hard" and not promise.fix] == []


def test_unmodified_sdks_are_a_promise(tmp_path: Path) -> None:
    """X3: AWS's own host names lead to the platform only where a sandbox has a resolver of its own."""
    found = {
        driver.name: {promise.name: promise.strength for promise in driver.capabilities().promises}
        for driver in (NamespaceDriver(tmp_path / "a"), ProcessDriver(tmp_path / "b"))
    }
    assert found["namespace"]["AWS's host names lead here"] == "hard"
    assert found["process"]["AWS's host names lead here"] == "none"
