"""An account of its own for each test, and clients of the callers that it makes."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform

Refusal = Callable[..., tuple[str, str, int]]


@pytest.fixture
def iam(platform: RunningPlatform, account: str) -> Any:
    """IAM as the administrator of the test's account."""
    return platform.client("iam", account=account)


@pytest.fixture
def sts(platform: RunningPlatform, account: str) -> Any:
    """STS as the administrator of the test's account."""
    return platform.client("sts", account=account)


@pytest.fixture
def signed_in(platform: RunningPlatform) -> Callable[..., Any]:
    """A client with issued credentials: (service, key id, secret, token)."""

    def make(service: str, key_id: str, secret: str, token: str | None = None) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=platform.url,
            region_name="us-east-1",
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"max_attempts": 0}),
        )

    return make


@pytest.fixture
def refusal() -> Refusal:
    """(code, message, HTTP status) of the error that a call ends in."""

    def call(function: Callable[..., Any], **params: Any) -> tuple[str, str, int]:
        with pytest.raises(ClientError) as caught:
            function(**params)
        response = caught.value.response
        return (
            response["Error"]["Code"],
            response["Error"].get("Message", ""),
            response["ResponseMetadata"]["HTTPStatusCode"],
        )

    return call


@pytest.fixture
def trust() -> str:
    """The trust policy of a Lambda execution role."""
    return trust_of({"Service": "lambda.amazonaws.com"})


def trust_of(principal: Any) -> str:
    """A trust policy."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allow(action: Any, resource: Any = "*", **more: Any) -> str:
    """An identity policy."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
