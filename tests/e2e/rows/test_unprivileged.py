"""The main flow on a platform that runs without root."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import platform as platforms
from tests.e2e.rows.pipeline import Pipeline
from tests.machine import lacking
from tests.platform import RunningPlatform
from tests.unprivileged import as_nobody, environment, interpreter


@pytest.fixture(scope="module")
def rootless() -> Iterator[RunningPlatform]:
    """A platform of the user nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody; the other tests run without root already")
    run = as_nobody("sh", "-c", f'shift; exec {interpreter()} "$@"', "sh")
    running = platforms.start(prefix=run, environment=environment())
    try:
        yield running
    finally:
        platforms.stop(running)


def test_seed_s1_runs_without_root(rootless: RunningPlatform, account: str, s1_zip: bytes) -> None:
    """X3, S1-30: unmodified Go from bucket to bucket; ports 53, 80 and 443 are the sandbox's own."""
    if rootless.driver != "namespace":
        lacking("this machine gives an unprivileged user no namespaces")
    pipeline = Pipeline(platform=rootless, account=account)
    pipeline.deploy(s1_zip)
    pipeline.put("foo.json", b"as nobody")
    assert pipeline.copied("tmp/foo.json") == b"as nobody"


def test_a_rootless_platform_has_nobodys_rights(rootless: RunningPlatform) -> None:
    """It is not root under another name: every uid of the process is nobody's."""
    status = Path(f"/proc/{rootless.process.pid}/status").read_text().splitlines()
    uids = next(line for line in status if line.startswith("Uid:")).split()[1:]
    assert uids == ["65534"] * 4
