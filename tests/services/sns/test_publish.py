"""From Publish to queues: envelopes, raw delivery, batches, FIFO topics.

AWS: SNS API Reference, Publish and PublishBatch; Developer Guide, "Fanout to Amazon SQS queues".
"""

import base64
import itertools
import json
import random
import threading
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests import platform as platforms
from tests.platform import RunningPlatform
from tests.services.sns.actions import Queue, make_queue, refusal, subscribe, text
from tests.services.sns.signatures import fetched, verify

AT_WORK = 3
"""Publishing goes on for so many turns before a kill is on its way, however slow the machine."""


def test_a_queue_gets_the_signed_envelope(sns: Any, topic: str, queue: Queue) -> None:
    """Type, MessageId, TopicArn, Subject, Message, Timestamp, signature and attributes; the signature is right."""
    subscribe(sns, topic, queue)
    attributes = {"name": text("x"), "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}}
    sent = sns.publish(TopicArn=topic, Subject="Hällo", Message="a\nb", MessageAttributes=attributes)
    (letter,) = queue.letters()
    assert (letter["Type"], letter["MessageId"], letter["TopicArn"]) == ("Notification", sent["MessageId"], topic)
    assert (letter["Subject"], letter["Message"], letter["SignatureVersion"]) == ("Hällo", "a\nb", "1")
    assert letter["MessageAttributes"] == {
        "name": {"Type": "String", "Value": "x"},
        "raw": {"Type": "Binary", "Value": base64.b64encode(b"\x00\x01").decode()},
    }
    verify(letter)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    sns.publish(TopicArn=topic, Message="again")
    (letter,) = queue.letters()
    assert (letter["SignatureVersion"], "Subject" in letter) == ("2", False)
    verify(letter)
    letter["Message"] = "forged"
    certificate = x509.load_pem_x509_certificate(fetched(letter["SigningCertURL"]))
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    try:
        key.verify(base64.b64decode(letter["Signature"]), b"forged", padding.PKCS1v15(), hashes.SHA256())
    except Exception as error:  # noqa: BLE001
        assert type(error).__name__ == "InvalidSignature"
    else:
        raise AssertionError("a forged text was verified")


def test_raw_delivery_gives_the_text_and_the_attributes(sns: Any, topic: str, queue: Queue) -> None:
    """RawMessageDelivery: message attributes become those of the queue's message."""
    subscribe(sns, topic, queue, RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="plain", MessageAttributes={"n": {"DataType": "Number", "StringValue": "7"}})
    (message,) = queue.messages()
    assert message["Body"] == "plain"
    assert message["MessageAttributes"] == {"n": {"DataType": "Number", "StringValue": "7"}}


def test_message_structure_gives_each_protocol_its_text(sns: Any, topic: str, queue: Queue) -> None:
    """MessageStructure json; `default` is for all that it does not name."""
    subscribe(sns, topic, queue)
    sns.publish(TopicArn=topic, MessageStructure="json", Message=json.dumps({"default": "d", "sqs": "s", "x": 1}))
    assert [letter["Message"] for letter in queue.letters()] == ["s"]
    assert refusal(sns.publish, TopicArn=topic, MessageStructure="json", Message='{"sqs": "s"}') == (
        "InvalidParameter",
        "Invalid parameter: Message Structure - No default entry in JSON message body",
    )
    assert refusal(sns.publish, TopicArn=topic, MessageStructure="json", Message="{") == (
        "InvalidParameter",
        "Invalid parameter: Message Structure - JSON message body failed to parse",
    )


def test_half_a_character_is_no_message(sns: Any, topic: str, queue: Queue) -> None:
    """An escape of JSON that no encoding can write is refused before anything is committed."""
    subscribe(sns, topic, queue)
    broken = '{"default": "\\ud800"}'
    assert refusal(sns.publish, TopicArn=topic, MessageStructure="json", Message=broken)[0] == "InvalidParameter"


def test_what_cannot_be_published_says_why(sns: Any, topic: str) -> None:
    """AWS's codes and texts."""
    assert refusal(sns.publish, TopicArn=topic, Message="") == ("InvalidParameter", "Invalid parameter: Empty message")
    assert refusal(sns.publish, TopicArn=topic, Message="x", Subject="a\nb") == (
        "InvalidParameter", "Invalid parameter: Subject",
    )  # fmt: skip
    assert refusal(sns.publish, TopicArn=topic, Message="x" * 262_145) == (
        "InvalidParameter", "Invalid parameter: Message too long",
    )  # fmt: skip
    assert refusal(sns.publish, Message="x") == (
        "InvalidParameter", "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
    )  # fmt: skip
    assert refusal(sns.publish, TopicArn="topic", Message="x") == (
        "InvalidParameter", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
    )  # fmt: skip
    assert refusal(sns.unsubscribe, SubscriptionArn="PendingConfirmation") == (
        "InvalidParameter", "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
    )  # fmt: skip
    assert refusal(sns.publish, TopicArn=topic + "x", Message="x") == ("NotFound", "Topic does not exist")
    wrong = {"a": {"DataType": "Float", "StringValue": "1"}}
    code, told = refusal(sns.publish, TopicArn=topic, Message="x", MessageAttributes=wrong)
    assert code == "ParameterValueInvalid"
    assert told.startswith("The message attribute 'a' has an invalid message attribute type")
    number = {"a": {"DataType": "Number", "StringValue": "one"}}
    assert refusal(sns.publish, TopicArn=topic, Message="x", MessageAttributes=number)[0] == "ParameterValueInvalid"
    assert refusal(sns.publish, TopicArn=topic, Message="x", MessageDeduplicationId="1")[0] == "InvalidParameter"


def test_a_topic_of_large_messages_takes_them(sns: Any, topic: str, queue: Queue) -> None:
    """MaximumMessageSize up to 1 MiB, for queues and functions only."""
    sns.set_topic_attributes(TopicArn=topic, AttributeName="MaximumMessageSize", AttributeValue="1048576")
    subscribe(sns, topic, queue, RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="x" * 900_000)
    assert [len(message["Body"]) for message in queue.messages()] == [900_000]
    assert refusal(sns.subscribe, TopicArn=topic, Protocol="email", Endpoint="a@b.example")[0] == "InvalidParameter"


def test_entries_of_a_batch_succeed_and_fail_each_for_itself(sns: Any, topic: str, queue: Queue) -> None:
    """PublishBatch."""
    subscribe(sns, topic, queue)
    entries = [{"Id": "a", "Message": "1"}, {"Id": "b", "Message": "2", "Subject": ""}, {"Id": "c", "Message": "3"}]
    told = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in told["Successful"]] == ["a", "c"]
    assert told["Failed"] == [
        {"Id": "b", "Code": "InvalidParameter", "Message": "Invalid parameter: Subject", "SenderFault": True}
    ]
    letters = queue.letters()
    letters += queue.letters() if len(letters) < 2 else []  # each is signed, and sent, by itself
    assert sorted(letter["Message"] for letter in letters) == ["1", "3"]
    twice = [{"Id": "a", "Message": "1"}] * 2
    assert refusal(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=twice)[0] == "BatchEntryIdsNotDistinct"
    many = [{"Id": str(number), "Message": "1"} for number in range(11)]
    code, _ = refusal(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=many)
    assert code == "TooManyEntriesInBatchRequest"
    large = [{"Id": str(number), "Message": "x" * 200_000} for number in range(2)]
    assert refusal(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=large)[0] == "BatchRequestTooLong"


@pytest.mark.parametrize(("scope", "in_topic"), [("MessageGroup", False), ("Topic", True), (None, True)])
def test_a_repetition_is_one_within_its_scope(sns: Any, scope: str | None, in_topic: bool) -> None:
    """FifoThroughputScope: a deduplication id holds in its message group, or, as ever, in the topic."""
    given = {"FifoTopic": "true", **({"FifoThroughputScope": scope} if scope else {})}
    topic = sns.create_topic(Name="t.fifo", Attributes=given)["TopicArn"]
    first, other, again = (
        sns.publish(TopicArn=topic, Message="m", MessageGroupId=group, MessageDeduplicationId="1")["MessageId"]
        for group in ("g", "h", "g")
    )
    assert (again == first, other == first) == (True, in_topic)


def test_a_fifo_topic_keeps_order_and_drops_repetitions() -> None:
    """Sequence numbers grow; a deduplication id holds for five minutes; the envelope is not signed."""
    with platforms.running() as platform:
        account = "111122223333"
        sns, queue = platform.client("sns", account=account), make_queue(platform, account, fifo=True)
        topic = sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
        subscribe(sns, topic, queue)
        numbers = [
            sns.publish(TopicArn=topic, Message=str(n), MessageGroupId="g", MessageDeduplicationId=str(n))[
                "SequenceNumber"
            ]
            for n in range(10)
        ]
        assert numbers == sorted(numbers)
        assert {len(number) for number in numbers} == {20}
        again = sns.publish(TopicArn=topic, Message="0", MessageGroupId="g", MessageDeduplicationId="0")
        assert again["SequenceNumber"] == numbers[0]
        platform.drain()
        letters = queue.letters()
        assert [letter["Message"] for letter in letters] == [str(n) for n in range(10)]
        assert [letter["SequenceNumber"] for letter in letters] == numbers
        assert "Signature" not in letters[0]
        platform.advance(301)
        sns.publish(TopicArn=topic, Message="0", MessageGroupId="g", MessageDeduplicationId="0")
        assert [letter["Message"] for letter in queue.letters()] == ["0"]
        for missing in ({"MessageGroupId": "g"}, {"MessageDeduplicationId": "1"}):
            assert refusal(sns.publish, TopicArn=topic, Message="x", **missing)[0] == "InvalidParameter"


def kill_soon(platform: RunningPlatform, life: int) -> None:
    """End it in the middle of its work, at a moment that the life's number gives."""
    after_s = random.Random(life).uniform(0.02, 0.8)
    print(f"life {life}: killed {after_s:.3f} s after {AT_WORK} turns")
    threading.Timer(after_s, platform.kill).start()


def test_what_was_acknowledged_arrives_after_kills(tmp_path: Path) -> None:
    """SIGKILL at random moments while messages are published: each that was answered is in the queue, once or more.

    Signed, too, though a signature is made behind the commit.
    """
    account, sent, arrived, topic = "111122224444", [], [], ""
    for life in range(3):
        platform = platforms.start(tmp_path)
        sns = platform.client("sns", account=account)
        with suppress(BotoCoreError, ClientError):
            if not topic:
                name = make_queue(platform, account).arn.rpartition(":")[2]
                topic = sns.create_topic(Name="t")["TopicArn"]
                sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{account}:{name}")
            entries = [{"Id": str(number), "Message": "m"} for number in range(5)]
            for turn in itertools.count():
                if turn == AT_WORK:
                    kill_soon(platform, life)
                sent.append(sns.publish(TopicArn=topic, Message="x")["MessageId"])
                told = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
                sent += [entry["MessageId"] for entry in told["Successful"]]
        platform.process.wait(timeout=30)
    with platforms.running(tmp_path) as again:
        again.drain()
        sqs = again.client("sqs", account=account)
        queue = Queue(sqs, sqs.get_queue_url(QueueName=name)["QueueUrl"], "")
        while letters := queue.letters(0):
            arrived += [letter["MessageId"] for letter in letters]
            for letter in letters:
                verify({**letter, "SigningCertURL": again.url + urlsplit(letter["SigningCertURL"]).path})
    assert len(sent) >= 3 * AT_WORK * 6
    assert set(sent) <= set(arrived)


def test_the_order_within_groups_survives_kills(tmp_path: Path) -> None:
    """SIGKILL at random moments while a FIFO topic's groups are delivered side by side: each is whole and in order."""
    account, sent, arrived, topic = "111122225555", defaultdict(list), defaultdict(list), ""
    for life in range(3):
        platform = platforms.start(tmp_path)
        sns = platform.client("sns", account=account)
        with suppress(BotoCoreError, ClientError):
            if not topic:
                name = make_queue(platform, account, fifo=True).arn.rpartition(":")[2]
                topic = sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
                sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{account}:{name}")
            for turn in itertools.count():
                if turn == AT_WORK:
                    kill_soon(platform, life)
                entries = [
                    {"Id": str(n), "Message": f"{life}-{turn}-{n}", "MessageDeduplicationId": f"{life}-{turn}-{n}",
                     "MessageGroupId": f"g{n % 3}"} for n in range(9)
                ]  # fmt: skip
                for told in sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"]:
                    sent[f"g{int(told['Id']) % 3}"].append(told["SequenceNumber"])
        platform.process.wait(timeout=30)
    with platforms.running(tmp_path) as again:
        again.drain()
        sqs = again.client("sqs", account=account)
        queue = Queue(sqs, sqs.get_queue_url(QueueName=name)["QueueUrl"], "")
        while messages := queue.messages(0):
            for message in messages:
                arrived[message["Attributes"]["MessageGroupId"]].append(json.loads(message["Body"])["SequenceNumber"])
    assert min(len(numbers) for numbers in sent.values()) >= 3 * AT_WORK * 3
    for group, numbers in sent.items():
        assert arrived[group] == sorted(set(arrived[group]))
        assert set(numbers) <= set(arrived[group])


def test_a_trace_leads_from_message_to_message(platform: RunningPlatform, sns: Any, topic: str, queue: Queue) -> None:
    """The published message, its delivery and the queue's message are one chain (I10)."""
    subscribe(sns, topic, queue)
    sent = sns.publish(TopicArn=topic, Message="x")["MessageId"]
    (message,) = queue.messages()
    told = platform.ask(f"/_undercast/trace/{sent}")
    nodes = {node["id"] for node in told["nodes"]}
    assert {sent, message["MessageId"]} <= nodes
