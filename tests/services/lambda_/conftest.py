"""Functions on the real platform."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.platform import RunningPlatform

HANDLER = """
import os, sys, time

def handler(event, context):
    print("event", event)
    if event.get("raise"):
        raise ValueError(event["raise"])
    time.sleep(event.get("sleep", 0))
    return {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "version": context.function_version, "name": os.environ.get("NAME")}
"""


def package(**files: str) -> bytes:
    """A zip; `app` becomes app.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return buffer.getvalue()


CODE = package(app=HANDLER)


@dataclass(frozen=True)
class Account:
    """Clients of one account of its own."""

    platform: RunningPlatform
    id: str
    region: str = "us-east-1"

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client."""
        return self.platform.client(service, account=self.id, region=self.region, **config)

    @property
    def role(self) -> str:
        """A role that IAM does not know: let through."""
        return f"arn:aws:iam::{self.id}:role/unknown"

    def other(self) -> "Account":
        """An account that is not this one."""
        return Account(self.platform, f"{self.id[:11]}{(int(self.id[11]) + 1) % 10}")

    def create(self, name: str = "f", **members: Any) -> dict[str, Any]:
        """Create a Python function and wait until it is Active."""
        functions = self.client("lambda", parameter_validation=False)
        params = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Role": self.role,
            "Handler": "app.handler",
            "Code": {"ZipFile": CODE},
            **members,
        }
        made: dict[str, Any] = functions.create_function(**params)
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return made

    def invoke(self, name: str = "f", event: Any = None, **params: Any) -> tuple[dict[str, Any], Any]:
        """(response, decoded payload)."""
        payload = json.dumps(event if event is not None else {})
        response = self.client("lambda").invoke(FunctionName=name, Payload=payload, **params)
        body = response["Payload"].read()
        return response, json.loads(body) if body else None


@pytest.fixture
def aws(platform: RunningPlatform) -> Account:
    """An account of this test's own."""
    return Account(platform, f"{random.randrange(10**11, 10**12)}")


@pytest.fixture
def log_of(aws: Account) -> Callable[[str], list[str]]:
    """The messages of a function's log."""

    def read(name: str) -> list[str]:
        pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        return [event["message"] for page in pages for event in page["events"]]

    return read
