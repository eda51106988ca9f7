"""Callers and requests that the policy tests share."""

from typing import Any

from undercast.core.arn import AccountId
from undercast.core.identity import Principal, anonymous_principal, root_principal, service_principal
from undercast.policy.document import parse_policy
from undercast.policy.evaluate import AuthorizationRequest, Decision, evaluate

ACCOUNT = AccountId("111111111111")
OTHER = AccountId("222222222222")
OBJECT = "arn:aws:s3:::photos/cat.jpg"

ALICE = Principal(
    kind="user", account_id=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/team/alice", user_id="AIDAALICEALICEALICE1"
)
SESSION = Principal(
    kind="assumed-role",
    account_id=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/one",
    user_id="AROAWORKERWORKERWORK1:one",
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/worker",
)
ROOT = root_principal(ACCOUNT)
NOBODY = anonymous_principal(ACCOUNT)
S3 = service_principal("s3.amazonaws.com", ACCOUNT)


def statement(effect: str = "Allow", action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    """One statement."""
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decide(
    caller: Principal = ALICE,
    *,
    identity: dict[str, Any] | None = None,
    resource: dict[str, Any] | None = None,
    session: dict[str, Any] | None = None,
    boundary: dict[str, Any] | None = None,
    on: str = OBJECT,
    **request: Any,
) -> Decision:
    """The decision about s3:GetObject on `OBJECT`, unless `request` says otherwise."""
    wanted: dict[str, Any] = {"principal": caller, "action": "s3:GetObject", "resource": on, **request}
    return evaluate(
        AuthorizationRequest(**wanted),
        [parse_policy(identity)] if identity else [],
        parse_policy(resource) if resource else None,
        [parse_policy(session)] if session else [],
        parse_policy(boundary) if boundary else None,
    )
