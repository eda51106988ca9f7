"""The operations of STS.

Durations and expiry are host-clock time. A session keeps the execution environment that it descends from (I10).
AWS: STS API Reference.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from undercast.core.access_keys import TEMPORARY, account_of_key, new_access_key_id
from undercast.core.arn import DEFAULT_ACCOUNT, is_account_id
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Credential, Principal
from undercast.core.record import record
from undercast.core.service import operation
from undercast.policy.document import Policy, parse_policy
from undercast.services.sts.roles import Role, call_iam, find_role, managed_document
from undercast.services.sts.sts import Sts

Params = Mapping[str, Any]
_ROLE_SESSION_S = 3600
_CHAINED_SESSION_S = 3600
_USER_SESSION_S = 43_200
_ROOT_SESSION_S = 3600
_SESSION_POLICY_CHARACTERS = 2048
_PACKED_BYTES = 4096


@record
class Narrowing:
    """Session policies and tags of a request. `packed_percent` is None when there are none."""

    policies: tuple[Policy, ...] = ()
    texts: tuple[str, ...] = ()
    tags: Mapping[str, str]
    packed_percent: int | None = None


@operation("GetCallerIdentity")
async def get_caller_identity(sts: Sts, ctx: RequestContext, params: Params) -> Params:
    """Needs no permission, even against an explicit Deny."""
    return {"UserId": ctx.principal.user_id, "Account": ctx.principal.account_id, "Arn": ctx.principal.arn}


@operation("AssumeRole")
async def assume_role(sts: Sts, ctx: RequestContext, params: Params) -> Params:
    """The trust policy has been evaluated by then, see `access`."""
    role = await find_role(ctx, params["RoleArn"])
    name, seconds = params["RoleSessionName"], params.get("DurationSeconds", _ROLE_SESSION_S)
    _check_duration(ctx, role, seconds)
    narrowing = await _narrowing(ctx, role, params)
    principal = Principal(
        kind="assumed-role",
        account_id=role.account_id,
        arn=f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{name}",
        user_id=f"{role.id or 'AROA' + ctx.ids.base32(17)}:{name}",
        role_arn=role.arn,
        known=role.trust_policy is not None,
        session_policies=narrowing.policies,
        session_tags=narrowing.tags,
    )
    credential = _new_credential(ctx, principal, seconds)
    await sts.add(credential, narrowing.texts)
    answer: dict[str, Any] = {
        "Credentials": _credentials(credential),
        "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
    }
    if narrowing.packed_percent is not None:
        answer["PackedPolicySize"] = narrowing.packed_percent
    return answer


@operation("GetSessionToken")
async def get_session_token(sts: Sts, ctx: RequestContext, params: Params) -> Params:
    """Temporary credentials of the same user; not for callers that are a session already."""
    if ctx.principal.kind == "assumed-role":
        raise ServiceError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    limit = _ROOT_SESSION_S if ctx.principal.kind == "root" else None
    seconds = params.get("DurationSeconds", limit or _USER_SESSION_S)
    credential = _new_credential(ctx, ctx.principal, min(seconds, limit or seconds))
    await sts.add(credential)
    return {"Credentials": _credentials(credential)}


@operation("GetAccessKeyInfo")
async def get_access_key_info(sts: Sts, ctx: RequestContext, params: Params) -> Params:
    """The account that a key stands for on this platform: its own if it was issued here, else the default one."""
    key = params["AccessKeyId"]
    if (session := sts.session(key)) is not None:
        return {"Account": session.principal.account_id}
    if is_account_id(key):
        return {"Account": key}
    account = account_of_key(key)
    if account is not None:
        try:
            await call_iam(ctx, account, "GetAccessKeyLastUsed", {"AccessKeyId": key})
        except ServiceError as error:
            if error.code != "NoSuchEntity":
                raise
        else:
            return {"Account": account}
    return {"Account": DEFAULT_ACCOUNT}


def _check_duration(ctx: RequestContext, role: Role, seconds: int) -> None:
    if ctx.principal.kind == "service":
        return  # services renew their sessions themselves
    if ctx.principal.kind == "assumed-role" and seconds > _CHAINED_SESSION_S:
        text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise ServiceError("ValidationError", text, 400)
    if seconds > role.max_session_s:
        text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise ServiceError("ValidationError", text, 400)


async def _narrowing(ctx: RequestContext, role: Role, params: Params) -> Narrowing:
    texts = [params["Policy"]] if "Policy" in params else []
    for entry in params.get("PolicyArns", ()):
        texts.append(await managed_document(ctx, role.account_id, entry["arn"]))
    policies = tuple(parse_policy(text, "session") for text in texts)
    given = params.get("Tags", ())
    tags = {tag["Key"]: tag["Value"] for tag in given}
    if len({key.lower() for key in tags}) != len(given):
        text = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        raise ServiceError("InvalidParameterValue", text, 400)
    if len(params.get("Policy", "")) > _SESSION_POLICY_CHARACTERS:
        raise _too_large(100 * len(params["Policy"]) // _SESSION_POLICY_CHARACTERS)
    size = len(params.get("Policy", "")) + sum(len(key) + len(value) for key, value in tags.items())
    size += sum(len(entry["arn"]) for entry in params.get("PolicyArns", ()))
    percent = math.ceil(100 * size / _PACKED_BYTES)
    if percent > 100:
        raise _too_large(percent)
    return Narrowing(policies=policies, texts=tuple(texts), tags=tags, packed_percent=percent if size else None)


def _too_large(percent: int) -> ServiceError:
    text = f"Packed size of session tags and session policy consumes {percent}% of allotted space."
    return ServiceError("PackedPolicyTooLarge", text, 400)


def _new_credential(ctx: RequestContext, principal: Principal, seconds: int) -> Credential:
    return Credential(
        access_key_id=new_access_key_id(TEMPORARY, principal.account_id, ctx.ids),
        secret_access_key=ctx.ids.alnum(40),
        principal=principal,
        session_token="IQoJb3JpZ2luX2Vj" + ctx.ids.alnum(112),
        expires_at=math.floor(ctx.host_clock.now()) + seconds,
        environment_id=ctx.cause.environment_id,
    )


def _credentials(credential: Credential) -> dict[str, Any]:
    return {
        "AccessKeyId": credential.access_key_id,
        "SecretAccessKey": credential.secret_access_key,
        "SessionToken": credential.session_token,
        "Expiration": datetime.fromtimestamp(credential.expires_at or 0.0, UTC),
    }
