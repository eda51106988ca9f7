"""Short forms of what SQS's tests do."""

from typing import Any

from botocore.exceptions import ClientError


def send(sqs: Any, url: str, *bodies: str, **settings: Any) -> None:
    """Messages one by one."""
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body, **settings)


def receive(sqs: Any, url: str, **settings: Any) -> list[dict[str, Any]]:
    """Up to ten messages."""
    settings.setdefault("MaxNumberOfMessages", 10)
    found: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, **settings).get("Messages", [])
    return found


def bodies(found: list[dict[str, Any]]) -> list[str]:
    """Their bodies, in the order given."""
    return [message["Body"] for message in found]


def delete(sqs: Any, url: str, message: dict[str, Any]) -> None:
    """Delete what was received."""
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def counts(sqs: Any, url: str) -> tuple[int, int, int]:
    """Visible, in flight, delayed."""
    names = (
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    )
    there = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
    visible, in_flight, delayed = (int(there[name]) for name in names)
    return visible, in_flight, delayed


def arn(sqs: Any, url: str) -> str:
    """The queue's ARN."""
    text: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return text


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Code and text of the error that a call must give."""
    try:
        call(**params)
    except ClientError as error:
        told = error.response["Error"]
        return told["Code"], told["Message"]
    raise AssertionError("there was no error")
