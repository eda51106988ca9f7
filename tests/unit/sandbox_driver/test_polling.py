"""Looking at processes and folders without the kernel's help."""

import os
from pathlib import Path

from undercast.sandbox.polling import Asked, folder_exceeds, look, tree_of_listing


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


def test_one_round_looks_at_all_sandboxes() -> None:
    """This process as two sandboxes: one within its limit, one beyond; a process that is left out is not counted."""
    me = os.getpid()
    within, beyond, nothing = look([Asked((me,), 1 << 40), Asked((me,), 1), Asked((me,), 1, without=me)])
    assert (within.over, beyond.over) == (False, True)
    assert within.used_bytes > 0
    assert me not in nothing.tree
