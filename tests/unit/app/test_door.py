"""The first step of a start, when it fails."""

import gc
from pathlib import Path

import pytest

from undercast.app import door
from undercast.app.ending import Ending
from undercast.app.errors import CannotStart
from undercast.core.config import Config
from undercast.store.errors import StoreError
from undercast.store.folder import holder


def open_files() -> list[Path]:
    """Of this process."""
    return sorted(Path("/dev/fd").iterdir())


@pytest.mark.parametrize(
    ("part", "error", "expected"),
    [
        ("versions_in", StoreError("newer data"), CannotStart),
        ("bind", OSError(98, "in use"), CannotStart),
        ("_token", OSError(28, "disk full"), OSError),
        ("FrontDoor", MemoryError(), MemoryError),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
async def test_nothing_stays_open_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, error: Exception, expected: type[Exception]
) -> None:
    """Databases, lock and port; the next start in this process may have them."""

    def fail(*_: object) -> None:
        raise error

    config = Config(data_dir=tmp_path / "data", port=0)
    gc.collect()  # files that earlier tests left to the collector are closed now, not in the middle
    before = open_files()
    with monkeypatch.context() as broken:
        broken.setattr(door, part, fail)
        with pytest.raises(expected) as caught:
            door.open_door(config)
    assert open_files() == before, caught
    assert holder(config.data_dir) is None
    ending = Ending()
    await door.open_door(config).close(ending)
    assert ending.failed == []
    assert open_files() == before
