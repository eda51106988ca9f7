"""The same promises without root: this folder's tests once more, as a user with no rights at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine import lacking
from tests.unprivileged import ROOT, environment, run_tests

HERE = Path(__file__).parent
MODULES = (
    "test_isolation.py",
    "test_limits.py",
    "test_lifecycle.py",
    "test_exhaustion.py",
    "test_zygote.py",
    "test_process_driver.py",
)


_REFUSED = """
import asyncio, sys
from pathlib import Path
from undercast.core.config import Config
from undercast.sandbox.drivers.choice import choose_driver

async def main(folder):
    for wanted in ("auto", "namespace"):
        driver = choose_driver(Config(data_dir=folder, driver=wanted), folder / "run")
        try:
            await driver.start()
            print(driver.name, driver.notice)
        except Exception as error:
            print(type(error).__name__, error)
        await driver.stop()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.needs("unshare")
def test_where_namespaces_are_refused_auto_falls_back_and_namespace_fails(folder: Path) -> None:
    """One line names the setting; `--driver namespace` does not quietly give less."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" -c "$1" "$2"'
    result = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script, sys.executable, _REFUSED, str(folder)],
        env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    if "unshare:" in result.stderr:
        lacking(result.stderr)
    auto, namespace = result.stdout.splitlines()
    assert auto.startswith("process functions are not isolated: ")
    assert "sysctl user.max_user_namespaces" in auto
    assert namespace.startswith("SandboxError ")
    assert "sysctl user.max_user_namespaces" in namespace


@pytest.mark.skipif(os.geteuid() != 0, reason="these tests run without root already")
@pytest.mark.needs("setpriv")
@pytest.mark.timeout(600)
def test_the_promises_hold_without_root() -> None:
    """Rootless bare: one mapped uid, no cgroups, no loop devices."""
    run_tests(*(str(HERE / module) for module in MODULES), timeout_s=580)
