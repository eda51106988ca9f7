"""Managed policies, entities and their decisions are their account's: nobody else reads, changes or uses them."""

import json
import random
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.iam.conftest import Refusal, allow, trust_of

TAGS = [{"Key": "k", "Value": "v"}]


@pytest.fixture
def other(platform: RunningPlatform) -> Any:
    """IAM as the root of another account: nobody has more permissions there."""
    return platform.client("iam", account=f"{random.randrange(10**11, 10**12)}")


@pytest.fixture
def policy(iam: Any) -> str:
    """The ARN of a policy that has two versions and is attached to nothing."""
    arn = iam.create_policy(PolicyName="p", PolicyDocument=allow("s3:GetObject"), Tags=TAGS)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("s3:PutObject"), SetAsDefault=True)
    return str(arn)


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("get_policy", {}),
        ("get_policy_version", {"VersionId": "v1"}),
        ("list_policy_versions", {}),
        ("list_policy_tags", {}),
        ("list_entities_for_policy", {}),
        ("tag_policy", {"Tags": [{"Key": "k", "Value": "theirs"}]}),
        ("untag_policy", {"TagKeys": ["k"]}),
        ("create_policy_version", {"PolicyDocument": allow("*"), "SetAsDefault": True}),
        ("set_default_policy_version", {"VersionId": "v1"}),
        ("delete_policy_version", {"VersionId": "v1"}),
        ("delete_policy", {}),
    ],
)
def test_a_policy_is_its_accounts(
    iam: Any, other: Any, policy: str, refusal: Refusal, operation: str, more: dict[str, Any]
) -> None:
    """Service Authorization Reference: a policy has no policy of its own, so that across accounts all is denied."""
    code, _, status = refusal(getattr(other, operation), PolicyArn=policy, **more)
    assert (code, status) == ("AccessDenied", 403)
    found = iam.get_policy(PolicyArn=policy)["Policy"]
    assert (found["DefaultVersionId"], found["Tags"]) == ("v2", TAGS)
    assert [one["VersionId"] for one in iam.list_policy_versions(PolicyArn=policy)["Versions"]] == ["v2", "v1"]


def test_a_policy_of_another_account_cannot_be_attached(other: Any, policy: str, refusal: Refusal) -> None:
    """It is as if it did not exist, as a boundary, too (IAM User Guide, "Managed policies": within one account)."""
    other.create_user(UserName="u")
    attached = refusal(other.attach_user_policy, UserName="u", PolicyArn=policy)
    assert attached == ("NoSuchEntity", f"Policy {policy} does not exist or is not attachable.", 404)
    for operation, more in (("put_user_permissions_boundary", {"UserName": "u"}), ("create_user", {"UserName": "v"})):
        bound = refusal(getattr(other, operation), PermissionsBoundary=policy, **more)
        assert bound == ("NoSuchEntity", f"Scope ARN: {policy} does not exist or is not attachable.", 404)


def test_nobody_simulates_another_accounts_role(iam: Any, other: Any, account: str, refusal: Refusal) -> None:
    """What a role may do is its account's to know, as the source and as the caller of a simulation."""
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust_of({"AWS": account}))["Role"]["Arn"]
    asked = {"ActionNames": ["s3:GetObject"]}
    assert refusal(other.simulate_principal_policy, PolicySourceArn=role, **asked)[0] == "AccessDenied"
    own = other.create_user(UserName="u")["User"]["Arn"]
    assert refusal(other.simulate_principal_policy, PolicySourceArn=own, CallerArn=role, **asked)[0] == "NoSuchEntity"
    custom = {"PolicyInputList": [allow("*")], "CallerArn": role, **asked}
    assert refusal(other.simulate_custom_policy, **custom)[0] == "NoSuchEntity"


def test_tags_of_alarms_and_dashboards_are_their_accounts(
    platform: RunningPlatform, other: Any, account: str, refusal: Refusal
) -> None:
    """Neither has a policy of its own (Service Authorization Reference, CloudWatch)."""
    cloudwatch = platform.client("cloudwatch", account=account)
    alarm = {"MetricName": "m", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "Statistic": "Sum"}
    cloudwatch.put_metric_alarm(
        AlarmName="a", Namespace="n", ComparisonOperator="GreaterThanThreshold", Tags=TAGS, **alarm
    )
    cloudwatch.put_dashboard(DashboardName="d", DashboardBody=json.dumps({"widgets": []}), Tags=TAGS)
    theirs = platform.client("cloudwatch", account=other.get_user()["User"]["UserId"])
    alarm_arn = cloudwatch.describe_alarms()["MetricAlarms"][0]["AlarmArn"]
    for arn in (alarm_arn, f"arn:aws:cloudwatch::{account}:dashboard/d"):
        for operation, more in (
            ("list_tags_for_resource", {}),
            ("tag_resource", {"Tags": [{"Key": "k", "Value": "theirs"}]}),
            ("untag_resource", {"TagKeys": ["k"]}),
        ):
            assert refusal(getattr(theirs, operation), ResourceARN=arn, **more)[0] == "AccessDenied"
        assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == TAGS
