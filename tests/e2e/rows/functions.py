"""Invokes of the rows' functions: payload, error and log in one piece."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from tests.platform import RunningPlatform


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one RequestResponse invoke with LogType Tail gave."""

    value: Any
    error: str | None
    log: str
    status: int

    def reported(self, name: str) -> str:
        """A member of the REPORT line, e.g. "Max Memory Used"; "" where it is not there."""
        found = re.search(rf"\t{name}: (.*?)\t", self.log)
        return found[1] if found else ""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A function of an account."""

    platform: RunningPlatform
    account: str
    name: str
    region: str = "us-east-1"

    def client(self, service: str = "lambda") -> Any:
        """A boto3 client of the function's account and region."""
        return self.platform.client(service, account=self.account, region=self.region)

    def run(self, event: Any) -> Run:
        """Invoke and wait."""
        answer = self.client().invoke(FunctionName=self.name, Payload=json.dumps(event), LogType="Tail")
        return Run(
            value=json.load(answer["Payload"]),
            error=answer.get("FunctionError"),
            log=base64.b64decode(answer["LogResult"]).decode(),
            status=answer["StatusCode"],
        )

    def update(self, **configuration: Any) -> None:
        """UpdateFunctionConfiguration, and wait until it is in force."""
        self.client().update_function_configuration(FunctionName=self.name, **configuration)
        self.settled()

    def settled(self) -> None:
        """Wait until the function is Active and no update is in progress."""
        for waiter in ("function_active_v2", "function_updated_v2"):
            self.client().get_waiter(waiter).wait(FunctionName=self.name, WaiterConfig={"Delay": 1})

    def logged(self) -> list[str]:
        """The messages of the function's log group, in order."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{self.name}")
        return [event["message"].rstrip("\n") for page in pages for event in page["events"]]


def deploy_binary(
    platform: RunningPlatform, account: str, name: str, code: bytes, handler: str, **settings: Any
) -> Deployed:
    """A Go program on go1.x, with a role that IAM does not know."""
    made = Deployed(platform=platform, account=account, name=name, region=settings.pop("region", "us-east-1"))
    made.client().create_function(
        FunctionName=name,
        Runtime=settings.pop("Runtime", "go1.x"),
        Handler=handler,
        Role=f"arn:aws:iam::{account}:role/unknown",
        Code={"ZipFile": code},
        **settings,
    )
    made.settled()
    return made
