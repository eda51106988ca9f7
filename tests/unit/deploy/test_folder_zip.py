"""A folder as deployment package: same content, same bytes; modes and links as they are."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from undercast.deploy import folder_zip
from undercast.deploy.folder_zip import TooLarge, packed


def entries(content: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and content by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {info.filename: (info.external_attr >> 16, archive.read(info)) for info in archive.infolist()}


def test_what_is_the_functions_is_in_it(tmp_path: Path) -> None:
    """Run bits and links too; what belongs to the project alone is not."""
    (tmp_path / "app.py").write_text("code")
    (tmp_path / "bootstrap").write_text("#!")
    (tmp_path / "bootstrap").chmod(0o755)
    (tmp_path / "node_modules" / "pkg").mkdir(parents=True)
    (tmp_path / "node_modules" / "pkg" / "index.js").write_text("js")
    (tmp_path / "latest").symlink_to("node_modules")
    for name in (".git", "__pycache__", ".venv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    found = entries(packed(tmp_path))
    assert sorted(found) == ["app.py", "bootstrap", "latest", "node_modules/pkg/index.js"]
    assert found["bootstrap"][0] & 0o111
    assert found["latest"] == (0o120777, b"node_modules")


def test_same_content_is_the_same_archive(tmp_path: Path) -> None:
    """A file that was touched is no reason to send anything; a new mode is."""
    (tmp_path / "a").write_text("1")
    (tmp_path / "a").chmod(0o644)
    first = packed(tmp_path)
    os.utime(tmp_path / "a", (1, 1))
    assert packed(tmp_path) == first
    (tmp_path / "a").chmod(0o755)
    assert packed(tmp_path) != first


def test_what_does_not_fit_into_a_request_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS: 50 MB, zipped."""
    assert folder_zip.MAX_ZIP_BYTES == 52_428_800
    monkeypatch.setattr(folder_zip, "MAX_ZIP_BYTES", 1000)
    (tmp_path / "a").write_bytes(os.urandom(2000))
    with pytest.raises(TooLarge):
        packed(tmp_path)


def test_pipes_and_sockets_are_left_out(tmp_path: Path) -> None:
    """Reading one would not end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").write_text("1")
    assert list(entries(packed(tmp_path))) == ["a"]
