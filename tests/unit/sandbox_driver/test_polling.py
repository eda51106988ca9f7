"""Looking at processes and folders without the kernel's help."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from undercast.sandbox.polling import Asked, folder_exceeds, look, tree_of_listing, weigh
from undercast.sandbox.trees import remove_tree


def test_the_tree_of_a_ps_listing() -> None:
    """Descendants of the roots only, sizes in bytes."""
    listing = "  1 0 10\n 20 1 100\n 21 20 200\n 22 21 300\n 30 1 999\n"
    assert tree_of_listing(listing, [20]) == {20: 102400, 21: 204800, 22: 307200}


def test_a_folder_is_measured_in_blocks_with_what_is_below(tmp_path: Path) -> None:
    """Sparse files count what they take on disk; links are not followed."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below/file").write_bytes(b"x" * 100_000)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "link").symlink_to("/usr")
    assert folder_exceeds(str(tmp_path), 100_000)
    assert not folder_exceeds(str(tmp_path), 200_000)


def test_a_walk_ends_when_it_is_sure(tmp_path: Path) -> None:
    """More files than blocks are over, too, though they are empty; nested deeper than Python calls they are counted."""
    for number in range(40):
        (tmp_path / str(number)).touch()
    assert folder_exceeds(str(tmp_path), 39 * 4096)
    assert not folder_exceeds(str(tmp_path), 40 * 4096)
    deep = [tmp_path]
    for _ in range(1200):
        deep.append(deep[-1] / "d")
        deep[-1].mkdir()
    (deep[-1] / "file").write_bytes(b"x" * 30_000_000)
    assert folder_exceeds(str(tmp_path), 25_000_000)
    (deep[-1] / "file").unlink()
    for folder in reversed(deep[1:]):  # pytest's own clearing up is recursive
        folder.rmdir()


def test_what_is_too_deep_to_be_measured_is_over(tmp_path: Path) -> None:
    """A path holds 4,096 bytes (path_resolution(7)): behind it a function could hide files of any size."""
    before = Path.cwd()
    top = tmp_path / "tmp"
    top.mkdir()
    try:
        os.chdir(top)
        for _ in range(20):
            Path("d" * 250).mkdir()
            os.chdir("d" * 250)
    finally:
        os.chdir(before)
    assert folder_exceeds(str(top), 1 << 40)
    remove_tree(top)
    assert not top.exists()


def test_a_link_in_the_place_of_a_folder_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function puts it there between two looks: root would walk through the host's files."""
    outside, inside = tmp_path / "host", tmp_path / "tmp"
    (outside / "below").mkdir(parents=True)
    (outside / "below/file").write_bytes(b"x" * 100_000)
    (inside / "a/below").mkdir(parents=True)
    real = os.open

    def swapped(path: str, flags: int) -> int:
        if path == f"{inside}/a/below":
            (inside / "a").rename(tmp_path / "was")
            (inside / "a").symlink_to(outside)
        return real(path, flags)

    monkeypatch.setattr(os, "open", swapped)
    assert not folder_exceeds(str(inside), 90_000)
    assert (inside / "a").is_symlink()


@pytest.mark.skipif(sys.platform != "linux", reason="memfd_create(2) is Linux's")
def test_memory_that_is_in_no_process_is_weighed() -> None:
    """A file of memory that nobody maps; one that is open twice counts once."""
    source = """
import os, sys
first = os.memfd_create("hidden")
os.write(first, b"x" * (40 << 20))
second = os.dup(first)
print("there", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        assert not look([Asked((process.pid,), 39 << 20)])[0].over
        assert weigh(Asked((process.pid,), 39 << 20)).over
        assert not weigh(Asked((process.pid,), 75 << 20)).over
        assert not weigh(Asked((process.pid,), 0)).over
        process.communicate("")


def test_one_round_looks_at_all_sandboxes() -> None:
    """This process as two sandboxes: one within its limit, one beyond; a process that is left out is not counted."""
    me = os.getpid()
    within, beyond, nothing = look([Asked((me,), 1 << 40), Asked((me,), 1), Asked((me,), 1, without=me)])
    assert (within.over, beyond.over) == (False, True)
    assert within.used_bytes > 0
    assert me not in nothing.tree
