"""Whether a request is allowed, and what a refusal says."""

import gc
import logging
import weakref
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeHostClock
from tests.unit.auth.requests import context
from tests.unit.policy.callers import ALICE, NOBODY, OBJECT, OTHER, ROOT, S3, SESSION, document, statement
from undercast.core.config import IamMode
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, service_principal
from undercast.core.late_keys import Keys, Later
from undercast.core.service import Access
from undercast.gateway.auth import Authorizer
from undercast.policy.document import parse_policy
from undercast.policy.evaluate import LATE_KEYS, PrincipalPolicies
from undercast.services.roles import passed_role

GET = Access(action="s3:GetObject", resource=OBJECT)
ALLOW_GET = PrincipalPolicies(identity=(parse_policy(document(statement())),))
NO_POLICIES = PrincipalPolicies()
PUBLIC = document(statement(Principal="*"))
DENY_ALL = document(statement("Deny", action="s3:*", Principal="*"))


def authorizer(policies: PrincipalPolicies | None = None, mode: IamMode = "enforce") -> Authorizer:
    """An authorizer whose IAM knows these policies of everyone."""
    return Authorizer(lambda principal: policies, FakeHostClock(), mode)


async def refusal(
    gate: Authorizer, principal: Principal, *accesses: Access, service: str = "s3", **ctx: Any
) -> ServiceError:
    """The error of a refused request."""
    with pytest.raises(ServiceError) as error:
        gate.authorize(context(principal, **ctx), service, accesses)
    return error.value


async def test_an_allowed_request_passes() -> None:
    """By the identity policies of the caller."""
    authorizer(ALLOW_GET).authorize(context(ALICE), "s3", [GET])


async def test_every_access_must_be_allowed() -> None:
    """A request may need several actions, e.g. lambda:CreateFunction and iam:PassRole."""
    put = Access(action="s3:PutObject", resource=OBJECT)
    assert "s3:PutObject" in (await refusal(authorizer(ALLOW_GET), ALICE, GET, put)).message


async def test_one_of_many_is_refused_alone() -> None:
    """DeleteObjects: the operation is told which; any other refusal is still the request's."""
    put = Access(action="s3:PutObject", resource=OBJECT)
    refused = authorizer(ALLOW_GET).authorize(context(ALICE), "s3", [GET, replace(put, one_of_many=True), GET])
    assert [(place, error.code) for place, error in refused.items()] == [(1, "AccessDenied")]
    assert "s3:PutObject" in (await refusal(authorizer(ALLOW_GET), ALICE, replace(put, one_of_many=True), put)).message


async def test_a_decision_is_kept_for_other_conditions_where_none_was_looked_at() -> None:
    """A policy that asks for a key decides each request; one that asks for none decides until one of them changes."""
    first, second = (replace(GET, conditions={"s3:prefix": prefix}) for prefix in ("a", "b"))
    only_a = statement(Condition={"StringEquals": {"s3:prefix": "a"}})
    gate = authorizer(PrincipalPolicies(identity=(parse_policy(document(only_a)),)))
    for _ in range(2):
        gate.authorize(context(ALICE), "s3", [first])
        assert "s3:GetObject" in (await refusal(gate, ALICE, second)).message
    known = [ALLOW_GET]
    gate = Authorizer(lambda principal: known[0], FakeHostClock(), "enforce")
    for access in (first, second, GET):
        gate.authorize(context(ALICE), "s3", [access])
    others = {"resource_policy": DENY_ALL}, {"resource_account_id": OTHER}, {"needs_resource_policy": True}
    for other in others:
        gate.authorize(context(ALICE), "s3", [second])  # what is kept: a refusal takes its place
        await refusal(gate, ALICE, replace(first, **other))
    gate.authorize(context(ALICE), "s3", [second])
    known[0] = NO_POLICIES
    await refusal(gate, ALICE, second)


class _Params(dict[str, str]):
    """What a request was."""


@pytest.mark.parametrize("condition", [{}, {"Condition": {"StringEquals": {"s3:prefix": "a"}}}])
async def test_a_decision_that_is_kept_keeps_no_request(condition: dict[str, Any]) -> None:
    """Keys that are made later are made of it, and a thousand requests may be large."""
    gate = authorizer(PrincipalPolicies(identity=(parse_policy(document(statement(**condition))),)))
    params = _Params(prefix="a")
    left = weakref.ref(params)

    def keys(of: _Params = params) -> Keys:
        return {"s3:prefix": of["prefix"]}

    gate.authorize(context(ALICE), "s3", [replace(GET, conditions=Later(keys))])
    del params, keys
    gc.collect()
    assert left() is None


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("s3", "AccessDenied", 403),
        ("iam", "AccessDenied", 403),
        ("sns", "AuthorizationError", 403),
        ("sqs", "AccessDenied", 403),
        ("lambda", "AccessDeniedException", 403),
        ("dynamodb", "AccessDeniedException", 400),
        ("logs", "AccessDeniedException", 400),
    ],
)
async def test_each_family_of_services_has_its_code(service: str, code: str, status: int) -> None:
    """AWS: "Common errors" of each API reference."""
    error = await refusal(authorizer(NO_POLICIES), ALICE, GET, service=service)
    assert (error.code, error.status) == (code, status)


async def test_the_texts_are_awss() -> None:
    """IAM User Guide, "Troubleshoot access denied error messages"; S3 puts the resource in quotes."""
    invoke = Access(action="lambda:InvokeFunction", resource="arn:aws:lambda:us-east-1:111111111111:function:f")
    error = await refusal(authorizer(NO_POLICIES), SESSION, invoke, service="lambda")
    assert error.message == (
        f"User: {SESSION.arn} is not authorized to perform: lambda:InvokeFunction on resource: {invoke.resource} "
        "because no identity-based policy allows the lambda:InvokeFunction action"
    )
    error = await refusal(authorizer(ALLOW_GET), SESSION, replace(GET, resource_policy=DENY_ALL))
    assert error.message == (
        f'User: {SESSION.arn} is not authorized to perform: s3:GetObject on resource: "{OBJECT}" '
        "with an explicit deny in a resource-based policy"
    )


async def test_assume_role_gives_no_reason() -> None:
    """STS says who may not assume what, and nothing more."""
    assume = Access(action="sts:AssumeRole", resource="arn:aws:iam::111111111111:role/r")
    error = await refusal(authorizer(NO_POLICIES), ALICE, assume, service="sts")
    assert error.message == (
        f"User: {ALICE.arn} is not authorized to perform: sts:AssumeRole on resource: {assume.resource}"
    )


async def test_root_passes_but_for_an_explicit_deny_and_other_accounts() -> None:
    """The administrator needs no policy."""
    gate = authorizer()
    gate.authorize(context(ROOT), "s3", [GET])
    await refusal(gate, ROOT, replace(GET, resource_policy=DENY_ALL))
    assert (await refusal(gate, ROOT, replace(GET, resource_account_id=OTHER))).message == "Access Denied"


@pytest.mark.parametrize("action", ["s3:DeleteBucketPolicy", "s3:PutBucketPolicy", "s3:GetBucketPolicy"])
async def test_the_owners_root_always_reaches_the_bucket_policy(action: str) -> None:
    """S3 API: root can delete a bucket policy "even if the policy explicitly denies the root principal"."""
    access = Access(action=action, resource="arn:aws:s3:::photos", resource_policy=DENY_ALL)
    authorizer().authorize(context(ROOT), "s3", [access])
    await refusal(authorizer(ALLOW_GET), ALICE, access)


async def test_an_unknown_role_passes_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A role that we do not know is let through with a warning that names what it would have needed."""
    stranger = replace(SESSION, known=False)
    gate = authorizer(None)
    with caplog.at_level(logging.WARNING, "undercast.iam"):
        gate.authorize(context(stranger), "s3", [GET])
        gate.authorize(context(stranger), "s3", [GET])
    assert [record.getMessage() for record in caplog.records] == [
        f"IAM does not know {SESSION.role_arn}: let through. On AWS it needs s3:GetObject on {OBJECT}."
    ]


@pytest.mark.parametrize(
    "access",
    [
        replace(GET, resource_account_id=OTHER),
        replace(GET, needs_resource_policy=True),
        replace(GET, needs_resource_policy=True, resource_policy=document(statement(Principal={"AWS": OTHER}))),
    ],
    ids=["another account's", "no key policy", "a key policy for others"],
)
async def test_an_unknown_role_is_refused_what_no_policy_of_its_own_could_give(access: Access) -> None:
    """AWS: "Cross-account policy evaluation logic": the resource's account must allow, too; a KMS key's policy always.

    What IAM would say of the role is unknown; what the resource says is not.
    """
    stranger = replace(SESSION, known=False)
    await refusal(authorizer(None), stranger, access)
    mine = document(statement(Principal={"AWS": SESSION.account_id}))
    authorizer(None).authorize(context(stranger), "s3", [replace(access, resource_policy=mine)])


async def test_an_unknown_role_that_is_another_accounts_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A function whose Role has a made-up account finds out why its own account's bucket refuses it."""
    gate = authorizer(None)
    with caplog.at_level(logging.WARNING, "undercast.iam"):
        for _ in range(2):
            await refusal(gate, replace(SESSION, known=False), replace(GET, resource_account_id=OTHER))
    assert [record.getMessage() for record in caplog.records] == [
        f"IAM does not know {SESSION.role_arn}: refused s3:GetObject on {OBJECT}, which is another account's."
    ]


async def test_an_unknown_roles_session_policy_narrows_it() -> None:
    """The caller of AssumeRole gave it; it needs no knowledge of the role."""
    narrow = replace(SESSION, known=False, session_policies=(document(statement(action="s3:PutObject")),))
    error = await refusal(authorizer(None), narrow, GET)
    assert "because no session policy allows the s3:GetObject action" in error.message


async def test_an_unknown_role_obeys_an_explicit_deny() -> None:
    """What the resource itself forbids needs no knowledge of the role."""
    await refusal(authorizer(None), replace(SESSION, known=False), replace(GET, resource_policy=DENY_ALL))


async def test_an_unknown_role_is_refused_under_strict() -> None:
    """--iam strict."""
    error = await refusal(authorizer(None, "strict"), replace(SESSION, known=False), GET)
    assert "no identity-based policy allows" in error.message


async def test_a_role_that_came_to_exist_is_enforced() -> None:
    """A session that began before its role was made is enforced from then on."""
    await refusal(authorizer(NO_POLICIES), replace(SESSION, known=False), GET)


async def test_off_asks_no_policy() -> None:
    """--iam off; an unsigned request still needs a public resource."""
    gate = authorizer(NO_POLICIES, "off")
    gate.authorize(context(ALICE), "s3", [replace(GET, resource_policy=DENY_ALL)])
    await refusal(gate, NOBODY, GET)


async def test_what_no_policy_can_allow_is_refused_in_its_own_words() -> None:
    """Another account's role to a service: also the account's root may not, and --iam off lets it through."""
    passed = passed_role(context(ROOT), f"arn:aws:iam::{OTHER}:role/r", "events.amazonaws.com")
    error = await refusal(authorizer(), ROOT, GET, passed)
    assert (error.code, error.message) == ("AccessDeniedException", "Cross-account pass role is not allowed.")
    own = ServiceError("AuthorizationError", "No.", 403)
    passed = passed_role(context(ROOT), f"arn:aws:iam::{OTHER}:role/r", "sns.amazonaws.com", refusal=own)
    assert await refusal(authorizer(None, "strict"), ROOT, passed) is own
    assert authorizer(None, "off").authorize(context(ROOT), "events", [passed]) == {}


async def test_an_anonymous_caller_reaches_public_objects_only() -> None:
    """S3 answers others with "Access Denied" and no reason."""
    gate = authorizer()
    gate.authorize(context(NOBODY), "s3", [replace(GET, resource_policy=PUBLIC)])
    error = await refusal(gate, NOBODY, GET)
    assert (error.code, error.message, error.status) == ("AccessDenied", "Access Denied", 403)


async def test_an_anonymous_caller_of_another_service_lacks_a_token() -> None:
    """Also where the operation itself would need no permission."""
    assert (await refusal(authorizer(), NOBODY, service="sts")).code == "MissingAuthenticationToken"


async def test_session_policies_narrow() -> None:
    """They come with the session and are compiled once."""
    narrow = replace(SESSION, session_policies=(document(statement(action="s3:PutObject")),))
    error = await refusal(authorizer(ALLOW_GET), narrow, GET)
    assert "because no session policy allows the s3:GetObject action" in error.message


async def test_keys_of_the_request_reach_the_conditions() -> None:
    """aws:SourceIp, aws:SecureTransport, aws:RequestedRegion, aws:UserAgent, aws:CurrentTime."""
    conditions = {
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
        "Bool": {"aws:SecureTransport": "true"},
        "StringEquals": {"aws:RequestedRegion": "us-east-1", "aws:UserAgent": "cli"},
        "DateLessThan": {"aws:CurrentTime": "2024-01-01T00:00:00Z"},
    }
    policies = PrincipalPolicies(identity=(parse_policy(document(statement(Condition=conditions))),))
    ctx = context(ALICE, source_ip="10.1.1.1", endpoint="https://localhost:4566", user_agent="cli")
    authorizer(policies).authorize(ctx, "s3", [GET])
    await refusal(authorizer(policies), ALICE, GET, source_ip="192.168.1.1", endpoint="https://localhost:4566")


async def test_a_decision_that_is_kept_is_not_kept_over_the_keys_of_another_request() -> None:
    """The same access of the same caller, once allowed: its source address decides each time."""
    conditions = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    gate = authorizer(PrincipalPolicies(identity=(parse_policy(document(statement(Condition=conditions))),)))
    gate.authorize(context(ALICE, source_ip="10.1.1.1"), "s3", [GET])
    await refusal(gate, ALICE, GET, source_ip="192.168.1.1")
    gate.authorize(context(ALICE, source_ip="10.1.1.1"), "s3", [GET])


@pytest.mark.parametrize("key", sorted(LATE_KEYS))
async def test_every_key_of_a_request_is_found(key: str) -> None:
    """Those that are made late: a policy that forbids requests without them allows this one."""
    conditions = {"Null": {key: "false"}}
    policies = PrincipalPolicies(identity=(parse_policy(document(statement(Condition=conditions))),))
    authorizer(policies).authorize(context(ALICE, headers={"referer": "http://example.com"}), "s3", [GET])


async def test_tags_of_a_principal_reach_the_conditions() -> None:
    """Session tags go before the role's own: attribute-based access control."""
    condition = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    allowed = parse_policy(document(statement(Condition=condition)))
    gate = authorizer(PrincipalPolicies(identity=(allowed,), tags={"team": "red"}))
    gate.authorize(context(SESSION), "s3", [GET])
    await refusal(gate, replace(SESSION, session_tags={"team": "blue"}), GET)


async def test_a_service_at_its_own_work_passes_and_needs_others_resources_to_allow_it() -> None:
    """Service principals are made by this process alone."""
    gate = authorizer()
    gate.authorize(context(S3), "s3", [GET])
    await refusal(gate, S3, replace(GET, resource_policy=document(statement(Principal={"AWS": "*"}, action="a:b"))))
    platform = service_principal("undercast.internal", ROOT.account_id)
    gate.authorize(context(platform), "s3", [replace(GET, resource_policy=DENY_ALL)])


async def test_a_service_acts_on_no_resource_whose_policy_does_not_let_it_in() -> None:
    """AWS: IAM User Guide, "The confused deputy problem"; Secrets Manager: the function's policy must allow it."""
    secrets = service_principal("secretsmanager.amazonaws.com", ROOT.account_id)
    arn = "arn:aws:lambda:us-east-1:222222222222:function:f"
    invoke = Access(action="lambda:InvokeFunction", resource=arn, resource_account_id=OTHER)
    gate = authorizer()
    error = await refusal(gate, secrets, invoke, service="lambda")
    assert "because no resource-based policy allows the lambda:InvokeFunction action" in error.message
    await refusal(gate, secrets, replace(invoke, resource_account_id=ROOT.account_id), service="lambda")
    await refusal(gate, S3, replace(GET, resource_account_id=OTHER))
    lets_in = document(statement(action="lambda:*", Principal={"Service": "secretsmanager.amazonaws.com"}))
    gate.authorize(context(secrets), "lambda", [replace(invoke, resource_policy=lets_in)])


async def test_a_service_asks_iam_about_the_account_it_acts_in() -> None:
    """Lambda and STS look at roles in their own name."""
    read = Access(action="iam:GetRole", resource=f"arn:aws:iam::{ROOT.account_id}:role/r")
    authorizer().authorize(context(service_principal("lambda.amazonaws.com", ROOT.account_id)), "iam", [read])


def test_a_resource_permits_by_its_own_policy() -> None:
    """E.g. S3 on a function, with aws:SourceArn."""
    arn = "arn:aws:lambda:us-east-1:111111111111:function:f"
    policy = document(
        statement(
            action="lambda:InvokeFunction",
            resource=arn,
            Principal={"Service": "s3.amazonaws.com"},
            Condition={"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::photos"}},
        )
    )
    gate = authorizer()
    right, wrong = {"aws:SourceArn": "arn:aws:s3:::photos"}, {"aws:SourceArn": "arn:aws:s3:::films"}
    assert gate.resource_permits(policy, S3, "lambda:InvokeFunction", arn, right)
    assert not gate.resource_permits(policy, S3, "lambda:InvokeFunction", arn, wrong)
    assert not gate.resource_permits(None, S3, "lambda:InvokeFunction", arn, right)
    assert authorizer(mode="off").resource_permits(None, S3, "lambda:InvokeFunction", arn, right)


def test_a_resource_that_gets_another_policy_is_asked_again() -> None:
    """The answer is kept for as long as the policy is this one."""
    arn, source = "arn:aws:lambda:us-east-1:111111111111:function:f", {"aws:SourceArn": "arn:aws:s3:::photos"}
    allows = document(statement(action="lambda:*", resource=arn, Principal={"Service": "s3.amazonaws.com"}))
    denies = document(statement("Deny", action="lambda:*", resource=arn, Principal="*"))
    gate = authorizer()
    answers = [
        gate.resource_permits(policy, S3, "lambda:InvokeFunction", arn, source)
        for policy in (allows, allows, denies, denies, allows)
    ]
    assert answers == [True, True, False, False, True]


def test_what_a_resource_permits_one_it_permits_no_other() -> None:
    """The answer that is kept is for the same caller, action, resource and conditions only."""
    arn = "arn:aws:lambda:us-east-1:111111111111:function:f"
    keys = {"aws:SourceVpc": "vpc-1", "lambda:FunctionUrlAuthType": "NONE"}
    policy = document(
        statement(
            action="lambda:InvokeFunction",
            resource=arn,
            Principal={"AWS": ALICE.arn},
            Condition={"StringEquals": keys},
        )
    )
    allowed: tuple[Principal, str, str, dict[str, str]] = (ALICE, "lambda:InvokeFunction", arn, keys)
    others = (
        (replace(ALICE, arn=ALICE.arn + "2"), *allowed[1:]),
        (replace(ALICE, kind="service"), *allowed[1:]),
        (ALICE, "lambda:GetFunction", arn, keys),
        (ALICE, "lambda:InvokeFunction", f"{arn}2", keys),
        (ALICE, "lambda:InvokeFunction", arn, {**keys, "lambda:FunctionUrlAuthType": "AWS_IAM"}),
        (ALICE, "lambda:InvokeFunction", arn, {"lambda:FunctionUrlAuthType": "NONE"}),
    )
    gate = authorizer()
    for asked in others:
        assert gate.resource_permits(policy, *allowed)
        assert not gate.resource_permits(policy, *asked), asked
        assert not gate.resource_permits(policy, *asked), asked
    acts_for = statement(
        action="lambda:InvokeFunction",
        resource=arn,
        Principal={"Service": "s3.amazonaws.com"},
        Condition={
            "StringEquals": {"AWS:SourceAccount": S3.account_id},
            "ArnEquals": {"AWS:SourceArn": "arn:aws:s3:::a"},
        },
    )
    policy, caller = document(acts_for), replace(S3, source_arn="arn:aws:s3:::a")
    for one, answer in (
        (caller, True),
        (replace(caller, source_arn="arn:aws:s3:::b"), False),
        (caller, True),
        (replace(caller, account_id=OTHER), False),
    ):
        assert gate.resource_permits(policy, one, "lambda:InvokeFunction", arn, {}) is answer
