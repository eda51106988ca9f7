"""SIGTERM while there is work in hand: what was accepted is answered, then the platform ends."""

import asyncio
import json
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

from tests import platform as platforms
from tests.e2e.functions import RUNTIME, create_function, package
from tests.e2e.test_reset import within
from undercast.core.arn import DEFAULT_ACCOUNT, Region, Scope
from undercast.core.identity import root_principal

SLOW = "import time\n\ndef handler(event, context):\n    time.sleep(2)\n    return 'finished'\n"


def test_a_running_invoke_is_answered_after_sigterm(tmp_path: Path) -> None:
    """Graceful: the request in hand ends, the exit status is 0, and the next start finds the function."""
    platform = platforms.start(tmp_path / "data")
    try:
        create_function(platform, "000000000000", "slow", SLOW, Timeout=10)
        answers: list[Any] = []
        invoking = threading.Thread(
            target=lambda: answers.append(json.load(platform.client("lambda").invoke(FunctionName="slow")["Payload"]))
        )
        invoking.start()
        until_running(platform)
        platform.process.send_signal(signal.SIGTERM)
        invoking.join(30)
        assert answers == ["finished"]
        assert platform.process.wait(30) == 0
    finally:
        platforms.stop(platform)
    with platforms.running(tmp_path / "data") as again:
        assert again.client("lambda").get_function(FunctionName="slow")["Configuration"]["State"] == "Active"


def until_running(platform: platforms.RunningPlatform) -> None:
    """Wait until the function's log says START: its environment is at work."""
    end = time.monotonic() + 30
    logs = platform.client("logs")
    while time.monotonic() < end:
        if logs.describe_log_groups()["logGroups"]:
            found = logs.filter_log_events(logGroupName="/aws/lambda/slow", filterPattern="START")["events"]
            if any(event["message"].startswith("START ") for event in found):
                return
        time.sleep(0.05)
    raise AssertionError("the function did not start")


GATED = """
import socket

def handler(event, context):
    with socket.create_connection(("127.0.0.1", event["port"])) as gate:
        gate.recv(1)
    return "done"
"""


async def test_an_event_that_is_left_to_the_next_start_does_not_run_on(tmp_path: Path) -> None:
    """It could end well while other requests still have time, and would run again all the same."""
    async with within(tmp_path / "data") as platform:
        ctx = platform.base.dispatcher.internal(
            Scope(DEFAULT_ACCOUNT, Region("us-east-1")), root_principal(DEFAULT_ACCOUNT)
        )
        made = {"FunctionName": "f", "Runtime": RUNTIME, "Handler": "app.handler", "Code": {"ZipFile": package(GATED)}}
        role = f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/unknown"
        await ctx.call("lambda", "CreateFunction", {**made, "Role": role, "Timeout": 60})
        while (await ctx.call("lambda", "GetFunctionConfiguration", {"FunctionName": "f"}))["State"] != "Active":
            await asyncio.sleep(0.01)
        with socket.create_server(("127.0.0.1", 0)) as gate:
            gate.settimeout(60)
            call = {"FunctionName": "f", "Payload": json.dumps({"port": gate.getsockname()[1]}).encode()}
            await ctx.call("lambda", "Invoke", {**call, "InvocationType": "Event"})
            event = (await asyncio.to_thread(gate.accept))[0]
            invoking = asyncio.ensure_future(ctx.call("lambda", "Invoke", call))
            request = (await asyncio.to_thread(gate.accept))[0]
            with event, request:
                await platform.end_deliveries()
                event.settimeout(60)
                assert await asyncio.to_thread(event.recv, 1) == b""
                request.sendall(b"x")
                assert "FunctionError" not in (answer := await invoking), answer
        assert platform.router.status()["waiting"] == 1
