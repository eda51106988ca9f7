"""Accounts in which pipes are laid."""

from collections.abc import Iterator

import pytest

from tests.platform import RunningPlatform, running
from tests.services.pipes.actions import Plumber


@pytest.fixture
def plumber(platform: RunningPlatform) -> Plumber:
    """An account of the test's own."""
    return Plumber(platform)


@pytest.fixture(scope="package")
def clocked() -> Iterator[RunningPlatform]:
    """A platform whose clock these tests move."""
    with running() as platform:
        yield platform


@pytest.fixture
def timed(clocked: RunningPlatform) -> Plumber:
    """An account of the test's own, in which time is the test's, too."""
    return Plumber(clocked)
