"""A queue with a function behind it, and what the function saw."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.services.lambda_.conftest import Account, package
from tests.services.measured import measured

SEE = """
import json, time

def handler(event, context):
    for record in event["Records"]:
        print("SAW " + json.dumps(record))
    print("BATCH " + json.dumps([record["body"] for record in event["Records"]]))
    bodies = [record["body"] for record in event["Records"]]
    if "slow" in bodies:
        time.sleep(1)
    if "fail" in bodies:
        raise ValueError("no")
    return ANSWER(event)
"""
NOTHING = "ANSWER = lambda event: None"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
PATIENCE_S = 30.0


class Work:
    """One queue, one function, one mapping."""

    def __init__(self, aws: Account, *, fifo: bool = False, answer: str = NOTHING, **attributes: str) -> None:
        self.aws = aws
        self.sqs, self.functions = aws.client("sqs"), aws.client("lambda")
        if fifo:
            attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        name = "q.fifo" if fifo else "q"
        self.url: str = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:{aws.id}:{name}"
        aws.create(Code={"ZipFile": package(app=f"{SEE}\n{answer}")})
        self.id = ""

    def move_to(self, aws: Account) -> None:
        """The same on another platform: the one that was started again."""
        self.aws, self.sqs, self.functions = aws, aws.client("sqs"), aws.client("lambda")
        self.url = f"{aws.platform.url}/{aws.id}/{self.url.rpartition('/')[2]}"

    def map(self, **params: Any) -> dict[str, Any]:
        """Create the mapping and wait until it is Enabled."""
        made: dict[str, Any] = self.functions.create_event_source_mapping(
            EventSourceArn=self.arn, FunctionName="f", **params
        )
        self.id = made["UUID"]
        self.wait_for("Enabled" if params.get("Enabled", True) else "Disabled")
        return made

    def get(self) -> dict[str, Any]:
        """The mapping now."""
        found: dict[str, Any] = self.functions.get_event_source_mapping(UUID=self.id)
        return found

    def wait_for(self, state: str) -> None:
        """Until the mapping is in the state."""
        until(lambda: self.get()["State"] == state)

    def send(self, *bodies: str, **params: Any) -> list[str]:
        """Message ids, in order."""
        return [self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **params)["MessageId"] for body in bodies]

    def lines(self, mark: str) -> list[Any]:
        """What the function printed behind a word, in the order of its log."""
        try:
            pages = self.aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/f")
            messages = [event["message"] for page in pages for event in page["events"]]
        except self.aws.client("logs").exceptions.ResourceNotFoundException:
            return []
        return [json.loads(message.removeprefix(mark)) for message in messages if message.startswith(mark)]

    def records(self) -> list[Any]:
        """All records that the function was given."""
        return self.lines("SAW ")

    def bodies(self) -> list[str]:
        """Their bodies."""
        return [record["body"] for record in self.records()]

    def count(self) -> tuple[int, int]:
        """(visible, in flight) messages of the queue."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def wait_until_empty(self) -> None:
        """Until every message has been deleted."""
        until(lambda: self.count() == (0, 0))


def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "it did not come to be"
        time.sleep(0.05)


def metric(aws: Account, mapping_id: str, name: str, statistic: str = "Sum") -> float | None:
    """One metric of an event source mapping over all time; None where it has no data."""
    return measured(aws.client("cloudwatch"), "AWS/Lambda", name, statistic, EventSourceMappingUUID=mapping_id)
