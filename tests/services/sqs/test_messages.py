"""Standard queues through boto3: send, receive, hide, delete.

AWS: SQS Developer Guide, "Amazon SQS visibility timeout", "Amazon SQS short and long polling", "Amazon SQS message
metadata".
"""

import http.client
import json
import threading
import time
import urllib.parse
import urllib.request
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests import platform as platforms
from tests.platform import RunningPlatform
from tests.services.sqs.actions import bodies, counts, delete, receive, refusal, send


def test_a_message_is_received_hidden_and_deleted(sqs: Any, queue: str) -> None:
    """In flight it is not given to another receiver; once deleted it never comes back."""
    send(sqs, queue, "one")
    (message,) = receive(sqs, queue)
    assert message["Body"] == "one"
    assert receive(sqs, queue) == []
    assert counts(sqs, queue) == (0, 1, 0)
    delete(sqs, queue, message)
    delete(sqs, queue, message)
    assert counts(sqs, queue) == (0, 0, 0)


def test_attributes_and_digests_arrive(platform: RunningPlatform, sqs: Any, queue: str) -> None:
    """boto3 itself checks both MD5 sums of what it receives and sends."""
    given = {
        "text": {"DataType": "String", "StringValue": "zoë"},
        "number.int": {"DataType": "Number.int", "StringValue": "-7.5e3"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = sqs.send_message(QueueUrl=queue, MessageBody="ünï 🐍", MessageAttributes=given)
    asked = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"], "VisibilityTimeout": 0}
    (message,) = receive(sqs, queue, **asked)
    assert message["MessageAttributes"] == given
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MessageId"] == sent["MessageId"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - platform.now()) < 60
    (some,) = receive(sqs, queue, MessageAttributeNames=["number.*"], MessageSystemAttributeNames=["SenderId"])
    assert list(some["MessageAttributes"]) == ["number.int"]
    assert list(some["Attributes"]) == ["SenderId"]


def test_the_trace_header_is_a_system_attribute(sqs: Any, queue: str) -> None:
    """AWSTraceHeader travels outside of the body."""
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    system = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="b", MessageSystemAttributes=system)
    assert sent["MD5OfMessageSystemAttributes"]
    (message,) = receive(sqs, queue, MessageSystemAttributeNames=["AWSTraceHeader"])
    assert message["Attributes"] == {"AWSTraceHeader": header}


def test_long_polling_wakes_when_a_message_arrives(sqs: Any, queue: str) -> None:
    """The receiver gets it at once, not at the end of its wait."""
    found: list[str] = []
    receiver = threading.Thread(target=lambda: found.extend(bodies(receive(sqs, queue, WaitTimeSeconds=20))))
    receiver.start()
    time.sleep(0.3)
    sent = time.monotonic()
    send(sqs, queue, "late")
    receiver.join(30)
    assert found == ["late"]
    assert time.monotonic() - sent < 10, "its wait ends 20 s after it began"


def test_long_polling_of_several_receivers_gives_each_message_once(sqs: Any, queue: str) -> None:
    """Ten waiters, ten messages."""
    found: list[str] = []
    waiters = [
        threading.Thread(
            target=lambda: found.extend(bodies(receive(sqs, queue, WaitTimeSeconds=10, MaxNumberOfMessages=1)))
        )
        for _ in range(10)
    ]
    for waiter in waiters:
        waiter.start()
    time.sleep(0.3)
    send(sqs, queue, *(str(number) for number in range(10)))
    for waiter in waiters:
        waiter.join(30)
    assert sorted(found) == [str(number) for number in range(10)]


def test_a_receiver_that_has_gone_takes_nothing(platform: RunningPlatform, account: str, sqs: Any, queue: str) -> None:
    """Its long poll ends with its connection: the next message is for others."""
    where = urllib.parse.urlsplit(platform.url)
    body = json.dumps({"QueueUrl": queue, "WaitTimeSeconds": 20})
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ReceiveMessage"}
    request = AWSRequest(method="POST", url=platform.url + "/", data=body, headers=headers)
    SigV4Auth(Credentials(account, "secret"), "sqs", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 0, timeout=30)
    connection.request("POST", "/", body, dict(request.headers.items()))
    time.sleep(0.5)
    connection.close()
    time.sleep(0.5)
    send(sqs, queue, "for others")
    assert bodies(receive(sqs, queue, WaitTimeSeconds=5)) == ["for others"]


def test_a_wait_without_a_message_ends_empty(sqs: Any, queue: str) -> None:
    """WaitTimeSeconds is a bound."""
    assert receive(sqs, queue, WaitTimeSeconds=1) == []


def test_visibility_can_be_changed(sqs: Any, queue: str) -> None:
    """0 gives it back at once; what is not in flight cannot be changed."""
    send(sqs, queue, "one")
    (message,) = receive(sqs, queue)
    handle = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.change_message_visibility(**handle, VisibilityTimeout=0)
    code, _ = refusal(sqs.change_message_visibility, **handle, VisibilityTimeout=10)
    assert code == "AWS.SimpleQueueService.MessageNotInflight"
    (again,) = receive(sqs, queue, AttributeNames=["ApproximateReceiveCount"])
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    delete(sqs, queue, message)  # an old receipt handle
    assert counts(sqs, queue) == (0, 1, 0)


def test_time_brings_messages_back_delays_and_expires_them() -> None:
    """VisibilityTimeout, DelaySeconds and MessageRetentionPeriod on the platform's clock."""
    with platforms.running() as running:
        sqs = running.client("sqs")
        attributes = {"VisibilityTimeout": "60", "MessageRetentionPeriod": "3600"}
        url = sqs.create_queue(QueueName="q", Attributes=attributes)["QueueUrl"]
        send(sqs, url, "late", DelaySeconds=100)
        send(sqs, url, "soon")
        assert bodies(receive(sqs, url)) == ["soon"]
        assert counts(sqs, url) == (0, 1, 1)
        running.advance(61)
        assert bodies(receive(sqs, url)) == ["soon"]
        waiting: list[str] = []
        receiver = threading.Thread(target=lambda: waiting.extend(bodies(receive(sqs, url, WaitTimeSeconds=20))))
        receiver.start()
        time.sleep(0.3)
        running.advance(40)
        receiver.join(15)
        assert waiting == ["late"]  # the clock wakes who waits
        running.advance(3600)
        assert receive(sqs, url) == []
        assert counts(sqs, url) == (0, 0, 0)


def test_messages_survive_a_kill(tmp_path: Any) -> None:
    """Sent, received and deleted messages are as they were acknowledged."""
    running = platforms.start(tmp_path / "data")
    sqs = running.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    send(sqs, url, *(f"{number}" for number in range(20)))
    received = receive(sqs, url)
    for message in received[:5]:
        delete(sqs, url, message)
    running.kill()
    with platforms.running(tmp_path / "data") as again:
        client = again.client("sqs")
        url = client.get_queue_url(QueueName="q")["QueueUrl"]
        assert counts(client, url) == (10, 5, 0)
        assert sorted(bodies(receive(client, url)), key=int) == [f"{number}" for number in range(10, 20)]


LONG = "x" * 1025


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        ({"MessageBody": ""}, "MissingParameter", "The request must contain the parameter MessageBody."),
        ({"MessageBody": "\x00"}, "InvalidMessageContents", "Invalid characters found in message body."),
        ({"MessageBody": LONG}, "InvalidParameterValue", "Message must be shorter than 1024 bytes."),
        ({"MessageBody": "b", "DelaySeconds": 901}, "InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900."),
        ({"MessageBody": "b", "MessageDeduplicationId": "d"}, "InvalidParameterValue", "not valid for this queue type"),
        (
            {"MessageBody": "b", "MessageAttributes": {"a": {"DataType": "Odd", "StringValue": "x"}}},
            "InvalidParameterValue",
            "supported type prefixes: Binary, Number, String",
        ),
        (
            {"MessageBody": "b", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "x"}}},
            "InvalidParameterValue",
            "Could not cast message attribute 'a' value to number.",
        ),
        (
            {"MessageBody": "b", "MessageAttributes": {"AWS.a": {"DataType": "String", "StringValue": "x"}}},
            "InvalidParameterValue",
            "The message attribute name 'AWS.a' is invalid.",
        ),
        (
            {"MessageBody": "b", "MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}},
            "InvalidParameterValue",
            "must contain a non-empty message attribute value",
        ),
    ],
)
def test_what_cannot_be_sent_is_told(sqs: Any, queue: str, settings: dict[str, Any], code: str, text: str) -> None:
    """AWS's codes and texts; nothing is stored."""
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
    found = refusal(sqs.send_message, QueueUrl=queue, **settings)
    assert found[0] == code
    assert text in found[1]
    assert counts(sqs, queue) == (0, 0, 0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"MaxNumberOfMessages": 11}, "Must be between 1 and 10, if provided."),
        ({"MaxNumberOfMessages": 0}, "Must be between 1 and 10, if provided."),
        ({"WaitTimeSeconds": 21}, "Must be >= 0 and <= 20, if provided."),
        ({"VisibilityTimeout": 43201}, "Must be >= 0 and <= 43200, if provided."),
        ({"ReceiveRequestAttemptId": "a"}, "not valid for this queue type"),
    ],
)
def test_ranges_of_a_receive_are_checked(sqs: Any, queue: str, settings: dict[str, Any], text: str) -> None:
    """InvalidParameterValue names parameter, value and range."""
    code, message = refusal(sqs.receive_message, QueueUrl=queue, **settings)
    assert (code, text in message) == ("InvalidParameterValue", True)


@pytest.mark.parametrize("handle", ["nonsense", "MTox", "MTI6MTI6YWJj", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OjE6YQ=="])
def test_a_made_up_receipt_handle_is_refused(sqs: Any, queue: str, handle: str) -> None:
    """Also one of another queue."""
    send(sqs, queue, "stays")
    assert refusal(sqs.delete_message, QueueUrl=queue, ReceiptHandle=handle)[0] == "ReceiptHandleIsInvalid"
    assert counts(sqs, queue) == (1, 0, 0)


def test_the_older_query_protocol_is_served(platform: RunningPlatform, account: str, sqs: Any, queue: str) -> None:
    """SDKs before 2023 post forms to the queue's URL and read XML."""
    body = urllib.parse.urlencode(
        {
            "Action": "SendMessage",
            "Version": "2012-11-05",
            "QueueUrl": queue,
            "MessageBody": "old <&>",
            "MessageAttribute.1.Name": "a",
            "MessageAttribute.1.Value.DataType": "String",
            "MessageAttribute.1.Value.StringValue": "v",
        }
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest(method="POST", url=queue, data=body, headers=headers)
    SigV4Auth(Credentials(account, "secret"), "sqs", "us-east-1").add_auth(request)
    sent = urllib.request.Request(queue, data=body.encode(), headers=dict(request.headers.items()))
    with urllib.request.urlopen(sent, timeout=30) as answer:
        text = answer.read().decode()
    assert "<SendMessageResult>" in text
    assert "<MD5OfMessageAttributes>" in text
    (message,) = receive(sqs, queue, MessageAttributeNames=["a"])
    assert (message["Body"], message["MessageAttributes"]["a"]["StringValue"]) == ("old <&>", "v")


def test_a_message_is_hidden_for_twelve_hours_in_all() -> None:
    """They count from the receive, however often the timeout is extended; 43200 right behind it is too much."""
    with platforms.running() as running:
        sqs = running.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        send(sqs, url, "long")
        (message,) = receive(sqs, url)
        handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
        sqs.change_message_visibility(**handle, VisibilityTimeout=43_000)
        running.advance(42_000)
        code, text = refusal(sqs.change_message_visibility, **handle, VisibilityTimeout=1_201)
        assert code == "InvalidParameterValue"
        assert text == (
            "Value 1201 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is "
            "beyond the limit [43200 seconds]"
        )
        sqs.change_message_visibility(**handle, VisibilityTimeout=600)
        running.advance(601)
        (again,) = receive(sqs, url)
        handle["ReceiptHandle"] = again["ReceiptHandle"]
        sqs.change_message_visibility(**handle, VisibilityTimeout=43_000)
