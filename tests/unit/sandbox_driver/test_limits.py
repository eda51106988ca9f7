"""Control files of cgroup v1, v2 and mixed hosts, on folders that look like them."""

from pathlib import Path

from undercast.sandbox.limits import Cgroups, find_cgroups

MIB = 1024 * 1024


def _group_folder(path: Path, *names: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name in ("cgroup.procs", *names):
        (path / name).touch()
    return path


def _host(tmp_path: Path, mounts: str, membership: str) -> Path:
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "mounts").write_text(mounts.replace("/cg", str(tmp_path / "cg")))
    (proc / "cgroup").write_text(membership)
    return proc


def test_v2_with_delegated_controllers(tmp_path: Path) -> None:
    """systemd-run --scope -p Delegate=yes: our own group hands its controllers to its children."""
    own = _group_folder(tmp_path / "cg/user/our.scope", "cgroup.subtree_control")
    (own / "cgroup.controllers").write_text("cpu memory pids io")
    ours = _group_folder(own / "uc", "cgroup.freeze", "cgroup.subtree_control")
    (ours / "cgroup.controllers").write_text("cpu memory pids")
    proc = _host(tmp_path, "cgroup2 /cg cgroup2 rw 0 0\n", "0::/user/our.scope\n")
    found = find_cgroups("uc", proc)
    assert found == Cgroups(unified=ours, controllers=frozenset({"cpu", "memory", "pids"}))
    assert found.limits_memory and found.limits_cpu and found.limits_pids and found.freezes


def test_v2_as_root_takes_the_top_where_controllers_are_handed_out(tmp_path: Path) -> None:
    """The user's session is left alone: no process has to move."""
    top = _group_folder(tmp_path / "cg")
    _group_folder(top / "user/session")
    for name in ("cgroup.controllers", "cgroup.subtree_control"):
        (top / name).write_text("cpu memory pids")
    ours = _group_folder(top / "uc", "cgroup.freeze", "cgroup.subtree_control")
    (ours / "cgroup.controllers").write_text("cpu memory pids")
    found = find_cgroups("uc", _host(tmp_path, "cgroup2 /cg cgroup2 rw 0 0\n", "0::/user/session\n"))
    assert found.unified == ours
    assert not list((top / "user/session").glob("*-control"))


def test_v2_limits_are_written(tmp_path: Path) -> None:
    """memory.max, memory.swap.max, pids.max, cpu.max: memory/1769 of one CPU."""
    files = ("memory.max", "memory.swap.max", "pids.max", "cpu.max", "cgroup.freeze", "memory.stat", "memory.events")
    folder = _group_folder(tmp_path / "s1", *files)
    (folder / "memory.stat").write_text("anon 4096\nfile 999999\nshmem 8192\n")
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    group = Cgroups(unified=tmp_path, controllers=frozenset({"cpu", "memory", "pids"})).make("s1")
    group.limit(128)
    group.apply_cpu_share()
    assert [(folder / name).read_text() for name in files[:4]] == [str(128 * MIB), "0", "1025", "7235 100000"]
    assert (group.memory_bytes(), group.oom_kills()) == (12288, 2)
    assert group.freeze() and (folder / "cgroup.freeze").read_text() == "1"


def test_v1_limits_are_written(tmp_path: Path) -> None:
    """memory and swap together, cpu quota, pids, the freezer's state."""
    places = {name: tmp_path / name for name in ("memory", "cpu", "pids", "freezer")}
    files = {
        "memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.stat", "memory.oom_control"),
        "cpu": ("cpu.cfs_period_us", "cpu.cfs_quota_us"),
        "pids": ("pids.max",),
        "freezer": ("freezer.state",),
    }
    for name, place in places.items():
        _group_folder(place / "s1", *files[name])
    (places["memory"] / "s1/memory.stat").write_text("rss 1\ntotal_rss 4096\ntotal_shmem 1\n")
    (places["memory"] / "s1/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    group = Cgroups(
        memory_v1=places["memory"], cpu_v1=places["cpu"], pids_v1=places["pids"], freezer_v1=places["freezer"]
    ).make("s1")
    group.limit(512)
    group.apply_cpu_share()
    assert (places["memory"] / "s1/memory.memsw.limit_in_bytes").read_text() == str(512 * MIB)
    assert (places["cpu"] / "s1/cpu.cfs_quota_us").read_text() == "28942"
    assert (places["pids"] / "s1/pids.max").read_text() == "1025"
    assert (group.memory_bytes(), group.oom_kills()) == (4097, 1)
    assert group.freeze() and (places["freezer"] / "s1/freezer.state").read_text() == "FROZEN"
    assert group.thaw() and (places["freezer"] / "s1/freezer.state").read_text() == "THAWED"


def test_a_mixed_host_freezes_by_v2_and_limits_by_v1(tmp_path: Path) -> None:
    """cgroup.freeze works in a v2 hierarchy that has no controller; then the v1 freezer is not used."""
    for name in ("memory", "freezer"):
        _group_folder(tmp_path / "cg" / name / "uc")
    unified = _group_folder(tmp_path / "cg/unified/uc", "cgroup.freeze")
    mounts = "".join(f"cgroup /cg/{name} cgroup rw,{name} 0 0\n" for name in ("memory", "freezer"))
    proc = _host(tmp_path, mounts + "cgroup2 /cg/unified cgroup2 rw 0 0\n", "3:memory:/\n2:freezer:/\n0::/\n")
    found = find_cgroups("uc", proc)
    assert found == Cgroups(memory_v1=tmp_path / "cg/memory/uc", unified=unified)
    assert not found.limits_cpu


def test_no_cgroups_at_all(tmp_path: Path) -> None:
    """Every question has an answer: nothing is limited here."""
    found = find_cgroups("uc", _host(tmp_path, "proc /proc proc rw 0 0\n", ""))
    group = found.make("s1")
    group.limit(128)
    assert (found.freezes, group.memory_bytes(), group.oom_kills(), group.freeze()) == (False, None, 0, False)
    assert group.remove()
