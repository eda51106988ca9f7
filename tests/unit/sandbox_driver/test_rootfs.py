"""The template of a sandbox's file system."""

from pathlib import Path

from undercast.sandbox.releases import FILES, release_of, write
from undercast.sandbox.rootfs import lang_binds, prefix_binds, template
from undercast.sandbox.runtimes.lang import lang_folder
from undercast.sandbox.runtimes.table import RUNTIMES


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


def test_programs_and_library_of_a_runtime_are_below_var_lang(tmp_path: Path) -> None:
    """Each is mounted on a place of the same kind, so that nothing has to be made in the root that sandboxes share."""
    program, library = tmp_path / "bin/python3.11", tmp_path / "lib/python3.11"
    for folder in (program.parent, library):
        folder.mkdir(parents=True)
    program.touch()
    made = lang_folder(tmp_path, {"bin/python3": program, "lib/python3.11": library})
    empty, *over = lang_binds(made)
    assert empty[1] == "/var/lang"
    assert over == [
        (str(program), "/var/lang/bin/python3"),
        (str(library), "/var/lang/lib/python3.11"),
    ]
    for source, target in over:
        place = Path(empty[0], Path(target).relative_to("/var/lang"))
        assert place.is_dir() == Path(source).is_dir() and not place.is_symlink()


def test_a_library_as_a_whole_takes_the_place_of_lib(tmp_path: Path) -> None:
    """A JVM's lib: the link is not put into the folder that waits there for others."""
    (tmp_path / "jvm/lib").mkdir(parents=True)
    made = lang_folder(tmp_path, {"lib": tmp_path / "jvm/lib"})
    assert lang_binds(made)[1:] == [(str(tmp_path / "jvm/lib"), "/var/lang/lib")]


def test_every_runtime_names_a_release(tmp_path: Path) -> None:
    """AWS: "Lambda runtimes", operating system of each identifier; the files are readable for a function's user."""
    old, two = release_of("go1.x"), release_of("python3.11")
    assert (old, two, release_of("python3.12"), release_of("nodejs20.x")) == ("al1", "al2", "al2023", "al2023")
    write(tmp_path)
    for release in {release_of(runtime) for runtime in RUNTIMES}:
        for name, text in FILES[release].items():
            assert (tmp_path / release / name).read_text() == text
            assert (tmp_path / release / name).stat().st_mode & 0o777 == 0o644
    assert 'VERSION_ID="2023"' in FILES["al2023"]["os-release"]
