"""Policies that ask for tags: of the resource as it is now, and of the request."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform

Clients = Callable[..., Any]


@pytest.fixture
def alice(iam: Any) -> tuple[str, str]:
    """A user that may do everything but what tags forbid."""
    iam.create_user(UserName="alice")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/env": "prod"}},
        },
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["secret"]}},
        },
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestTag/team": "b"}},
        },
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _refused(call: Callable[..., Any], **params: Any) -> None:
    with pytest.raises(ClientError, match="explicit deny"):
        call(**params)


def test_a_denied_tag_of_the_resource(
    platform: RunningPlatform, account: str, alice: tuple[str, str], signed_in: Clients
) -> None:
    """IAM User Guide, "Controlling access to AWS resources using tags": an untagged one is let through."""
    made: dict[str, Any] = {}
    prod = [{"Key": "env", "Value": "prod"}]

    def both(service: str) -> tuple[Any, Any]:
        return platform.client(service, account=account), signed_in(service, *alice)

    for name in ("sqs", "sns", "dynamodb", "kms", "logs", "kinesis", "events", "iam", "secretsmanager"):
        made[name] = both(name)
    owner, user = made["sns"]
    _refused(user.delete_topic, TopicArn=owner.create_topic(Name="t", Tags=prod)["TopicArn"])
    owner, user = made["dynamodb"]
    owner.create_table(
        TableName="tab",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=prod,
    )
    _refused(user.delete_table, TableName="tab")
    owner, user = made["kms"]
    key = owner.create_key(Tags=[{"TagKey": "env", "TagValue": "prod"}])["KeyMetadata"]["KeyId"]
    _refused(user.schedule_key_deletion, KeyId=key)
    owner, user = made["logs"]
    owner.create_log_group(logGroupName="g", tags={"env": "prod"})
    _refused(user.delete_log_group, logGroupName="g")
    owner, user = made["kinesis"]
    owner.create_stream(StreamName="s", ShardCount=1, Tags={"env": "prod"})
    _refused(user.delete_stream, StreamName="s")
    owner, user = made["events"]
    owner.put_rule(Name="r", ScheduleExpression="rate(1 day)", Tags=prod)
    _refused(user.delete_rule, Name="r")
    owner, user = made["iam"]
    owner.create_user(UserName="bob", Tags=prod)
    _refused(user.delete_user, UserName="bob")
    owner, user = made["secretsmanager"]
    _refused(user.delete_secret, SecretId=owner.create_secret(Name="x", SecretString="y", Tags=prod)["ARN"])
    owner, user = made["sqs"]
    url = owner.create_queue(QueueName="q")["QueueUrl"]
    user.get_queue_attributes(QueueUrl=url)
    owner.tag_queue(QueueUrl=url, Tags={"env": "prod"})
    _refused(user.get_queue_attributes, QueueUrl=url)  # what was decided before does not hold any more
    owner.untag_queue(QueueUrl=url, TagKeys=["env"])
    user.get_queue_attributes(QueueUrl=url)
    _refused(user.tag_queue, QueueUrl=url, Tags={"secret": "1"})
    _refused(user.untag_queue, QueueUrl=url, TagKeys=["secret"])
    _refused(user.create_queue, QueueName="other", tags={"team": "b"})
    user.create_queue(QueueName="other", tags={"team": "a"})


@pytest.mark.parametrize("arn", ["arn:aws", "arn:aws:sqs", "x", "arn:aws:lambda:us-east-1:000000000000:function:none"])
def test_what_is_no_arn_has_no_tags(alice: tuple[str, str], signed_in: Clients, arn: str) -> None:
    """A caller may send any text: the operation says what is wrong with it, or that there is none."""
    with pytest.raises(ClientError) as refused:
        signed_in("xray", *alice).list_tags_for_resource(ResourceARN=arn)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
