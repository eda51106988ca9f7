"""FIFO queues: order per group, deduplication, receive attempts.

AWS: SQS Developer Guide, "FIFO queue delivery logic", "Exactly-once processing in Amazon SQS".
"""

from typing import Any

from tests import platform as platforms
from tests.services.sqs.actions import bodies, counts, delete, receive, refusal, send


def test_a_group_is_blocked_while_its_first_message_is_in_flight(sqs: Any, fifo: str) -> None:
    """Other groups go on; deleting the first lets the next one out."""
    send(sqs, fifo, "a1", "a2", "a3", MessageGroupId="a")
    send(sqs, fifo, "b1", MessageGroupId="b")
    (first,) = receive(sqs, fifo, MaxNumberOfMessages=1)
    assert first["Body"] == "a1"
    assert bodies(receive(sqs, fifo)) == ["b1"]
    assert receive(sqs, fifo) == []
    delete(sqs, fifo, first)
    assert bodies(receive(sqs, fifo)) == ["a2", "a3"]


def test_a_batch_keeps_the_order_of_sending(sqs: Any, fifo: str) -> None:
    """Messages of several groups come in the order in which they were sent; sequence numbers grow."""
    for number in range(9):
        send(sqs, fifo, str(number), MessageGroupId=f"g{number % 3}")
    found = receive(sqs, fifo, AttributeNames=["All"])
    assert bodies(found) == [str(number) for number in range(9)]
    numbers = [message["Attributes"]["SequenceNumber"] for message in found]
    assert numbers == sorted(numbers)
    assert {len(number) for number in numbers} == {20}


def test_a_message_that_comes_back_comes_before_its_followers(sqs: Any, fifo: str) -> None:
    """Order is kept over a failed receive."""
    send(sqs, fifo, "1", "2", MessageGroupId="g")
    (first,) = receive(sqs, fifo, MaxNumberOfMessages=1)
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    assert bodies(receive(sqs, fifo)) == ["1", "2"]


def test_repeated_messages_are_taken_once(sqs: Any, fifo: str) -> None:
    """By content or by id; the second sender is told the first message's id."""
    one = sqs.send_message(QueueUrl=fifo, MessageBody="same", MessageGroupId="g")
    two = sqs.send_message(QueueUrl=fifo, MessageBody="same", MessageGroupId="other")
    assert (two["MessageId"], two["SequenceNumber"]) == (one["MessageId"], one["SequenceNumber"])
    by_id = {"QueueUrl": fifo, "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    sqs.send_message(**by_id, MessageBody="x")
    sqs.send_message(**by_id, MessageBody="y")
    assert bodies(receive(sqs, fifo)) == ["same", "x"]


def test_deduplication_ends_after_five_minutes_even_for_deleted_messages() -> None:
    """A message that was deleted within the interval is still known."""
    with platforms.running() as running:
        sqs = running.client("sqs")
        attributes = {"FifoQueue": "true", "DeduplicationScope": "messageGroup"}
        url = sqs.create_queue(QueueName="q.fifo", Attributes=attributes)["QueueUrl"]
        for group in ("a", "b"):
            send(sqs, url, group, MessageGroupId=group, MessageDeduplicationId="d")
        for message in receive(sqs, url):
            delete(sqs, url, message)
        send(sqs, url, "again", MessageGroupId="a", MessageDeduplicationId="d")
        assert counts(sqs, url) == (0, 0, 0)
        running.advance(301)
        send(sqs, url, "again", MessageGroupId="a", MessageDeduplicationId="d")
        assert bodies(receive(sqs, url)) == ["again"]


def test_a_receive_attempt_can_be_repeated(sqs: Any, fifo: str) -> None:
    """The same ReceiveRequestAttemptId gives the same messages with new receipt handles."""
    send(sqs, fifo, "1", "2", MessageGroupId="g")
    first = receive(sqs, fifo, ReceiveRequestAttemptId="try")
    again = receive(sqs, fifo, ReceiveRequestAttemptId="try")
    assert bodies(again) == bodies(first) == ["1", "2"]
    old = first[0]["ReceiptHandle"]
    text = f"Value {old} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    assert refusal(sqs.delete_message, QueueUrl=fifo, ReceiptHandle=old) == ("InvalidParameterValue", text)
    delete(sqs, fifo, again[0])


def test_what_a_fifo_queue_needs_is_told(sqs: Any, fifo: str) -> None:
    """A group always; a deduplication id where content does not serve; no delay of one message."""
    assert refusal(sqs.send_message, QueueUrl=fifo, MessageBody="b") == (
        "MissingParameter",
        "The request must contain the parameter MessageGroupId.",
    )
    sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"ContentBasedDeduplication": "false"})
    code, text = refusal(sqs.send_message, QueueUrl=fifo, MessageBody="b", MessageGroupId="g")
    assert (code, "ContentBasedDeduplication enabled" in text) == ("InvalidParameterValue", True)
    code, _ = refusal(sqs.send_message, QueueUrl=fifo, MessageBody="b", MessageGroupId="g", DelaySeconds=1,
                      MessageDeduplicationId="d")  # fmt: skip
    assert code == "InvalidParameterValue"


def test_a_group_on_a_standard_queue_is_kept_and_orders_nothing(sqs: Any, queue: str) -> None:
    """Fair queues: MessageGroupId is allowed on standard queues and shown to receivers."""
    send(sqs, queue, "1", "2", MessageGroupId="tenant")
    (first,) = receive(sqs, queue, MaxNumberOfMessages=1, AttributeNames=["MessageGroupId"])
    assert first["Attributes"] == {"MessageGroupId": "tenant"}
    assert bodies(receive(sqs, queue)) == ["2"]
