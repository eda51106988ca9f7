"""Resource policies, keys of log groups, and lists of groups.

AWS: CloudWatch Logs API Reference, PutResourcePolicy, AssociateKmsKey, ListLogGroups.
"""

import json
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.sns.actions import refusal

PERSISTABLE = "Could not convert to persistable policy"


def policy(principal: Any, resource: str = "*") -> str:
    """What lets a principal write."""
    statement = {"Effect": "Allow", "Principal": principal, "Resource": resource,
                 "Action": ["logs:CreateLogStream", "logs:PutLogEvents"]}  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


SERVICE = policy({"Service": "events.amazonaws.com"})


@pytest.fixture
def logs(platform: RunningPlatform, account: str) -> Any:
    """A client in the test's account."""
    return platform.client("logs", account=account)


def test_policies_of_the_account(logs: Any) -> None:
    """A policy has a name, and is changed by it; an account has at most ten."""
    put = logs.put_resource_policy(policyName="p", policyDocument=SERVICE)
    assert "revisionId" not in put and put["resourcePolicy"]["policyScope"] == "ACCOUNT"
    changed = policy({"Service": "es.amazonaws.com"})
    logs.put_resource_policy(policyName="p", policyDocument=changed)
    (found,) = logs.describe_resource_policies()["resourcePolicies"]
    assert (found["policyName"], found["policyDocument"]) == ("p", changed)
    for number in range(9):
        logs.put_resource_policy(policyName=f"q{number}", policyDocument=SERVICE)
    full = refusal(logs.put_resource_policy, policyName="more", policyDocument=SERVICE)
    assert full == ("LimitExceededException", "Resource limit exceeded.")
    page = logs.describe_resource_policies(limit=6)
    rest = logs.describe_resource_policies(limit=6, nextToken=page["nextToken"])
    assert len(page["resourcePolicies"]) + len(rest["resourcePolicies"]) == 10
    logs.delete_resource_policy(policyName="p")
    assert refusal(logs.delete_resource_policy, policyName="p")[0] == "ResourceNotFoundException"


def test_policies_that_cannot_be_kept(logs: Any, account: str) -> None:
    """Principals are services, accounts and everyone; ARNs are not taken (aws-cdk's pull request 19640)."""
    for bad in ("{", policy({"AWS": "delivery.logs.amazonaws.com"}), policy({"AWS": f"arn:aws:iam::{account}:root"})):
        found = refusal(logs.put_resource_policy, policyName="p", policyDocument=bad)
        assert found == ("InvalidParameterException", PERSISTABLE)
    for good in (policy("*"), policy({"AWS": account}), policy({"Service": ["a.amazonaws.com", "b.amazonaws.com"]})):
        logs.put_resource_policy(policyName="p", policyDocument=good)


def test_the_policy_of_one_group(logs: Any, account: str) -> None:
    """It is named by the group's ARN alone, and changed by who has seen its revision."""
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:g"
    given = {"resourceArn": f"{arn}:*", "policyDocument": SERVICE}
    assert refusal(logs.put_resource_policy, **given)[0] == "ResourceNotFoundException"
    logs.create_log_group(logGroupName="g")
    assert refusal(logs.put_resource_policy, policyName="p", **given)[0] == "InvalidParameterException"
    first = logs.put_resource_policy(**given)["revisionId"]
    assert refusal(logs.put_resource_policy, **given)[0] == "InvalidParameterException"
    second = logs.put_resource_policy(**given, expectedRevisionId=first)["revisionId"]
    assert refusal(logs.put_resource_policy, **given, expectedRevisionId=first)[0] == "OperationAbortedException"
    assert logs.describe_resource_policies()["resourcePolicies"] == []
    (found,) = logs.describe_resource_policies(policyScope="RESOURCE")["resourcePolicies"]
    assert (found["resourceArn"], found["revisionId"], found["policyScope"]) == (arn, second, "RESOURCE")
    logs.delete_resource_policy(resourceArn=arn, expectedRevisionId=second)
    assert logs.describe_resource_policies(resourceArn=arn)["resourcePolicies"] == []


def test_a_groups_policy_ends_with_it(logs: Any, account: str) -> None:
    """A group of the same name that is made later lets nobody in."""
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:g"
    logs.create_log_group(logGroupName="g")
    logs.put_resource_policy(resourceArn=arn, policyDocument=SERVICE)
    logs.delete_log_group(logGroupName="g")
    assert logs.describe_resource_policies(resourceArn=arn)["resourcePolicies"] == []


def test_a_groups_key(platform: RunningPlatform, account: str, logs: Any) -> None:
    """A symmetric key that is enabled and lets CloudWatch Logs in, by its ARN; AWS's text for every other.

    The policy is the guide's: the region's service, for the group's ARN as encryption context.
    """
    kms = platform.client("kms", account=account)
    key = kms.create_key()["KeyMetadata"]
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"}
    service = {
        "Effect": "Allow",
        "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
        "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        "Resource": "*",
    }
    pair = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:g"
    text = f"The specified KMS key does not exist or is not allowed to be used with LogGroup '{arn}'"
    wrong = [key["KeyId"], key["Arn"][:-1] + "x", pair]
    for one in wrong:
        found = refusal(logs.create_log_group, logGroupName="g", kmsKeyId=one)
        assert found == ("InvalidParameterException", text)
    logs.create_log_group(logGroupName="g")
    for one in wrong:
        assert refusal(logs.associate_kms_key, logGroupName="g", kmsKeyId=one)[1] == text
    for group in (None, "other", "g"):
        if group is not None:
            named = f"arn:aws:logs:us-east-1:{account}:log-group:{group}"
            condition = {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": named}}
            document = {"Version": "2012-10-17", "Statement": [own, {**service, "Condition": condition}]}
            kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=json.dumps(document))
        if group != "g":
            assert refusal(logs.associate_kms_key, logGroupName="g", kmsKeyId=key["Arn"])[1] == text
    logs.associate_kms_key(logGroupName="g", kmsKeyId=key["Arn"])
    assert logs.describe_log_groups()["logGroups"][0]["kmsKeyId"] == key["Arn"]
    logs.disassociate_kms_key(resourceIdentifier=arn)
    assert "kmsKeyId" not in logs.describe_log_groups()["logGroups"][0]
    kms.disable_key(KeyId=key["KeyId"])
    assert refusal(logs.associate_kms_key, logGroupName="g", kmsKeyId=key["Arn"])[1] == text
    results = f"arn:aws:logs:us-east-1:{account}:query-result:*"
    assert refusal(logs.disassociate_kms_key, resourceIdentifier=results)[0] == "NotImplemented"


def test_groups_are_listed_by_pattern_class_and_tags(logs: Any) -> None:
    """| joins patterns, ^ asks for the beginning; values of tags know * and !."""
    for name, tags in (("/aws/lambda/a", {"env": "Prod-1"}), ("app/lambda", {"env": "test"}), ("other", {"own": "x"})):
        logs.create_log_group(logGroupName=name, tags=tags)
    logs.create_log_group(logGroupName="rare", logGroupClass="INFREQUENT_ACCESS")

    def names(**filters: Any) -> list[str]:
        return [group["logGroupName"] for group in logs.list_log_groups(**filters)["logGroups"]]

    assert names() == ["/aws/lambda/a", "app/lambda", "other", "rare"]
    assert names(logGroupNamePattern="lambda") == ["/aws/lambda/a", "app/lambda"]
    assert names(logGroupNamePattern="^app|the") == ["app/lambda", "other"]
    assert names(logGroupClass="INFREQUENT_ACCESS") == ["rare"]

    def tagged(*values: str) -> list[str]:
        return names(logGroupTags=[{"key": "env", "values": list(values)}])

    assert tagged() == ["/aws/lambda/a", "app/lambda"]
    assert [tagged(one) for one in ("prod-1", "prod*", "*D-1", "*OD-*", "!test")] == [[], *[["/aws/lambda/a"]] * 4]
    first = logs.list_log_groups(limit=3)
    assert [one["logGroupName"] for one in logs.list_log_groups(nextToken=first["nextToken"])["logGroups"]] == ["rare"]
    assert set(first["logGroups"][0]) == {"logGroupName", "logGroupArn", "logGroupClass"}
