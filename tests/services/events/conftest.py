"""Clients of EventBridge and queues that it may send to."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import platform as platforms
from tests.platform import RunningPlatform
from tests.services.events.actions import queue_of
from tests.services.sns.actions import Queue


@pytest.fixture
def events(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("events", account=account)


@pytest.fixture
def queue(platform: RunningPlatform, account: str) -> Queue:
    """A queue that lets EventBridge in."""
    return queue_of(platform, account)


@pytest.fixture(scope="package")
def clocked() -> Iterator[RunningPlatform]:
    """A platform whose clock these tests move. What one test leaves there only fires more often."""
    with platforms.running() as running:
        yield running
