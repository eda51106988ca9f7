"""Fixtures that every folder of tests may use."""

import random
import sys
from collections.abc import Iterator

import hypothesis
import pytest

from tests import platform as platforms
from tests.machine import program

hypothesis.settings.register_profile("shared machine", deadline=None)  # no test bounds time: its machine may be busy
hypothesis.settings.load_profile("shared machine")
sys.dont_write_bytecode = False
"""Of the tests themselves: where PYTHONDONTWRITEBYTECODE is set each run rewrites its asserts, 15 s a worker."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.needs("setpriv")`: skipped without it, or failed where CI requires it."""
    for mark in item.iter_markers("needs"):
        for tool in mark.args:
            program(tool)


@pytest.fixture(scope="session")
def platform() -> Iterator[platforms.RunningPlatform]:
    """One real platform for the session; tests keep apart by `account`."""
    with platforms.running() as running:
        yield running


@pytest.fixture
def account() -> str:
    """An AWS account of this test's own: its 12-digit id, which is also its access key."""
    return f"{random.randrange(10**11, 10**12)}"
