"""What an account has is no other account's to read or change, unless the bus's policy says so.

AWS: EventBridge User Guide, "Permissions for event buses in Amazon EventBridge".
"""

import json
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.events.actions import rule
from tests.services.sns.actions import refusal

QUEUE = "arn:aws:sqs:us-east-1:111122223333:q"


@pytest.fixture
def other(account: str) -> str:
    """Another account."""
    return f"{(int(account) + 1) % 10**12:012d}"


def test_the_rules_of_another_accounts_bus_are_listed_as_its_policy_says(
    platform: RunningPlatform, events: Any, other: str
) -> None:
    """The resource that AWS asks about: all rules of the bus."""
    bus = events.create_event_bus(Name="b")["EventBusArn"]
    rule(events, {"source": ["app"]}, {"Arn": QUEUE}, Name="r", EventBusName="b")
    there = platform.client("events", account=other)
    calls: tuple[tuple[Any, dict[str, str]], ...] = (
        (there.list_rules, {}),
        (there.list_rule_names_by_target, {"TargetArn": QUEUE}),
    )
    for call, params in calls:
        assert refusal(call, EventBusName=bus, **params)[0] == "AccessDeniedException"
    statement = {"Sid": "s", "Effect": "Allow", "Principal": {"AWS": other}, "Action": "events:List*Rule*",
                 "Resource": bus.replace("event-bus/b", "rule/b/*")}  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    events.put_permission(EventBusName="b", Policy=policy)
    assert [one["Name"] for one in there.list_rules(EventBusName=bus)["Rules"]] == ["r"]
    assert there.list_rule_names_by_target(EventBusName=bus, TargetArn=QUEUE)["RuleNames"] == ["r"]
    assert [one["Name"] for one in events.list_rules(EventBusName=bus)["Rules"]] == ["r"]


def test_rules_may_be_listed_by_whom_a_policy_lets(platform: RunningPlatform, account: str, events: Any) -> None:
    """AWS's refusal names rule/*, which a policy may say instead of *."""
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    user = platform.client("events", account=key["AccessKeyId"], secret=key["SecretAccessKey"])
    code, text = refusal(user.list_rules)
    resource = f"arn:aws:events:us-east-1:{account}:rule/*"
    assert code == "AccessDeniedException" and f"events:ListRules on resource: {resource}" in text
    statement = {"Effect": "Allow", "Action": "events:ListRules", "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)
    assert user.list_rules()["Rules"] == []


def test_tags_are_no_other_accounts(platform: RunningPlatform, events: Any, other: str) -> None:
    """Of buses and of rules: none is read, changed or removed."""
    bus = events.create_event_bus(Name="b", Tags=[{"Key": "k", "Value": "v"}])["EventBusArn"]
    of_rule = rule(events, {"source": ["app"]}, Tags=[{"Key": "k", "Value": "v"}])
    there = platform.client("events", account=other)
    for arn in (bus, of_rule):
        for call, params in (
            (there.list_tags_for_resource, {}),
            (there.tag_resource, {"Tags": [{"Key": "k", "Value": "w"}]}),
            (there.untag_resource, {"TagKeys": ["k"]}),
        ):
            assert refusal(call, ResourceARN=arn, **params)[0] == "AccessDeniedException"
        assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    code, text = refusal(events.list_tags_for_resource, ResourceARN="arn:aws:events:us-east-1::x")
    assert (code, "is not in correct format" in text) == ("ValidationException", True)
