"""What caused what, from the put in one bucket to the put in the other: the example, deployed as users do.

Asked through the platform's own endpoint and through `undercast trace` (I10).
"""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.functions import RUNTIME, create_function
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "s3-pipeline"
NUMBER = re.compile(r"sequencer=[0-9A-F]{18}")


@pytest.fixture(scope="module")
def traced(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The trace of one put, and its request id."""
    build, deploy = (runpy.run_path(str(EXAMPLE / name)) for name in ("build.py", "deploy.py"))
    package = build["pack_python"](tmp_path_factory.mktemp("trace") / "python.zip").read_bytes()
    source, target = deploy["deploy"](platform.client, "traced", package, RUNTIME, "app.handler")
    s3 = platform.client("s3")
    put = s3.put_object(Bucket=source, Key="o.yaml", Body=b"a: 1")
    assert deploy["wait_for_object"](s3, target, "o.json") == b'{\n  "a": 1\n}\n'
    platform.drain()
    request_id: str = put["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"]
    answer: dict[str, Any] = platform.ask(f"/_undercast/trace/{request_id}")
    return answer


def test_the_way_of_a_put_is_told_once(platform: RunningPlatform, traced: dict[str, Any]) -> None:
    """Call, object, delivery and invocation (one id), and what the function called; every edge and node once."""
    assert [(node["kind"], NUMBER.sub("", node["label"])) for node in traced["nodes"]] == [
        ("call", "s3:PutObject traced-in/o.yaml"),
        ("object", "s3:ObjectCreated:Put traced-in/o.yaml"),
        ("invocation", "lambda:Invoke arn:aws:lambda:us-east-1:000000000000:function:traced"),
        ("call", "s3:GetObject arn:aws:s3:::traced-in/o.yaml"),
        ("call", "s3:PutObject arn:aws:s3:::traced-out/o.json"),
    ]
    put, created, invoked, read, written = (node["id"] for node in traced["nodes"])
    pairs = [(edge["from"], edge["to"]) for edge in traced["edges"]]
    assert pairs == [(put, created), (created, invoked), (invoked, read), (invoked, written)]
    assert (traced["asked"], traced["complete"]) == (put, True)
    orders = [edge["order"] for edge in traced["edges"]]
    assert orders == sorted(set(orders))
    assert traced["nodes"][2]["environment_id"]
    for node_id in (invoked, written):
        other = platform.ask(f"/_undercast/trace/{node_id}")
        assert {node["id"] for node in other["nodes"]} >= {put, created, invoked, written}


def test_undercast_trace_prints_the_tree(platform: RunningPlatform, traced: dict[str, Any]) -> None:
    """Each line says what a node is, then its kind and id."""
    done = subprocess.run(
        [sys.executable, "-m", "undercast", "trace", traced["asked"]],
        capture_output=True,
        text=True,
        env={**os.environ, "AWS_ENDPOINT_URL": platform.url},
        timeout=60,
        check=True,
    )
    put, created, invoked, read, written = (f"{node['label']}  {node['kind']} {node['id']}" for node in traced["nodes"])
    assert done.stdout.splitlines() == [
        put,
        f"└─ {created}",
        f"   └─ {invoked}",
        f"      ├─ {read}",
        f"      └─ {written}",
    ]


def test_the_logs_request_ids_are_those_of_the_trace(platform: RunningPlatform, traced: dict[str, Any]) -> None:
    """START in the function's log names the delivery: a user gets from a log line to its cause."""
    invocation = traced["nodes"][2]["id"]
    found = platform.client("logs").filter_log_events(
        logGroupName="/aws/lambda/traced", filterPattern=f'"START RequestId: {invocation}"'
    )
    assert len(found["events"]) == 1


@pytest.mark.parametrize(
    ("source", "error_type"),
    [
        ("def handler(event, context):\n    raise KeyError('k')\n", "KeyError"),
        ("import os\ndef handler(event, context):\n    os._exit(3)\n", "Runtime.ExitError"),
    ],
    ids=["exception", "exit"],
)
def test_an_invocation_that_failed_says_so(platform: RunningPlatform, source: str, error_type: str) -> None:
    """Whoever called it: the error is below the invocation."""
    account, name = "411111111112", f"fails-{error_type.lower().replace('.', '-')}"
    create_function(platform, account, name, source)
    answer = platform.client("lambda", account=account).invoke(FunctionName=name)
    assert answer["FunctionError"] == "Unhandled"
    request_id = answer["ResponseMetadata"]["RequestId"]

    def errors() -> list[tuple[str, str]]:
        nodes = platform.ask(f"/_undercast/trace/{request_id}")["nodes"]
        return [(node["kind"], node["label"]) for node in nodes if node["kind"] == "error"]

    until(lambda: bool(errors()))  # the REPORT is behind the answer
    assert errors() == [("error", error_type)]
