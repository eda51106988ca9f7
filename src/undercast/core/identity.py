"""Who calls: principals and the credentials that stand for them.

AWS: IAM User Guide, "Principal", "Unique identifiers", "Temporary security credentials".
"""

from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal

from undercast.core.arn import AccountId
from undercast.core.record import record

PLATFORM = "undercast.internal"
"""The service principal of the platform itself."""
PrincipalKind = Literal["root", "user", "assumed-role", "service", "anonymous"]


@record
class Principal:
    """The caller of one request.

    `arn` is what GetCallerIdentity says. `role_arn` is set for an assumed role. `known` is False for a role or
    user that we hold no policies of: it is let through with a warning unless `--iam strict`. A service principal has
    `kind="service"`, `arn` = its host name ("s3.amazonaws.com").
    """

    kind: PrincipalKind
    account_id: AccountId
    arn: str
    user_id: str = ""
    role_arn: str | None = None
    known: bool = True
    session_policies: tuple[Mapping[str, Any], ...] = ()
    """Policies that AssumeRole narrowed the session with."""
    session_tags: Mapping[str, str] = field(default_factory=dict)
    source_arn: str = ""
    """Of a service principal: the resource that it acts for, aws:SourceArn. Its account is aws:SourceAccount."""


@record
class Credential:
    """An access key that we issued. `expires_at` is host-clock seconds; None for a user's permanent key."""

    access_key_id: str
    secret_access_key: str
    principal: Principal
    session_token: str | None = None
    expires_at: float | None = None
    active: bool = True
    """False for a key that its owner made inactive or deleted: it is refused, never taken for a foreign one."""
    environment_id: str | None = None
    """The execution environment this session descends from (I10), through any number of AssumeRole calls."""


def root_principal(account_id: AccountId) -> Principal:
    """The administrator that every key we did not issue stands for."""
    return Principal(kind="root", account_id=account_id, arn=f"arn:aws:iam::{account_id}:root", user_id=account_id)


def service_principal(host: str, account_id: AccountId, source_arn: str = "") -> Principal:
    """An AWS service acting for itself in an account, e.g. "lambda.amazonaws.com"."""
    return Principal(kind="service", account_id=account_id, arn=host, source_arn=source_arn)


def platform_principal(account_id: AccountId) -> Principal:
    """The platform at its own timers and sweeps, and at what it has already asked a policy about. It may all."""
    return service_principal(PLATFORM, account_id)


def anonymous_principal(account_id: AccountId) -> Principal:
    """A caller without credentials."""
    return Principal(kind="anonymous", account_id=account_id, arn="anonymous")


@lru_cache(maxsize=1024)
def canonical_id(account_id: str) -> str:
    """The 64-digit canonical user id of an account; S3's ACLs, Owner elements and bucket policies use it."""
    return sha256(f"undercast canonical user {account_id}".encode()).hexdigest()
