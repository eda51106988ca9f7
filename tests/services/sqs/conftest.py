"""A client of SQS and what its tests do again and again."""

import random
from typing import Any

import pytest

from tests.platform import RunningPlatform


@pytest.fixture
def sqs(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("sqs", account=account)


@pytest.fixture
def queue(sqs: Any) -> str:
    """The URL of an empty standard queue."""
    url: str = sqs.create_queue(QueueName=f"q{random.randrange(10**9)}")["QueueUrl"]
    return url


@pytest.fixture
def fifo(sqs: Any) -> str:
    """The URL of an empty FIFO queue that deduplicates by content."""
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url: str = sqs.create_queue(QueueName=f"q{random.randrange(10**9)}.fifo", Attributes=attributes)["QueueUrl"]
    return url
