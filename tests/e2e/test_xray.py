"""AWS's X-Ray SDK for Python, unmodified, in a function with active tracing; what X-Ray then tells.

The package holds the SDK as pip installed it (aws-xray-sdk, wrapt).
"""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.functions import RUNTIME
from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until
from undercast.core.clock import moment

MODES = {"active": "Active", "second": "Active", "passing": "PassThrough"}
WHOLE = ("AWS::Lambda active", "AWS::Lambda::Function active", "AWS::DynamoDB::Table orders")
"""What one invocation of the function leaves."""
CODE = """
import json, os, urllib.request

import boto3
from aws_xray_sdk.core import patch, xray_recorder

patch(["boto3"])
DAEMON = os.environ["AWS_XRAY_DAEMON_ADDRESS"]

def handler(event, context):
    if event.get("rules"):
        asked = urllib.request.Request(f"http://{DAEMON}/GetSamplingRules", data=b"{}", method="POST")
        return json.load(urllib.request.urlopen(asked))
    with xray_recorder.in_subsegment("## work") as work:
        work.put_annotation("order", 42)
        work.put_annotation("kind", event.get("kind", "plain"))
        work.put_metadata("event", event)
        if event.get("fail"):
            raise ValueError("not today")
        boto3.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": "1"}})
        if "next" in event:
            inner = {"kind": "inner", **({"next": event["then"]} if "then" in event else {})}
            boto3.client("lambda").invoke(FunctionName=event["next"], Payload=json.dumps(inner))
    return os.environ["_X_AMZN_TRACE_ID"]
"""


def packed() -> bytes:
    """A package with the handler and the SDK."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.py", CODE)
        for name in ("aws_xray_sdk", "wrapt"):
            found = find_spec(name)
            assert found is not None
            folder = Path(str(found.origin)).parent
            for file in sorted(folder.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, str(file.relative_to(folder.parent)))
    return buffer.getvalue()


class Traced:
    """Two functions that trace actively, one that passes through, and a table."""

    def __init__(self, platform: RunningPlatform, account: str) -> None:
        self.platform, self.account = platform, account
        self.functions = platform.client("lambda", account=account)
        self.xray = platform.client("xray", account=account)
        dynamo = platform.client("dynamodb", account=account)
        dynamo.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        code = packed()
        for name, mode in MODES.items():
            self.functions.create_function(
                FunctionName=name,
                Runtime=RUNTIME,
                Role=f"arn:aws:iam::{account}:role/unknown",
                Handler="app.handler",
                Code={"ZipFile": code},
                Timeout=30,
                MemorySize=512,
                TracingConfig={"Mode": mode},
            )
        for name in MODES:
            self.functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})

    def invoke(self, name: str, **event: Any) -> Any:
        answer = self.functions.invoke(FunctionName=name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    def trace(self, header: str, *names: str) -> dict[str, dict[str, Any]]:
        """The segments of the trace in a header, by origin and name, once these and what the SDK sent are there."""
        trace_id = header.split(";")[0].removeprefix("Root=")
        found: dict[str, dict[str, Any]] = {}

        def there() -> bool:
            traces = self.xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
            segments = [json.loads(one["Document"]) for trace in traces for one in trace["Segments"]]
            found.clear()
            found.update({f"{one.get('origin', '')} {one['name']}": one for one in segments})
            functions = [one for one in segments if one.get("origin") == "AWS::Lambda::Function"]
            worked = all("## work" in [inner["name"] for inner in one["subsegments"]] for one in functions)
            return set(names) <= set(found) and worked

        until(there)
        return found

    def summaries(self, expression: str) -> list[dict[str, Any]]:
        now = self.platform.ask("/_undercast/status")["clock"]["now"]
        asked = {"StartTime": moment(now) - timedelta(hours=1), "EndTime": moment(now) + timedelta(minutes=1)}
        found: list[dict[str, Any]] = self.xray.get_trace_summaries(**asked, FilterExpression=expression)[
            "TraceSummaries"
        ]
        return found


@pytest.fixture(scope="module")
def traced(platform: RunningPlatform) -> Iterator[Traced]:
    yield Traced(platform, "522222222222")


def test_the_sdks_subsegments_are_in_the_functions_segment(traced: Traced) -> None:
    """AWS::Lambda, AWS::Lambda::Function with its phases and what the SDK sent, and the table that was called."""
    header = traced.invoke("active", kind="first")
    root, parent, sampled, lineage = header.split(";")
    found = traced.trace(header, *WHOLE)
    assert set(found) == set(WHOLE)
    service, function = found["AWS::Lambda active"], found["AWS::Lambda::Function active"]
    assert (f"Parent={function['id']}", sampled) == (parent, "Sampled=1")
    assert lineage.startswith("Lineage=")
    assert (function["parent_id"], "parent_id" in service) == (service["id"], False)
    assert service["trace_id"] == function["trace_id"] == root.removeprefix("Root=")
    names = [one["name"] for one in function["subsegments"]]
    assert names == ["Initialization", "Invocation", "## work", "Overhead"]
    starts, invocation, work, overhead = function["subsegments"]
    assert starts["end_time"] == invocation["start_time"] == function["start_time"]
    assert invocation["start_time"] <= work["start_time"] <= work["end_time"] <= invocation["end_time"] + 0.001
    assert (overhead["start_time"], overhead["end_time"]) == (invocation["end_time"], function["end_time"])
    assert work["annotations"] == {"order": 42, "kind": "first"}
    (called,) = work["subsegments"]
    table = found["AWS::DynamoDB::Table orders"]
    assert (table["parent_id"], table["inferred"], table["aws"]["operation"]) == (called["id"], True, "PutItem")
    assert "fault" not in function


def test_a_trace_is_found_by_what_the_function_annotated(traced: Traced) -> None:
    """Filter expressions on annotations, on a service and on an edge."""
    header = traced.invoke("active", kind="annotated")
    traced.trace(header, *WHOLE)
    wanted = header.split(";")[0].removeprefix("Root=")
    found = traced.summaries('annotation.kind = "annotated" AND annotation.order >= 42 AND !fault')
    assert [one["Id"] for one in found] == [wanted]
    (values,) = found[0]["Annotations"]["kind"]
    assert values["AnnotationValue"] == {"StringValue": "annotated"}
    assert (found[0]["HasFault"], found[0]["EntryPoint"]["Type"]) == (False, "AWS::Lambda")
    by_edge = traced.summaries('edge("active", "orders") AND service(id(type: "AWS::DynamoDB::Table")) { ok }')
    assert wanted in [one["Id"] for one in by_edge]
    assert traced.summaries('annotation.kind = "nobody"') == []


def test_a_function_that_is_called_belongs_to_its_callers_trace(traced: Traced) -> None:
    """Who called decides that it is sampled; its segment hangs below the SDK's subsegment of the call."""
    header = traced.invoke("active", kind="outer", next="second")
    found = traced.trace(header, *WHOLE, "AWS::Lambda second", "AWS::Lambda::Function second")
    function, called = found["AWS::Lambda::Function active"], found["AWS::Lambda second"]
    (work,) = (one for one in function["subsegments"] if one["name"] == "## work")
    calls = {one["name"]: one["id"] for one in work["subsegments"]}
    assert called["parent_id"] == calls["lambda"]
    (inner,) = (one for one in found["AWS::Lambda::Function second"]["subsegments"] if one["name"] == "## work")
    assert inner["annotations"]["kind"] == "inner"
    trace_id = header.split(";")[0].removeprefix("Root=")
    services = traced.xray.get_trace_graph(TraceIds=[trace_id])["Services"]
    names = {one["ReferenceId"]: (one.get("Type"), one["Name"]) for one in services}
    edges = {(names[one["ReferenceId"]], names[edge["ReferenceId"]]) for one in services for edge in one["Edges"]}
    active, second = ("AWS::Lambda::Function", "active"), ("AWS::Lambda::Function", "second")
    assert edges == {
        (("client", "active"), ("AWS::Lambda", "active")),
        (("AWS::Lambda", "active"), active),
        (active, ("AWS::DynamoDB::Table", "orders")),
        (active, ("AWS::Lambda", "second")),
        (("AWS::Lambda", "second"), second),
        (second, ("AWS::DynamoDB::Table", "orders")),
    }


def test_a_function_that_passes_through_sends_no_segment_and_hands_the_trace_on(traced: Traced) -> None:
    """What it calls is in the trace; it is itself an inferred segment of who called it."""
    header = traced.invoke("active", kind="outer", next="passing", then="second")
    found = traced.trace(header, *WHOLE, "AWS::Lambda passing", "AWS::Lambda second", "AWS::Lambda::Function second")
    assert "AWS::Lambda::Function passing" not in found
    assert found["AWS::Lambda passing"]["inferred"] is True
    assert found["AWS::Lambda second"]["trace_id"] == header.split(";")[0].removeprefix("Root=")


def test_a_batch_is_linked_to_the_traces_of_its_messages(traced: Traced) -> None:
    """SQS: the consumer's trace is its own, and its segment names those of the senders."""
    sqs = traced.platform.client("sqs", account=traced.account)
    url = sqs.create_queue(QueueName="linked")["QueueUrl"]
    sender, segment = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
    header = {"DataType": "String", "StringValue": f"Root={sender};Parent={segment};Sampled=1"}
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageSystemAttributes={"AWSTraceHeader": header})
    arn = f"arn:aws:sqs:us-east-1:{traced.account}:linked"
    traced.functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="second", BatchSize=1)
    expression = 'service("second") { first } AND annotation.kind = "plain"'
    until(lambda: bool(traced.summaries(expression)))
    (found,) = traced.summaries(expression)
    whole = traced.trace(f"Root={found['Id']}", "AWS::Lambda second", "AWS::Lambda::Function second")
    assert whole["AWS::Lambda second"]["links"] == [{"trace_id": sender, "id": segment}]
    assert found["Id"] != sender


def test_an_event_that_was_queued_has_dwell_time_and_attempts(traced: Traced) -> None:
    """InvocationType Event: the function's segment hangs below the attempt."""
    traced.functions.invoke(FunctionName="active", InvocationType="Event", Payload=b'{"kind": "queued"}')
    until(lambda: bool(traced.summaries('annotation.kind = "queued"')))
    (found,) = traced.summaries('annotation.kind = "queued"')
    whole = traced.trace(f"Root={found['Id']}", *WHOLE)
    service = whole["AWS::Lambda active"]
    dwell, attempt = service["subsegments"]
    assert (dwell["name"], attempt["name"]) == ("Dwell Time", "Attempt #1")
    assert service["start_time"] <= dwell["start_time"] <= dwell["end_time"] == attempt["start_time"]
    assert whole["AWS::Lambda::Function active"]["parent_id"] == attempt["id"]


def test_an_error_is_a_fault_with_its_cause(traced: Traced) -> None:
    """What the handler raises is in the function's segment and in the SDK's."""
    assert traced.invoke("active", kind="failing", fail=True)["errorType"] == "ValueError"
    until(lambda: bool(traced.summaries('annotation.kind = "failing" AND fault = true')))
    (found,) = traced.summaries('annotation.kind = "failing" AND fault = true')
    function = traced.trace(f"Root={found['Id']}", *WHOLE[:2])["AWS::Lambda::Function active"]
    (exception,) = function["cause"]["exceptions"]
    assert (exception["type"], exception["message"]) == ("ValueError", "not today")
    (work,) = (one for one in function["subsegments"] if one["name"] == "## work")
    assert work["fault"] is True


def test_what_nobody_samples_sends_nothing(traced: Traced) -> None:
    """PassThrough without a header: Sampled=0, the SDK sends no segment, and neither does Lambda."""
    header = traced.invoke("passing", kind="unsampled")
    assert ";Sampled=0;" in header
    traced.trace(traced.invoke("active", kind="behind"), *WHOLE)
    trace_id = header.split(";")[0].removeprefix("Root=")
    assert traced.xray.batch_get_traces(TraceIds=[trace_id])["Traces"] == []


def test_the_daemons_tcp_port_gives_the_sampling_rules(traced: Traced) -> None:
    """SDKs ask the daemon, unsigned; it answers for the function's account."""
    answer = traced.invoke("active", rules=True)
    assert "SamplingRuleRecords" in answer, answer
    assert [one["SamplingRule"]["RuleName"] for one in answer["SamplingRuleRecords"]] == ["Default"]
