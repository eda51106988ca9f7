"""Secrets: create, change, describe, list, delete, restore, tag, policies, rotation.

AWS: Secrets Manager API Reference, the operations of these names.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Region
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.policy.document import parse_policy
from undercast.policy.validation import INVALID_PRINCIPAL
from undercast.services.secretsmanager import filters, passwords, replicas, rotation, store
from undercast.services.secretsmanager.errors import exists, invalid, refused
from undercast.services.secretsmanager.instance import SecretsManager, alive, primary
from undercast.services.secretsmanager.models import CURRENT, PENDING, Named, Secret, parse_id
from undercast.services.secretsmanager.operations.replication import replicate
from undercast.services.secretsmanager.operations.values import (
    NewValue,
    Resealed,
    given_value,
    new_version,
    put_once,
    resealed,
    store_value,
)
from undercast.store.database import Tx

DAY_S = 86_400.0
MAX_TAGS = 50
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")


@operation("CreateSecret")
async def create_secret(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new secret, with its first value where one is given."""
    name, value = params["Name"], given_value(params)
    if not _NAME.fullmatch(name):
        raise ServiceError(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        )
    secret = _new(ctx, params)
    regions = replicas.checked_regions(params.get("AddReplicaRegions") or (), ctx.region)
    version_id = params.get("ClientRequestToken") or ctx.ids.uuid()
    made = await new_version(ctx, secret, value, version_id, (CURRENT,)) if value is not None else None

    def write(tx: Tx) -> Secret:
        known = store.find(tx, Named(scope=ctx.scope, names=((name, ""),)))
        if known is not None and known.deleted_at is not None:
            raise refused("You can't create this secret because a secret with this name is already scheduled for "
                          "deletion.")  # fmt: skip
        if known is not None:
            same = made is not None and store.version(tx, known, version_id=made.id)
            if made is None or not same or same.digest != made.digest:
                raise exists(f"The operation failed because the secret {name} already exists.")
            return known
        store.add(tx, secret)
        if made is not None:
            put_once(tx, secret, made)
        return secret

    stored = await manager.database.write(write)
    result: dict[str, Any] = dict(stored.named())
    if made is not None:
        result["VersionId"] = made.id
    if regions:
        missing = await manager.database.read(lambda tx: _not_yet(tx, stored, regions))
        force = params.get("ForceOverwriteReplicaSecret", False)
        result["ReplicationStatus"] = await replicate(manager, ctx, stored, missing, force=force)
    return result


def _not_yet(tx: Tx, secret: Secret, regions: Mapping[Region, str]) -> dict[Region, str]:
    """Those without a replica that is in sync: a request may come again."""
    there = {one.region for one in replicas.of(tx, secret) if one.status == replicas.IN_SYNC}
    return {region: key for region, key in regions.items() if region not in there}


def _new(ctx: RequestContext, params: Params) -> Secret:
    now = ctx.clock.now()
    return Secret(
        scope=ctx.scope,
        name=params["Name"],
        suffix=ctx.ids.alnum(6),
        description=params.get("Description", ""),
        kms_key_id=params.get("KmsKeyId", ""),
        tags=store.tags_of(params.get("Tags")),
        policy="",
        created_at=now,
        changed_at=now,
        accessed_at=None,
        deleted_at=None,
        ends_at=None,
        rotation_lambda="",
        rotation_rules={},
        rotated_at=None,
        rotates_at=None,
        rotating="",
        testing="",
        primary_region="",
    )


@operation("UpdateSecret")
async def update_secret(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Change description, key or value."""
    secret, value = manager.secret(ctx, params["SecretId"]), given_value(params)
    columns = {
        column: params[member]
        for member, column in (("Description", "description"), ("KmsKeyId", "kms_key_id"))
        if member in params
    }
    key_id = columns.get("kms_key_id", secret.kms_key_id)
    under = () if key_id == secret.kms_key_id else await resealed(manager, ctx, secret, key_id)
    if value is None:
        await _changed(manager, ctx, params, lambda secret: {"changed_at": ctx.clock.now(), **columns}, under)
        return dict(secret.named())
    new = NewValue(value, params.get("ClientRequestToken") or ctx.ids.uuid(), (CURRENT,), columns, under)
    made = await store_value(manager, ctx, params["SecretId"], new)
    return {**secret.named(), "VersionId": made.id}


async def _changed(
    manager: SecretsManager,
    ctx: RequestContext,
    params: Params,
    change: Callable[[Secret], dict[str, Any]],
    under: Resealed = (),
) -> Secret:
    """Set columns of the secret, and of its replicas."""

    def write(tx: Tx) -> Secret:
        secret = primary(tx, ctx, params["SecretId"])
        store.change(tx, secret, **change(secret))
        for one, sealed in under:
            store.reseal(tx, secret, one, sealed)
        changed = store.existing(tx, parse_id(secret.arn, ctx.scope))
        replicas.follow(tx, changed)
        return changed

    return await manager.database.write(write)


@operation("DescribeSecret")
async def describe_secret(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Everything but the values, also of a deleted secret."""

    def read(tx: Tx) -> dict[str, Any]:
        secret = store.existing(tx, parse_id(params["SecretId"], ctx.scope))
        stages = {one.id: list(one.stages) for one in store.versions(tx, secret) if one.stages}
        return {**secret.output(), **replicas.described(tx, secret), "VersionIdsToStages": stages}

    return await manager.database.read(read)


@operation("ListSecrets")
async def list_secrets(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The secrets of account and region."""
    found, token = await filters.listed(manager, ctx, params, default=100)

    def read(tx: Tx) -> list[dict[str, Any]]:
        return [
            {
                **secret.output(),
                **_primary_region(tx, secret),
                "SecretVersionsToStages": {
                    one.id: list(one.stages) for one in store.versions(tx, secret) if one.stages
                },
            }
            for secret in found
        ]

    return {"SecretList": await manager.database.read(read), **token}


def _primary_region(tx: Tx, secret: Secret) -> dict[str, Any]:
    return {name: value for name, value in replicas.described(tx, secret).items() if name == "PrimaryRegion"}


@operation("DeleteSecret")
async def delete_secret(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Not readable any more now, gone after the recovery window; with Force at once, whether it was there or not."""
    force, days = params.get("ForceDeleteWithoutRecovery", False), params.get("RecoveryWindowInDays")
    if force and days is not None:
        raise invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
    if days is not None and not 7 <= days <= 30:
        raise invalid("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
    now, named = ctx.clock.now(), parse_id(params["SecretId"], ctx.scope)
    ends_at = now if force else now + (days or 30) * DAY_S

    def write(tx: Tx) -> dict[str, Any]:
        secret = store.find(tx, named) if force else alive(tx, ctx, params["SecretId"])
        if secret is None:
            return {"Name": params["SecretId"], "DeletionDate": moment(now)}
        _check_deletable(tx, secret)
        if force:
            store.remove(tx, secret)
        else:
            store.change(tx, secret, deleted_at=now, ends_at=ends_at)
        return {**secret.named(), "DeletionDate": moment(ends_at)}

    return await manager.database.write(write)


def _check_deletable(tx: Tx, secret: Secret) -> None:
    """Raises InvalidRequestException for a replica, and for a primary that has some."""
    if secret.primary_region:
        raise replicas.not_on_a_replica()
    if found := [one.region for one in replicas.of(tx, secret)]:
        raise refused(f"You can't delete secret {secret.name} that still has replica regions [{', '.join(found)}]")


@operation("RestoreSecret")
async def restore_secret(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Take a deletion back."""

    def write(tx: Tx) -> Secret:
        secret = store.existing(tx, parse_id(params["SecretId"], ctx.scope))
        store.change(tx, secret, deleted_at=None, ends_at=None)
        return secret

    return dict((await manager.database.write(write)).named())


@operation("TagResource")
async def tag_resource(manager: SecretsManager, ctx: RequestContext, params: Params) -> None:
    """Add tags, or change their values."""

    def change(secret: Secret) -> dict[str, Any]:
        tags = {**secret.tags, **store.tags_of(params["Tags"])}
        if len(tags) > MAX_TAGS:
            raise invalid(f"A secret can have at most {MAX_TAGS} tags.")
        return {"tags": tags}

    await _changed(manager, ctx, params, change)


@operation("UntagResource")
async def untag_resource(manager: SecretsManager, ctx: RequestContext, params: Params) -> None:
    """Remove tags by key."""
    removed = params["TagKeys"]
    await _changed(
        manager,
        ctx,
        params,
        lambda secret: {"tags": {key: value for key, value in secret.tags.items() if key not in removed}},
    )


@operation("GetRandomPassword")
async def get_random_password(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A password that is stored nowhere."""
    return {"RandomPassword": passwords.password(params)}


@operation("GetResourcePolicy")
async def get_resource_policy(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The policy; no member where there is none."""
    secret = manager.secret(ctx, params["SecretId"])
    return {**secret.named(), **({"ResourcePolicy": secret.policy} if secret.policy else {})}


@operation("PutResourcePolicy")
async def put_resource_policy(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Replace the policy."""
    problem = _problem(params["ResourcePolicy"])
    if problem:
        raise ServiceError("MalformedPolicyDocumentException", problem)
    if params.get("BlockPublicPolicy") and _is_public(json.loads(params["ResourcePolicy"])):
        raise ServiceError("PublicPolicyException", "You can't attach a policy that allows broad access to the secret.")
    return await _set_policy(manager, ctx, params, params["ResourcePolicy"])


@operation("DeleteResourcePolicy")
async def delete_resource_policy(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Take the policy away."""
    return await _set_policy(manager, ctx, params, "")


async def _set_policy(manager: SecretsManager, ctx: RequestContext, params: Params, policy: str) -> dict[str, Any]:
    changed = await _changed(manager, ctx, params, lambda secret: {"policy": policy})
    return dict(changed.named())


@operation("ValidateResourcePolicy")
async def validate_resource_policy(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Whether PutResourcePolicy would take it, and whether it lets everybody in."""
    if params.get("SecretId"):
        manager.secret(ctx, params["SecretId"])
    problem = _problem(params["ResourcePolicy"])
    found = [{"CheckName": "PolicySyntax", "ErrorMessage": problem}] if problem else []
    if not problem and _is_public(json.loads(params["ResourcePolicy"])):
        found.append(
            {"CheckName": "BlockPublicPolicy", "ErrorMessage": "The policy allows broad access to the secret."}
        )
    return {"PolicyValidationPassed": not found, "ValidationErrors": found}


def _problem(text: str) -> str:
    try:
        parse_policy(json_values.parse(text), "resource")
    except ValueError:
        return "This resource policy contains invalid Json"
    except ServiceError as error:
        named = error.message.startswith(INVALID_PRINCIPAL)
        return "This resource policy contains an unsupported principal." if named else error.message
    return ""


def _is_public(document: dict[str, Any]) -> bool:
    statements = document["Statement"]
    return any(
        statement["Effect"] == "Allow"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and not statement.get("Condition")
        for statement in (statements if isinstance(statements, list) else [statements])
    )


@operation("RotateSecret")
async def rotate_secret(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Configure rotation, and rotate now; where RotateImmediately is false, only the configuration is tested."""
    secret = manager.secret(ctx, params["SecretId"])
    function = params.get("RotationLambdaARN") or secret.rotation_lambda
    if not function:
        raise refused("No Lambda rotation function ARN is associated with this secret.")
    rules = dict(params.get("RotationRules") or secret.rotation_rules)
    rotates_at = rotation.next_rotation(rules, ctx.clock.now()) if rules else None
    token, immediately = params.get("ClientRequestToken") or ctx.ids.uuid(), params.get("RotateImmediately", True)
    begun = {"rotating": token, "testing": ""} if immediately else {"rotating": "", "testing": token}
    await manager.rotations.require_function(secret, function)

    def write(tx: Tx) -> Secret:
        there = primary(tx, ctx, params["SecretId"])
        pending, current = store.version(tx, there, stage=PENDING), store.version(tx, there, stage=CURRENT)
        going_on = token if immediately else ""
        if pending is not None and current is not None and pending.id not in (current.id, going_on):
            raise _incomplete()
        columns = {"rotation_lambda": function, "rotation_rules": rules, "rotates_at": rotates_at}
        store.change(tx, there, **columns, **begun)
        return store.existing(tx, parse_id(there.arn, ctx.scope))

    if not manager.rotations.reserve(secret):
        raise _incomplete()
    try:
        changed = await manager.database.write(write)
    except BaseException:
        manager.rotations.release(secret)
        raise
    manager.rotations.rotate_soon(changed)
    return {**changed.named(), "VersionId": token}


def _incomplete() -> ServiceError:
    return refused("A previous rotation isn't complete. That rotation will be reattempted.")


@operation("CancelRotateSecret")
async def cancel_rotate_secret(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """No further rotation by itself."""

    def write(tx: Tx) -> dict[str, Any]:
        secret = primary(tx, ctx, params["SecretId"])
        store.change(tx, secret, rotation_rules={}, rotates_at=None)
        return {**secret.named(), **({"VersionId": secret.rotating} if secret.rotating else {})}

    return await manager.database.write(write)
