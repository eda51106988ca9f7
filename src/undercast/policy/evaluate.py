"""Decides one request from the policies that apply to it.

Pure. An explicit Deny wins; within an account identity and resource policies add up, across accounts both must allow;
a boundary and session policies narrow. AWS: IAM User Guide, "Policy evaluation logic", "Resource-based policies".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from undercast.core.identity import Principal
from undercast.core.record import record
from undercast.policy.document import Policy, Statement
from undercast.policy.principals import Meant
from undercast.policy.variables import KeyLookup, Values

_TYPES = {"assumed-role": "AssumedRole", "user": "User", "root": "Account", "anonymous": "Anonymous"}
ConditionValues = Mapping[str, str | tuple[str, ...]]


LATE_KEYS = frozenset({
    "aws:currenttime", "aws:epochtime", "aws:referer", "aws:requestedregion", "aws:securetransport", "aws:sourceip",
    "aws:useragent",
})  # fmt: skip
"""Lower case. AWS: "AWS global condition context keys", properties of the network and of the request."""


_OWN_TAG_KEYS = frozenset({"iam", "secretsmanager", "ssm"})
"""Services with a ResourceTag key of their own. AWS: Service Authorization Reference, their condition keys."""


@record
class AuthorizationRequest:
    """Who wants to do what, with the condition keys of the request."""

    principal: Principal
    action: str
    resource: str
    resource_account_id: str | None = None
    """The account that owns the resource; None: the caller's own."""
    conditions: ConditionValues = field(default_factory=dict)
    late_conditions: Callable[[], ConditionValues] | None = None
    """Values of `LATE_KEYS`, which are other ones in each request; asked for when a statement asks for one of them."""
    request_tags: Callable[[], ConditionValues] | None = None
    """aws:RequestTag and aws:TagKeys; asked for like `late_conditions`."""
    resource_tags: Callable[[], Mapping[str, str]] | None = None
    """The tags that the resource has now; asked for like `late_conditions`."""
    principal_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the user or role; the session's own tags are in `principal`."""
    key_asked: Callable[[], None] | None = None
    """Told when a statement asks for a condition key: until then the decision follows from all else alone."""
    needs_resource_policy: bool = False
    """Whether identity policies alone are not enough even in one account: a role's trust policy, a KMS key policy."""


@record
class PrincipalPolicies:
    """What IAM knows of a user or a role."""

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@record(kw_only=False)
class Decision:
    """The outcome. `because` is the end of AWS's message when it is a denial, else ""."""

    allowed: bool
    explicit_deny: bool = False
    because: str = ""


ALLOWED = Decision(True)


def evaluate(
    request: AuthorizationRequest,
    identity: Sequence[Policy],
    resource: Policy | None = None,
    session: Sequence[Policy] = (),
    boundary: Policy | None = None,
) -> Decision:
    """Decide the request. A root caller has every identity permission; `identity` is ignored for it."""
    keys = RequestKeys(request)
    principal = request.principal
    resource_grant = _resource_grant(resource, request, keys)
    if resource_grant is None:
        return _explicit("a resource-based policy")
    if principal.kind == "root":
        return _decide(request, True, resource_grant, None)
    if principal.kind in ("service", "anonymous"):
        allowed = resource_grant is Meant.SELF
        return ALLOWED if allowed else _implicit("resource-based", request)
    identity_allows = _allows(identity, request, keys)
    if identity_allows is None:
        return _explicit("an identity-based policy")
    narrowed = None
    for policies, name in (((boundary,) if boundary is not None else (), "permissions boundary"), (session, "session")):
        if not policies:
            continue
        allows = _allows(policies, request, keys)
        if allows is None:
            return _explicit("a permissions boundary" if name == "permissions boundary" else "a session policy")
        if not allows and narrowed is None:
            narrowed = name
    return _decide(request, identity_allows, resource_grant, narrowed)


def matching(policy: Policy, request: AuthorizationRequest) -> tuple[Statement, ...]:
    """The statements of one policy that decide about the request (for the policy simulator)."""
    keys = RequestKeys(request)
    return tuple(
        statement
        for statement in policy.about(request.action)
        if (statement.principals is None or statement.principals.means(request.principal))
        and statement.applies(request.resource, keys)
    )


def _decide(
    request: AuthorizationRequest, identity_allows: bool, resource_grant: Meant, narrowed: str | None
) -> Decision:
    same_account = request.resource_account_id in (None, request.principal.account_id)
    directly = same_account and resource_grant >= Meant.ROLE
    if not (identity_allows or directly):
        return _implicit("identity-based", request)
    if resource_grant is Meant.NOT and (request.needs_resource_policy or not same_account):
        return _implicit("role trust" if request.action == "sts:AssumeRole" else "resource-based", request)
    if narrowed is not None and not (same_account and resource_grant is Meant.SELF):
        return _implicit(narrowed, request)
    return ALLOWED


def _resource_grant(policy: Policy | None, request: AuthorizationRequest, keys: KeyLookup) -> Meant | None:
    """How closely an Allow means the caller; None for an explicit Deny."""
    granted = Meant.NOT
    if policy is None:
        return granted
    for statement in policy.about(request.action):
        meant = statement.principals.means(request.principal) if statement.principals else Meant.NOT
        if not meant or (statement.effect == "Allow" and meant <= granted):
            continue
        if statement.applies(request.resource, keys):
            if statement.effect == "Deny":
                return None
            granted = meant
    return granted


def _allows(policies: Sequence[Policy], request: AuthorizationRequest, keys: KeyLookup) -> bool | None:
    """Whether one of the policies allows; None for an explicit Deny in any."""
    allowed = False
    for policy in policies:
        for statement in policy.about(request.action):
            if allowed and statement.effect == "Allow":
                continue
            if statement.applies(request.resource, keys):
                if statement.effect == "Deny":
                    return None
                allowed = True
    return allowed


def _explicit(where: str) -> Decision:
    return Decision(False, True, f"with an explicit deny in {where}")


def _implicit(kind: str, request: AuthorizationRequest) -> Decision:
    name = kind if kind == "permissions boundary" else f"{kind} policy"
    return Decision(False, False, f"no {name} allows the {request.action} action")


class RequestKeys:
    """The condition keys of a request, made when first asked for. What the service says goes before the late ones."""

    __slots__ = ("_late", "_of_request", "_of_resource", "_request", "_values")

    def __init__(self, request: AuthorizationRequest) -> None:
        self._request = request
        self._values: dict[str, Values] | None = None
        self._late: dict[str, Values] | None = None
        self._of_request: dict[str, Values] | None = None
        self._of_resource: dict[str, Values] | None = None

    def __call__(self, key: str) -> Values | None:
        """See `variables.KeyLookup`."""
        if self._values is None:
            if self._request.key_asked is not None:
                self._request.key_asked()
            self._values = _values(self._request)
        found = self._values.get(key)
        if found is not None:
            return found
        if key not in LATE_KEYS or self._request.late_conditions is None:
            return self._tag(key)
        if self._late is None:
            self._late = _lowered(self._request.late_conditions())
        return self._late.get(key)

    def _tag(self, key: str) -> Values | None:
        """AWS: IAM User Guide, "Controlling access to AWS resources using tags"."""
        request = self._request
        if key.startswith("aws:requesttag/") or key == "aws:tagkeys":
            if self._of_request is None:
                self._of_request = _lowered(request.request_tags()) if request.request_tags is not None else {}
            return self._of_request.get(key)
        kind, _, name = key.partition(":resourcetag/")
        if not name or not (kind == "aws" or (kind in _OWN_TAG_KEYS and f":{kind}:" in request.resource)):
            return None
        if self._of_resource is None:
            self._of_resource = _lowered(request.resource_tags()) if request.resource_tags is not None else {}
        return self._of_resource.get(name)


def _values(request: AuthorizationRequest) -> dict[str, Values]:
    found: dict[str, str | tuple[str, ...]] = dict(_principal_keys(request.principal))
    tags = {**request.principal_tags, **request.principal.session_tags}
    found.update({f"aws:PrincipalTag/{name}": value for name, value in tags.items()})
    found["aws:ResourceAccount"] = request.resource_account_id or request.principal.account_id
    found.update(request.conditions)
    return _lowered(found)


def _lowered(found: ConditionValues) -> dict[str, Values]:
    return {key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in found.items()}


def _principal_keys(principal: Principal) -> dict[str, str]:
    """AWS: "AWS global condition context keys", properties of the principal."""
    is_service = principal.kind == "service"
    keys = {"aws:PrincipalIsAWSService": "true" if is_service else "false", "aws:ViaAWSService": "false"}
    if principal.source_arn:
        keys |= {"aws:SourceArn": principal.source_arn, "aws:SourceAccount": principal.account_id}
    if is_service:
        return keys | {"aws:PrincipalServiceName": principal.arn, "aws:PrincipalServiceNamesList": principal.arn}
    keys["aws:PrincipalType"] = _TYPES[principal.kind]
    if principal.kind == "anonymous":
        return keys | {"aws:userid": "anonymous"}
    keys["aws:PrincipalArn"] = principal.role_arn or principal.arn
    keys["aws:PrincipalAccount"] = principal.account_id
    keys["aws:userid"] = principal.user_id
    if principal.kind == "user":
        keys["aws:username"] = principal.arn.rpartition("/")[2]
    return keys
