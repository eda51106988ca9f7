"""The template of a sandbox's file system."""

from pathlib import Path

from undercast.sandbox.rootfs import prefix_binds, template


def test_prefixes_keep_their_path_and_system_folders_are_not_bound_twice(tmp_path: Path) -> None:
    """A prefix that is a link is there under both names."""
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to(real)
    assert prefix_binds([Path("/usr"), Path("/usr/local"), link]) == [(str(link), str(link)), (str(real), str(real))]


def test_the_template_names_nothing_of_the_user(tmp_path: Path) -> None:
    """Only system folders, generated files and what was asked for."""
    made = template([tmp_path], None, None)
    allowed = ("/usr", "/bin", "/sbin", "/lib", "/etc/", str(tmp_path))
    assert all(source.startswith(allowed) for source, _ in made.binds)
    assert "nameserver 127.0.0.1" in made.files["/etc/resolv.conf"]
    assert "sbx_user1051:x:993:990" in made.files["/etc/passwd"]
