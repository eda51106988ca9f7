"""Clients of SNS and SQS, and what SNS's tests do again and again."""

import random
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.sns.actions import Queue, make_queue


@pytest.fixture
def sns(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("sns", account=account)


@pytest.fixture
def topic(sns: Any) -> str:
    """The ARN of a standard topic."""
    arn: str = sns.create_topic(Name=f"t{random.randrange(10**9)}")["TopicArn"]
    return arn


@pytest.fixture
def queue(platform: RunningPlatform, account: str) -> Queue:
    """A queue that lets SNS in."""
    return make_queue(platform, account)
