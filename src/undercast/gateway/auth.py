"""Who calls, and whether the call is allowed.

A key that we issued is verified, a 12-digit key is its account, any other is the administrator of the default account;
an unsigned request passes only where AWS accepts one. AWS: IAM User Guide, "How IAM works", "Policy evaluation logic".
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from undercast.core.arn import DEFAULT_ACCOUNT, AccountId, is_account_id
from undercast.core.clock import Clock
from undercast.core.config import IamMode
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, access_denied
from undercast.core.identity import PLATFORM, Credential, Principal, anonymous_principal, root_principal
from undercast.core.record import record
from undercast.core.service import Access, Params
from undercast.gateway import auth_errors
from undercast.gateway.web_pages import PageAllowed, check_no_web_page
from undercast.policy.document import Policy, parse_policy
from undercast.policy.evaluate import AuthorizationRequest, Decision, PrincipalPolicies, evaluate
from undercast.policy.request_tags import request_tags
from undercast.wire.decode import Call
from undercast.wire.signature import SigningKey, SigningKeys, check_addressee, check_claims, verify

log = logging.getLogger("undercast.iam")

CredentialOf = Callable[[str], Credential | None]
"""Access key id -> the key as we issued it: `iam.credential`, `sts.session`."""
KeyUsed = Callable[[Credential, str, str, float], None]
"""(credential, service, region, host-clock seconds): `iam.note_key_use`."""
PoliciesOf = Callable[[Principal], PrincipalPolicies | None]
"""A user or role -> its policies, None when IAM does not know it: `iam.policies_of`."""
TagsOf = Callable[[str], Mapping[str, str]]
"""Resource ARN -> the tags that it has now."""

_MAYBE_UNSIGNED = frozenset({"s3", "sns", "sts", ""})
"""Services with operations for callers without credentials; "" while only the body names the service. Whether the one
that is asked for is among them is decided in `Authorizer.authorize`."""
_OWNERS_WAY_BACK = frozenset({"s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"})
"""What no bucket policy can deny to the root of the bucket's account (AWS: S3 API, DeleteBucketPolicy)."""
_EVERYTHING = parse_policy({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
})  # fmt: skip
"""The most that a role or user can have of which IAM knows nothing. Resources, sessions and accounts still decide."""
_REMEMBERED = 1024


@record
class Identity:
    """The outcome of authentication."""

    principal: Principal
    signing_key: SigningKey | None = None
    """For chunk signatures in the body; None when we do not hold the secret."""
    environment_id: str | None = None
    """The execution environment that the session descends from."""


class Authenticator:
    """Turns a request's signature into a principal."""

    def __init__(
        self,
        sources: Sequence[CredentialOf],
        host_clock: Clock,
        *,
        issued_keys_only: bool = False,
        page_allowed: PageAllowed = lambda _: False,
        used: KeyUsed | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._clock = host_clock
        self._issued_keys_only = issued_keys_only
        self._page_allowed = page_allowed
        self._used = used
        self._keys = SigningKeys()

    def authenticate(self, call: Call) -> Identity:
        """The caller. Raises AWS's error for a missing, wrong, expired or inactive credential."""
        signature = call.signature
        if signature is None:
            if call.service in _MAYBE_UNSIGNED:
                return Identity(principal=anonymous_principal(DEFAULT_ACCOUNT))
            raise auth_errors.missing_token(call.service)
        check_addressee(call)
        credential = self._issued(signature.access_key_id)
        if credential is not None:
            return self._verified(call, credential)
        if self._issued_keys_only or call.request.environment_id is not None:
            # A function must not become an administrator by signing with a key that it made up (ADR 0007).
            raise auth_errors.unknown_key(call.service, signature.access_key_id)
        check_no_web_page(call, self._page_allowed)
        check_claims(signature, call.protocol, self._clock.now())
        account = signature.access_key_id if is_account_id(signature.access_key_id) else DEFAULT_ACCOUNT
        return Identity(principal=root_principal(AccountId(account)))

    def _issued(self, access_key_id: str) -> Credential | None:
        for source in self._sources:
            if (credential := source(access_key_id)) is not None:
                return credential
        return None

    def _verified(self, call: Call, credential: Credential) -> Identity:
        now = self._clock.now()
        if not credential.active:
            raise auth_errors.unknown_key(call.service, credential.access_key_id)
        if credential.expires_at is not None and credential.expires_at <= now:
            raise auth_errors.expired_token(call.service)
        if call.signature is not None and call.signature.session_token != credential.session_token:
            raise auth_errors.wrong_token(call.service)
        key = verify(call, credential.secret_access_key, now, self._keys)
        if self._used is not None:
            self._used(credential, call.service or key.signature.service, call.region or "", now)
        return Identity(principal=credential.principal, signing_key=key, environment_id=credential.environment_id)


@record(kw_only=False)
class _Settled:
    """A decision about a user or role for which no late key was looked at."""

    access: Access
    principal: Principal
    known: PrincipalPolicies
    decision: Decision
    any_conditions: bool
    """Whether no key was looked at: with other conditions it is the same."""

    def covers(self, access: Access, principal: Principal, known: PrincipalPolicies | None) -> bool:
        """Whether it is about the same: policies that may have changed are other objects."""
        mine = self.access
        if principal is not self.principal or known is not self.known:
            return False
        return mine is access or (
            self.any_conditions
            and mine.resource_policy is access.resource_policy
            and mine.resource_account_id == access.resource_account_id
            and mine.needs_resource_policy == access.needs_resource_policy
        )


class Authorizer:
    """Asks the policies whether a principal may do what its request does."""

    def __init__(
        self, policies_of: PoliciesOf, host_clock: Clock, mode: IamMode = "enforce", tags_of: TagsOf = lambda _: {}
    ) -> None:
        self._tags_of = tags_of
        self._policies_of = policies_of
        self._clock = host_clock
        self._mode = mode
        self._settled: dict[tuple[str, str], _Settled] = {}
        """By action and resource."""
        self._permitted: dict[tuple[object, ...], tuple[Mapping[str, Any], Principal, bool]] = {}
        """No key of a request is asked for there: the same policy answers the same question in the same way."""
        self._compiled: dict[int, tuple[Mapping[str, Any], Policy]] = {}
        self._warned: dict[tuple[str, str, str], None] = {}

    def authorize(
        self, ctx: RequestContext, service: str, accesses: Sequence[Access], params: Params | None = None
    ) -> Mapping[int, ServiceError]:
        """Raises the service's access-denied error unless everything that the request needs is allowed.

        Returns, by their place, the refusals of entries that are each decided for itself.
        """
        principal = ctx.principal
        if principal.kind == "anonymous" and not (service == "s3" or (service == "sns" and not accesses)):
            raise auth_errors.missing_token(service)
        refusals: dict[int, ServiceError] = {}
        if self._mode == "off" and principal.kind != "anonymous":
            return refusals
        for place, access in enumerate(accesses):
            if access.refusal is not None:
                raise access.refusal
            if principal.kind == "root" and access.resource_policy is None and not _foreign(principal, access):
                continue
            decision = self._decide(ctx, access, params or {})
            if decision.allowed:
                continue
            refusal = _denied(principal, service, access, decision)
            if not access.one_of_many:
                raise refusal
            refusals[place] = refusal
        return refusals

    def resource_permits(
        self,
        policy: Mapping[str, Any] | None,
        principal: Principal,
        action: str,
        resource_arn: str,
        conditions: Mapping[str, str],
    ) -> bool:
        """Whether a resource's own policy lets a principal act on it, e.g. S3 on a function."""
        if self._mode == "off":
            return True
        if policy is None:
            return False
        asked = (principal.arn, principal.account_id, principal.source_arn, action, resource_arn, *conditions.items())
        known = self._permitted.get(asked)
        if known is not None and known[0] is policy and known[1] == principal:
            return known[2]
        tags_asked = False

        def tags_there() -> Mapping[str, str]:
            nonlocal tags_asked
            tags_asked = True
            return self._tags_of(resource_arn)

        request = AuthorizationRequest(
            principal=principal,
            action=action,
            resource=resource_arn,
            conditions=conditions,
            resource_tags=tags_there,
            needs_resource_policy=True,
        )
        allowed = evaluate(request, (), self._policy(policy)).allowed
        if tags_asked:
            return allowed  # tags change
        if len(self._permitted) >= _REMEMBERED:
            self._permitted.clear()
        self._permitted[asked] = (policy, principal, allowed)
        return allowed

    def _decide(self, ctx: RequestContext, access: Access, params: Params) -> Decision:
        principal = ctx.principal
        known = self._policies_of(principal) if principal.kind in ("user", "assumed-role") else None
        settled = self._settled.get((access.action, access.resource))
        if settled is not None and settled.covers(access, principal, known):
            return settled.decision
        key_asked, late_asked = False, False

        def note_key() -> None:
            nonlocal key_asked
            key_asked = True

        def request_keys() -> dict[str, str]:
            nonlocal late_asked
            late_asked = True
            return _request_keys(ctx, self._clock)

        def tags_given() -> Mapping[str, str | tuple[str, ...]]:
            nonlocal late_asked
            late_asked = True
            # Of a request, what it needs of IAM besides (iam:PassRole) is not about its tags.
            return {} if access.action == "iam:PassRole" else request_tags(params)

        def tags_there() -> Mapping[str, str]:
            nonlocal late_asked
            late_asked = True  # tags change, and no decision is kept beyond that
            return self._tags_of(access.resource)

        request = AuthorizationRequest(
            principal=principal,
            action=access.action,
            request_tags=tags_given,
            resource_tags=tags_there,
            resource=_as_made_here(access.resource),
            resource_account_id=access.resource_account_id,
            conditions=access.conditions,
            late_conditions=request_keys,
            principal_tags=known.tags if known else {},
            key_asked=note_key,
            needs_resource_policy=access.needs_resource_policy,
        )
        resource = self._policy(access.resource_policy) if access.resource_policy is not None else None
        if _may_anyway(principal, access):
            return Decision(True)
        session = tuple(self._policy(document) for document in principal.session_policies)
        if known is not None:
            decision = evaluate(request, known.identity, resource, session, known.boundary)
            if not late_asked:
                # Keys that nobody looked at are not kept: what they would be made of may be a whole request.
                kept = access if key_asked else replace(access, conditions={})
                self._settle(_Settled(kept, principal, known, decision, not key_asked))
            return decision
        return self._of_nobody_known(request, access, resource, session)

    def _of_nobody_known(
        self, request: AuthorizationRequest, access: Access, resource: Policy | None, session: tuple[Policy, ...]
    ) -> Decision:
        """Of who has no policies here: root, services, and whoever a program says it is."""
        principal = request.principal
        decision = evaluate(request, (), resource, session)
        if principal.kind not in ("user", "assumed-role") or decision.allowed or self._mode == "strict":
            return decision
        at_best = evaluate(request, (_EVERYTHING,), resource, session)
        if at_best.allowed:
            self._warn(request, "IAM does not know %s: let through. On AWS it needs %s on %s.")
            return at_best
        if _foreign(principal, access):
            self._warn(request, "IAM does not know %s: refused %s on %s, which is another account's.")
        return at_best

    def _settle(self, settled: _Settled) -> None:
        """Keep a decision. Services that are asked for the same again and again may keep their `Access`, too."""
        if len(self._settled) >= _REMEMBERED:
            self._settled.clear()
        self._settled[settled.access.action, settled.access.resource] = settled

    def _warn(self, request: AuthorizationRequest, text: str) -> None:
        """Once for each role, action and resource."""
        entry = (request.principal.role_arn or request.principal.arn, request.action, request.resource)
        if entry not in self._warned:
            if len(self._warned) >= _REMEMBERED:
                self._warned.clear()
            self._warned[entry] = None
            log.warning(text, *entry)

    def _policy(self, document: Mapping[str, Any]) -> Policy:
        if isinstance(document, Policy):
            return document
        found = self._compiled.get(id(document))
        if found is not None and found[0] is document:
            return found[1]
        if len(self._compiled) >= _REMEMBERED:
            self._compiled.clear()
        policy = parse_policy(document)
        self._compiled[id(document)] = (document, policy)
        return policy


@record
class Gate:
    """Who calls, and may they."""

    authenticator: Authenticator
    authorizer: Authorizer


def _as_made_here(resource: str) -> str:
    """The ARN in the only partition that is here: services look at no partition, policies do."""
    if not resource.startswith("arn:") or resource.startswith("arn:aws:"):
        return resource
    return ":".join(("arn", "aws", *resource.split(":")[2:]))


def _foreign(principal: Principal, access: Access) -> bool:
    return access.resource_account_id not in (None, principal.account_id)


def _may_anyway(principal: Principal, access: Access) -> bool:
    """Whatever the policies say."""
    if principal.kind == "service":
        return principal.arn == PLATFORM or _is_own_work(principal, access)
    return principal.kind == "root" and access.action in _OWNERS_WAY_BACK and not _foreign(principal, access)


def _is_own_work(principal: Principal, access: Access) -> bool:
    """A service at its own resources, or asking IAM about the account it acts in. All else must let it in by policy.

    AWS: IAM User Guide, "The confused deputy problem". Only this process makes service principals.
    """
    if access.resource_policy is not None or access.needs_resource_policy or _foreign(principal, access):
        return False
    called = access.action.partition(":")[0]
    return called in ("iam", principal.arn.partition(".")[0])


def _request_keys(ctx: RequestContext, clock: Clock) -> dict[str, str]:
    """The values of `LATE_KEYS`."""
    now = clock.now()
    keys = {
        "aws:CurrentTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(now)),
        "aws:RequestedRegion": ctx.region,
        "aws:SecureTransport": "true" if ctx.endpoint.startswith("https:") else "false",
        "aws:SourceIp": ctx.source_ip,
        "aws:UserAgent": ctx.user_agent,
    }
    if "referer" in ctx.headers:
        keys["aws:Referer"] = ctx.headers["referer"]
    return keys


def _denied(principal: Principal, service: str, access: Access, decision: Decision) -> ServiceError:
    if service == "s3" and (principal.kind == "anonymous" or _foreign(principal, access)):
        return ServiceError("AccessDenied", "Access Denied", 403)
    resource = f'"{access.resource}"' if service == "s3" else access.resource
    because = "" if access.action == "sts:AssumeRole" else decision.because
    text = access_denied(principal.arn, access.action, resource, because).message
    return auth_errors.denied(service, text)
