"""Functions run by events: a bucket through EventBridge, a schedule, and a function's result on a bus.

AWS: S3 User Guide, "Using EventBridge"; EventBridge User Guide, "Schedule Lambda functions"; Lambda Developer Guide,
"Capturing records of Lambda asynchronous invocations".
"""

import json
from typing import Any

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.events.actions import first, put, queue_of, rule

ECHO = """
import json, boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=URL, MessageBody=json.dumps(event))
    return {"seen": event.get("detail-type")}
"""


def test_a_bucket_and_a_function_tell_the_default_bus(platform: RunningPlatform, account: str) -> None:
    """Object Created runs the function (S4-04, S1-33); its success is an event on the bus again (S4-27)."""
    s3, events = platform.client("s3", account=account), platform.client("events", account=account)
    functions, queue, results = (
        platform.client("lambda", account=account),
        queue_of(platform, account),
        queue_of(platform, account),
    )
    bucket = f"b-{account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)
    function = create_function(platform, account, "echo", f"URL = {queue.url!r}\n{ECHO}", Timeout=30)
    created = rule(
        events, {"source": ["aws.s3"], "detail": {"object": {"key": [{"prefix": "in/"}]}}}, {"Arn": function}
    )
    functions.add_permission(
        FunctionName="echo", StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=created,
    )  # fmt: skip
    rule(events, {"source": ["lambda"]}, {"Arn": results.arn})
    bus = f"arn:aws:events:us-east-1:{account}:event-bus/default"
    functions.put_function_event_invoke_config(
        FunctionName="echo", DestinationConfig={"OnSuccess": {"Destination": bus}}
    )
    s3.put_object(Bucket=bucket, Key="out/x", Body=b"x")
    s3.put_object(Bucket=bucket, Key="in/x", Body=b"hello")
    (event,) = one(queue)
    assert (event["detail-type"], event["resources"]) == ("Object Created", [f"arn:aws:s3:::{bucket}"])
    assert (event["detail"]["object"]["key"], event["detail"]["object"]["size"]) == ("in/x", 5)
    (result,) = one(results)
    assert result["detail-type"] == "Lambda Function Invocation Result - Success"
    assert result["detail"]["requestContext"]["condition"] == "Success"
    assert result["detail"]["responsePayload"] == {"seen": "Object Created"}
    assert result["resources"] == [bus, f"{function}:$LATEST"]


PUT_AGAIN = """
import json, boto3

def handler(event, context):
    detail = json.dumps({"n": event["detail"]["n"] + 1})
    boto3.client("events").put_events(Entries=[{"Source": "loop", "DetailType": "d", "Detail": detail}])
"""


def test_a_loop_through_a_bus_is_stopped(platform: RunningPlatform, account: str) -> None:
    """The chain of invocations goes through the bus: the sixteenth is the last. So does the trace (I10)."""
    events, functions = platform.client("events", account=account), platform.client("lambda", account=account)
    dropped = queue_of(platform, account)
    function = create_function(platform, account, "again", PUT_AGAIN, Timeout=30)
    arn = rule(events, {"source": ["loop"]}, {"Arn": function})
    functions.add_permission(
        FunctionName="again", StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=arn,
    )  # fmt: skip
    functions.put_function_event_invoke_config(
        FunctionName="again", DestinationConfig={"OnFailure": {"Destination": dropped.arn}}
    )
    seen = queue_of(platform, account)
    rule(events, {"source": ["loop"], "detail": {"n": [2]}}, {"Arn": seen.arn})
    put(events, {"n": 1}, "loop")
    (message,) = first(seen)
    (record,) = one(dropped)
    assert record["requestContext"]["condition"] == "RecursiveInvocationException"
    assert record["requestPayload"]["detail"] == {"n": 17}
    told = platform.ask(f"/_undercast/trace/{json.loads(message['Body'])['id']}")
    labels = {node["kind"]: node["label"] for node in told["nodes"]}
    assert labels["event"].startswith("event d on arn:aws:events:")
    assert {"invocation", "delivery", "message"} <= labels.keys()
    assert message["MessageId"] in {node["id"] for node in told["nodes"]}


def one(queue: Any) -> list[dict[str, Any]]:
    """The events that are in the queue first."""
    return [json.loads(message["Body"]) for message in first(queue)]
