"""Short forms of what SNS's tests do."""

import json
import random
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.platform import RunningPlatform


@dataclass(frozen=True)
class Queue:
    """A queue of one account."""

    sqs: Any
    url: str
    arn: str

    def messages(self, wait_s: int = 10) -> list[dict[str, Any]]:
        """Up to ten messages, deleted."""
        found: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s, MessageAttributeNames=["All"],
            AttributeNames=["All"],
        ).get("Messages", [])  # fmt: skip
        for message in found:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def letters(self, wait_s: int = 10) -> list[dict[str, Any]]:
        """The envelopes in them."""
        return [json.loads(message["Body"]) for message in self.messages(wait_s)]


def make_queue(platform: RunningPlatform, account: str, *, fifo: bool = False, allowed: bool = True) -> Queue:
    """A queue; SNS may send to it unless told otherwise."""
    sqs = platform.client("sqs", account=account)
    attributes = {"FifoQueue": "true"} if fifo else {}
    name = f"q{random.randrange(10**9)}" + (".fifo" if fifo else "")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    queue = Queue(sqs, url, f"arn:aws:sqs:us-east-1:{account}:{name}")
    if allowed:
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                     "Resource": queue.arn}  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return queue


def subscribe(sns: Any, topic: str, queue: Queue, **attributes: str) -> str:
    """The ARN of the queue's subscription."""
    arn: str = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes=attributes)[
        "SubscriptionArn"
    ]
    return arn


def text(value: str) -> dict[str, str]:
    """A message attribute."""
    return {"DataType": "String", "StringValue": value}


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Code and text of the error that a call must give."""
    try:
        call(**params)
    except ClientError as error:
        told = error.response["Error"]
        return told["Code"], told["Message"]
    raise AssertionError("there was no error")
