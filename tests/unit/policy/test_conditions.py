"""Condition operators, one fact of AWS's operator tables each."""

from typing import Any

import pytest

from tests.unit.policy.callers import ALICE, OBJECT, SESSION, document, statement
from undercast.core.errors import ServiceError
from undercast.policy.document import parse_policy
from undercast.policy.evaluate import AuthorizationRequest, evaluate


def holds(condition: dict[str, Any], keys: dict[str, Any], caller: Any = ALICE) -> bool:
    """Whether a statement with the condition applies to a request with the keys."""
    request = AuthorizationRequest(principal=caller, action="s3:GetObject", resource=OBJECT, conditions=keys)
    return evaluate(request, [parse_policy(document(statement(Condition=condition)))]).allowed


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "result"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a*", "ab", False),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringLike", "a*d?", "abcde", True),
        ("StringLike", "a${*}", "ab", False),
        ("StringLike", "a${*}", "a*", True),
        ("StringNotLike", "a*", "ab", False),
        ("NumericEquals", "10", "10.0", True),
        ("NumericEquals", 10, "10", True),
        ("NumericNotEquals", "10", "11", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "10", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericEquals", "10", "ten", False),
        ("DateEquals", "2024-01-01T00:00:00Z", "1704067200", True),
        ("DateLessThan", "2024-01-01T00:00:00Z", "2023-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2024-01-01", "2024-01-01T00:00:01Z", True),
        ("DateNotEquals", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", False),
        ("Bool", "true", "TRUE", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ6", False),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", "10.0.0.1", "10.0.0.1", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "10.0.0.0/8", "2001:db8::1", False),
        ("NotIpAddress", ["10.0.0.0/8", "127.0.0.0/8"], "127.0.0.1", False),
        ("NotIpAddress", "10.0.0.0/8", "127.0.0.1", True),
        ("ArnLike", "arn:aws:sns:*:*:t*", "arn:aws:sns:us-east-1:111111111111:topic", True),
        ("ArnEquals", "arn:aws:sns:*:*:t*", "arn:aws:sns:us-east-1:111111111111:topic", True),
        ("ArnLike", "arn:aws:sns:*:topic", "arn:aws:sns:us-east-1:111111111111:topic", False),
        ("ArnNotLike", "arn:aws:sns:*:*:t*", "arn:aws:sns:us-east-1:111111111111:topic", False),
        ("ArnNotEquals", "arn:aws:s3:::b", "arn:aws:s3:::c", True),
    ],
)
def test_operators(operator: str, wanted: Any, given: str, result: bool) -> None:
    """IAM User Guide, "IAM JSON policy elements: Condition operators"."""
    assert holds({operator: {"aws:key": wanted}}, {"aws:Key": given}) is result


@pytest.mark.parametrize(
    ("operator", "result"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
        ("ArnNotLike", True),
        ("NotIpAddress", True),
        ("NumericNotEquals", True),
        ("Bool", False),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
    ],
)
def test_a_missing_key(operator: str, result: bool) -> None:
    """AWS: "If the key is not present the values do not match"; negated operators and IfExists then hold."""
    assert holds({operator: {"aws:key": "1.2.3.4"}}, {}) is result


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "result"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], ("a",), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("a", "d"), False),
        ("ForAnyValue:StringEquals", ["a", "b"], ("c", "b"), True),
        ("ForAnyValue:StringEquals", ["a", "b"], ("c", "d"), False),
        ("ForAnyValue:StringLike", ["a*"], ("c", "ab"), True),
        ("StringNotEquals", ["a", "b"], ("c", "d"), True),
        ("StringNotEquals", ["a", "b"], ("c", "a"), False),
        ("StringNotLike", ["a*"], ("ab", "c"), False),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "c"), True),
        ("forallvalues:stringlike", ["a*"], ("aa", "ab"), True),
    ],
)
def test_sets_of_values(operator: str, wanted: list[str], given: tuple[str, ...], result: bool) -> None:
    """AWS: "Set operators for multivalued context keys"."""
    assert holds({operator: {"aws:TagKeys": wanted}}, {"aws:TagKeys": given}) is result


def test_null_asks_whether_the_key_is_there() -> None:
    """AWS: "Condition operator to check existence of condition keys"."""
    assert holds({"Null": {"aws:TokenIssueTime": "true"}}, {})
    assert not holds({"Null": {"aws:TokenIssueTime": "true"}}, {"aws:TokenIssueTime": "1"})
    assert holds({"Null": {"aws:TokenIssueTime": False}}, {"aws:TokenIssueTime": "1"})
    assert holds({"Null": {"aws:TagKeys": "true"}}, {"aws:TagKeys": ()})  # "or its value is null"


def test_operators_and_keys_are_anded() -> None:
    """AWS: "Conditions with multiple context keys or values": AND between keys, OR between values."""
    both = {"StringEquals": {"a:x": "1", "a:y": "2"}, "Bool": {"a:z": "true"}}
    assert holds(both, {"a:x": "1", "a:y": "2", "a:z": "true"})
    assert not holds(both, {"a:x": "1", "a:y": "3", "a:z": "true"})
    assert not holds(both, {"a:x": "1", "a:y": "2"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:username", "alice"),
        ("aws:userid", ALICE.user_id),
        ("aws:PrincipalArn", ALICE.arn),
        ("aws:PrincipalAccount", "111111111111"),
        ("aws:PrincipalType", "User"),
        ("aws:PrincipalIsAWSService", "false"),
        ("aws:ResourceAccount", "111111111111"),
    ],
)
def test_keys_of_the_principal(key: str, value: str) -> None:
    """AWS: "AWS global condition context keys": properties of the principal."""
    assert holds({"StringEquals": {key: value}}, {})


def test_a_sessions_principal_arn_is_its_roles() -> None:
    """AWS: "aws:PrincipalArn": for role sessions the ARN of the role, not of the session."""
    assert holds({"ArnEquals": {"aws:PrincipalArn": SESSION.role_arn}}, {}, SESSION)


def test_variables_in_values_and_their_defaults() -> None:
    """AWS: "${key, 'default text'}"; a variable without value matches nothing."""
    keys = {"s3:prefix": "alice/x", "aws:Team": "red"}
    assert holds({"StringLike": {"s3:prefix": "${aws:username}/*"}}, keys)
    assert holds({"StringEquals": {"aws:Team": "${aws:PrincipalTag/team, 'red'}"}}, keys)
    assert holds({"StringEquals": {"aws:Team": "${aws:RequestTag/my team}"}}, {**keys, "aws:RequestTag/my team": "red"})
    assert not holds({"StringEquals": {"aws:Team": "${aws:PrincipalTag/team}"}}, keys)
    assert not holds({"StringLike": {"s3:prefix": "${aws:Wild}"}}, {"s3:prefix": "abc", "aws:Wild": "*"})


@pytest.mark.parametrize("operator", ["StringMatches", "ForSomeValues:StringEquals", "equals"])
def test_an_unknown_operator_is_refused(operator: str) -> None:
    """MalformedPolicyDocument when the policy is saved."""
    with pytest.raises(ServiceError) as error:
        parse_policy(document(statement(Condition={operator: {"a:b": "c"}})))
    assert error.value.message == f"Invalid Condition type : {operator}"
