"""The local authority's root is there after a start, whatever becomes of the process that is to make it."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.unit.http.serving import until
from undercast.core.clock import HostClock
from undercast.http import tls
from undercast.http.tls import CertificateAuthority


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path / "ca", HostClock())


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that does not come to its work; where it says who it is."""
    found, program = tmp_path / "pid", tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho $$ >{found}.new && mv {found}.new {found}\nexec sleep 1000\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    return found


async def test_a_python_that_cannot_be_started_is_done_without(
    authority: CertificateAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interpreter that was replaced meanwhile, or a machine without processes."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    await authority.prepare(tmp_path / "bundle.pem")
    assert (tmp_path / "bundle.pem").read_bytes().endswith(authority.certificate_path.read_bytes())


async def test_a_process_that_does_not_end_is_done_without(
    authority: CertificateAuthority, tmp_path: Path, pid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed, and the root made here."""
    monkeypatch.setattr(tls, "_MAKING_S", 0.5)
    await authority.prepare(tmp_path / "bundle.pem")
    assert authority.certificate_path.exists()
    assert not pid_file.exists() or is_gone(pid_file)


async def test_a_start_that_is_given_up_leaves_no_process(
    authority: CertificateAuthority, tmp_path: Path, pid_file: Path
) -> None:
    """It is killed and reaped before the cancelled task has ended."""
    preparing = asyncio.ensure_future(authority.prepare(tmp_path / "bundle.pem"))
    await until(pid_file.exists)
    preparing.cancel()
    await asyncio.wait([preparing])
    assert preparing.cancelled()
    assert is_gone(pid_file)


def is_gone(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except ProcessLookupError:
        return True
    return False
