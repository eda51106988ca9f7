"""Deploys small Python functions for end-to-end tests."""

import io
import sys
import zipfile
from typing import Any

from tests.platform import RunningPlatform

RUNTIME = f"python3.{sys.version_info.minor}"


def package(source: str) -> bytes:
    """A deployment package with one app.py."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", source)
    return packed.getvalue()


def create_function(
    platform: RunningPlatform, account: str, name: str, source: str, *, region: str = "us-east-1", **settings: Any
) -> str:
    """A function that is Active; its ARN. The role is one that IAM does not know, unless given."""
    client = platform.client("lambda", account=account, region=region)
    arn: str = client.create_function(
        FunctionName=name,
        Runtime=settings.pop("Runtime", RUNTIME),
        Role=settings.pop("Role", f"arn:aws:iam::{account}:role/unknown"),
        Handler="app.handler",
        Code={"ZipFile": package(source)},
        **settings,
    )["FunctionArn"]
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return arn
