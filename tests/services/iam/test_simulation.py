"""The policy simulator agrees with what is enforced."""

import json
from typing import Any

import pytest

from tests.services.iam.conftest import Refusal, allow


def decisions(answer: Any) -> dict[tuple[str, str], str]:
    """(action, resource) -> decision."""
    return {
        (result["EvalActionName"], result["EvalResourceName"]): result["EvalDecision"]
        for result in answer["EvaluationResults"]
    }


def test_simulating_a_role(iam: Any, trust: str) -> None:
    """SimulatePrincipalPolicy: each action on each resource, with the statements that match."""
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow("s3:GetObject", "arn:aws:s3:::in/*"))
    iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess")
    answer = iam.simulate_principal_policy(
        PolicySourceArn=arn,
        ActionNames=["s3:GetObject", "sqs:SendMessage"],
        ResourceArns=["arn:aws:s3:::in/a", "arn:aws:s3:::out/a"],
    )
    assert decisions(answer) == {
        ("s3:GetObject", "arn:aws:s3:::in/a"): "allowed",
        ("s3:GetObject", "arn:aws:s3:::out/a"): "implicitDeny",
        ("sqs:SendMessage", "arn:aws:s3:::in/a"): "allowed",
        ("sqs:SendMessage", "arn:aws:s3:::out/a"): "allowed",
    }
    matched = answer["EvaluationResults"][0]["MatchedStatements"]
    assert [(one["SourcePolicyId"], one["SourcePolicyType"]) for one in matched] == [("role_r_p", "role")]


def test_a_boundary_shows_in_the_result(iam: Any, trust: str) -> None:
    """PermissionsBoundaryDecisionDetail."""
    boundary = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary)["Role"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=allow("*"))
    answer = iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=["s3:GetObject", "sqs:SendMessage"])
    results = [
        (result["EvalDecision"], result["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"])
        for result in answer["EvaluationResults"]
    ]
    assert results == [("allowed", True), ("implicitDeny", False)]


def test_custom_policies_with_context(iam: Any) -> None:
    """SimulateCustomPolicy: condition keys come with the request, and missing ones are named."""
    policy = allow("s3:ListBucket", Condition={"StringLike": {"s3:prefix": "home/*"}})
    request = {"PolicyInputList": [policy], "ActionNames": ["s3:ListBucket"], "ResourceArns": ["arn:aws:s3:::b"]}
    answer = iam.simulate_custom_policy(**request)["EvaluationResults"][0]
    assert (answer["EvalDecision"], answer["MissingContextValues"]) == ("implicitDeny", ["s3:prefix"])
    entry = {"ContextKeyName": "s3:prefix", "ContextKeyValues": ["home/a"], "ContextKeyType": "string"}
    answer = iam.simulate_custom_policy(**request, ContextEntries=[entry])["EvaluationResults"][0]
    assert (answer["EvalDecision"], answer["MissingContextValues"]) == ("allowed", [])


@pytest.mark.parametrize(("effect", "decision"), [("Allow", "allowed"), ("Deny", "explicitDeny")])
def test_a_resource_policy_takes_part(iam: Any, effect: str, decision: str) -> None:
    """ResourcePolicy, seen by CallerArn."""
    user = iam.create_user(UserName="alice")["User"]["Arn"]
    resource_policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": effect, "Principal": {"AWS": user}, "Action": "s3:*", "Resource": "*"}],
    }
    answer = iam.simulate_principal_policy(
        PolicySourceArn=user, ActionNames=["s3:GetObject"], ResourcePolicy=json.dumps(resource_policy)
    )
    assert decisions(answer) == {("s3:GetObject", "*"): decision}


def test_what_the_simulator_refuses(iam: Any, account: str, refusal: Refusal) -> None:
    """A principal that does not exist, a bad ARN, and members whose effect is missing here."""
    role = f"arn:aws:iam::{account}:role/no"
    missing = refusal(iam.simulate_principal_policy, PolicySourceArn=role, ActionNames=["a:b"])
    assert missing[0] == "NoSuchEntity"
    bad = refusal(iam.simulate_principal_policy, PolicySourceArn="arn:aws:s3:::bucketname", ActionNames=["a:b"])
    assert bad[0] == "InvalidInput"
    code, message, _ = refusal(
        iam.simulate_custom_policy,
        PolicyInputList=[allow("s3:*")],
        ActionNames=["s3:GetObject"],
        ResourceHandlingOption="EC2-VPC-InstanceStore",
    )
    assert (code, "ResourceHandlingOption" in message) == ("NotImplemented", True)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("numeric", "1.5", "abc"),
        ("booleanList", "true", "yes"),
        ("ip", "10.0.0.0/8", "10.0.0"),
        ("date", "2024-01-01T00:00:00Z", "soon"),
        ("binary", "AAAA", "%"),
    ],
)
def test_context_values_are_of_their_type(iam: Any, refusal: Refusal, kind: str, good: str, bad: str) -> None:
    """ContextKeyType; InvalidInput otherwise."""
    request: dict[str, Any] = {"PolicyInputList": [allow("s3:*")], "ActionNames": ["s3:GetObject"]}
    entry = {"ContextKeyName": "aws:k", "ContextKeyType": kind}
    iam.simulate_custom_policy(**request, ContextEntries=[{**entry, "ContextKeyValues": [good]}])
    refused = refusal(iam.simulate_custom_policy, **request, ContextEntries=[{**entry, "ContextKeyValues": [bad]}])
    assert refused[0] == "InvalidInput"


def test_one_boundary_can_be_simulated(iam: Any, refusal: Refusal) -> None:
    """SimulateCustomPolicy: "You can input only one permissions boundary when you pass a policy"."""
    request: dict[str, Any] = {"PolicyInputList": [allow("s3:*")], "ActionNames": ["s3:GetObject"]}
    two = [allow("s3:*"), allow("sqs:*")]
    assert refusal(iam.simulate_custom_policy, **request, PermissionsBoundaryPolicyInputList=two)[0] == "InvalidInput"
