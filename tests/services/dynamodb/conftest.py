"""Clients of DynamoDB and what its tests do again and again."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform

Make = Callable[..., str]
Refuse = Callable[..., str]


@pytest.fixture
def dynamodb(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("dynamodb", account=account)


@pytest.fixture
def resource(platform: RunningPlatform, account: str) -> Any:
    """boto3's resource in the same account."""
    make: Any = boto3.resource
    return make(
        "dynamodb",
        endpoint_url=platform.url,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="secret",
    )


def definition(key: str, **more: Any) -> dict[str, Any]:
    """Parameters of CreateTable for a key like "pk:S sk:N"."""
    parts = [part.split(":") for part in key.split()]
    return {
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind} for (name, _), kind in zip(parts, ("HASH", "RANGE"), strict=False)
        ],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in parts],
        "BillingMode": "PAY_PER_REQUEST",
        **more,
    }


@pytest.fixture
def make_table(dynamodb: Any) -> Make:
    """Makes a table by its key, e.g. "pk:S sk:N"; its name."""

    def make(key: str = "pk:S", attributes: Mapping[str, str] | None = None, **more: Any) -> str:
        name = f"t{random.randrange(10**9)}"
        params = definition(key, **more)
        for attribute, kind in (attributes or {}).items():
            params["AttributeDefinitions"].append({"AttributeName": attribute, "AttributeType": kind})
        dynamodb.create_table(TableName=name, **params)
        return name

    return make


@pytest.fixture
def table(resource: Any, make_table: Make) -> Any:
    """A boto3 Table with a key "pk:S"."""
    return resource.Table(make_table())


@pytest.fixture
def sorted_table(resource: Any, make_table: Make) -> Any:
    """A boto3 Table with a key "pk:S sk:N"."""
    return resource.Table(make_table("pk:S sk:N"))


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """(code, message) of the error."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def message(call: Callable[..., Any], **params: Any) -> str:
    """The message of a ValidationException."""
    code, text = refused(call, **params)
    assert code == "ValidationException", (code, text)
    return text
