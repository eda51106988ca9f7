"""What AWS refuses to save, in its words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.policy.callers import document, statement
from undercast.core.errors import ServiceError
from undercast.policy.document import Policy, parse_policy
from undercast.policy.validation import PolicyKind


def refusal(source: Any, kind: PolicyKind) -> str:
    """The message with which a document is refused."""
    with pytest.raises(ServiceError) as error:
        parse_policy(source, kind)
    assert error.value.code == "MalformedPolicyDocument"
    return error.value.message


TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.mark.parametrize(
    ("kind", "source", "text"),
    [
        ("managed", "{", "Syntax errors in policy."),
        ("inline", "no json", "This policy contains invalid Json"),
        ("managed", '{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', "Syntax errors in policy."),
        ("managed", "[]", "Syntax errors in policy."),
        ("managed", {**document(statement()), "Extra": 1}, "Syntax errors in policy."),
        ("managed", {"Version": "2012-10-17"}, "Syntax errors in policy."),
        ("managed", {"Statement": [statement()]}, "Policy document must be version 2012-10-17 or greater."),
        ("managed", document(statement(Effect="allow")), "Syntax errors in policy."),
        ("managed", document(statement(Principal="*")), "Policy document should not specify a principal."),
        ("managed", document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        ("managed", document({"Effect": "Allow", "Action": "s3:*"}), "Policy statement must contain resources."),
        ("managed", document(statement(NotAction="s3:*")), "Syntax errors in policy."),
        (
            "managed",
            document(statement(action="GetObject")),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        ("managed", document(statement(action="s3:a:b")), "Actions/Condition can contain only one colon."),
        ("managed", document(statement(action="s 3:Get")), "Vendor s 3 is not valid"),
        ("managed", document(statement(resource="photos")), 'Resource photos must be in ARN format or "*".'),
        (
            "managed",
            document(statement(resource="arn:moon:s3:::b")),
            'Partition "moon" is not valid for resource "arn:moon:s3:::b".',
        ),
        (
            "managed",
            document(statement(resource="arn:aws:iam:eu-west-1:111111111111:role/r")),
            "IAM resource arn:aws:iam:eu-west-1:111111111111:role/r cannot contain region information.",
        ),
        (
            "managed",
            document(statement(Sid="a b")),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
            "[0-9A-Za-z]*",
        ),
        (
            "managed",
            document(statement(Sid="a"), statement(Sid="a")),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        ("managed", document(statement(Condition=["x"])), "Syntax errors in policy."),
        ("trust", document({"Effect": "Allow", "Action": "sts:AssumeRole"}), "Missing required field Principal"),
        ("trust", document({**TRUST, "Resource": "*"}), "Has prohibited field Resource"),
        (
            "trust",
            document({**TRUST, "Action": "s3:GetObject"}),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            "trust",
            document({**TRUST, "Principal": {"Service": "lambda"}}),
            'Invalid principal in policy: "SERVICE":"lambda"',
        ),
        (
            "trust",
            document({**TRUST, "Principal": {"AWS": "arn:aws:iam::1:role/x"}}),
            'Invalid principal in policy: "AWS":"arn:aws:iam::1:role/x"',
        ),
        ("resource", document(statement()), "Missing required field Principal"),
        ("resource", document({**TRUST, "Action": "s3:*"}), "Missing required field Resource"),
        ("resource", {"Version": "2020-01-01", "Statement": []}, "The policy must contain a valid version string"),
    ],
)
def test_malformed_documents(kind: PolicyKind, source: Any, text: str) -> None:
    """IAM API Reference, MalformedPolicyDocument."""
    assert refusal(source, kind) == text


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": "111111111111"},
        {"AWS": ["arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:user/a/b"]},
        {"AWS": "arn:aws:sts::111111111111:assumed-role/r/s"},
        {"AWS": "AROAEXAMPLEEXAMPLE123"},
        {"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]},
        {"Federated": "cognito-identity.amazonaws.com"},
        {"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"},
        {"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be" + "0123456789abcdef" * 2},
    ],
)
def test_every_form_of_principal_is_accepted(principal: Any) -> None:
    """ "AWS JSON policy elements: Principal"."""
    assert len(parse_policy(document({**TRUST, "Principal": principal}), "trust").statements) == 1


def test_unknown_actions_are_accepted() -> None:
    """IAM accepts actions that no service has; a seed's policy has s3:CopyObject and s3:HeadObject."""
    taken = parse_policy(document(statement(action=["s3:CopyObject", "s3:HeadObject"])), "managed")
    assert len(taken.statements) == 1


def test_one_statement_may_stand_without_a_list() -> None:
    """ "The Statement element can contain a single statement or an array"."""
    assert len(parse_policy({"Version": "2012-10-17", "Statement": statement()}, "managed").statements) == 1


def test_a_policy_is_its_document() -> None:
    """A compiled policy travels wherever a document does, and is never compiled twice."""
    policy = parse_policy(json.dumps(document(statement())))
    assert dict(policy) == document(statement())
    assert parse_policy(policy) is policy


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Action", "Resource", "Principal", "Condition", "AWS", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON, st.sampled_from(["any", "managed", "inline", "session", "resource", "trust"]))
def test_no_document_breaks_the_parser(source: Any, kind: PolicyKind) -> None:
    """Whatever comes in, the outcome is a policy or MalformedPolicyDocument."""
    try:
        assert isinstance(parse_policy(json.dumps(source), kind), Policy)
    except ServiceError as error:
        assert error.code == "MalformedPolicyDocument"
