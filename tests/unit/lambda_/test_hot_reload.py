"""What tells the state of a folder from any other."""

import os
from pathlib import Path

import pytest

from undercast.services.lambda_ import hot_reload
from undercast.services.lambda_.hot_reload import look


def test_every_change_of_a_file_is_seen(tmp_path: Path) -> None:
    """Content of the same length, a new mode, an old time that was set back, a new name, a link, a deletion."""
    file = tmp_path / "inner" / "app.py"
    file.parent.mkdir()
    file.write_text("one")
    seen = [look(tmp_path)[0]]
    assert look(tmp_path)[0] == seen[0]

    def changed() -> None:
        seen.append(look(tmp_path)[0])
        assert len(set(seen)) == len(seen)

    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed()
    file.chmod(0o755)
    changed()
    file.rename(file.with_name("other.py"))
    changed()
    (tmp_path / "link").symlink_to("/nowhere")
    changed()
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("/elsewhere")
    changed()
    (tmp_path / "link").unlink()
    (tmp_path / "inner" / "other.py").unlink()
    changed()


def test_what_is_not_the_functions_changes_nothing(tmp_path: Path) -> None:
    """Caches and version control are not looked into; node_modules as a whole, which a package manager changes."""
    (tmp_path / "app.py").write_text("code")
    (tmp_path / "node_modules" / "one").mkdir(parents=True)
    first = look(tmp_path)
    for name in (".git", "__pycache__"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("x")
    assert look(tmp_path) == first == (first[0], 4)
    (tmp_path / "node_modules" / "two").mkdir()
    assert look(tmp_path) != first


def test_a_folder_that_would_take_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each invoke asks for the time of every file."""
    assert hot_reload.MAX_FILES == 20_000
    monkeypatch.setattr(hot_reload, "MAX_FILES", 3)
    for number in range(4):
        (tmp_path / str(number)).write_text("")
    with pytest.raises(OSError, match="more than 3 files"):
        look(tmp_path)
