"""Managed and inline policies through boto3."""

import json
from typing import Any

import pytest

from tests.services.iam.conftest import Refusal, allow

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def test_terraforms_way_with_a_policy(iam: Any, account: str, trust: str) -> None:
    """Rows S1-18 to S1-20: actions that do not exist are accepted, every read answers."""
    document = allow(["s3:GetObject", "s3:CopyObject", "s3:HeadObject"])
    created = iam.create_policy(PolicyName="producer", PolicyDocument=document, Description="reads")["Policy"]
    arn = f"arn:aws:iam::{account}:policy/producer"
    assert (created["Arn"], created["DefaultVersionId"], created["AttachmentCount"]) == (arn, "v1", 0)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Description"] == "reads"
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert (version["Document"], version["IsDefaultVersion"]) == (json.loads(document), True)
    assert [one["VersionId"] for one in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v1"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert attached == [{"PolicyName": "producer", "PolicyArn": arn}]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"][0]["RoleName"] == "r"


@pytest.mark.parametrize("name", ["AmazonDynamoDBReadOnlyAccess", "AmazonSSMReadOnlyAccess", "SecretsManagerReadWrite"])
def test_awss_managed_policies_are_attachable(iam: Any, trust: str, name: str) -> None:
    """Row S2-40."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    arn = f"arn:aws:iam::aws:policy/{name}"
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"][0]["PolicyName"] == name
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    statements = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Allow"}


def test_awss_managed_policies_are_awss(iam: Any, refusal: Refusal) -> None:
    """They are listed under Scope AWS and cannot be changed."""
    listed = [p["Arn"] for p in iam.list_policies(Scope="AWS", MaxItems=1000)["Policies"]]
    assert BASIC in listed
    assert iam.list_policies(Scope="Local")["Policies"] == []
    assert refusal(iam.delete_policy, PolicyArn=BASIC)[0] == "AccessDenied"
    missing = "arn:aws:iam::aws:policy/NoSuchPolicy"
    code, message, status = refusal(iam.get_policy, PolicyArn=missing)
    assert (code, status) == ("NoSuchEntity", 404)
    assert message.startswith(f"Policy {missing} was not found. Undercast has only some of AWS's managed policies")


def test_a_policy_that_does_not_exist_cannot_be_attached(iam: Any, account: str, trust: str, refusal: Refusal) -> None:
    """The texts that deployment tools show."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    arn = f"arn:aws:iam::{account}:policy/missing"
    answer = refusal(iam.attach_role_policy, RoleName="r", PolicyArn=arn)
    assert answer == ("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
    answer = refusal(iam.detach_role_policy, RoleName="r", PolicyArn=arn)
    assert answer == ("NoSuchEntity", f"Policy {arn} was not found.", 404)


def test_versions(iam: Any, refusal: Refusal) -> None:
    """At most five; the default one stays; numbers are never used again."""
    arn = iam.create_policy(PolicyName="p", PolicyDocument=allow("s3:v1"))["Policy"]["Arn"]
    for number in range(2, 6):
        created = iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=allow(f"s3:v{number}"), SetAsDefault=number == 3
        )
        assert created["PolicyVersion"]["VersionId"] == f"v{number}"
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in versions] == [
        ("v5", False),
        ("v4", False),
        ("v3", True),
        ("v2", False),
        ("v1", False),
    ]
    code, message, status = refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=allow("s3:v6"))
    assert (code, status) == ("LimitExceeded", 409)
    assert message.startswith("A managed policy can have up to 5 versions.")
    assert refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v3")[1] == (
        "Cannot delete the default version of a policy."
    )
    iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("s3:v6"))["PolicyVersion"]["VersionId"] == "v6"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    answer = refusal(iam.get_policy_version, PolicyArn=arn, VersionId="v9")
    assert answer == ("NoSuchEntity", f"Policy {arn} version v9 does not exist or is not attachable.", 404)
    assert refusal(iam.delete_policy, PolicyArn=arn)[1].startswith("This policy has more than one version.")
    for version in ("v2", "v3", "v4", "v6"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    iam.delete_policy(PolicyArn=arn)
    assert refusal(iam.get_policy, PolicyArn=arn)[0] == "NoSuchEntity"


def test_names_sizes_and_uses(iam: Any, trust: str, refusal: Refusal) -> None:
    """EntityAlreadyExists, LimitExceeded without white space, DeleteConflict while attached."""
    document = allow("s3:*")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
    answer = refusal(iam.create_policy, PolicyName="P", PolicyDocument=document)
    assert answer == ("EntityAlreadyExists", "A policy called P already exists. Duplicate names are not allowed.", 409)
    large = allow([f"s3:{'a' * 100}{number}" for number in range(60)])
    answer = refusal(iam.create_policy, PolicyName="large", PolicyDocument=large)
    assert answer == ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409)
    iam.create_policy(PolicyName="spacious", PolicyDocument=document + " " * 7000)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert refusal(iam.delete_policy, PolicyArn=arn)[:2] == (
        "DeleteConflict",
        "Cannot delete a policy attached to entities.",
    )


def test_at_most_ten_attached_policies(iam: Any, trust: str, refusal: Refusal) -> None:
    """AWS: "Managed policies attached to an IAM role: 10"; attaching one twice is no error."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    arns = [policy["Arn"] for policy in iam.list_policies(Scope="AWS", MaxItems=11)["Policies"]]
    for arn in [*arns[:10], arns[0]]:
        iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    answer = refusal(iam.attach_role_policy, RoleName="r", PolicyArn=arns[10])
    assert answer == ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", 409)


@pytest.mark.parametrize("kind", ["role", "user", "group"])
def test_inline_policies(iam: Any, trust: str, refusal: Refusal, kind: str) -> None:
    """Put, get, list, delete for roles, users and groups."""
    name = {f"{kind.capitalize()}Name": "x"}
    create = {"role": {"AssumeRolePolicyDocument": trust}}.get(kind, {})
    getattr(iam, f"create_{kind}")(**name, **create)
    put, get = getattr(iam, f"put_{kind}_policy"), getattr(iam, f"get_{kind}_policy")
    put(**name, PolicyName="b", PolicyDocument=allow("s3:*"))
    put(**name, PolicyName="a", PolicyDocument=allow("sqs:*"))
    put(**name, PolicyName="b", PolicyDocument=allow("sns:*"))
    assert get(**name, PolicyName="b")["PolicyDocument"] == json.loads(allow("sns:*"))
    assert getattr(iam, f"list_{kind}_policies")(**name)["PolicyNames"] == ["a", "b"]
    getattr(iam, f"delete_{kind}_policy")(**name, PolicyName="a")
    answer = refusal(get, **name, PolicyName="a")
    assert answer == ("NoSuchEntity", f"The {kind} policy with name a cannot be found.", 404)
    answer = refusal(put, **name, PolicyName="bad", PolicyDocument=allow("nonsense"))
    assert answer[0] == "MalformedPolicyDocument"
    too_large = allow([f"s3:{'a' * 1000}{number}" for number in range(11)])
    code, message, _ = refusal(put, **name, PolicyName="large", PolicyDocument=too_large)
    assert (code, message.startswith("Maximum policy size of ")) == ("LimitExceeded", True)


@pytest.mark.parametrize("kind", ["user", "group"])
def test_attached_policies_of_users_and_groups(iam: Any, kind: str) -> None:
    """Attach, list with a path prefix, detach."""
    name = {f"{kind.capitalize()}Name": "x"}
    getattr(iam, f"create_{kind}")(**name)
    for arn in (BASIC, "arn:aws:iam::aws:policy/AmazonS3FullAccess"):
        getattr(iam, f"attach_{kind}_policy")(**name, PolicyArn=arn)
    listed = getattr(iam, f"list_attached_{kind}_policies")
    assert len(listed(**name)["AttachedPolicies"]) == 2
    assert [p["PolicyArn"] for p in listed(**name, PathPrefix="/service-role/")["AttachedPolicies"]] == [BASIC]
    getattr(iam, f"detach_{kind}_policy")(**name, PolicyArn=BASIC)
    assert [p["PolicyName"] for p in listed(**name)["AttachedPolicies"]] == ["AmazonS3FullAccess"]


def test_tags_of_a_policy(iam: Any) -> None:
    """TagPolicy, ListPolicyTags, UntagPolicy."""
    arn = iam.create_policy(PolicyName="p", PolicyDocument=allow("s3:*"), Tags=[{"Key": "a", "Value": "1"}])
    arn = arn["Policy"]["Arn"]
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Tags"] == [{"Key": "b", "Value": "2"}]
