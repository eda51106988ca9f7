"""Subscription filters to Kinesis streams, of this account and, by a logical destination, of another.

AWS: CloudWatch Logs User Guide, "Example 1: Subscription filters with Kinesis Data Streams", "Cross-account
cross-Region subscriptions using Kinesis Data Streams".
"""

import gzip
import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform

ROLE = "arn:aws:iam::{}:role/unknown"


class Owner:
    """An account with a stream."""

    def __init__(self, platform: RunningPlatform, account: str) -> None:
        self.account = account
        self.role = ROLE.format(account)
        self.kinesis = platform.client("kinesis", account=account)
        self.logs = platform.client("logs", account=account)
        self.platform = platform
        self.kinesis.create_stream(StreamName="s", ShardCount=1)
        self.stream = f"arn:aws:kinesis:us-east-1:{account}:stream/s"

    def messages(self) -> list[dict[str, Any]]:
        """What the stream has got, oldest first."""
        self.platform.drain()
        shard = self.kinesis.get_shard_iterator(
            StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = self.kinesis.get_records(ShardIterator=shard)["Records"]
        return [json.loads(gzip.decompress(record["Data"])) for record in records]


def write(logs: Any, *messages: str) -> None:
    """Put events into the group app."""
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": message} for message in messages]
    logs.put_log_events(logGroupName="app", logStreamName="t", logEvents=events)


def make_group(logs: Any) -> None:
    """The group app with a stream."""
    logs.create_log_group(logGroupName="app")
    logs.create_log_stream(logGroupName="app", logStreamName="t")


@pytest.fixture
def owner(platform: RunningPlatform, account: str) -> Owner:
    """The test's account, with a stream."""
    return Owner(platform, account)


def test_a_stream_gets_what_matches_behind_a_control_message(owner: Owner) -> None:
    """Records are gzip; a role is needed, and a stream that is there."""
    make_group(owner.logs)
    wanted = {"logGroupName": "app", "filterName": "n", "filterPattern": "ERROR", "destinationArn": owner.stream}
    for changed, text in (
        ({}, "destinationArn for vendor kinesis cannot be used without roleArn"),
        ({"roleArn": owner.role, "destinationArn": owner.stream + "x"}, "Could not deliver test message to specified"),
    ):
        with pytest.raises(owner.logs.exceptions.InvalidParameterException, match=text):
            owner.logs.put_subscription_filter(**{**wanted, **changed})
    owner.logs.put_subscription_filter(**wanted, roleArn=owner.role, distribution="Random")
    write(owner.logs, "ERROR one", "fine")
    control, data = owner.messages()
    assert (control["messageType"], control["owner"]) == ("CONTROL_MESSAGE", "CloudwatchLogs")
    assert (data["messageType"], data["owner"], data["logGroup"]) == ("DATA_MESSAGE", owner.account, "app")
    assert [event["message"] for event in data["logEvents"]] == ["ERROR one"]
    (found,) = owner.logs.describe_subscription_filters(logGroupName="app")["subscriptionFilters"]
    assert (found["roleArn"], found["distribution"]) == (owner.role, "Random")


def test_a_role_that_trusts_others_is_refused(platform: RunningPlatform, owner: Owner) -> None:
    """The role's trust policy and its own policies hold."""
    iam = platform.client("iam", account=owner.account)
    make_group(owner.logs)
    wanted = {"logGroupName": "app", "filterName": "n", "filterPattern": "", "destinationArn": owner.stream}

    def trust(service: str) -> str:
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))["Role"]["Arn"]
    may = {"Effect": "Allow", "Action": "kinesis:PutRecord", "Resource": owner.stream}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    changes: tuple[Callable[[], Any], ...] = (
        lambda: iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy),
        lambda: iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust("logs.us-east-1.amazonaws.com")),
    )
    for change in changes:
        with pytest.raises(owner.logs.exceptions.InvalidParameterException, match="Could not deliver test message"):
            owner.logs.put_subscription_filter(**wanted, roleArn=role)
        change()
    owner.logs.put_subscription_filter(**wanted, roleArn=role)
    assert [message["messageType"] for message in owner.messages()] == ["CONTROL_MESSAGE"]


def test_another_account_sends_where_the_destination_lets_it(platform: RunningPlatform, owner: Owner) -> None:
    """PutDestination, PutDestinationPolicy; the message names the sender as its owner."""
    sender = f"{random.randrange(10**11, 10**12)}"
    logs = platform.client("logs", account=sender)
    make_group(logs)
    made = owner.logs.put_destination(destinationName="d", targetArn=owner.stream, roleArn=owner.role)["destination"]
    arn = f"arn:aws:logs:us-east-1:{owner.account}:destination:d"
    assert (made["arn"], made["targetArn"]) == (arn, owner.stream)
    wanted = {"logGroupName": "app", "filterName": "n", "filterPattern": "", "destinationArn": arn}
    with pytest.raises(ClientError) as caught:
        logs.put_subscription_filter(**wanted)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    statement = {
        "Effect": "Allow", "Principal": {"AWS": sender}, "Action": "logs:PutSubscriptionFilter", "Resource": arn,
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    owner.logs.put_destination_policy(destinationName="d", accessPolicy=policy)
    logs.put_subscription_filter(**wanted)
    write(logs, "hello")
    assert [message["owner"] for message in owner.messages()] == ["CloudwatchLogs", sender]
    (found,) = owner.logs.describe_destinations(DestinationNamePrefix="d")["destinations"]
    assert (found["accessPolicy"], found["roleArn"]) == (policy, owner.role)
    owner.logs.delete_destination(destinationName="d")
    write(logs, "nobody gets this")
    assert len(owner.messages()) == 2
    with pytest.raises(owner.logs.exceptions.ResourceNotFoundException):
        owner.logs.delete_destination(destinationName="d")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.put_subscription_filter(**wanted)
