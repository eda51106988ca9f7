"""A resource's policy that AWS would not save is refused when it is put, so that the resource stays usable."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.platform import RunningPlatform
from tests.services.iam.conftest import Refusal

Call = Callable[..., Any]


class Place(NamedTuple):
    """Where a policy is put: the call that takes it, and one that is authorised by it."""

    arn: str
    put: Callable[[str], Any]
    use: Callable[[], Any]


def _queue(client: Call, account: str) -> Place:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{account}:q"
    return Place(
        arn,
        lambda policy: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy}),
        lambda: sqs.send_message(QueueUrl=url, MessageBody="m"),
    )


def _topic(client: Call, account: str) -> Place:
    sns = client("sns")
    arn = sns.create_topic(Name="t")["TopicArn"]
    return Place(
        arn,
        lambda policy: sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy),
        lambda: sns.publish(TopicArn=arn, Message="m"),
    )


def _key(client: Call, account: str) -> Place:
    kms = client("kms")
    made = kms.create_key()["KeyMetadata"]
    return Place(
        made["Arn"],
        lambda policy: kms.put_key_policy(KeyId=made["KeyId"], Policy=policy),
        lambda: kms.describe_key(KeyId=made["KeyId"]),
    )


def _secret(client: Call, account: str) -> Place:
    secrets = client("secretsmanager")
    arn = secrets.create_secret(Name="s", SecretString="x")["ARN"]
    return Place(
        arn,
        lambda policy: secrets.put_resource_policy(SecretId=arn, ResourcePolicy=policy),
        lambda: secrets.get_secret_value(SecretId=arn),
    )


def _stream(client: Call, account: str) -> Place:
    kinesis = client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    arn = f"arn:aws:kinesis:us-east-1:{account}:stream/s"
    return Place(
        arn,
        lambda policy: kinesis.put_resource_policy(ResourceARN=arn, Policy=policy),
        lambda: kinesis.describe_stream_summary(StreamARN=arn),
    )


def _bus(client: Call, account: str) -> Place:
    events = client("events")
    arn = events.create_event_bus(Name="b")["EventBusArn"]
    entry = {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": "b"}
    return Place(
        arn,
        lambda policy: events.put_permission(EventBusName="b", Policy=policy),
        lambda: events.put_events(Entries=[entry]),
    )


PLACES: dict[Callable[[Call, str], Place], tuple[str, str]] = {
    _queue: ("InvalidAttributeValue", "Invalid value for the parameter Policy."),
    _topic: ("InvalidParameter", "Invalid parameter: Policy Error: PrincipalNotFound"),
    _key: (
        "MalformedPolicyDocumentException",
        "Policy contains a statement with one or more invalid principals.",
    ),
    _secret: ("MalformedPolicyDocumentException", "This resource policy contains an unsupported principal."),
    _stream: ("InvalidArgumentException", 'The policy is malformed: Invalid principal in policy: "AWS":"123"'),
    _bus: (
        "ValidationException",
        'Parameter Policy is not valid. Reason: Invalid principal in policy: "AWS":"123"',
    ),
}


def _policy(arn: str, **changed: Any) -> str:
    service = arn.split(":")[2]
    statement = {"Effect": "Allow", "Principal": "*", "Action": f"{service}:*", "Resource": arn, **changed}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize("made", PLACES, ids=lambda made: made.__name__[1:])
def test_a_principal_that_is_none_is_refused_and_the_resource_stays_usable(
    made: Callable[[Call, str], Place], platform: RunningPlatform, account: str, refusal: Refusal
) -> None:
    """IAM User Guide, "AWS JSON policy elements: Principal": a principal is validated when the policy is saved."""
    place = made(lambda service: platform.client(service, account=account), account)
    code, message, _ = refusal(place.put, policy=_policy(place.arn, Principal={"AWS": "123"}))
    assert (code, message) == PLACES[made]
    place.use()


@pytest.mark.parametrize("made", PLACES, ids=lambda made: made.__name__[1:])
def test_a_condition_operator_that_is_none_is_refused(
    made: Callable[[Call, str], Place], platform: RunningPlatform, account: str, refusal: Refusal
) -> None:
    """IAM User Guide, "Condition operators": only those."""
    place = made(lambda service: platform.client(service, account=account), account)
    code, _, _ = refusal(place.put, policy=_policy(place.arn, Condition={"StringIs": {"aws:SourceArn": "x"}}))
    assert code == PLACES[made][0]
    place.use()


@pytest.mark.parametrize("accounts", [["123"], []])
def test_sqs_add_permission_names_the_accounts_that_are_none(
    platform: RunningPlatform, account: str, refusal: Refusal, accounts: list[str]
) -> None:
    """A queue with such a statement could never be used again."""
    sqs = platform.client("sqs", account=account)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    code, message, _ = refusal(
        sqs.add_permission, QueueUrl=url, Label="l", AWSAccountIds=accounts, Actions=["SendMessage"]
    )
    reason = f"Value {accounts} for parameter PrincipalId is invalid. Reason: Unable to verify.".replace("'", "")
    assert (code, message) == ("InvalidParameterValue", reason)
    sqs.send_message(QueueUrl=url, MessageBody="m")


def test_sqs_add_permission_takes_seven_actions(platform: RunningPlatform, account: str, refusal: Refusal) -> None:
    """SQS Developer Guide, "Amazon SQS policy quotas": a statement has at most 7 actions."""
    sqs = platform.client("sqs", account=account)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    actions = [
        "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes",
        "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue",
    ]  # fmt: skip
    given = {"QueueUrl": url, "Label": "l", "AWSAccountIds": ["111122223333"]}
    code, message, status = refusal(sqs.add_permission, **given, Actions=actions)
    assert (code, message, status) == ("OverLimit", "8 Actions were found, maximum allowed is 7.", 403)
    sqs.add_permission(**given, Actions=actions[:7])
