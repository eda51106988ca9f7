"""Pipes from queues and streams through filters and enrichment to their targets.

AWS: EventBridge User Guide, "Amazon EventBridge Pipes"; Pipes API Reference.
"""

import json
import time
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.services.events.actions import queue_of, rule, trusting
from tests.services.lambda_.queues import until
from tests.services.measured import measured
from tests.services.pipes.actions import Plumber, bodies
from tests.services.sns.actions import refusal

ENRICH = """
def handler(events, context):
    kept = [one for one in events if one["n"] != 3]
    return [{"messageId": one["messageId"], "body": one["body"], "double": 2 * one["n"]} for one in kept]
"""
RAISE_OR_NOTHING = """
def handler(events, context):
    if any(one["body"] == "raise" for one in events):
        raise ValueError("no")
    return []
"""


def test_messages_are_filtered_enriched_and_shaped(plumber: Plumber) -> None:
    """What the filter leaves out is deleted; a batch goes to the function as an array; templates at both ends."""
    source, target = plumber.queue(), plumber.queue()
    function = create_function(plumber.platform, plumber.account, "enrich", ENRICH, Timeout=30)
    plumber.lay(
        source.arn, target.arn, Enrichment=function,
        SourceParameters={"FilterCriteria": {"Filters": [{"Pattern": '{"body": {"n": [{"numeric": [">", 0]}]}}'}]}},
        EnrichmentParameters={"InputTemplate": '{"messageId": <$.messageId>, "body": <$.body>, "n": <$.body.n>}'},
        TargetParameters={"InputTemplate": '{"pipe": "<aws.pipes.pipe-name>", "double": <$.double>}'},
    )  # fmt: skip
    for number in (0, 1, 2, 3):
        source.sqs.send_message(QueueUrl=source.url, MessageBody=json.dumps({"n": number}))
    found = bodies(target, 2)
    assert sorted(one["double"] for one in found) == [2, 4]
    assert {one["pipe"] for one in found} == {"p"}
    for _ in range(800):  # what went through is deleted after it has arrived
        left = source.sqs.get_queue_attributes(QueueUrl=source.url, AttributeNames=["All"])["Attributes"]
        counts = [left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]]
        if counts == ["0", "0"]:
            break
        time.sleep(0.05)
    assert counts == ["0", "0"]

    def told(metric: str, statistic: str = "Sum", **dimensions: str) -> float | None:
        of = dimensions or {"PipeName": "p"}
        return measured(plumber.client("cloudwatch"), "AWS/EventBridge/Pipes", metric, statistic, **of)

    assert told("EventCount") == 3
    runs = told("Invocations")
    assert runs == told("Invocations", AwsAccountId=plumber.account)
    assert runs == told("Duration", "SampleCount") == told("EnrichmentStageDuration", "SampleCount")
    assert told("ExecutionFailed") == told("EnrichmentStageFailed") == told("TargetStagePartiallyFailed") == 0


def test_a_stage_that_fails_is_told(plumber: Plumber) -> None:
    """ExecutionFailed, and of which stage it was; what an enrichment leaves out skips the target."""
    source, cloudwatch = plumber.queue(), plumber.client("cloudwatch")
    function = create_function(plumber.platform, plumber.account, "enrich", RAISE_OR_NOTHING, Timeout=30)
    batches = {"SqsQueueParameters": {"BatchSize": 1}}
    plumber.lay(source.arn, plumber.queue().arn, Enrichment=function, SourceParameters=batches)
    for body in ("nothing", "raise"):
        source.sqs.send_message(QueueUrl=source.url, MessageBody=body)

    def told(metric: str) -> float:
        return measured(cloudwatch, "AWS/EventBridge/Pipes", metric, PipeName="p") or 0

    until(lambda: told("ExecutionFailed") >= 1 and told("TargetStageSkipped") >= 1)
    assert told("EnrichmentStageFailed") >= 1
    assert told("TargetStageFailed") == 0


def test_changes_of_a_table_reach_a_bus(plumber: Plumber) -> None:
    """A stream in order, from TRIM_HORIZON; defaults of source and detail-type; it goes on where it was stopped."""
    table, events = plumber.client("dynamodb"), plumber.client("events")
    made = table.create_table(
        TableName="table", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]  # fmt: skip
    seen = queue_of(plumber.platform, plumber.account)
    rule(events, {"source": ["Pipe p"]}, {"Arn": seen.arn})
    table.put_item(TableName="table", Item={"id": {"S": "1"}, "b": {"B": b"x"}})
    bus = f"arn:aws:events:us-east-1:{plumber.account}:event-bus/default"
    plumber.lay(
        made["LatestStreamArn"],
        bus,
        SourceParameters={"DynamoDBStreamParameters": {"StartingPosition": "TRIM_HORIZON"}},
    )
    (event,) = bodies(seen, 1)
    assert event["detail-type"] == "Event from aws:dynamodb"
    detail = event["detail"]
    assert (detail["eventName"], detail["eventSourceARN"]) == ("INSERT", made["LatestStreamArn"])
    assert detail["dynamodb"]["NewImage"] == {"id": {"S": "1"}, "b": {"B": "eA=="}}
    plumber.pipes.stop_pipe(Name="p")
    assert plumber.settled()["CurrentState"] == "STOPPED"
    table.put_item(TableName="table", Item={"id": {"S": "2"}})
    assert seen.messages(0) == []
    plumber.pipes.start_pipe(Name="p")
    (event,) = bodies(seen, 1)
    assert event["detail"]["dynamodb"]["Keys"] == {"id": {"S": "2"}}


def test_records_go_to_a_fifo_queue_and_what_fails_to_the_dead_letters(plumber: Plumber) -> None:
    """Data is seen as JSON; MessageGroupId by a path; MaximumRetryAttempts and the record of what was given up."""
    stream, kinesis = plumber.stream(), plumber.client("kinesis")
    fifo, dead = plumber.queue(fifo=True), plumber.queue()
    fifo.sqs.set_queue_attributes(QueueUrl=fifo.url, Attributes={"ContentBasedDeduplication": "true"})
    own = {
        "StartingPosition": "TRIM_HORIZON", "BatchSize": 10, "MaximumRetryAttempts": 0,
        "DeadLetterConfig": {"Arn": dead.arn},
    }  # fmt: skip
    source = {
        "KinesisStreamParameters": own,
        "FilterCriteria": {"Filters": [{"Pattern": '{"data": {"keep": [true]}, "partitionKey": [{"prefix": "k"}]}'}]},
    }
    target = {"InputTemplate": "<$.data>", "SqsQueueParameters": {"MessageGroupId": "$.partitionKey"}}
    arn = plumber.lay(stream, fifo.arn, SourceParameters=source, TargetParameters=target)
    for number, keep in enumerate((True, False, True)):
        data = json.dumps({"keep": keep, "n": number}).encode()
        kinesis.put_record(StreamName="s", Data=data, PartitionKey="k1")
    found: list[Any] = []
    while len(found) < 2:
        found += fifo.messages()
    assert [json.loads(one["Body"])["n"] for one in found] == [0, 2]
    assert {one["Attributes"]["MessageGroupId"] for one in found} == {"k1"}
    plumber.pipes.update_pipe(
        Name="p", RoleArn=plumber.role, TargetParameters={**target, "SqsQueueParameters": {"MessageGroupId": "$.none"}}
    )
    assert plumber.settled()["CurrentState"] == "RUNNING"
    kinesis.put_record(StreamName="s", Data=b'{"keep": true}', PartitionKey="k2")
    (letter,) = bodies(dead, 1)
    assert letter["context"] == {"partnerResourceArn": arn, "condition": "RetryAttemptsExhausted"}
    assert (letter["KinesisBatchInfo"]["batchSize"], letter["KinesisBatchInfo"]["streamArn"]) == (1, stream)


FAIL_ONE = """
import base64, boto3

def handler(events, context):
    texts = [base64.b64decode(one["data"]).decode() for one in events]
    boto3.client("sqs").send_message(QueueUrl=URL, MessageBody=",".join(texts))
    return {"batchItemFailures": [{"itemIdentifier": events[texts.index("bad")]["eventID"]}]}
"""


def test_a_function_says_what_it_could_not_do(plumber: Plumber) -> None:
    """Of a stream all behind it comes again; what is before it does not."""
    stream, seen = plumber.stream(), plumber.queue()
    code = f"URL = {seen.url!r}\n{FAIL_ONE}"
    function = create_function(plumber.platform, plumber.account, "f", code, Timeout=30)
    records = [{"Data": data, "PartitionKey": "k"} for data in (b"good", b"bad", b"last")]
    plumber.client("kinesis").put_records(StreamName="s", Records=records)
    begin = {"KinesisStreamParameters": {"StartingPosition": "TRIM_HORIZON"}}
    plumber.lay(stream, function, SourceParameters=begin)
    came: list[str] = []
    while len(came) < 2:
        came += [message["Body"] for message in seen.messages()]
    plumber.pipes.delete_pipe(Name="p")
    assert came[:2] == ["good,bad,last", "bad,last"]


def test_pipes_are_kept(plumber: Plumber) -> None:
    """AWS's states and errors; lists, tags; what is missing here is named."""
    source, target = plumber.queue(), plumber.queue()
    arn = plumber.lay(source.arn, target.arn, DesiredState="STOPPED", Tags={"k": "v"}, Description="d")
    assert arn == f"arn:aws:pipes:us-east-1:{plumber.account}:pipe/p"
    shown = plumber.settled()
    assert (shown["CurrentState"], shown["DesiredState"], shown["Description"]) == ("STOPPED", "STOPPED", "d")
    assert shown["SourceParameters"] == {"SqsQueueParameters": {"BatchSize": 10}}
    plumber.pipes.tag_resource(resourceArn=arn, tags={"l": "w"})
    plumber.pipes.untag_resource(resourceArn=arn, tagKeys=["k"])
    assert plumber.pipes.list_tags_for_resource(resourceArn=arn)["tags"] == {"l": "w"}
    elsewhere = arn.replace("us-east-1", "eu-west-1")
    assert refusal(plumber.pipes.list_tags_for_resource, resourceArn=elsewhere)[0] == "NotFoundException"
    assert refusal(plumber.pipes.tag_resource, resourceArn=elsewhere, tags={"m": "x"})[0] == "NotFoundException"
    theirs = {"resourceArn": arn.replace(plumber.account, "111122223333"), "tagKeys": ["l"]}
    assert refusal(plumber.pipes.untag_resource, **theirs)[0] == "AccessDeniedException"
    assert plumber.pipes.list_tags_for_resource(resourceArn=arn)["tags"] == {"l": "w"}
    params = {"Name": "x", "Source": source.arn, "Target": target.arn, "RoleArn": plumber.role}
    assert refusal(plumber.pipes.create_pipe, **{**params, "Name": "p"}) == (
        "ConflictException", "Pipe p already exists.",
    )  # fmt: skip
    stranger = trusting(plumber.client("iam"), "stranger", service="lambda")
    assert refusal(plumber.pipes.create_pipe, **{**params, "RoleArn": stranger})[0] == "ValidationException"
    broker = {**params, "Source": f"arn:aws:mq:us-east-1:{plumber.account}:broker:b:b-1"}
    code, text = refusal(plumber.pipes.create_pipe, **broker)
    assert code == "NotImplemented" and ":mq:" in text
    endpoint = {"EventBridgeEventBusParameters": {"EndpointId": "abcde.veo"}}
    bus = {**params, "Target": f"arn:aws:events:us-east-1:{plumber.account}:event-bus/default"}
    code, text = refusal(plumber.pipes.create_pipe, **bus, TargetParameters=endpoint)
    assert code == "NotImplemented" and "EndpointId" in text
    large = {
        **params,
        "SourceParameters": {"SqsQueueParameters": {"BatchSize": 20, "MaximumBatchingWindowInSeconds": 1}},
    }
    assert refusal(plumber.pipes.create_pipe, **large) == (
        "ValidationException", f"BatchSize must be at most 10 for the target {target.arn}.",
    )  # fmt: skip
    filters = {"FilterCriteria": {"Filters": [{"Pattern": '{"body": "x"}'}]}}
    assert "Invalid filter pattern" in refusal(plumber.pipes.create_pipe, **params, SourceParameters=filters)[1]
    plumber.lay(source.arn, target.arn, "q", DesiredState="STOPPED")
    first = plumber.pipes.list_pipes(Limit=1)
    assert [one["Name"] for one in first["Pipes"]] == ["p"]
    assert [one["Name"] for one in plumber.pipes.list_pipes(NextToken=first["NextToken"])["Pipes"]] == ["q"]
    assert plumber.pipes.list_pipes(SourcePrefix="arn:aws:kinesis")["Pipes"] == []
    plumber.pipes.delete_pipe(Name="p")
    for _ in range(2000):
        if [one["Name"] for one in plumber.pipes.list_pipes()["Pipes"]] == ["q"]:
            break
        time.sleep(0.02)
    assert refusal(plumber.pipes.describe_pipe, Name="p") == ("NotFoundException", "Pipe p does not exist.")


@pytest.mark.parametrize(
    ("member", "arn"),
    [
        ("Source", "dynamodb:us-east-1:111122223333:table/t"),
        ("Source", "kinesis:us-east-1:111122223333:s"),
        ("Target", "lambda:us-east-1:111122223333:layer:l"),
        ("Target", "events:us-east-1:111122223333:rule/r"),
        ("Target", "logs:us-east-1:111122223333:destination:d"),
        ("Enrichment", "lambda:us-east-1:111122223333:layer:l"),
    ],
)
def test_what_can_be_no_part_of_a_pipe_is_refused(plumber: Plumber, member: str, arn: str) -> None:
    """Another thing of the same service; an API destination is refused by name."""
    queue = plumber.queue().arn
    params = {"Name": "x", "Source": queue, "Target": queue, "RoleArn": plumber.role, member: f"arn:aws:{arn}"}
    text = f"Invalid {member.lower()} ARN: arn:aws:{arn}"
    assert refusal(plumber.pipes.create_pipe, **params) == ("ValidationException", text)
    params[member] = "arn:aws:events:us-east-1:111122223333:api-destination/d/1"
    if member != "Source":
        assert refusal(plumber.pipes.create_pipe, **params)[0] == "NotImplemented"


@pytest.mark.parametrize(
    ("what", "text"), [("target", "Function not found"), ("source", "QueueDoesNotExist"), ("role", "not authorized")]
)
def test_pipe_that_gets_nothing_done_says_why(plumber: Plumber, what: str, text: str) -> None:
    """StateReason explains what fails: source and target may be missing, and the role may do nothing."""
    source, gone = plumber.queue(), f"arn:aws:lambda:us-east-1:{plumber.account}:function:gone"
    source.sqs.send_message(QueueUrl=source.url, MessageBody="{}")
    role = trusting(plumber.client("iam"), "powerless", service="pipes") if what == "role" else plumber.role
    plumber.lay(f"{source.arn}-gone" if what == "source" else source.arn, gone, RoleArn=role)
    for _ in range(800):
        found = plumber.pipes.describe_pipe(Name="p")
        if "StateReason" in found:
            break
        time.sleep(0.02)
    assert found["CurrentState"] == "RUNNING"
    assert text in found["StateReason"]
    assert plumber.pipes.list_pipes()["Pipes"][0]["StateReason"] == found["StateReason"]


@pytest.mark.parametrize(("kind", "text"), [("bus", "InvalidArgument: "), ("queue", "MessageGroupId")])
def test_what_the_target_refuses_of_a_batch_is_told(plumber: Plumber, kind: str, text: str) -> None:
    """The trace of the message has the reason, StateReason too; the others of its batch are through."""
    source, (target, parameters) = plumber.queue(), _refusing(plumber, kind)
    given = {"SqsQueueParameters": {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 1}}
    ids = [
        source.sqs.send_message(QueueUrl=source.url, MessageBody=json.dumps({"kind": one}))["MessageId"]
        for one in ("good", "x" * 129)
    ]
    plumber.lay(source.arn, target, SourceParameters=given, TargetParameters=parameters)

    def errors(message_id: str) -> list[str]:
        nodes = plumber.platform.ask(f"/_undercast/trace/{message_id}")["nodes"]
        return [node["label"] for node in nodes if node["kind"] == "error"]

    until(lambda: any(one.startswith(f"{ids[1]}: ") and text in one for one in errors(ids[1])))
    assert not any(ids[0] in one for one in errors(ids[0]))
    assert text in plumber.pipes.describe_pipe(Name="p")["StateReason"]


def _refusing(plumber: Plumber, kind: str) -> tuple[str, dict[str, Any]]:
    """A target that takes no text of the event that is too long."""
    if kind == "bus":
        bus = f"arn:aws:events:us-east-1:{plumber.account}:event-bus/default"
        return bus, {"EventBridgeEventBusParameters": {"DetailType": "$.body.kind", "Source": "s"}}
    return plumber.queue(fifo=True).arn, {
        "SqsQueueParameters": {"MessageGroupId": "$.body.kind", "MessageDeduplicationId": "$.messageId"}
    }
