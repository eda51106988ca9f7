"""SIGTERM while there is work in hand: what was accepted is answered, then the platform ends."""

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

from tests import platform as platforms
from tests.e2e.functions import create_function

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
