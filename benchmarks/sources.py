"""DynamoDB, SQS, SNS and Kinesis through boto3 (ms, p50), how soon a long poll wakes, and their events' way to a
handler: from boto3's call on, and from the request's first byte on (`_raw`).

AWS: none.
"""

import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks import events, floor_calls, peers, ready
from benchmarks.figures import Round
from benchmarks.turns import Works, times_in_turn

FLOOR = [sys.executable, str(peers.HERE / "floor_calls.py")]
WAKES = 40
WARM_UP = 10
SETTLE_S = 0.05
_BODY = floor_calls.BODY
_HEAD = """
import base64, time
def handler(event, context):
    now = time.time_ns()
    for record in event["Records"]:
        print("BENCH", {key}, now)
"""
_KEYS: Mapping[str, str] = {
    "sns": 'record["Sns"]["Message"]',
    "sqs": 'record["body"]',
    "dynamodb": 'record["dynamodb"]["Keys"]["k"]["S"]',
    "kinesis": 'base64.b64decode(record["kinesis"]["data"]).decode()',
}
TABLE = {
    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def measured(subject: Any, name: str, runtime: str, sent: int) -> Round:
    """How soon polls wake, and `sent` events each source's way; a peer that loses some has no figure for it."""
    found: dict[str, float] = {f"poll_wakes_{name}": _wakes(subject)}
    for source, connect in (("sns", _topic), ("sqs", _queue), ("dynamodb", _stream), ("kinesis", _shards)):
        code = _HEAD.format(key=_KEYS[source])
        try:
            found |= events.measured(subject, f"{source}_event", runtime, code, connect, sent)
        except events.Undelivered as error:
            if name == "ours":
                raise
            peers.say(str(error))
    return found


def calls_of(subjects: Sequence[Any], calls: int, parts: Sequence[Callable[[Any], Works]] = ()) -> Round:
    """Calls alone (p50, ms), of servers that may have no functions, in turn."""
    chosen = parts or (dynamodb, _sqs, _sns, _kinesis)
    works = {subject.name: {k: v for part in chosen for k, v in part(subject).items()} for subject in subjects}
    return {name: statistics.median(times) for name, times in times_in_turn(works, calls, WARM_UP).items()}


def dynamodb(subject: Any) -> Works:
    """Put and get."""
    client, table = subject.client("dynamodb"), subject.fresh("bench-table")
    client.create_table(TableName=table, **TABLE)
    client.get_waiter("table_exists").wait(TableName=table)

    def put(number: int) -> object:
        return client.put_item(TableName=table, Item={"k": {"S": f"k{number}"}, "v": {"S": _BODY}, "n": {"N": "7"}})

    def get(number: int) -> object:
        return client.get_item(TableName=table, Key={"k": {"S": f"k{number}"}})["Item"]

    return {"dynamodb_put": put, "dynamodb_get": get}


def _sqs(subject: Any) -> Works:
    client = subject.client("sqs")
    url = client.create_queue(QueueName=subject.fresh("bench-queue"))["QueueUrl"]
    handles: list[str] = []

    def receive(number: int) -> None:
        handles.append(client.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"])

    return {
        "sqs_send": lambda number: client.send_message(QueueUrl=url, MessageBody=_BODY),
        "sqs_receive": receive,
        "sqs_delete": lambda number: client.delete_message(QueueUrl=url, ReceiptHandle=handles[number]),
    }


def _sns(subject: Any) -> Works:
    client = subject.client("sns")
    topic = client.create_topic(Name=subject.fresh("bench-topic"))["TopicArn"]
    return {"sns_publish": lambda number: client.publish(TopicArn=topic, Message=_BODY)}


def _kinesis(subject: Any) -> Works:
    client, stream = subject.client("kinesis"), _new_stream(subject)

    def put(number: int) -> object:
        return client.put_record(StreamName=stream, Data=_BODY.encode(), PartitionKey=f"k{number}")

    return {"kinesis_put": put}


def _new_stream(subject: Any) -> str:
    client, stream = subject.client("kinesis"), str(subject.fresh("bench-stream"))
    client.create_stream(StreamName=stream, ShardCount=1)
    client.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    return stream


def _wakes(subject: Any) -> float:
    """From the answer of SendMessage to that of a ReceiveMessage that has waited for it; 0 where it came first."""
    sender, receiver = subject.client("sqs"), subject.client("sqs")
    url = sender.create_queue(QueueName=subject.fresh("bench-poll"))["QueueUrl"]
    woken: list[float] = []

    def receive() -> None:
        receiver.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        woken.append(time.perf_counter())

    taken = []
    for _ in range(WAKES):
        thread = threading.Thread(target=receive)
        thread.start()
        time.sleep(SETTLE_S)
        sender.send_message(QueueUrl=url, MessageBody=_BODY)
        sent = time.perf_counter()
        thread.join()
        taken.append(max(0.0, woken[-1] - sent) * 1000)
    return statistics.median(taken)


def _topic(subject: Any, function: str) -> Mapping[str, events.Send]:
    client = subject.client("sns")
    topic = client.create_topic(Name=subject.fresh("bench-topic"))["TopicArn"]
    subject.client("lambda").add_permission(
        FunctionName=function, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
        SourceArn=topic,
    )  # fmt: skip
    client.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    return _ways(subject, client, lambda name: client.publish(TopicArn=topic, Message=name))


def _queue(subject: Any, function: str) -> Mapping[str, events.Send]:
    client = subject.client("sqs")
    url = client.create_queue(QueueName=subject.fresh("bench-queue"))["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    _mapped(subject, function, EventSourceArn=arn, BatchSize=10)
    return _ways(subject, client, lambda name: client.send_message(QueueUrl=url, MessageBody=name))


def _stream(subject: Any, function: str) -> Mapping[str, events.Send]:
    client, table = subject.client("dynamodb"), subject.fresh("bench-table")
    made = client.create_table(
        TableName=table, **TABLE, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    )
    client.get_waiter("table_exists").wait(TableName=table)
    arn = made["TableDescription"]["LatestStreamArn"]
    _mapped(subject, function, EventSourceArn=arn, BatchSize=100, StartingPosition="TRIM_HORIZON")
    return _ways(subject, client, lambda name: client.put_item(TableName=table, Item={"k": {"S": name}}))


def _shards(subject: Any, function: str) -> Mapping[str, events.Send]:
    client, stream = subject.client("kinesis"), _new_stream(subject)
    arn = client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    _mapped(subject, function, EventSourceArn=arn, BatchSize=100, StartingPosition="TRIM_HORIZON")
    return _ways(
        subject, client, lambda name: client.put_record(StreamName=stream, Data=name.encode(), PartitionKey=name)
    )


def _ways(subject: Any, client: Any, call: Callable[[str], object]) -> Mapping[str, events.Send]:
    return {"": events.through_boto3(call), "_raw": ready.RawSender(subject, client, call)}


def _mapped(subject: Any, function: str, **source: Any) -> None:
    client = subject.client("lambda")
    mapping = client.create_event_source_mapping(FunctionName=function, **source)["UUID"]
    until = time.monotonic() + 60
    while client.get_event_source_mapping(UUID=mapping)["State"] != "Enabled":
        if time.monotonic() > until:
            raise RuntimeError(f"{mapping} of {source['EventSourceArn']} was never enabled")
        time.sleep(0.1)
