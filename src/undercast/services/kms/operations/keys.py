"""Keys: create, describe, list, enable, disable, delete, tag, policies.

AWS: KMS API Reference, the operations of these names.
"""

import asyncio
import json
from dataclasses import replace
from typing import Any

from undercast.core import json_values
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import Params, operation
from undercast.policy.document import parse_policy
from undercast.policy.validation import INVALID_PRINCIPAL
from undercast.services.kms import material, store
from undercast.services.kms.errors import invalid, invalid_state, unsupported
from undercast.services.kms.instance import Kms, new_key
from undercast.services.kms.models import DISABLED, ENABLED, PENDING_DELETION, Key
from undercast.services.kms.pages import page, position
from undercast.services.kms.specs import SPECS, SYMMETRIC
from undercast.services.kms.upkeep import DAY_S

DEFAULT_PAGE = 100
MAX_TAGS = 50
MAX_POLICY_BYTES = 32_768


@operation("CreateKey")
async def create_key(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new key with material of its own."""
    if params.get("Origin", "AWS_KMS") != "AWS_KMS":
        raise refused_member("CreateKey", "Origin", "key material comes from this platform only")
    spec = params.get("KeySpec") or params.get("CustomerMasterKeySpec") or SYMMETRIC
    known = SPECS.get(spec)
    if known is None:
        raise unsupported(f"The key spec {spec} is not supported here.")
    usage = params.get("KeyUsage") or _default_usage(spec)
    if usage not in known.algorithms:
        raise invalid(f"KeyUsage {usage} is not compatible with KeySpec {spec}")
    multi_region = bool(params.get("MultiRegion"))
    key_id = f"mrk-{ctx.ids.hex(32)}" if multi_region else ctx.ids.uuid()
    key = new_key(ctx.scope, key_id, spec, usage, ctx.clock.now())
    policy = checked_policy(params["Policy"]) if params.get("Policy") else key.policy
    tags = _tags(params.get("Tags") or ())
    key = replace(key, description=params.get("Description", ""), policy=policy, tags=tags, multi_region=multi_region)
    secret = await asyncio.to_thread(material.generate, spec)
    await kms.database.write(lambda tx: store.add_key(tx, key, secret))
    return {"KeyMetadata": key.output()}


def _default_usage(spec: str) -> str:
    """AWS: KeyUsage may be left out for symmetric encryption keys only."""
    if spec == SYMMETRIC:
        return "ENCRYPT_DECRYPT"
    raise invalid(f"You must specify a KeyUsage value for an asymmetric or HMAC key ({spec}).")


_BAD_PRINCIPAL = "Policy contains a statement with one or more invalid principals."


def checked_policy(text: str) -> dict[str, Any]:
    """Raises MalformedPolicyDocumentException."""
    try:
        document: dict[str, Any] = json_values.parse(text)
        parse_policy(document, "resource")
    except ValueError:
        raise _malformed("The policy is not valid JSON.") from None
    except ServiceError as error:
        named = error.message.startswith(INVALID_PRINCIPAL)
        raise _malformed(_BAD_PRINCIPAL if named else error.message) from None
    if len(text.encode()) > MAX_POLICY_BYTES:
        raise ServiceError("LimitExceededException", "Key policy document exceeds the maximum size of 32 KB.")
    return document


def _malformed(text: str) -> ServiceError:
    return ServiceError("MalformedPolicyDocumentException", text)


@operation("DescribeKey")
async def describe_key(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """KeyMetadata."""
    return {"KeyMetadata": (await kms.key(ctx, params["KeyId"])).output()}


@operation("ListKeys")
async def list_keys(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The keys of account and region."""
    limit, after = params.get("Limit", DEFAULT_PAGE), position(params)
    found = await kms.database.read(lambda tx: store.keys(tx, ctx.scope, after, limit + 1))
    return page("Keys", found, limit, lambda key: key.id, lambda key: {"KeyId": key.id, "KeyArn": key.arn})


@operation("EnableKey")
async def enable_key(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """Usable again. A rotation that fell into the time it was disabled is made now, and the schedule goes on from here.

    AWS: KMS API Reference, GetKeyRotationStatus, "Disabled".
    """
    key = await kms.key(ctx, params["KeyId"])
    now, is_late = ctx.clock.now(), False

    def decide(key: Key) -> dict[str, Any]:
        nonlocal is_late
        require_alive(key)
        is_late = key.state == DISABLED and key.rotates_at is not None and key.rotates_at < now
        return {"state": ENABLED, "rotates_at": now if is_late else key.rotates_at}

    await kms.change(key, decide)
    if is_late:
        await kms.upkeep.round()


@operation("DisableKey")
async def disable_key(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """Not usable until it is enabled."""
    key = await kms.key(ctx, params["KeyId"])

    def decide(key: Key) -> dict[str, Any]:
        require_alive(key)
        return {"state": DISABLED}

    await kms.change(key, decide)


def require_alive(key: Key) -> None:
    """Raises KMSInvalidStateException for a key that is pending deletion."""
    if key.state == PENDING_DELETION:
        raise invalid_state(key.arn, "pending deletion")


@operation("ScheduleKeyDeletion")
async def schedule_key_deletion(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Unusable now, deleted after 7 to 30 days of the platform's clock."""
    key, days = await kms.key(ctx, params["KeyId"]), params.get("PendingWindowInDays", 30)
    if not 7 <= days <= 30:
        raise invalid("PendingWindowInDays must be between 7 and 30.")
    require_customer(key, "ScheduleKeyDeletion")
    deletion_at = ctx.clock.now() + days * DAY_S

    def decide(key: Key) -> dict[str, Any]:
        require_alive(key)
        return {"state": PENDING_DELETION, "deletion_at": deletion_at}

    await kms.change(key, decide)
    return {
        "KeyId": key.arn,
        "DeletionDate": moment(deletion_at),
        "KeyState": PENDING_DELETION,
        "PendingWindowInDays": days,
    }


def require_customer(key: Key, action: str) -> None:
    """Raises AccessDeniedException: what AWS manages, customers cannot change."""
    if key.manager != "CUSTOMER":
        text = f"{action} is not authorized on the AWS managed key {key.arn}"
        raise ServiceError("AccessDeniedException", text)


@operation("CancelKeyDeletion")
async def cancel_key_deletion(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Keep the key; it is disabled then."""
    key = await kms.key(ctx, params["KeyId"])

    def decide(key: Key) -> dict[str, Any]:
        if key.state != PENDING_DELETION:
            raise invalid_state(key.arn, "not pending deletion")
        return {"state": DISABLED, "deletion_at": None}

    await kms.change(key, decide)
    return {"KeyId": key.arn}


@operation("UpdateKeyDescription")
async def update_key_description(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """Change the description."""
    key = await kms.key(ctx, params["KeyId"])

    def decide(key: Key) -> dict[str, Any]:
        require_alive(key)
        return {"description": params["Description"]}

    await kms.change(key, decide)


@operation("GetKeyPolicy")
async def get_key_policy(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The one policy, whose name is "default"."""
    key = await kms.key(ctx, params["KeyId"])
    if params.get("PolicyName", "default") != "default":
        raise ServiceError("NotFoundException", "No such policy exists")
    return {"Policy": json.dumps(key.policy, indent=2), "PolicyName": "default"}


@operation("PutKeyPolicy")
async def put_key_policy(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """Replace the policy."""
    key = await kms.key(ctx, params["KeyId"])
    require_customer(key, "PutKeyPolicy")
    if params.get("PolicyName", "default") != "default":
        raise invalid('PolicyName must be "default".')
    policy = checked_policy(params["Policy"])
    await kms.change(key, lambda _: {"policy": json.dumps(policy)})


@operation("ListKeyPolicies")
async def list_key_policies(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Always "default"."""
    await kms.key(ctx, params["KeyId"])
    return {"PolicyNames": ["default"], "Truncated": False}


@operation("TagResource")
async def tag_resource(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """Add tags, or change their values."""
    key = await kms.key(ctx, params["KeyId"])

    def decide(key: Key) -> dict[str, Any]:
        require_alive(key)
        tags = {**key.tags, **_tags(params["Tags"])}
        if len(tags) > MAX_TAGS:
            raise ServiceError("LimitExceededException", "Too many tags for the key: at most 50.")
        return {"tags": store.tags_text(tags)}

    await kms.change(key, decide)


@operation("UntagResource")
async def untag_resource(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """Remove tags by key."""
    key = await kms.key(ctx, params["KeyId"])

    def decide(key: Key) -> dict[str, Any]:
        require_alive(key)
        tags = {name: value for name, value in key.tags.items() if name not in params["TagKeys"]}
        return {"tags": store.tags_text(tags)}

    await kms.change(key, decide)


@operation("ListResourceTags")
async def list_resource_tags(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The key's tags by name."""
    key, limit, after = await kms.key(ctx, params["KeyId"]), params.get("Limit", MAX_TAGS), position(params)
    names = [name for name in sorted(key.tags) if name > after]
    return page("Tags", names, limit, lambda name: name, lambda name: {"TagKey": name, "TagValue": key.tags[name]})


def _tags(given: Any) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in given}
