"""Roles through boto3."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.platform import RunningPlatform
from tests.services.iam.conftest import Refusal, allow, trust_of


def test_a_role_is_what_was_created(iam: Any, account: str, trust: str) -> None:
    """CreateRole and GetRole; unique ids of roles begin with AROA."""
    iam.create_role(
        RoleName="worker",
        Path="/app/",
        AssumeRolePolicyDocument=trust,
        Description="runs the function",
        MaxSessionDuration=7200,
        Tags=[{"Key": "team", "Value": "red"}],
    )
    role = iam.get_role(RoleName="worker")["Role"]
    assert re.fullmatch(r"AROA[A-Z2-7]{17}", role.pop("RoleId"))
    assert datetime.now(UTC) - role.pop("CreateDate") < timedelta(minutes=5)
    assert role == {
        "Path": "/app/",
        "RoleName": "worker",
        "Arn": f"arn:aws:iam::{account}:role/app/worker",
        "AssumeRolePolicyDocument": json.loads(trust),
        "Description": "runs the function",
        "MaxSessionDuration": 7200,
        "Tags": [{"Key": "team", "Value": "red"}],
        "RoleLastUsed": {},
    }


def test_policy_documents_are_percent_encoded(platform: RunningPlatform, account: str, trust: str) -> None:
    """AWS: "The returned policy is URL-encoded compliant with RFC 3986" (a space is %20)."""
    session = botocore.session.Session()
    client: Any = session.create_client(
        "iam",
        endpoint_url=platform.url,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 0}),
    )
    bodies: list[bytes] = []
    client.meta.events.register(
        "after-call.iam.CreateRole", lambda http_response, **_: bodies.append(http_response.content)
    )
    client.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    assert b"%7B%22Version%22%3A%20%222012-10-17%22%2C%20%22Statement%22" in bodies[0]


def test_names_are_unique_without_case(iam: Any, trust: str, refusal: Refusal) -> None:
    """AWS: "Names are not distinguished by case"."""
    iam.create_role(RoleName="Worker", AssumeRolePolicyDocument=trust)
    code, message, status = refusal(iam.create_role, RoleName="worker", AssumeRolePolicyDocument=trust)
    assert (code, message, status) == ("EntityAlreadyExists", "Role with name worker already exists.", 409)
    assert iam.get_role(RoleName="WORKER")["Role"]["RoleName"] == "Worker"


def test_a_role_that_does_not_exist(iam: Any, refusal: Refusal) -> None:
    """NoSuchEntity is a 404."""
    expected = ("NoSuchEntity", "The role with name nobody cannot be found.", 404)
    assert refusal(iam.get_role, RoleName="nobody") == expected
    assert refusal(iam.delete_role, RoleName="nobody") == expected
    assert refusal(iam.list_role_policies, RoleName="nobody") == expected


def test_accounts_are_apart_and_regions_are_not(
    iam: Any, platform: RunningPlatform, account: str, trust: str, refusal: Refusal
) -> None:
    """IAM is global in an account, and each account has its own."""
    iam.create_role(RoleName="mine", AssumeRolePolicyDocument=trust)
    other = platform.client("iam", account="999999999999")
    assert refusal(other.get_role, RoleName="mine")[0] == "NoSuchEntity"
    elsewhere = platform.client("iam", account=account, region="eu-west-1")
    assert elsewhere.get_role(RoleName="mine")["Role"]["RoleName"] == "mine"


def test_update_role(iam: Any, trust: str) -> None:
    """UpdateRole, UpdateRoleDescription and UpdateAssumeRolePolicy."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    iam.update_role(RoleName="r", Description="one", MaxSessionDuration=43200)
    role = iam.get_role(RoleName="r")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("one", 43200)
    assert iam.update_role_description(RoleName="r", Description="two")["Role"]["Description"] == "two"
    newer = trust_of({"AWS": "arn:aws:iam::123456789012:root"})
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=newer)
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"] == json.loads(newer)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("no json", "This policy contains invalid Json"),
        (allow("sts:AssumeRole"), "Missing required field Principal"),
        (trust_of({"Service": "lambda"}), 'Invalid principal in policy: "SERVICE":"lambda"'),
    ],
)
def test_a_malformed_trust_policy(iam: Any, refusal: Refusal, document: str, text: str) -> None:
    """MalformedPolicyDocument in AWS's words."""
    answer = refusal(iam.create_role, RoleName="r", AssumeRolePolicyDocument=document)
    assert answer == ("MalformedPolicyDocument", text, 400)


def test_a_long_trust_policy(iam: Any, refusal: Refusal) -> None:
    """AWS: "Role trust policy length: 2,048 characters"."""
    accounts = [f"{100000000000 + number}" for number in range(150)]
    answer = refusal(iam.create_role, RoleName="r", AssumeRolePolicyDocument=trust_of({"AWS": accounts}))
    assert answer == ("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048", 409)


def test_a_role_with_policies_cannot_be_deleted(iam: Any, trust: str, refusal: Refusal) -> None:
    """DeleteConflict until everything is detached; Terraform relies on the order."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow("s3:*"))
    iam.create_instance_profile(InstanceProfileName="i")
    iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
    conflict = "Cannot delete entity, must "
    assert refusal(iam.delete_role, RoleName="r") == ("DeleteConflict", conflict + "detach all policies first.", 409)
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    assert refusal(iam.delete_role, RoleName="r")[1] == conflict + "delete policies first."
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    assert refusal(iam.delete_role, RoleName="r")[1] == conflict + "remove roles from instance profile first."
    assert [
        p["InstanceProfileName"] for p in iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"]
    ] == ["i"]
    iam.remove_role_from_instance_profile(InstanceProfileName="i", RoleName="r")
    iam.delete_role(RoleName="r")
    assert refusal(iam.get_role, RoleName="r")[0] == "NoSuchEntity"


def test_lists_go_in_pages(iam: Any, trust: str) -> None:
    """MaxItems and Marker; PathPrefix filters."""
    for number in range(7):
        path = "/even/" if number % 2 == 0 else "/"
        iam.create_role(RoleName=f"r{number}", Path=path, AssumeRolePolicyDocument=trust)
    first = iam.list_roles(MaxItems=3)
    assert first["IsTruncated"] is True
    assert [role["RoleName"] for role in first["Roles"]] == ["r0", "r1", "r2"]
    pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 3})
    assert [role["RoleName"] for page in pages for role in page["Roles"]] == [f"r{number}" for number in range(7)]
    assert [role["RoleName"] for role in iam.list_roles(PathPrefix="/even/")["Roles"]] == ["r0", "r2", "r4", "r6"]


def test_tags(iam: Any, trust: str, refusal: Refusal) -> None:
    """TagRole, UntagRole, ListRoleTags; keys are compared without case."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    iam.tag_role(RoleName="r", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.tag_role(RoleName="r", Tags=[{"Key": "A", "Value": "3"}])
    assert iam.list_role_tags(RoleName="r")["Tags"] == [{"Key": "A", "Value": "3"}, {"Key": "b", "Value": "2"}]
    iam.untag_role(RoleName="r", TagKeys=["b", "missing"])
    assert iam.get_role(RoleName="r")["Role"]["Tags"] == [{"Key": "A", "Value": "3"}]
    twice = [{"Key": "x", "Value": "1"}, {"Key": "X", "Value": "2"}]
    code, message, _ = refusal(iam.tag_role, RoleName="r", Tags=twice)
    assert (code, message) == (
        "InvalidInput",
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
    )
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert refusal(iam.tag_role, RoleName="r", Tags=many)[0] == "LimitExceeded"
    assert len(iam.list_role_tags(RoleName="r")["Tags"]) == 1


def test_permissions_boundary(iam: Any, account: str, trust: str, refusal: Refusal) -> None:
    """It must exist, is shown by GetRole, and counts as a use of the policy."""
    arn = iam.create_policy(PolicyName="edge", PolicyDocument=allow("s3:*"))["Policy"]["Arn"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust, PermissionsBoundary=arn)
    boundary = iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"]
    assert boundary == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    assert refusal(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    iam.delete_role_permissions_boundary(RoleName="r")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="r")["Role"]
    missing = f"arn:aws:iam::{account}:policy/missing"
    code, message, _ = refusal(iam.put_role_permissions_boundary, RoleName="r", PermissionsBoundary=missing)
    assert (code, message) == ("NoSuchEntity", f"Scope ARN: {missing} does not exist or is not attachable.")


def test_service_linked_roles(iam: Any, account: str, refusal: Refusal) -> None:
    """They are AWS's: customers create and delete them, and change nothing."""
    service = "elasticloadbalancing.amazonaws.com"
    role = iam.create_service_linked_role(AWSServiceName=service)["Role"]
    assert role["Arn"] == (
        f"arn:aws:iam::{account}:role/aws-service-role/{service}/AWSServiceRoleForElasticLoadBalancing"
    )
    name = role["RoleName"]
    assert refusal(iam.create_service_linked_role, AWSServiceName=service)[0] == "InvalidInput"
    assert refusal(iam.put_role_policy, RoleName=name, PolicyName="p", PolicyDocument=allow("s3:*"))[0] == (
        "UnmodifiableEntity"
    )
    assert refusal(iam.delete_role, RoleName=name)[0] == "UnmodifiableEntity"
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert refusal(iam.get_role, RoleName=name)[0] == "NoSuchEntity"


def test_an_unsigned_call_is_refused(platform: RunningPlatform, refusal: Refusal) -> None:
    """Any web page can send unsigned requests to loopback."""
    client = platform.client("iam", signature_version=UNSIGNED)
    assert refusal(client.list_roles)[::2] == ("MissingAuthenticationToken", 403)


def test_what_is_not_served_says_so(iam: Any, refusal: Refusal) -> None:
    """An operation that we lack answers with an error that names it."""
    code, message, status = refusal(iam.list_virtual_mfa_devices)
    assert (code, status) == ("NotImplemented", 501)
    assert "iam:ListVirtualMFADevices" in message
