"""S3 through boto3 against a real platform: one account and one bucket for each test."""

from typing import Any

import pytest

from tests.platform import RunningPlatform


@pytest.fixture
def s3(platform: RunningPlatform, account: str) -> Any:
    """A boto3 client of the test's own account."""
    return platform.client("s3", account=account)


@pytest.fixture
def bucket(s3: Any, account: str) -> str:
    """A new bucket in us-east-1."""
    name = f"bkt-{account}"
    s3.create_bucket(Bucket=name)
    return name
