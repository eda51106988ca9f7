"""What `undercast runtimes install` loads: checked against its digest, unpacked safely, whole or not there."""

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from undercast.sandbox.runtimes.install import node
from undercast.sandbox.runtimes.install.command import Installer
from undercast.sandbox.runtimes.install.downloads import InstallError, download, replacing, unpack
from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.programs import ProgramLookup


@dataclass
class Registry:
    """A registry on this machine."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)

    def publish(self, name: str, versions: dict[str, bytes], *, lie: bool = False) -> None:
        """A package with its versions' archives."""
        document: dict[str, Any] = {"name": name, "versions": {}}
        for version, archive in versions.items():
            path = f"/{name}/-/{name}-{version}.tgz"
            self.files[path] = archive
            digest = base64.b64encode(hashlib.sha512(b"else" if lie else archive).digest()).decode()
            dist = {"tarball": self.url + path, "integrity": f"sha512-{digest}"}
            document["versions"][version] = {"dist": dist}
        self.files[f"/{name}"] = json.dumps(document).encode()


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An empty one."""
    found: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = found.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Registry(url=f"http://127.0.0.1:{server.server_port}", files=found)
    server.shutdown()
    thread.join()
    server.server_close()


def package(*entries: tuple[str, bytes | str], links: tuple[tuple[str, str], ...] = ()) -> bytes:
    """An npm package's archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in entries:
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return packed.getvalue()


def quiet(what: str, done: int, total: int) -> None:
    """A progress that nobody looks at."""


def test_the_newest_of_a_major_version_is_fetched_checked_and_unpacked(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """22.10.0 after 22.9.9; no pre-release, no other major; without the archive's outermost folder."""
    monkeypatch.setattr(node, "_build_name", lambda: "node-test")
    script = "#!/bin/sh\necho v22.10.0\n"
    versions = {"22.9.9": b"", "22.11.0-rc.1": b"", "23.0.0": b"", "22.10.0": package(("package/bin/node", script))}
    registry.publish("node-test", versions)
    steps: list[tuple[str, int, int]] = []
    place = node.install_interpreter(22, tmp_path, lambda *step: steps.append(step), registry.url)
    assert place == tmp_path / "nodejs/22.10.0"
    assert (place / "bin/node").read_text() == script
    assert steps[-1][0] == "node-test-22.10.0.tgz"
    assert steps[-1][1] == steps[-1][2] == len(versions["22.10.0"])
    assert [path.name for path in (tmp_path / "nodejs").iterdir()] == ["22.10.0"]


def test_a_digest_that_differs_leaves_nothing(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the archive nor a folder."""
    monkeypatch.setattr(node, "_build_name", lambda: "node-test")
    registry.publish("node-test", {"22.1.0": package(("package/bin/node", "x"))}, lie=True)
    with pytest.raises(InstallError, match="digest differs"):
        node.install_interpreter(22, tmp_path, quiet, registry.url)
    assert list((tmp_path / "nodejs").iterdir()) == []


def test_a_version_that_is_not_there_and_a_registry_that_is_not_there(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is told with what to look at."""
    monkeypatch.setattr(node, "_build_name", lambda: "node-test")
    registry.publish("node-test", {"20.1.0": b""})
    with pytest.raises(InstallError, match=r"no Node\.js 22 for this machine"):
        node.install_interpreter(22, tmp_path, quiet, registry.url)
    with pytest.raises(InstallError, match="Is there a network"):
        node.install_interpreter(22, tmp_path, quiet, registry.url + "/absent")
    with pytest.raises(InstallError, match="Is there a network"):
        download("http://127.0.0.1:9/x", tmp_path / "x", "sha256:0", quiet)


@pytest.mark.parametrize(
    "archive",
    [
        package(("package/../../out", "x")),
        package(("package//etc/out", "x"), links=(("package/link", "/etc"),)),
        package(links=(("package/link", "../../out"),)),
        b"no archive",
    ],
)
def test_an_archive_never_writes_outside_its_folder(tmp_path: Path, archive: bytes) -> None:
    """Parent folders, absolute links, links upwards."""
    (tmp_path / "a.tgz").write_bytes(archive)
    with pytest.raises(InstallError):
        unpack(tmp_path / "a.tgz", tmp_path / "in" / "folder")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "in" / "out").exists()


def test_an_installation_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    """The draft goes; what was there is there."""
    place = tmp_path / "sdk"
    with replacing(place) as draft:
        (draft / "old").touch()
    with pytest.raises(RuntimeError), replacing(place) as draft:
        (draft / "new").touch()
        raise RuntimeError
    assert [path.name for path in place.iterdir()] == ["old"]
    with replacing(place) as draft:
        (draft / "new").touch()
    assert [path.name for path in place.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["sdk"]


def test_what_is_installed_can_be_read_by_functions(tmp_path: Path) -> None:
    """Whatever the user's umask is: folders and programs may be entered and run by all, files be read."""
    with replacing(tmp_path / "sdk") as draft:
        (draft / "folder").mkdir(mode=0o700)
        for name, mode in (("file", 0o600), ("program", 0o700)):
            (draft / "folder" / name).touch()
            (draft / "folder" / name).chmod(mode)
    folder = tmp_path / "sdk/folder"
    modes = [path.stat().st_mode & 0o777 for path in (folder, folder / "file", folder / "program")]
    assert modes == [0o755, 0o644, 0o755]


@pytest.mark.parametrize(
    ("identifier", "told"),
    [("cobol74", "undercast runtimes list"), ("go1.x", "needs nothing"), ("provided.al2", "needs nothing")],
)
def test_what_cannot_be_installed_says_so(tmp_path: Path, identifier: str, told: str) -> None:
    """An unknown identifier, and runtimes that are the package's own."""
    lookups = PythonLookup((), tmp_path), ProgramLookup((), tmp_path)
    installer = Installer(pythons=lookups[0], programs=lookups[1], installs=tmp_path, progress=quiet)
    with pytest.raises(InstallError, match=told):
        installer.install(identifier)


def test_what_sandboxes_would_not_see_is_not_fetched(tmp_path: Path) -> None:
    """Each has a /tmp of its own: an interpreter below it is of no use, whether it is there or would be."""
    home = Path("/tmp/undercast-nobody")
    steps: list[str] = []
    installer = Installer(
        pythons=PythonLookup((), home), programs=ProgramLookup((), home), installs=home / "installs",
        progress=lambda what, done, total: steps.append(what),
    )  # fmt: skip
    for identifier in ("nodejs10.x", "debugpy"):
        with pytest.raises(InstallError) as raised:
            installer.check([identifier])
        assert str(raised.value) == (
            "/tmp/undercast-nobody/installs lies in /tmp, of which each sandbox has its own: install it elsewhere, "
            "with HOME or its own variable set to another folder"
        )
    assert steps == []
