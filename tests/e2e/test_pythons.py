"""Every Python of this machine on a whole platform: CreateFunction, events, errors, logs, the SDK, through boto3.

AWS: Lambda Developer Guide, "Lambda runtimes", "Building Lambda functions with Python".
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.functions import package
from tests.machine import without
from tests.platform import RunningPlatform
from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.table import RUNTIMES

# Text, not code of ours: it has to be read by Python 2.7 as well.
HANDLER = """# -*- coding: utf-8 -*-
import os, sys

def handler(event, context):
    print("asked for %s" % event["do"])
    if event["do"] == "fail":
        raise ValueError("no such luck")
    if event["do"] == "put":
        import boto3
        boto3.client("s3").put_object(Bucket=event["bucket"], Key="k", Body=b"from inside")
        return "put"
    return {
        "version": list(sys.version_info[:2]),
        "text": event["text"],
        "id": context.aws_request_id,
        "left": 0 < context.get_remaining_time_in_millis() <= 30000,
        "named": os.environ["AWS_EXECUTION_ENV"],
    }
"""
SDK_SINCE = (3, 10)


def installed(runtime: str) -> None:
    """Go on only where this machine has an interpreter of exactly that version."""
    lookup = PythonLookup(tuple(os.environ.get("PATH", "").split(os.pathsep)), Path.home())
    if lookup.find(RUNTIMES[runtime].version) is None:
        without(runtime)


@pytest.mark.parametrize("runtime", [name for name, row in RUNTIMES.items() if row.family == "python"])
def test_each_python_runs_on_a_whole_platform(platform: RunningPlatform, account: str, runtime: str) -> None:
    """Created and invoked through boto3: event and answer, context, the error's shape, the log, and the SDK."""
    installed(runtime)
    client = platform.client("lambda", account=account)
    client.create_function(
        FunctionName="f",
        Runtime=runtime,
        Role=f"arn:aws:iam::{account}:role/unknown",
        Handler="app.handler",
        Code={"ZipFile": package(HANDLER)},
        Timeout=30,
        MemorySize=1769,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})

    def invoke(**event: str) -> tuple[Any, str | None]:
        answer = client.invoke(FunctionName="f", Payload=json.dumps(event).encode(), LogType="Tail")
        return json.load(answer["Payload"]), answer.get("FunctionError")

    answer, error = invoke(do="tell", text="Grün & Söhne €")
    assert error is None, answer
    version = RUNTIMES[runtime].version
    assert (answer["version"], answer["text"]) == (list(version), "Grün & Söhne €")
    assert answer["left"]
    assert len(answer["id"]) == 36
    assert answer["named"] == f"AWS_Lambda_{runtime}"
    failure, error = invoke(do="fail")
    assert (failure["errorType"], failure["errorMessage"], error) == ("ValueError", "no such luck", "Unhandled")
    if version >= SDK_SINCE:
        platform.client("s3", account=account).create_bucket(Bucket=f"pythons-{account}")
        assert invoke(do="put", bucket=f"pythons-{account}") == ("put", None)
        body = platform.client("s3", account=account).get_object(Bucket=f"pythons-{account}", Key="k")["Body"]
        assert body.read() == b"from inside"
    events = platform.client("logs", account=account).filter_log_events(logGroupName="/aws/lambda/f")["events"]
    assert "asked for tell" in [event["message"].strip() for event in events]
