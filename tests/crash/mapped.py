"""A function of the account 000000000000 that works off a queue or a stream, for tests that kill the platform."""

import io
import zipfile
from typing import Any

from tests.platform import RunningPlatform

FUNCTION = "f"


def deploy(platform: RunningPlatform, handler: str) -> None:
    """The function, and wait until it can be invoked. The role is nobody's: it may do all that it asks for."""
    functions = platform.client("lambda")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", handler)
    functions.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/unknown",
        Handler="app.handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=20,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=FUNCTION, WaiterConfig={"Delay": 1})


def follow(platform: RunningPlatform, source: str, **settings: Any) -> None:
    """A mapping of the function to `source`: service and resource of an ARN, as in "sqs:q"."""
    service, _, resource = source.partition(":")
    arn = f"arn:aws:{service}:us-east-1:000000000000:{resource}"
    platform.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=FUNCTION, **settings)
