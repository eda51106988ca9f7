"""Topics, permissions and subscriptions as resources.

AWS: SNS API Reference, the operations of these names.
"""

import json
import random
from typing import Any

import boto3

from tests.platform import RunningPlatform
from tests.services.sns.actions import Queue, make_queue, refusal, subscribe


def test_a_topic_is_created_once(sns: Any, account: str) -> None:
    """CreateTopic is idempotent; other attributes or tags of the same name are refused."""
    arn = sns.create_topic(Name="t", Attributes={"DisplayName": "d"}, Tags=[{"Key": "k", "Value": "v"}])["TopicArn"]
    assert arn == f"arn:aws:sns:us-east-1:{account}:t"
    assert sns.create_topic(Name="t")["TopicArn"] == arn
    assert refusal(sns.create_topic, Name="t", Attributes={"DisplayName": "e"}) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
    )
    assert refusal(sns.create_topic, Name="t", Tags=[{"Key": "k", "Value": "w"}]) == (
        "InvalidParameter",
        "Invalid parameter: Tags Reason: Topic already exists with different tags",
    )
    assert refusal(sns.create_topic, Name="a b") == ("InvalidParameter", "Invalid parameter: Topic Name")
    assert refusal(sns.create_topic, Name="f", Attributes={"FifoTopic": "true"})[0] == "InvalidParameter"
    assert sns.list_topics()["Topics"] == [{"TopicArn": arn}]
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    sns.untag_resource(ResourceArn=arn, TagKeys=["k"])
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == []
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    assert sns.list_topics()["Topics"] == []
    assert refusal(sns.get_topic_attributes, TopicArn=arn) == ("NotFound", "Topic does not exist")


def test_attributes_of_a_topic(sns: Any, topic: str, account: str) -> None:
    """Defaults are shown: the policy of the account and the effective delivery policy."""
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (shown["Owner"], shown["DisplayName"], shown["SubscriptionsConfirmed"]) == (account, "", "0")
    assert json.loads(shown["Policy"])["Id"] == "__default_policy_ID"
    retries = json.loads(shown["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]
    assert (retries["numRetries"], retries["minDelayTarget"], retries["backoffFunction"]) == (3, 20, "linear")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="News")
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "News"
    for name, value in (("Colour", "red"), ("Policy", "{"), ("SignatureVersion", "3"), ("DeliveryPolicy", '{"x": 1}')):
        code, _ = refusal(sns.set_topic_attributes, TopicArn=topic, AttributeName=name, AttributeValue=value)
        assert code == "InvalidParameter"
    refused = {"TopicArn": topic, "AttributeName": "ArchivePolicy", "AttributeValue": '{"MessageRetentionPeriod": 1}'}
    code, told = refusal(sns.set_topic_attributes, **refused)
    assert code == "NotImplemented"
    assert "ArchivePolicy" in told


def test_a_request_to_one_region_does_not_know_the_topics_of_another(
    platform: RunningPlatform, account: str, topic: str
) -> None:
    """The topic's ARN names its region."""
    elsewhere = platform.client("sns", account=account, region="eu-west-1")
    assert refusal(elsewhere.publish, TopicArn=topic, Message="x") == (
        "InvalidParameter",
        "Invalid parameter: TopicArn",
    )


def test_a_queue_of_the_same_account_is_confirmed_at_once(sns: Any, topic: str, queue: Queue, account: str) -> None:
    """Subscribing again gives the same subscription; other attributes are refused."""
    arn = subscribe(sns, topic, queue)
    assert arn.startswith(f"{topic}:")
    assert subscribe(sns, topic, queue) == arn
    again = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue.arn, "Attributes": {"RawMessageDelivery": "true"}}
    assert refusal(sns.subscribe, **again) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Subscription already exists with different attributes",
    )
    shown = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert shown["PendingConfirmation"] == "false"
    assert (shown["Owner"], shown["Protocol"], shown["Endpoint"]) == (account, "sqs", queue.arn)
    listed = {"SubscriptionArn": arn, "Owner": account, "Protocol": "sqs", "Endpoint": queue.arn, "TopicArn": topic}
    assert sns.list_subscriptions()["Subscriptions"] == [listed]
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == [listed]
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions()["Subscriptions"] == []
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsDeleted"] == "1"
    sns.publish(TopicArn=topic, Message="nobody hears this")
    assert queue.messages(0) == []


def test_what_cannot_be_subscribed_says_why(sns: Any, topic: str) -> None:
    """AWS's texts; the worker of seed S4 passes ":9098", which is no URL (S4-53)."""
    for protocol, endpoint, told in (
        ("carrier-pigeon", "x", "Amazon SNS does not support this protocol string: carrier-pigeon"),
        ("http", ":9098", "Endpoint must match the specified protocol"),
        ("https", "http://a.example/", "Endpoint must match the specified protocol"),
        ("sqs", "queue", "SQS endpoint ARN"),
        ("lambda", "function", "Lambda endpoint ARN"),
        ("email", "nobody", "Email address"),
        ("sms", "12", "Invalid SMS endpoint: 12"),
        ("sqs", "arn:aws:sqs:us-east-1:111122223333:q.fifo",
         "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"),
    ):  # fmt: skip
        assert refusal(sns.subscribe, TopicArn=topic, Protocol=protocol, Endpoint=endpoint) == (
            "InvalidParameter",
            f"Invalid parameter: {told}",
        )
    code, told = refusal(sns.subscribe, TopicArn=topic, Protocol="firehose", Endpoint="arn:aws:firehose:x")
    assert code == "NotImplemented"
    assert "Firehose" in told
    own = "http://localhost:4566/_undercast/reset"
    assert refusal(sns.subscribe, TopicArn=topic, Protocol="http", Endpoint=own)[0] == "InvalidParameter"


def test_another_account_needs_the_topics_permission(platform: RunningPlatform, sns: Any, topic: str) -> None:
    """AddPermission lets it subscribe; its queue is its own, so nothing has to be confirmed."""
    other = f"{random.randrange(10**11, 10**12)}"
    theirs, queue = platform.client("sns", account=other), make_queue(platform, other)
    params = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue.arn}
    assert refusal(theirs.subscribe, **params)[0] == "AuthorizationError"
    permission = {"TopicArn": topic, "Label": "l", "AWSAccountId": [other]}
    assert refusal(sns.add_permission, **permission, ActionName=["Fly"]) == (
        "InvalidParameter", "Invalid parameter: Policy statement action out of service scope!",
    )  # fmt: skip
    sns.add_permission(**permission, ActionName=["Subscribe"])
    assert refusal(sns.add_permission, **permission, ActionName=["Publish"])[0] == "InvalidParameter"
    arn = theirs.subscribe(**params)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="over the border")
    assert [letter["Message"] for letter in queue.letters()] == ["over the border"]
    assert refusal(theirs.publish, TopicArn=topic, Message="x")[0] == "AuthorizationError"
    assert theirs.list_subscriptions()["Subscriptions"][0]["SubscriptionArn"] == arn
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["Owner"] == other
    sns.remove_permission(TopicArn=topic, Label="l")
    second = {**params, "Endpoint": make_queue(platform, other).arn}
    assert refusal(theirs.subscribe, **second)[0] == "AuthorizationError"


def test_a_queue_of_another_account_has_to_confirm(platform: RunningPlatform, sns: Any, topic: str) -> None:
    """The topic's owner subscribes it; its own account reads the token from the queue and confirms."""
    other = f"{random.randrange(10**11, 10**12)}"
    queue = make_queue(platform, other)
    params = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue.arn}
    assert sns.subscribe(**params)["SubscriptionArn"] == "pending confirmation"
    arn = sns.subscribe(**params, ReturnSubscriptionArn=True)["SubscriptionArn"]
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "true"
    sns.publish(TopicArn=topic, Message="too early")
    asked: list[dict[str, Any]] = []
    while len(asked) < 2:
        asked += queue.letters()
    assert {letter["Type"] for letter in asked} == {"SubscriptionConfirmation"}
    assert refusal(sns.confirm_subscription, TopicArn=topic, Token="0") == (
        "InvalidParameter", "Invalid parameter: Token",
    )  # fmt: skip
    assert sns.confirm_subscription(TopicArn=topic, Token=asked[-1]["Token"])["SubscriptionArn"] == arn
    sns.publish(TopicArn=topic, Message="now")
    assert [letter["Message"] for letter in queue.letters()] == ["now"]


def test_the_default_policy_gives_roles_of_the_account_nothing(
    platform: RunningPlatform, account: str, topic: str, queue: Queue
) -> None:
    """A role needs sns:Publish by a policy of its own, or by the topic's."""
    iam, sts = platform.client("iam", account=account), platform.client("sts", account=account)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    keys = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    theirs = boto3.client(
        "sns", endpoint_url=platform.url, region_name="us-east-1", aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"],
    )  # fmt: skip
    code, told = refusal(theirs.publish, TopicArn=topic, Message="x")
    assert code == "AuthorizationError"
    assert told.endswith(f"on resource: {topic} because no identity-based policy allows the sns:Publish action")
    allow = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy)
    assert theirs.publish(TopicArn=topic, Message="x")["MessageId"]
    assert refusal(theirs.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)[0] == "AuthorizationError"


def test_what_has_no_effect_here_is_refused_by_name(sns: Any, topic: str, queue: Queue) -> None:
    """Replay, archives, Firehose roles and data protection (I9)."""
    for name, value in (
        ("ReplayPolicy", '{"PointType": "Timestamp"}'),
        ("SubscriptionRoleArn", "arn:aws:iam::1:role/r"),
    ):
        params = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue.arn, "Attributes": {name: value}}
        code, told = refusal(sns.subscribe, **params)
        assert (code, name in told) == ("NotImplemented", True)
    code, told = refusal(sns.create_topic, Name="d", DataProtectionPolicy="{}")
    assert (code, "DataProtectionPolicy" in told) == ("NotImplemented", True)
    raw = {
        "TopicArn": topic,
        "Protocol": "email",
        "Endpoint": "a@b.example",
        "Attributes": {"RawMessageDelivery": "true"},
    }
    assert refusal(sns.subscribe, **raw) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Delivery protocol [email] does not support raw message delivery.",
    )
