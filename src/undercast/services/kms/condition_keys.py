"""KMS's own condition keys: of the key that is used, and of what the request asks for.

A member that is left out counts with its default. AWS: KMS Developer Guide, "AWS KMS condition keys".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.late_keys import Keys
from undercast.core.service import Params
from undercast.services.kms.models import Key
from undercast.services.kms.specs import SYMMETRIC

_DEFAULTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "CreateKey": {"kms:BypassPolicyLockoutSafetyCheck": ("BypassPolicyLockoutSafetyCheck", "false")},
    "PutKeyPolicy": {"kms:BypassPolicyLockoutSafetyCheck": ("BypassPolicyLockoutSafetyCheck", "false")},
    "ScheduleKeyDeletion": {"kms:ScheduleKeyDeletionPendingWindowInDays": ("PendingWindowInDays", "30")},
    "EnableKeyRotation": {"kms:RotationPeriodInDays": ("RotationPeriodInDays", "365")},
    "Encrypt": {"kms:EncryptionAlgorithm": ("EncryptionAlgorithm", SYMMETRIC)},
    "Decrypt": {"kms:EncryptionAlgorithm": ("EncryptionAlgorithm", SYMMETRIC)},
    "ReEncryptFrom": {"kms:EncryptionAlgorithm": ("SourceEncryptionAlgorithm", SYMMETRIC)},
    "ReEncryptTo": {"kms:EncryptionAlgorithm": ("DestinationEncryptionAlgorithm", SYMMETRIC)},
    "Sign": {"kms:MessageType": ("MessageType", "RAW")},
    "Verify": {"kms:MessageType": ("MessageType", "RAW")},
}
"""Operation -> condition key -> member, and what counts without it."""
_AS_SAID = {
    "SigningAlgorithm": "kms:SigningAlgorithm",
    "MacAlgorithm": "kms:MacAlgorithm",
    "KeyPairSpec": "kms:DataKeyPairSpec",
}
_OF_GRANT = {"GranteePrincipal": "kms:GranteePrincipal", "RetiringPrincipal": "kms:RetiringPrincipal"}
_KEY_IDS = {"ReEncryptFrom": "SourceKeyId", "ReEncryptTo": "DestinationKeyId"}


def of_key(key: Key, aliases: Sequence[str]) -> Keys:
    """Of a key that is there."""
    found = _properties(key.spec, key.usage, multi_region=key.multi_region)
    if aliases:
        found["kms:ResourceAliases"] = tuple(aliases)
    return found


def of_new_key(params: Params) -> Keys:
    """Of the key that CreateKey is to make."""
    spec = params.get("KeySpec") or params.get("CustomerMasterKeySpec") or SYMMETRIC
    usage = params.get("KeyUsage") or "ENCRYPT_DECRYPT"
    found = _properties(spec, usage, multi_region=bool(params.get("MultiRegion")))
    return {**found, "kms:KeyOrigin": params.get("Origin") or "AWS_KMS"}


def _properties(spec: str, usage: str, *, multi_region: bool) -> Keys:
    found: Keys = {
        "kms:KeySpec": spec,
        "kms:CustomerMasterKeySpec": spec,
        "kms:KeyUsage": usage,
        "kms:CustomerMasterKeyUsage": usage,
        "kms:KeyOrigin": "AWS_KMS",
        "kms:MultiRegion": "true" if multi_region else "false",
    }
    return {**found, "kms:MultiRegionKeyType": "PRIMARY"} if multi_region else found


def of_caller(ctx: RequestContext) -> Keys:
    """Who asks, and through which service."""
    found: Keys = {}
    if ctx.principal.kind != "service":  # whose account is AWS's own: no managed key's policy lets it in
        found["kms:CallerAccount"] = ctx.principal.account_id
    if ctx.via:
        found["kms:ViaService"] = f"{ctx.via}.{ctx.region}.amazonaws.com"
        found |= _on_behalf(ctx)
    return found


def _on_behalf(ctx: RequestContext) -> Keys:
    """Of a service that asks with the caller's rights. AWS: "AWS global condition context keys", aws:ViaAWSService;
    of the services here only DynamoDB is among those that its aws:CalledVia names."""
    if ctx.principal.kind == "service":
        return {}
    if ctx.via != "dynamodb":
        return {"aws:ViaAWSService": "true"}
    host = "dynamodb.amazonaws.com"
    first_and_last: Keys = {"aws:CalledViaFirst": host, "aws:CalledViaLast": host}
    return {"aws:ViaAWSService": "true", "aws:CalledVia": (host,), **first_and_last}


def of_request(ctx: RequestContext, operation: str, params: Params) -> Keys:
    """What the request says; `operation` as in the action's name, e.g. ReEncryptFrom."""
    return dict(_of_request(ctx, operation, params))


def _of_request(ctx: RequestContext, operation: str, params: Params) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    for key, (member, default) in _DEFAULTS.get(operation, {}).items():
        yield key, _text(params.get(member, default))
    for member, key in _AS_SAID.items():
        if member in params:
            yield key, params[member]
    if operation.startswith("GenerateDataKey"):
        yield "kms:EncryptionAlgorithm", SYMMETRIC
    named = params.get(_KEY_IDS.get(operation, "KeyId"), "")
    alias = named.rpartition(":")[2]
    if alias.startswith("alias/"):
        yield "kms:RequestAlias", alias
    if operation in ("CreateGrant", "ListGrants", "RevokeGrant"):
        yield "kms:GrantIsForAWSResource", _text(bool(ctx.via))
    if operation != "CreateGrant":
        return
    yield "kms:GrantOperations", tuple(params["Operations"])
    if params.get("Constraints"):
        yield "kms:GrantConstraintType", tuple(params["Constraints"])
    for member, key in _OF_GRANT.items():
        if params.get(member):
            yield key, params[member]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
