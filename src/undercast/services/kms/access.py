"""What each KMS request needs: its action on the key, and the key's own policy or a grant must allow it, too.

AWS: KMS Developer Guide, "Determining access to AWS KMS keys", "Key policies in AWS KMS"; Service Authorization
Reference, "Actions, resources, and condition keys for AWS Key Management Service".
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from undercast.core.arn import Arn
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.late_keys import Keys, Later
from undercast.core.service import Access, Params
from undercast.services.kms import ciphertext, condition_keys, store
from undercast.services.kms.errors import no_alias, no_key
from undercast.services.kms.instance import Kms
from undercast.services.kms.models import Grant, Key, parse_name

_ON_NO_KEY = frozenset({"CreateKey", "ListKeys", "ListAliases", "GenerateRandom", "ListRetirableGrants"})

_SAME_KEY = ""
"""Beside the members of ReEncrypt, none of which has this name: whether both keys are one."""


async def access(kms: Kms, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    if operation in _ON_NO_KEY:
        keys = Later(lambda: _keys_without_key(ctx, operation, params))
        return (Access(action=f"kms:{operation}", resource="*", conditions=keys),)
    if operation == "RetireGrant":
        return ()  # the grant itself says who may
    if operation == "ReEncrypt":
        source = _source(kms, ctx, params, params.get("SourceKeyId", ""))
        target = _named(kms, ctx, params["DestinationKeyId"])
        same = source is not None and target is not None and source.arn == target.arn
        params = {**params, _SAME_KEY: "true" if same else "false"}
        return (
            *_on(kms, ctx, source, _use("ReEncryptFrom", params, params.get("SourceEncryptionContext"))),
            *_on(kms, ctx, target, _use("ReEncryptTo", params, params.get("DestinationEncryptionContext"))),
        )
    if operation == "Decrypt":
        key = _source(kms, ctx, params, params.get("KeyId", ""))
        return _on(kms, ctx, key, _use(operation, params, params.get("EncryptionContext")))
    if operation in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
        alias = Access(action=f"kms:{operation}", resource=str(Arn.of(ctx.scope, "kms", params["AliasName"])))
        target = _named(kms, ctx, params["TargetKeyId"]) if "TargetKeyId" in params else None
        return (alias, *_on(kms, ctx, target, _use(operation, params, None))) if target else (alias,)
    key = _named(kms, ctx, params["KeyId"])
    if operation == "CreateGrant":
        wanted = params["Operations"], params.get("Constraints") or {}
        return _on(kms, ctx, key, _Use(operation, params, {}, lambda grant: grant.covers_grant(*wanted)))
    return _on(kms, ctx, key, _use(operation, params, params.get("EncryptionContext")))


def _keys_without_key(ctx: RequestContext, operation: str, params: Params) -> Keys:
    made = condition_keys.of_new_key(params) if operation == "CreateKey" else {}
    return {**condition_keys.of_request(ctx, operation, params), **condition_keys.of_caller(ctx), **made}


class _Use(NamedTuple):
    """What is done with a key: the action, the encryption context, and which grants let their grantee do it."""

    operation: str
    params: Params
    context: Mapping[str, str]
    is_granted_by: Callable[[Grant], bool]


def _use(operation: str, params: Params, context: Mapping[str, str] | None) -> _Use:
    given = context or {}
    return _Use(operation, params, given, lambda grant: grant.covers(operation, given))


def _named(kms: Kms, ctx: RequestContext, text: str) -> Key | None:
    """None for what is not there in the caller's account: the operation says so."""
    name = parse_name(text, ctx.scope)
    key = kms.find(name)
    if key is None and name.scope.account_id != ctx.account_id:
        raise no_alias(name.arn) if name.alias else no_key(name.arn)
    return key or kms.before_first_use(name)


def _source(kms: Kms, ctx: RequestContext, params: Params, named: str) -> Key | None:
    if named:
        return _named(kms, ctx, named)
    try:
        envelope = ciphertext.parse(params.get("CiphertextBlob", b""))
    except ServiceError:
        return None
    return kms.database.read_now(lambda tx: store.find_in_region(tx, envelope.key_id, ctx.region))


def _on(kms: Kms, ctx: RequestContext, key: Key | None, use: _Use) -> tuple[Access, ...]:
    if key is None:
        return (Access(action=f"kms:{use.operation}", resource=str(Arn.of(ctx.scope, "kms", "key/*"))),)
    return (
        Access(
            action=f"kms:{use.operation}",
            resource=key.arn,
            conditions=Later(lambda: _keys(kms, ctx, key, use)),
            resource_policy=_with_grants(kms, ctx, key, use),
            resource_account_id=key.scope.account_id,
            needs_resource_policy=True,
        ),
    )


def _keys(kms: Kms, ctx: RequestContext, key: Key, use: _Use) -> Keys:
    rows = kms.database.read_now(lambda tx: store.aliases(tx, key.scope, key.id, "", -1))
    found = condition_keys.of_key(key, [row["name"] for row in rows])
    found |= condition_keys.of_request(ctx, use.operation, use.params)
    found |= condition_keys.of_caller(ctx)
    found |= {f"kms:EncryptionContext:{name}": value for name, value in use.context.items()}
    if use.context:
        found["kms:EncryptionContextKeys"] = tuple(use.context)
    if _SAME_KEY in use.params:
        found["kms:ReEncryptOnSameKey"] = use.params[_SAME_KEY]
    return found


def _with_grants(kms: Kms, ctx: RequestContext, key: Key, use: _Use) -> Mapping[str, Any]:
    """The key's policy; where a grant covers the caller, with a statement more that allows it."""
    policy = key.policy
    mine = {ctx.principal.arn, ctx.principal.role_arn or ctx.principal.arn}
    grants = kms.database.read_now(lambda tx: store.grants_to(tx, key.id, mine))
    if not any(map(use.is_granted_by, grants)):
        return policy
    statements = policy["Statement"]
    granted = {
        "Effect": "Allow",
        "Principal": {"AWS": ctx.principal.arn},
        "Action": f"kms:{use.operation}",
        "Resource": "*",
    }
    return {**policy, "Statement": [*(statements if isinstance(statements, list) else [statements]), granted]}


async def policy_of(kms: Kms, arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    name = Arn.parse(arn)
    key = kms.database.read_now(lambda tx: store.find_in_region(tx, name.resource.removeprefix("key/"), name.region))
    return key.policy if key is not None and key.arn == arn else None


def tags_of(kms: Kms, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    name = Arn.parse(arn)
    key = kms.database.read_now(lambda tx: store.find_in_region(tx, name.resource.removeprefix("key/"), name.region))
    return key.tags if key is not None and key.arn == arn else {}
