"""The Principal element: whom a statement of a resource-based policy means.

An account (its id or root ARN) hands the decision to that account's own policies; a user, a role, a session, a
service or "*" is meant directly. AWS: IAM User Guide, "AWS JSON policy elements: Principal".
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from undercast.core.arn import is_account_id
from undercast.core.identity import Principal, canonical_id
from undercast.core.record import record

_ENTITY_ARN = re.compile(
    r"arn:aws[a-z-]*:(iam::\d{12}:(root|(user|role)/\S+)|sts::\d{12}:(assumed-role/[^/\s]+/\S+|federated-user/\S+))"
)
_CLOUDFRONT = re.compile(r"arn:aws[a-z-]*:iam::cloudfront:user/CloudFront[ _]Origin[ _]Access[ _]Identity[ _][A-Z0-9]+")
"""An origin access identity (CloudFront Developer Guide, of that name): nobody here."""
_UNIQUE_ID = re.compile(r"(AROA|AIDA|ARNA)[A-Z0-9]{12,28}")
_CANONICAL_ID = re.compile(r"[0-9a-f]{64}|[0-9a-f]{96}")
"""An account's, or an origin access identity's (CloudFormation, AWS::CloudFront::CloudFrontOriginAccessIdentity,
S3CanonicalUserId), which is nobody here and has 96 digits."""
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com(\.cn)?|aws\.internal|amazon\.com)")
_REGION_LABEL = re.compile(r"\.[a-z]{2}(-[a-z]+)+-\d(?=\.amazonaws\.)")
_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})


class Meant(IntEnum):
    """How a statement means a caller. Ordered: the closer, the more a grant outranks (see `evaluate`)."""

    NOT = 0
    ACCOUNT = 1
    """Through the account: its own policies decide further, but a Deny holds."""
    ROLE = 2
    """The role behind the session: boundaries and session policies still narrow the grant."""
    SELF = 3
    """The user, the session, the service or everyone."""


class InvalidPrincipal(ValueError):
    """A principal that AWS would not save. `text` is the part of AWS's message that names it."""

    def __init__(self, kind: str, value: object) -> None:
        super().__init__(f'"{kind}":"{value}"')


@record(kw_only=False)
class Principals:
    """A compiled Principal or NotPrincipal element."""

    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    unique_ids: frozenset[str]
    services: frozenset[str]
    canonical_ids: frozenset[str] = frozenset()
    """Accounts as bucket policies may name them."""
    inverted: bool = False
    """NotPrincipal."""

    def means(self, caller: Principal) -> Meant:
        """Whether, and how closely, the element means the caller."""
        found = self._found(caller)
        if not self.inverted:
            return found
        return Meant.NOT if found > Meant.ACCOUNT else Meant.SELF

    def _found(self, caller: Principal) -> Meant:
        if self.everyone:
            return Meant.SELF
        if caller.kind == "service":
            return Meant.SELF if caller.arn in self.services or _global(caller.arn) in self.services else Meant.NOT
        if caller.kind == "anonymous":
            return Meant.NOT
        if caller.arn in self.arns or (caller.kind == "user" and caller.user_id in self.unique_ids):
            return Meant.SELF
        if caller.role_arn is not None and (
            caller.role_arn in self.arns or caller.user_id.partition(":")[0] in self.unique_ids
        ):
            return Meant.ROLE
        if caller.account_id in self.accounts or (
            self.canonical_ids and canonical_id(caller.account_id) in self.canonical_ids
        ):
            return Meant.SELF if caller.kind == "root" else Meant.ACCOUNT
        return Meant.NOT


def compile_principals(element: Any, *, inverted: bool = False, lenient: bool = False) -> Principals:
    """Raises InvalidPrincipal, unless `lenient`: then what is no principal means nobody."""
    accounts: set[str] = set()
    arns: set[str] = set()
    unique_ids: set[str] = set()
    services: set[str] = set()
    canonical_ids: set[str] = set()
    everyone = element == "*"
    if not everyone and not isinstance(element, Mapping):
        raise InvalidPrincipal("AWS", element)
    for kind, value in _pairs(element):
        if kind == "AWS" and value == "*":
            everyone = True
        elif kind == "AWS" and (account := _account(value)):
            accounts.add(account)
        elif kind == "AWS" and (_ENTITY_ARN.fullmatch(value) or _CLOUDFRONT.fullmatch(value)):
            arns.add(value)
        elif kind == "AWS" and _UNIQUE_ID.fullmatch(value):
            unique_ids.add(value)
        elif kind == "Service" and _SERVICE.fullmatch(value):
            services |= {value, _global(value)}
        elif kind == "CanonicalUser" and _CANONICAL_ID.fullmatch(value):
            canonical_ids.add(value)
        elif kind != "Federated" and not lenient:
            raise InvalidPrincipal(kind.upper() if kind == "Service" else kind, value)
    return Principals(
        everyone=everyone,
        accounts=frozenset(accounts),
        arns=frozenset(arns),
        unique_ids=frozenset(unique_ids),
        services=frozenset(services),
        canonical_ids=frozenset(canonical_ids),
        inverted=inverted,
    )


def _pairs(element: Any) -> list[tuple[str, str]]:
    if not isinstance(element, Mapping):
        return []
    pairs: list[tuple[str, str]] = []
    for kind, values in element.items():
        for value in values if isinstance(values, list) else [values]:
            if kind not in _KINDS or not isinstance(value, str):
                raise InvalidPrincipal(kind, value)
            pairs.append((kind, value))
    return pairs


def _account(value: str) -> str | None:
    """The account id in "123456789012" or "arn:aws:iam::123456789012:root"."""
    if is_account_id(value):
        return value
    parts = value.split(":")
    if len(parts) == 6 and parts[2] == "iam" and parts[5] == "root" and is_account_id(parts[4]):
        return parts[4]
    return None


def _global(service: str) -> str:
    """The host name without its region: states.us-east-1.amazonaws.com is states.amazonaws.com."""
    return _REGION_LABEL.sub("", service)
