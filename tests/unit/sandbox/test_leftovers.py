"""Folders of runtimes that nothing uses any more go at a start."""

import os
from pathlib import Path

from undercast.sandbox.runtimes.lang import lang_folder
from undercast.sandbox.runtimes.leftovers import KEPT_S, put_aside, remove_unused

NOW = 1_800_000_000.0


def made(runtimes: Path, name: str, age_s: float = 0.0) -> Path:
    """A folder that was used so long ago."""
    folder = runtimes / name
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "file").touch()
    os.utime(folder, (NOW - age_s, NOW - age_s))
    return folder


def names(runtimes: Path) -> set[str]:
    """What is there."""
    return {path.name for path in runtimes.iterdir()}


def test_folders_of_other_versions_and_of_long_ago_go(tmp_path: Path) -> None:
    """`bin-*` were an older version's; what was used within 30 days stays, for it takes time to make."""
    made(tmp_path, "bin-0123456789abcdef")
    made(tmp_path, "python3.11-0123456789abcdef.draft")
    made(tmp_path, "python3.11-old", KEPT_S + 1)
    kept = {made(tmp_path, name, KEPT_S - 60).name for name in ("python3.11-0", "lang-0", "java-0", "nodejs-3-0")}
    put_aside(tmp_path, NOW)
    assert kept == {name for name in names(tmp_path) if not name.endswith(".unused")}, "they have their names no more"
    remove_unused(tmp_path)
    assert names(tmp_path) == kept
    put_aside(tmp_path / "missing", NOW)
    remove_unused(tmp_path / "missing")


def test_a_folder_that_is_used_is_young_again(tmp_path: Path) -> None:
    """Else it would go at the start behind its 30th day, and be made anew."""
    folder = lang_folder(tmp_path, {"bin/node": Path("/usr/bin/env")})
    os.utime(folder, (NOW - 2 * KEPT_S, NOW - 2 * KEPT_S))
    assert lang_folder(tmp_path, {"bin/node": Path("/usr/bin/env")}) == folder
    put_aside(tmp_path, folder.stat().st_mtime + KEPT_S - 1)
    assert names(tmp_path) == {folder.name}


def test_what_was_put_aside_and_left_goes_at_the_next_start(tmp_path: Path) -> None:
    """The platform may be killed before it has removed it; it is put aside once."""
    made(tmp_path, "bin-0")
    put_aside(tmp_path, NOW)
    put_aside(tmp_path, NOW)
    assert names(tmp_path) == {"bin-0.unused"}
    remove_unused(tmp_path)
    assert names(tmp_path) == set()
