"""A burst of messages through a queue and a function into a table: how many a second, and whether any is lost.

The messages are in the queue before the mapping is enabled; the clock stops when the queue is empty, and then the items
are counted. A peer gets so many seconds; its rate is that of what it has done by then.
AWS: none.
"""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks import events, peers
from benchmarks.figures import Round

MESSAGES = 10_000
SENDERS = 4
PEER_S = 120.0
OURS_S = 600.0
CODE = """
import os
import botocore.session

client = botocore.session.get_session().create_client(
    "dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="us-east-1"
)

def handler(event, context):
    puts = [{"PutRequest": {"Item": {"k": {"S": record["body"]}}}} for record in event["Records"]]
    answer = client.batch_write_item(RequestItems={os.environ["TABLE"]: puts})
    if answer.get("UnprocessedItems"):
        raise RuntimeError("not all were written")
"""
TABLE = {
    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
MEMORY_MB = 1769
"""One vCPU: the peer has no quota, and the share of a smaller function is not what is measured."""
_TIMEOUT_S = 60
_VISIBILITY_S = 360
_BETWEEN_LOOKS_S = 0.5


def measured(subject: Any, name: str, runtime: str, messages: int = MESSAGES) -> Round:
    """Messages per second, and how many never became an item (of a server that emptied its queue)."""
    queue, table = subject.client("sqs"), subject.fresh("bench-burst")
    subject.client("dynamodb").create_table(TableName=table, **TABLE)
    subject.client("dynamodb").get_waiter("table_exists").wait(TableName=table)
    url = queue.create_queue(QueueName=table, Attributes={"VisibilityTimeout": str(_VISIBILITY_S)})["QueueUrl"]
    arn = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    variables = {"TABLE": table}
    if name != "ours":  # inside our sandboxes it is the platform's own
        variables["AWS_ENDPOINT_URL"] = subject.endpoint
    function = subject.create(
        subject.fresh("burst"), runtime, events.zipped(CODE), "app.handler", env=variables,
        Timeout=_TIMEOUT_S, MemorySize=MEMORY_MB,
    )  # fmt: skip
    _fill(subject, url, messages)
    began = time.perf_counter()
    subject.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=arn, BatchSize=10)
    drained = _drained(queue, url, OURS_S if name == "ours" else PEER_S)
    took = time.perf_counter() - began
    items = _count(subject.client("dynamodb"), table)
    found = {f"burst_{name}": items / took, f"burst_s_{name}": took}
    if drained:
        found[f"burst_lost_{name}"] = float(messages - items)
    else:
        peers.say(f"{name}: {items} of {messages} messages became items in {took:.0f} s")
    if name == "ours" and (not drained or items < messages):
        raise RuntimeError(f"{messages - items} of {messages} messages never became items")
    return found


def _fill(subject: Any, url: str, messages: int) -> None:
    def send(batch: tuple[int, ...]) -> None:
        entries = [{"Id": str(place), "MessageBody": f"m{number}"} for place, number in enumerate(batch)]
        answer = subject.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
        if answer.get("Failed"):
            raise RuntimeError(f"messages were refused: {answer['Failed']}")

    subject.client("sqs")  # made once, before the threads use it
    numbers = iter(range(messages))
    batches = list(iter(lambda: tuple(itertools.islice(numbers, 10)), ()))
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(send, batches))


def _drained(queue: Any, url: str, patience_s: float) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        counts = queue.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if all(int(counts[name]) == 0 for name in names):
            return True
        time.sleep(_BETWEEN_LOOKS_S)
    return False


def _count(client: Any, table: str) -> int:
    pages = client.get_paginator("scan").paginate(TableName=table, Select="COUNT", ConsistentRead=True)
    return sum(page["Count"] for page in pages)
