"""Looking at processes and folders without the kernel's help."""

from pathlib import Path

from undercast.sandbox.polling import folder_bytes, tree_of_listing


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
    assert 100_000 <= folder_bytes(str(tmp_path)) < 200_000
