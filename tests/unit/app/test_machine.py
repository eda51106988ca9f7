"""How many environments this machine is taken to have room for."""

import os
import sys
from pathlib import Path

import pytest

from undercast.app.machine import free_bytes, machine_limits
from undercast.core.config import Config

MEMINFO = "MemTotal:       24736936 kB\nMemFree:         1048576 kB\nMemAvailable:   20971520 kB\nCached: 19922944 kB\n"


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    """Of a machine that has read many files: 1 GiB is unused, 19 are copies of files."""
    file = tmp_path / "meminfo"
    file.write_text(MEMINFO)
    return file


def test_memory_that_holds_copies_of_files_is_free(meminfo: Path, tmp_path: Path) -> None:
    """Half of 20 GiB is room for environments. proc(5): MemAvailable."""
    assert machine_limits(Config(data_dir=tmp_path), meminfo).memory_mb == 10 * 1024


def test_a_count_of_environments_is_a_limit_by_itself(meminfo: Path, tmp_path: Path) -> None:
    """--max-environments: even the largest functions fit so many times."""
    limits = machine_limits(Config(data_dir=tmp_path, max_environments=30), meminfo)
    assert (limits.environments, limits.memory_mb) == (30, 30 * 10_240)


def test_a_system_without_meminfo_is_asked_by_sysconf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS knows no SC_AVPHYS_PAGES: asking for it is a ValueError."""
    missing, page = tmp_path / "none", os.sysconf("SC_PAGE_SIZE")
    assert 0 < free_bytes(missing) <= os.sysconf("SC_PHYS_PAGES") * page
    monkeypatch.setattr(os, "sysconf_names", {"SC_PHYS_PAGES": os.sysconf_names["SC_PHYS_PAGES"]})
    assert free_bytes(missing) == os.sysconf("SC_PHYS_PAGES") * page
    monkeypatch.setattr(os, "sysconf_names", {})
    assert free_bytes(missing) == 2 << 30


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process has all cores")
def test_cores_that_this_process_may_not_use_do_not_count(tmp_path: Path) -> None:
    """taskset, or a container's cpuset: nobody could answer while an invocation is awaited awake."""
    before = os.sched_getaffinity(0)
    assert machine_limits(Config(data_dir=tmp_path)).cores == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert machine_limits(Config(data_dir=tmp_path)).cores == 1
    finally:
        os.sched_setaffinity(0, before)
