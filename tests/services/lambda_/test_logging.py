"""LoggingConfig through boto3: format, levels and group, as logs of real functions show them."""

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests import platform as platforms
from tests.services.lambda_.conftest import Account, package
from tests.services.lambda_.test_layers import refusal

SOURCE = """
import logging

LOG = logging.getLogger()

def handler(event, context):
    LOG.debug("d %s", event["n"])
    LOG.info("i %s", event["n"])
    LOG.warning("w %s", event["n"])
    print("printed")
    return event["n"]
"""


def wait_for(read: Callable[[], list[str]], text: str) -> list[str]:
    """The messages, once one has the text."""
    for _ in range(100):
        messages = read()
        if any(text in message for message in messages):
            return messages
        time.sleep(0.05)
    raise AssertionError(messages)


def test_json_logs_with_levels(aws: Account, log_of: Callable[[str], list[str]]) -> None:
    """Platform events and the runtime's lines are objects; what is below the level is not there, nor in the tail."""
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "DEBUG"}
    aws.create(Code={"ZipFile": package(app=SOURCE)}, LoggingConfig=logging)
    response, _ = aws.invoke(event={"n": 1}, LogType="Tail")
    tail = base64.b64decode(response["LogResult"]).decode().splitlines()
    assert "printed" in tail
    objects: list[dict[str, Any]] = [json.loads(line) for line in tail if line.startswith("{")]
    assert [entry.get("type") or (entry["level"], entry["message"]) for entry in objects] == [
        "platform.start",
        ("INFO", "i 1"),
        ("WARNING", "w 1"),
        "platform.runtimeDone",
        "platform.report",
    ]
    assert objects[1]["requestId"] == response["ResponseMetadata"]["RequestId"]
    messages = wait_for(lambda: log_of("f"), "platform.report")
    assert "platform.initStart" in messages[0]
    assert not any("START" in message or "REPORT " in message for message in messages)


def test_functions_share_a_log_group(aws: Account) -> None:
    """Both write to it, each to streams with its own name; neither has a group of its own."""
    for name in ("one", "two"):
        aws.create(name, LoggingConfig={"LogGroup": "shared"})
        aws.invoke(name)
    logs = aws.client("logs")

    def read() -> list[str]:
        groups = {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]}
        if "shared" not in groups:
            return []
        return [stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName="shared")["logStreams"]]

    streams = wait_for(lambda: [*read(), "both"] if len(read()) == 2 else [], "both")[:-1]
    assert {re.sub(r"[0-9a-f]{32}$|^[\d/]+", "", stream) for stream in streams} == {"one[$LATEST]", "two[$LATEST]"}
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == ["shared"]


def test_configuration_of_logging(aws: Account) -> None:
    """INFO is the default of both levels; they go with the JSON format, and are refused without it."""
    functions = aws.client("lambda")
    made = aws.create(LoggingConfig={"LogFormat": "JSON"})
    group = {"LogGroup": "/aws/lambda/f"}
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    assert made["LoggingConfig"] == group | levels | {"LogFormat": "JSON"}
    update = functions.update_function_configuration
    changed = update(FunctionName="f", LoggingConfig={"ApplicationLogLevel": "WARN"})
    assert changed["LoggingConfig"] == group | levels | {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert update(FunctionName="f", LoggingConfig={"LogFormat": "Text"})["LoggingConfig"] == group | {
        "LogFormat": "Text"
    }
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    code, message = refusal(update, FunctionName="f", LoggingConfig={"SystemLogLevel": "DEBUG"})
    assert code == "InvalidParameterValueException"
    assert message.startswith("Log level is not supported when LogFormat is set to 'Text'.")


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_runtime_follows_the_application_level(aws: Account, level: str) -> None:
    """Python's root logger gets the level: DEBUG shows everything, ERROR nothing of this function."""
    aws.create(Code={"ZipFile": package(app=SOURCE)}, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": level})
    response, _ = aws.invoke(event={"n": 1}, LogType="Tail")
    tail = base64.b64decode(response["LogResult"]).decode()
    assert [f'"{letter} 1"' in tail for letter in "diw"] == [level == "DEBUG"] * 3
    assert ("printed" in tail) is (level == "DEBUG")


ANSWERS = """
def handler(event, context):
    if "raise" in event:
        raise ValueError("no\\nsuch luck")
    return {"text": event["text"]}
"""


def test_events_and_answers_are_logged_where_a_start_asks_for_it() -> None:
    """S3d-11: what came and what was answered, also of asynchronous invokes; escapes stay escapes, breaks breaks."""
    with platforms.running(options=["--log-payloads"]) as platform:
        aws = Account(platform, "111111111111")
        functions, logs = aws.client("lambda"), aws.client("logs")
        aws.create("text", Code={"ZipFile": package(app=ANSWERS)})
        aws.create("json", Code={"ZipFile": package(app=ANSWERS)}, LoggingConfig={"LogFormat": "JSON"})
        for name in ("text", "json"):  # else the group is there with its first lines, a moment behind the answer
            logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
        event = b'{\n  "text": "a\\nb \xc3\xbc"}'

        def run(function: str, payload: bytes, kind: str = "RequestResponse") -> tuple[str, bytes]:
            """(request id, answer)."""
            answer = functions.invoke(FunctionName=function, Payload=payload, InvocationType=kind)
            return answer["ResponseMetadata"]["RequestId"], answer["Payload"].read()

        def read(function: str) -> list[str]:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
            return [one["message"] for one in found]

        for kind in ("RequestResponse", "Event"):
            request_id, _ = run("text", event, kind)
            messages = wait_for(lambda: read("text"), f"REPORT RequestId: {request_id}")
            lines = [line for line in messages if request_id in line]
            assert lines[:3] == [
                f"START RequestId: {request_id} Version: $LATEST\n",
                f"undercast: EVENT RequestId: {request_id}\t{event.decode()}\n",
                f'undercast: ANSWER RequestId: {request_id}\t{{"text": "a\\nb \\u00fc"}}\n',
            ]
        request_id, error = run("text", b'{"raise": 1}')
        messages = wait_for(lambda: read("text"), f"REPORT RequestId: {request_id}")
        assert f"undercast: ANSWER RequestId: {request_id}\t{error.decode()}\n" in messages
        request_id, answer = run("json", event)
        objects = [json.loads(one) for one in wait_for(lambda: read("json"), "platform.report")]
        told = [one["message"] for one in objects if one.get("level") == "INFO" and request_id in one["message"]]
        assert told == [
            f"EVENT RequestId: {request_id}\t{event.decode()}",
            f"ANSWER RequestId: {request_id}\t{answer.decode()}",
        ]
