"""Queues, topics and streams under customer managed keys: what KMS asks of who writes and who reads.

AWS: Kinesis Developer Guide, "Permissions to use user-generated KMS keys"; SQS Developer Guide, "Amazon SQS key
management"; SNS Developer Guide, "Managing Amazon SNS encryption keys and costs".
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.platform import RunningPlatform
from tests.services.kms.conftest import As, allow, code

GENERATE, DECRYPT = allow("kms:GenerateDataKey"), allow("kms:Decrypt")
SERVICES = tuple(allow(f"{name}:*") for name in ("sqs", "sns", "kinesis"))


class Place(NamedTuple):
    """Something under a key: how a client writes into it and reads from it."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any] | None
    codes: tuple[str, str, str, str]
    """For a caller who may not, a disabled key, one that waits for its deletion, and none."""


def queue(platform: RunningPlatform, account: str, key: str) -> Place:
    attributes = {"KmsMasterKeyId": key, "VisibilityTimeout": "0"}
    url = platform.client("sqs", account=account).create_queue(QueueName="q", Attributes=attributes)["QueueUrl"]
    return Place(
        lambda client: client.send_message(QueueUrl=url, MessageBody="m"),
        lambda client: client.receive_message(QueueUrl=url),
        ("KMS.AccessDeniedException", "KMS.DisabledException", "KMS.InvalidStateException", "KMS.NotFoundException"),
    )


def batches(platform: RunningPlatform, account: str, key: str) -> Place:
    place = queue(platform, account, key)
    url = platform.client("sqs", account=account).get_queue_url(QueueName="q")["QueueUrl"]
    entries = [{"Id": "1", "MessageBody": "m"}]
    return place._replace(write=lambda client: client.send_message_batch(QueueUrl=url, Entries=entries))


def topic(platform: RunningPlatform, account: str, key: str) -> Place:
    sns = platform.client("sns", account=account)
    arn = sns.create_topic(Name="t", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    codes = ("KMSAccessDenied", "KMSDisabled", "KMSInvalidState", "KMSNotFound")
    return Place(lambda client: client.publish(TopicArn=arn, Message="m"), None, codes)


def stream(platform: RunningPlatform, account: str, key: str) -> Place:
    kinesis = platform.client("kinesis", account=account)
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.start_stream_encryption(StreamName="s", EncryptionType="KMS", KeyId=key)
    names = ("AccessDenied", "Disabled", "InvalidState", "NotFound")
    at = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    return Place(
        lambda client: client.put_record(StreamName="s", Data=b"m", PartitionKey="k"),
        lambda client: client.get_records(ShardIterator=client.get_shard_iterator(**at)["ShardIterator"]),
        (f"KMS{names[0]}Exception", f"KMS{names[1]}Exception", f"KMS{names[2]}Exception", f"KMS{names[3]}Exception"),
    )


PLACES = {"sqs": queue, "sqs batch": batches, "sns": topic, "kinesis": stream}


@pytest.fixture
def kms(platform: RunningPlatform, account: str) -> Any:
    """KMS of the test's account."""
    return platform.client("kms", account=account)


@pytest.fixture
def key(kms: Any) -> str:
    """The id of a new key, whose policy lets IAM's policies decide."""
    made: str = kms.create_key()["KeyMetadata"]["KeyId"]
    return made


@pytest.mark.parametrize("kind", PLACES)
def test_a_user_needs_the_key_for_what_it_writes_and_reads(
    platform: RunningPlatform, account: str, as_user: As, key: str, kind: str
) -> None:
    """Who may all of the service and nothing of the key can do neither; nothing is written or lost by that."""
    place = PLACES[kind](platform, account, key)
    client = as_user(*SERVICES)(kind.split()[0])
    if place.read is not None:
        place.read(client)  # there is nothing to decrypt
    assert code(place.write, client=client) == place.codes[0]
    place.write(platform.client(kind.split()[0], account=account))
    if place.read is not None:
        assert code(place.read, client=client) == place.codes[0]
        answer = place.read(platform.client(kind.split()[0], account=account))
        assert len(answer.get("Messages") or answer["Records"]) == 1


@pytest.mark.parametrize("kind", PLACES)
def test_a_user_who_may_use_the_key_writes_and_reads(
    platform: RunningPlatform, account: str, as_user: As, key: str, kind: str
) -> None:
    """kms:GenerateDataKey of who writes, with kms:Decrypt in SQS and SNS, and kms:Decrypt of who reads."""
    place = PLACES[kind](platform, account, key)
    client = as_user(*SERVICES, GENERATE, DECRYPT)(kind.split()[0])
    place.write(client)
    if place.read is not None:
        answer = place.read(client)
        assert len(answer.get("Messages") or answer["Records"]) == 1


@pytest.mark.parametrize(("kind", "works"), [("kinesis", True), ("sqs", False), ("sns", False)])
def test_a_producer_of_messages_needs_decrypt_too(
    platform: RunningPlatform, account: str, as_user: As, key: str, kind: str, works: bool
) -> None:
    """SQS and SNS verify a new data key before they use it."""
    place = PLACES[kind](platform, account, key)
    client = as_user(*SERVICES, GENERATE)(kind)
    if works:
        place.write(client)
    else:
        assert code(place.write, client=client) == place.codes[0]


@pytest.mark.parametrize("kind", PLACES)
def test_what_is_under_a_key_lives_with_it(
    platform: RunningPlatform, account: str, kms: Any, key: str, kind: str
) -> None:
    """A key that is disabled or waits for its deletion can be used by nobody, and by all again once it is enabled."""
    place, client = PLACES[kind](platform, account, key), platform.client(kind.split()[0], account=account)
    place.write(client)
    for change, told in ((kms.disable_key, place.codes[1]), (kms.schedule_key_deletion, place.codes[2])):
        change(KeyId=key)
        for use in (place.write, place.read):
            if use is not None:
                assert code(use, client=client) == told
        if change == kms.disable_key:
            kms.enable_key(KeyId=key)
            place.write(client)


@pytest.mark.parametrize("kind", ["sqs", "sns"])
def test_a_key_that_is_not_there_is_told_at_the_first_use(platform: RunningPlatform, account: str, kind: str) -> None:
    """Queues and topics take any KmsMasterKeyId."""
    place = PLACES[kind](platform, account, "11111111-2222-3333-4444-555555555555")
    assert code(place.write, client=platform.client(kind, account=account)) == place.codes[3]


@pytest.mark.parametrize(
    ("kind", "name"), [("sqs", "aws:sqs:arn"), ("sns", "aws:sns:topicArn"), ("kinesis", "aws:kinesis:arn")]
)
def test_the_services_encryption_context_holds_in_policies(
    platform: RunningPlatform, account: str, as_user: As, key: str, kind: str, name: str
) -> None:
    """The ARN of what is encrypted, through the service alone."""
    place = PLACES[kind](platform, account, key)
    arn = f"arn:aws:{kind}:us-east-1:{account}:" + {"sqs": "q", "sns": "t", "kinesis": "stream/s"}[kind]
    condition = {f"kms:EncryptionContext:{name}": arn, "kms:ViaService": f"{kind}.us-east-1.amazonaws.com"}
    clients = as_user(*SERVICES, allow("kms:*", Condition={"StringEquals": condition}))
    place.write(clients(kind))
    assert code(clients("kms").generate_data_key, KeyId=key, KeySpec="AES_256") == "AccessDeniedException"


def test_managed_keys_need_no_permission(platform: RunningPlatform, account: str, as_user: As) -> None:
    """Their policies let everybody in the account use them through their service."""
    clients = as_user(*SERVICES)
    for kind in ("sqs", "sns", "kinesis"):
        place = PLACES[kind](platform, account, f"alias/aws/{kind}")
        place.write(clients(kind))
        if place.read is not None:
            place.read(clients(kind))


@pytest.mark.parametrize(
    ("named", "arrives"), [("sns.amazonaws.com", True), ("s3.amazonaws.com", False), ("managed", False)]
)
def test_a_service_is_let_in_by_the_keys_policy(
    platform: RunningPlatform, account: str, kms: Any, named: str, arrives: bool
) -> None:
    """SNS sends into a queue under a key only where the key's policy names it; a managed key's never does."""
    sqs, sns = platform.client("sqs", account=account), platform.client("sns", account=account)
    key = "alias/aws/sqs"
    if named != "managed":
        own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*"}
        condition = {"ArnEquals": {"aws:SourceArn": f"arn:aws:sns:us-east-1:{account}:t"}}
        service = {
            "Effect": "Allow",
            "Principal": {"Service": named},
            "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
            "Condition": condition,
        }
        statements = [{**one, "Resource": "*"} for one in (own, service)]
        key = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))["KeyMetadata"][
            "KeyId"
        ]
    arn = f"arn:aws:sqs:us-east-1:{account}:q"
    let = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:*", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let]})
    url = sqs.create_queue(QueueName="q", Attributes={"KmsMasterKeyId": key, "Policy": policy})["QueueUrl"]
    topic_arn = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic_arn, Message="m")
    platform.drain()
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert counted == {"ApproximateNumberOfMessages": "1" if arrives else "0"}


def test_who_has_messages_moved_needs_the_keys(platform: RunningPlatform, account: str, as_user: As, key: str) -> None:
    """That of the dead-letter queue to read, and that of the destination to write."""
    sqs = platform.client("sqs", account=account)
    under = {"KmsMasterKeyId": key}
    arns = {}
    for name, attributes in (("dead", under), ("other", under), ("plain", {})):
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arns[name] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arns["dead"], "maxReceiveCount": 1})
    sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})
    client = as_user(*SERVICES, DECRYPT)("sqs")
    moved = {"SourceArn": arns["dead"], "DestinationArn": arns["other"]}
    assert code(client.start_message_move_task, **moved) == "KMS.AccessDeniedException"
    client.start_message_move_task(**{**moved, "DestinationArn": arns["plain"]})


def test_a_stream_whose_encryption_is_stopped_needs_no_key(platform: RunningPlatform, account: str, key: str) -> None:
    """A known difference: what was written under a key is read with the one that the stream has now."""
    place, client = stream(platform, account, key), platform.client("kinesis", account=account)
    place.write(client)
    client.stop_stream_encryption(StreamName="s", EncryptionType="KMS", KeyId=key)
    platform.client("kms", account=account).disable_key(KeyId=key)
    assert place.read is not None
    (record,) = place.read(client)["Records"]
    assert record["EncryptionType"] == "KMS"


def test_a_subscription_to_a_shard_begins_with_the_key(
    platform: RunningPlatform, account: str, as_user: As, key: str
) -> None:
    """KMSAccessDeniedException of who may not decrypt."""
    stream(platform, account, key)
    owner = platform.client("kinesis", account=account)
    arn = owner.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    consumer = owner.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"]
    where = {"ConsumerARN": consumer, "ShardId": "shardId-000000000000", "StartingPosition": {"Type": "LATEST"}}
    client = as_user(*SERVICES)("kinesis")
    assert code(client.subscribe_to_shard, **where) == "KMSAccessDeniedException"
