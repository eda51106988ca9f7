"""Users of keys, and what tests of keys do again and again."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform

As = Callable[..., Callable[[str], Any]]


@pytest.fixture
def as_user(platform: RunningPlatform, account: str) -> As:
    """Clients of a new user who may what the statements say."""

    def make(*statements: dict[str, Any]) -> Callable[[str], Any]:
        iam = platform.client("iam", account=account)
        iam.create_user(UserName="u")
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=policy)
        made = iam.create_access_key(UserName="u")["AccessKey"]
        return lambda service: platform.client(service, account=made["AccessKeyId"], secret=made["SecretAccessKey"])

    return make


def allow(action: str, **more: Any) -> dict[str, Any]:
    """A statement about every resource."""
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


def code(call: Any, **params: Any) -> str:
    """The error code that a call must give."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    text: str = caught.value.response["Error"]["Code"]
    return text
