"""Queues through boto3: names, attributes, lists, tags, permissions, purge.

AWS: SQS API Reference, the operations of these names.
"""

import json
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.sqs.actions import arn, counts, receive, refusal, send


def test_creating_twice_gives_the_same_queue_unless_attributes_differ(sqs: Any) -> None:
    """An attribute that is given must equal the queue's own; defaults count."""
    url = sqs.create_queue(QueueName="q", Attributes={"DelaySeconds": "5"})["QueueUrl"]
    assert sqs.create_queue(QueueName="q")["QueueUrl"] == url
    assert sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "30"})["QueueUrl"] == url
    code, text = refusal(sqs.create_queue, QueueName="q", Attributes={"DelaySeconds": "6"})
    assert code == "QueueAlreadyExists"
    assert text == "A queue already exists with the same name and a different value for attribute DelaySeconds"
    assert sqs.get_queue_url(QueueName="q")["QueueUrl"] == url


def test_a_deleted_queue_is_gone_with_its_messages(sqs: Any, queue: str) -> None:
    """A new queue of the name begins empty."""
    send(sqs, queue, "one")
    sqs.delete_queue(QueueUrl=queue)
    assert refusal(sqs.send_message, QueueUrl=queue, MessageBody="b")[0] == "AWS.SimpleQueueService.NonExistentQueue"
    again = sqs.create_queue(QueueName=queue.rsplit("/", 1)[1])["QueueUrl"]
    assert counts(sqs, again) == (0, 0, 0)


def test_queues_are_listed_by_prefix_and_page(sqs: Any) -> None:
    """NextToken only where MaxResults asks for pages."""
    urls = [sqs.create_queue(QueueName=f"{kind}-{number}")["QueueUrl"] for kind in "ab" for number in range(5)]
    assert sqs.list_queues()["QueueUrls"] == urls
    assert sqs.list_queues(QueueNamePrefix="b-")["QueueUrls"] == urls[5:]
    pages = list(sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["QueueUrls"]) for page in pages] == [3, 3, 3, 1]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="z")


@pytest.mark.parametrize(
    ("name", "attributes", "code", "text"),
    [
        ("a b", {}, "InvalidParameterValue", "Can only include alphanumeric characters"),
        ("x" * 81, {}, "InvalidParameterValue", "1 to 80 in length"),
        ("q.fifo", {}, "InvalidParameterValue", "Can only include alphanumeric"),
        ("q", {"FifoQueue": "true"}, "InvalidParameterValue", "must end with .fifo suffix"),
        ("q", {"FifoQueue": "false"}, "InvalidAttributeName", "Unknown Attribute FifoQueue."),
        ("q", {"Colour": "red"}, "InvalidAttributeName", "Unknown Attribute Colour."),
        ("q", {"ContentBasedDeduplication": "true"}, "InvalidAttributeName", "ContentBasedDeduplication"),
        (
            "q",
            {"VisibilityTimeout": "43201"},
            "InvalidAttributeValue",
            "Invalid value for the parameter VisibilityTimeout.",
        ),
        ("q", {"DelaySeconds": "-1"}, "InvalidAttributeValue", "DelaySeconds"),
        ("q", {"MaximumMessageSize": "1048577"}, "InvalidAttributeValue", "MaximumMessageSize"),
        ("q", {"MessageRetentionPeriod": "59"}, "InvalidAttributeValue", "MessageRetentionPeriod"),
        ("q", {"ReceiveMessageWaitTimeSeconds": "21"}, "InvalidAttributeValue", "ReceiveMessageWaitTimeSeconds"),
        ("q", {"Policy": "{"}, "InvalidAttributeValue", "Policy"),
        ("q", {"RedrivePolicy": "{}"}, "InvalidParameterValue", "mandatory attribute: deadLetterTargetArn"),
        ("q", {"RedriveAllowPolicy": '{"redrivePermission": "no"}'}, "InvalidAttributeValue", "RedriveAllowPolicy"),
    ],
)
def test_what_cannot_be_a_queue_is_told(sqs: Any, name: str, attributes: dict[str, str], code: str, text: str) -> None:
    """Codes and texts of CreateQueue."""
    found = refusal(sqs.create_queue, QueueName=name, Attributes=attributes)
    assert found[0] == code
    assert text in found[1]


def test_attributes_are_changed_one_by_one_and_taken_away(sqs: Any, queue: str) -> None:
    """An empty policy is none."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy, "DelaySeconds": "3"})
    there = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (there["Policy"], there["DelaySeconds"], there["VisibilityTimeout"]) == (policy, "3", "30")
    assert there["MaximumMessageSize"] == "1048576"
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    there = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert ("Policy" in there, there["DelaySeconds"]) == (False, "3")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue)
    assert refusal(sqs.get_queue_attributes, QueueUrl=queue, AttributeNames=["Odd"])[0] == "InvalidAttributeName"


def test_fifo_attributes_have_defaults_and_constraints(sqs: Any, fifo: str) -> None:
    """High throughput needs both attributes."""
    there = sqs.get_queue_attributes(QueueUrl=fifo, AttributeNames=["All"])["Attributes"]
    assert (there["FifoQueue"], there["DeduplicationScope"], there["FifoThroughputLimit"]) == (
        "true",
        "queue",
        "perQueue",
    )
    limit = {"FifoThroughputLimit": "perMessageGroupId"}
    assert refusal(sqs.set_queue_attributes, QueueUrl=fifo, Attributes=limit)[0] == "InvalidAttributeValue"
    sqs.set_queue_attributes(QueueUrl=fifo, Attributes={**limit, "DeduplicationScope": "messageGroup"})


def test_tags(sqs: Any) -> None:
    """At creation, later, and away again."""
    url = sqs.create_queue(QueueName="q", tags={"a": "1"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2", "a": "3"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "3", "b": "2"}
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}


def test_purge_empties_once_a_minute(sqs: Any, queue: str) -> None:
    """Also what is in flight."""
    send(sqs, queue, "one", "two")
    receive(sqs, queue, MaxNumberOfMessages=1)
    sqs.purge_queue(QueueUrl=queue)
    assert counts(sqs, queue) == (0, 0, 0)
    assert refusal(sqs.purge_queue, QueueUrl=queue)[0] == "AWS.SimpleQueueService.PurgeQueueInProgress"


def test_another_account_needs_a_permission(platform: RunningPlatform, sqs: Any, queue: str) -> None:
    """AddPermission lets it send; RemovePermission ends that. Whether a queue is there is not told to strangers."""
    other = platform.client("sqs", account="444253827891")
    assert refusal(other.send_message, QueueUrl=queue, MessageBody="b")[0] == "AccessDenied"
    sqs.add_permission(QueueUrl=queue, Label="them", AWSAccountIds=["444253827891"], Actions=["SendMessage"])
    other.send_message(QueueUrl=queue, MessageBody="from them")
    assert refusal(other.receive_message, QueueUrl=queue)[0] == "AccessDenied"
    (message,) = receive(sqs, queue, AttributeNames=["SenderId"])
    assert message["Attributes"]["SenderId"] == "444253827891"
    assert refusal(
        sqs.add_permission, QueueUrl=queue, Label="them", AWSAccountIds=["444253827891"], Actions=["SendMessage"]
    ) == ("InvalidParameterValue", "Value them for parameter Label is invalid. Reason: Already exists.")
    sqs.remove_permission(QueueUrl=queue, Label="them")
    assert refusal(other.send_message, QueueUrl=queue, MessageBody="b")[0] == "AccessDenied"


def test_accounts_and_regions_have_queues_of_their_own(platform: RunningPlatform, account: str, sqs: Any) -> None:
    """The same name is another queue elsewhere."""
    here = sqs.create_queue(QueueName="same")["QueueUrl"]
    west = platform.client("sqs", account=account, region="us-west-2")
    there = west.create_queue(QueueName="same")["QueueUrl"]
    send(sqs, here, "east")
    assert receive(west, there) == []
    assert arn(west, there) == f"arn:aws:sqs:us-west-2:{account}:same"
