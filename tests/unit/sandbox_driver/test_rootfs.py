"""The template of a sandbox's file system."""

from pathlib import Path

from undercast.sandbox.releases import FILES, release_of, write
from undercast.sandbox.rootfs import lang_binds, prefix_binds, template
from undercast.sandbox.runtimes.lang import lang_folder
from undercast.sandbox.runtimes.table import RUNTIMES
from undercast.services.lambda_.runtimes import IDENTIFIERS

OPERATING_SYSTEMS = {
    "al1": (
        "nodejs nodejs4.3 nodejs4.3-edge nodejs6.10 nodejs8.10 python2.7 python3.6 python3.7 java8 ruby2.5 go1.x "
        "dotnetcore1.0 dotnetcore2.0 dotnetcore2.1 provided"
    ),
    "al2": (
        "nodejs10.x nodejs12.x nodejs14.x nodejs16.x nodejs18.x python3.8 python3.9 python3.10 python3.11 "
        "java8.al2 java11 java17 ruby2.7 ruby3.2 dotnetcore3.1 dotnet6 provided.al2"
    ),
    "al2023": (
        "nodejs20.x nodejs22.x nodejs24.x nodejs26.x python3.12 python3.13 python3.14 python3.15 java8.al2023 "
        "java11.al2023 java17.al2023 java21 java25 ruby3.3 ruby3.4 ruby4.0 dotnet8 dotnet10 provided.al2023"
    ),
}
"""AWS: Lambda Developer Guide, "Lambda runtimes", of supported and of deprecated ones."""


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
    releases = {release: names.split() for release, names in OPERATING_SYSTEMS.items()}
    assert sorted(name for names in releases.values() for name in names) == sorted(IDENTIFIERS)
    for release, names in releases.items():
        assert {name: release_of(name) for name in names} == dict.fromkeys(names, release)
    write(tmp_path)
    for release in {release_of(runtime) for runtime in RUNTIMES}:
        for name, text in FILES[release].items():
            assert (tmp_path / release / name).read_text() == text
            assert (tmp_path / release / name).stat().st_mode & 0o777 == 0o644
    assert 'VERSION_ID="2023"' in FILES["al2023"]["os-release"]
