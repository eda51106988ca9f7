"""Batches: each entry for itself, the whole request checked first.

AWS: SQS API Reference, SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch.
"""

from typing import Any

import pytest

from tests.services.sqs.actions import bodies, counts, receive, refusal


def entries(*texts: str) -> list[dict[str, Any]]:
    """Entries for SendMessageBatch."""
    return [{"Id": f"e{number}", "MessageBody": text} for number, text in enumerate(texts)]


def test_entries_succeed_and_fail_each_for_itself(sqs: Any, queue: str) -> None:
    """Send, change and delete."""
    told = sqs.send_message_batch(QueueUrl=queue, Entries=entries("one", "", "three"))
    assert [entry["Id"] for entry in told["Successful"]] == ["e0", "e2"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in told["Failed"]] == [
        ("e1", "MissingParameter", True)
    ]
    found = receive(sqs, queue)
    assert sorted(bodies(found)) == ["one", "three"]
    handles = [message["ReceiptHandle"] for message in found] + ["bad"]
    changes = [{"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 0} for n, handle in enumerate(handles)]
    told = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=changes)
    assert (len(told["Successful"]), [entry["Code"] for entry in told["Failed"]]) == (2, ["ReceiptHandleIsInvalid"])
    deletions = [
        {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(receive(sqs, queue))
    ]
    assert len(sqs.delete_message_batch(QueueUrl=queue, Entries=deletions)["Successful"]) == 2
    assert counts(sqs, queue) == (0, 0, 0)


def test_a_batch_of_receipts_deletes_those_messages_whose_latest_they_are(sqs: Any, queue: str) -> None:
    """AWS: DeleteMessage with an old receipt handle succeeds, and the message may stay."""
    sqs.send_message_batch(QueueUrl=queue, Entries=entries("one", "two", "three"))
    first = receive(sqs, queue, VisibilityTimeout=0)
    latest = {message["Body"]: message["ReceiptHandle"] for message in receive(sqs, queue)}
    old = {message["Body"]: message["ReceiptHandle"] for message in first}
    handles = [old["one"], latest["two"], latest["two"], latest["three"]]
    deletions = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
    told = sqs.delete_message_batch(QueueUrl=queue, Entries=deletions)
    assert ([entry["Id"] for entry in told["Successful"]], told.get("Failed", [])) == (["0", "1", "2", "3"], [])
    assert counts(sqs, queue) == (0, 1, 0)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=latest["one"])
    assert counts(sqs, queue) == (0, 0, 0)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([], "AWS.SimpleQueueService.EmptyBatchRequest"),
        (entries(*"abcdefghijk"), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
        ([{"Id": "a b", "MessageBody": "x"}], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        (entries("x" * 600_000, "y" * 600_000), "AWS.SimpleQueueService.BatchRequestTooLong"),
    ],
)
def test_a_batch_that_is_wrong_as_a_whole_stores_nothing(
    sqs: Any, queue: str, given: list[dict[str, Any]], code: str
) -> None:
    """The error is the request's, not an entry's."""
    assert refusal(sqs.send_message_batch, QueueUrl=queue, Entries=given)[0] == code
    assert counts(sqs, queue) == (0, 0, 0)
