"""How policies add up to a decision."""

from typing import Any

import pytest

from tests.unit.policy.callers import (
    ACCOUNT,
    ALICE,
    NOBODY,
    OBJECT,
    OTHER,
    ROOT,
    S3,
    SESSION,
    decide,
    document,
    statement,
)
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, canonical_id
from undercast.policy.document import parse_policy
from undercast.policy.evaluate import AuthorizationRequest, evaluate, matching

ALLOW = document(statement())
DENY = document(statement("Deny"))


def to(principal: Any, effect: str = "Allow") -> dict[str, Any]:
    """A resource policy."""
    return document(statement(effect, Principal=principal))


def test_nothing_is_allowed_by_default() -> None:
    """IAM User Guide: "By default, all requests are implicitly denied"."""
    decision = decide()
    assert decision.allowed is False
    assert decision.explicit_deny is False
    assert decision.because == "no identity-based policy allows the s3:GetObject action"


def test_an_identity_policy_allows() -> None:
    """An explicit allow overrides the default."""
    assert decide(identity=ALLOW).allowed


def test_an_explicit_deny_wins_over_every_allow() -> None:
    """AWS: "An explicit deny in any policy overrides any allows"."""
    both = document(statement(), statement("Deny"))
    assert decide(identity=both).because == "with an explicit deny in an identity-based policy"
    assert (
        decide(identity=ALLOW, resource=to("*", "Deny")).because == "with an explicit deny in a resource-based policy"
    )
    assert decide(identity=ALLOW, boundary=DENY).because == "with an explicit deny in a permissions boundary"
    assert decide(SESSION, identity=ALLOW, session=DENY).because == "with an explicit deny in a session policy"


def test_in_one_account_identity_and_resource_policies_add_up() -> None:
    """AWS: an action allowed by an identity policy, a resource policy, or both is allowed."""
    assert decide(resource=to({"AWS": ALICE.arn})).allowed
    assert decide(identity=ALLOW, resource=to({"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"})).allowed


def test_an_account_as_principal_leaves_the_decision_to_the_account() -> None:
    """AWS: "you delegate authority to the account"; its users still need permission."""
    for account in (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"):
        assert not decide(resource=to({"AWS": account})).allowed
        assert decide(ROOT, resource=to({"AWS": account})).allowed
        assert not decide(identity=ALLOW, resource=to({"AWS": account}, "Deny")).allowed


@pytest.mark.parametrize(
    ("identity", "resource", "allowed"),
    [(ALLOW, None, False), (None, to({"AWS": ACCOUNT}), False), (ALLOW, to({"AWS": ACCOUNT}), True)],
)
def test_across_accounts_both_must_allow(identity: Any, resource: Any, allowed: bool) -> None:
    """AWS: "Cross-account policy evaluation logic": the trusted and the trusting account must both allow."""
    decision = decide(identity=identity, resource=resource, resource_account_id=OTHER)
    assert decision.allowed is allowed


def test_the_missing_side_of_a_cross_account_request_is_named() -> None:
    """The message names the type of policy that does not allow."""
    assert decide(resource=to("*"), resource_account_id=OTHER).because.startswith("no identity-based policy")
    assert decide(identity=ALLOW, resource_account_id=OTHER).because.startswith("no resource-based policy")


def test_a_boundary_narrows_and_grants_nothing() -> None:
    """AWS: "Permissions boundaries for IAM entities": the intersection of both."""
    assert not decide(boundary=ALLOW).allowed
    assert decide(identity=ALLOW, boundary=ALLOW).allowed
    narrow = document(statement(action="s3:PutObject"))
    assert decide(identity=ALLOW, boundary=narrow).because == "no permissions boundary allows the s3:GetObject action"


def test_a_session_policy_narrows() -> None:
    """AWS: "Session policies limit permissions for a created session, but do not grant permissions"."""
    narrow = document(statement(action="s3:PutObject"))
    assert decide(SESSION, identity=ALLOW, session=ALLOW).allowed
    assert decide(SESSION, identity=ALLOW, session=narrow).because == "no session policy allows the s3:GetObject action"


def test_a_resource_policy_that_names_the_role_is_narrowed_and_one_that_names_the_session_is_not() -> None:
    """AWS: "Resource-based policies that grant permissions to an IAM role ARN are limited by an implicit deny"."""
    narrow = document(statement(action="s3:PutObject"))
    by_role, by_session = to({"AWS": SESSION.role_arn}), to({"AWS": SESSION.arn})
    assert decide(SESSION, resource=by_role).allowed
    assert not decide(SESSION, resource=by_role, boundary=narrow).allowed
    assert not decide(SESSION, resource=by_role, session=narrow).allowed
    assert decide(SESSION, resource=by_session, boundary=narrow, session=narrow).allowed


def test_a_resource_policy_that_names_the_user_is_not_narrowed_by_a_boundary() -> None:
    """AWS: "Resource-based policies that grant permissions to an IAM user are not limited by an implicit deny"."""
    assert decide(resource=to({"AWS": ALICE.arn}), boundary=document(statement(action="sqs:*"))).allowed


def test_root_needs_no_policy_but_obeys_a_resource_policys_deny() -> None:
    """The root user has all permissions; a bucket policy can deny it."""
    assert decide(ROOT).allowed
    assert not decide(ROOT, resource=to("*", "Deny")).allowed
    assert not decide(ROOT, resource_account_id=OTHER).allowed


def test_services_and_strangers_are_allowed_by_resource_policies_alone() -> None:
    """A service principal and an anonymous caller have no identity policies."""
    assert decide(S3, resource=to({"Service": "s3.amazonaws.com"})).allowed
    assert not decide(S3, resource=to({"Service": "sns.amazonaws.com"})).allowed
    assert not decide(S3).allowed
    assert decide(NOBODY, resource=to("*")).allowed
    assert decide(NOBODY, resource=to({"AWS": "*"})).allowed
    assert not decide(NOBODY, resource=to({"AWS": ACCOUNT})).allowed


def test_a_canonical_user_is_its_account() -> None:
    """ "AWS JSON policy elements: Principal": another identifier of the account, in bucket policies."""
    mine, other = ({"CanonicalUser": canonical_id(account)} for account in (ACCOUNT, OTHER))
    for caller in (ALICE, SESSION, ROOT):
        assert decide(caller, identity=ALLOW, resource=to(mine, "Deny")).explicit_deny is True
        assert decide(caller, identity=ALLOW, resource=to(other, "Deny")).allowed is True
    foreign: dict[str, Any] = {"resource_account_id": OTHER}
    assert decide(identity=ALLOW, resource=to(mine), **foreign).allowed is True
    assert decide(identity=ALLOW, resource=to(other), **foreign).allowed is False
    assert decide(NOBODY, resource=to(mine)).allowed is False
    several = {"CanonicalUser": [canonical_id(OTHER), canonical_id(ACCOUNT)]}
    assert decide(identity=ALLOW, resource=to(several, "Deny")).explicit_deny is True


@pytest.mark.parametrize("named", ["", "x", "arn:aws:iam::111111111111:root", "A" * 64, "a" * 63, "a" * 80])
def test_what_is_no_canonical_user_is_no_principal(named: str) -> None:
    """It would mean nobody: a Deny without an effect."""
    with pytest.raises(ServiceError, match="Invalid principal in policy"):
        parse_policy(to({"CanonicalUser": named}), "resource")


def test_what_is_stored_and_no_principal_means_nobody() -> None:
    """A data folder may hold what an older version took."""
    stored = {"CanonicalUser": [canonical_id(OTHER)[1:], canonical_id(ACCOUNT)]}
    assert decide(identity=ALLOW, resource=to(stored, "Deny")).explicit_deny is True
    nobody = {"CanonicalUser": canonical_id(ACCOUNT)[1:]}
    assert decide(identity=ALLOW, resource=to(nobody, "Deny")).allowed is True
    assert decide(identity=ALLOW, resource=to(nobody), resource_account_id=OTHER).allowed is False


def test_a_regional_service_principal_is_the_service() -> None:
    """AWS: "states.us-east-1.amazonaws.com" and "states.amazonaws.com" are one service."""
    states = Principal(kind="service", account_id=ACCOUNT, arn="states.amazonaws.com")
    assert decide(states, resource=to({"Service": "states.us-east-1.amazonaws.com"})).allowed


def test_a_unique_id_means_the_user_or_role() -> None:
    """AWS: "Unique identifiers" may stand in a saved policy."""
    assert decide(resource=to({"AWS": ALICE.user_id})).allowed
    assert decide(SESSION, resource=to({"AWS": SESSION.user_id.partition(":")[0]})).allowed


def test_not_principal_with_deny_spares_only_whom_it_names() -> None:
    """AWS: "NotPrincipal": denies all except the one named, even in an account that is named besides."""
    named = document(
        {
            "Effect": "Deny",
            "NotPrincipal": {"AWS": [ALICE.arn, f"arn:aws:iam::{ACCOUNT}:root"]},
            "Action": "s3:*",
            "Resource": "*",
        }
    )
    assert decide(identity=ALLOW, resource=named).allowed
    assert not decide(SESSION, identity=ALLOW, resource=named).allowed


def test_a_trust_policy_must_allow_even_in_one_account() -> None:
    """AWS: "A role trust policy is a required resource-based policy"."""
    assume: dict[str, Any] = {
        "action": "sts:AssumeRole",
        "on": "arn:aws:iam::111111111111:role/r",
        "needs_resource_policy": True,
    }
    may = document(statement(action="sts:AssumeRole"))
    trust: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}],
    }
    assert decide(identity=may, **assume).because == "no role trust policy allows the sts:AssumeRole action"
    assert decide(identity=may, resource=trust, **assume).allowed
    assert not decide(resource=trust, **assume).allowed
    trust["Statement"][0]["Principal"] = {"AWS": ALICE.arn}
    assert decide(resource=trust, **assume).allowed


@pytest.mark.parametrize(
    ("pattern", "resource", "fits"),
    [
        ("*", "*", True),
        ("arn:aws:s3:::*", "*", False),
        ("arn:aws:s3:::photos/*", OBJECT, True),
        ("arn:aws:s3:::photos/*.jpg", "arn:aws:s3:::photos/a/b:c/d.jpg", True),
        ("arn:aws:s3:::photos/c?t.jpg", OBJECT, True),
        ("arn:aws:s3:::Photos/*", OBJECT, False),
        ("arn:aws:sqs:*:*:jobs", "arn:aws:sqs:eu-west-1:111111111111:jobs", True),
        ("arn:aws:sqs:*:jobs", "arn:aws:sqs:eu-west-1:111111111111:jobs", False),
        ("arn:aws:sqs", "arn:aws:sqs:eu-west-1:111111111111:jobs", True),
        ("arn:aws:s3:::photos", OBJECT, False),
        ("arn:aws:s3:::photos/[cat].jpg", "arn:aws:s3:::photos/c.jpg", False),
    ],
)
def test_resources_match_field_by_field(pattern: str, resource: str, fits: bool) -> None:
    """AWS: "You can use wildcard characters within any ARN segment"; a short ARN is completed with wildcards."""
    request = AuthorizationRequest(principal=ALICE, action="s3:GetObject", resource=resource)
    assert evaluate(request, [parse_policy(document(statement(resource=pattern)))]).allowed is fits


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("s3:getobject", True), ("S3:Get*", True), ("s3:Get?bject", True), ("*", True), ("s3:Put*", False)],
)
def test_actions_ignore_case_and_have_wildcards(pattern: str, fits: bool) -> None:
    """AWS: "The prefix and the action name are case insensitive"."""
    assert decide(identity=document(statement(action=pattern))).allowed is fits


def test_not_action_and_not_resource_mean_all_others() -> None:
    """AWS: "NotAction matches everything except the specified list of actions"."""
    other = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert decide(identity=document(other)).allowed
    spared = {"Effect": "Deny", "Action": "s3:*", "NotResource": ["arn:aws:s3:::photos/*"]}
    assert decide(identity=document(statement(), spared)).allowed
    assert not decide(identity=document(statement(), {**spared, "NotResource": "arn:aws:s3:::films/*"})).allowed


def test_variables_stand_in_resources() -> None:
    """AWS: "IAM policy elements: Variables and tags": ${aws:username}."""
    home = document(statement(resource="arn:aws:s3:::photos/${aws:username}/*"))
    wanted = "arn:aws:s3:::photos/alice/1"
    request = AuthorizationRequest(principal=ALICE, action="s3:GetObject", resource=wanted)
    assert evaluate(request, [parse_policy(home)]).allowed
    assert not decide(SESSION, identity=home).allowed
    old = parse_policy({**home, "Version": "2008-10-17"})
    assert not evaluate(request, [old]).allowed


def test_matching_names_the_statements_that_decide() -> None:
    """For the policy simulator."""
    policy = parse_policy(document(statement(Sid="a"), statement(action="s3:PutObject", Sid="b")))
    request = AuthorizationRequest(principal=ALICE, action="s3:GetObject", resource=OBJECT)
    assert [one.sid for one in matching(policy, request)] == ["a"]


def test_the_statements_about_an_action_are_found_once() -> None:
    """A policy of a thousand actions costs no more per request than one of three."""
    policy = parse_policy(document(*(statement(action=f"s3:Get{number}") for number in range(500)), statement()))
    assert len(policy.about("s3:GetObject")) == 1
    assert policy.about("s3:GetObject") is policy.about("s3:GetObject")
