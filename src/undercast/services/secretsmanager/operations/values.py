"""Values: put, get, list, stages.

AWS: Secrets Manager API Reference, the operations of these names.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services import sealing
from undercast.services.sealing import Sealed
from undercast.services.secretsmanager import filters, replicas, store
from undercast.services.secretsmanager.errors import exists, invalid, no_value
from undercast.services.secretsmanager.instance import SecretsManager, primary
from undercast.services.secretsmanager.models import CURRENT, PENDING, PREVIOUS, Secret, Version, parse_id
from undercast.store.database import Tx

MAX_BYTES = 65_536
DAY_S = 86_400.0
_RESEALED = frozenset({CURRENT, PENDING, PREVIOUS})


def given_value(params: Params) -> tuple[str, bytes] | None:
    """(kind, bytes) of the value in a request; None where it has none. Raises InvalidParameterException for both."""
    kinds = [kind for kind in ("SecretString", "SecretBinary") if params.get(kind) is not None]
    if not kinds:
        return None
    if len(kinds) > 1:
        raise invalid("You can't specify both a binary secret value and a string secret value in the same secret.")
    value = params[kinds[0]]
    content = value.encode() if isinstance(value, str) else bytes(value)
    if len(content) > MAX_BYTES:
        raise invalid(f"The secret value must be at most {MAX_BYTES} bytes.")
    return kinds[0], content


async def new_version(
    ctx: RequestContext, secret: Secret, value: tuple[str, bytes], version_id: str, stages: tuple[str, ...]
) -> Version:
    """A version that is not stored yet, sealed in the caller's name. Raises DecryptionFailure, EncryptionFailure."""
    kind, content = value
    context = {"SecretARN": secret.arn, "SecretVersionId": version_id}
    try:
        sealed = await sealing.seal(ctx, secret.key_id, context, content)
    except ServiceError as error:
        raise _of_kms(error, "EncryptionFailure") from None
    digest = hashlib.sha256(kind.encode() + b"\0" + content).hexdigest()
    return Version(id=version_id, kind=kind, sealed=sealed, digest=digest, stages=stages, created_at=ctx.clock.now())


def _of_kms(error: ServiceError, code: str) -> ServiceError:
    """AWS: a key that the caller may not use is AccessDeniedException; any other trouble with it has a code here."""
    if error.code == "AccessDeniedException":
        return ServiceError(error.code, "Access to KMS is not allowed", 400)
    return ServiceError(code, f"Secrets Manager can't use the KMS key: {error.message}")


def put_once(tx: Tx, secret: Secret, made: Version) -> Version:
    """Store a version, unless its id is known: then it must be the same value. Raises ResourceExistsException."""
    known = store.version(tx, secret, version_id=made.id)
    if known is None:
        store.add_version(tx, secret, made)
        return made
    if known.digest != made.digest:
        raise exists(
            f"You can't use ClientRequestToken {made.id} because that value is already in use for a version of secret "
            f"{secret.arn}."
        )
    return known


@operation("PutSecretValue")
async def put_secret_value(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new version; it is AWSCURRENT unless VersionStages says otherwise."""
    secret, value = manager.secret(ctx, params["SecretId"]), given_value(params)
    if value is None:
        raise invalid("You must provide either SecretString or SecretBinary.")
    stages = tuple(dict.fromkeys(params.get("VersionStages") or (CURRENT,)))
    version_id = params.get("ClientRequestToken") or ctx.ids.uuid()
    stored = await store_value(manager, ctx, params["SecretId"], NewValue(value, version_id, stages, {}))
    return {**secret.named(), "VersionId": stored.id, "VersionStages": list(stored.stages)}


Resealed = Sequence[tuple[Version, Sealed]]
"""Versions, and how they are kept under another key."""


async def resealed(manager: SecretsManager, ctx: RequestContext, secret: Secret, key_id: str) -> Resealed:
    """The versions with AWS's labels under another key: none where the caller may not use that, or the one before.

    AWS: Secrets Manager API Reference, UpdateSecret, KmsKeyId. Raises DecryptionFailure, EncryptionFailure.
    """
    found, there = [], replace(secret, kms_key_id=key_id)
    for one in manager.database.read_now(lambda tx: store.versions(tx, secret)):
        if not _RESEALED.intersection(one.stages):
            continue
        context, failure = {"SecretARN": secret.arn, "SecretVersionId": one.id}, "DecryptionFailure"
        try:
            content = await sealing.unseal(ctx, one.sealed, context)
            failure = "EncryptionFailure"
            found.append((one, await sealing.seal(ctx, there.key_id, context, content)))
        except ServiceError as error:
            if error.code == "AccessDeniedException":
                return ()
            raise _of_kms(error, failure) from None
    return found


class NewValue(NamedTuple):
    """A version to be: its kind and bytes, its id, its labels, and what else changes of the secret."""

    value: tuple[str, bytes]
    version_id: str
    stages: tuple[str, ...]
    columns: Mapping[str, Any]
    resealed: Resealed = ()


async def store_value(manager: SecretsManager, ctx: RequestContext, secret_id: str, new: NewValue) -> Version:
    """A version of a secret and of its replicas, in one commit."""
    while True:
        secret = manager.secret(ctx, secret_id)
        known = manager.database.read_now(partial(replicas.of, secret=secret))
        under = replace(secret, kms_key_id=new.columns.get("kms_key_id", secret.kms_key_id))
        made = await new_version(ctx, under, new.value, new.version_id, new.stages)
        copies = await replicas.copies_of(ctx, secret, known, made, new.value[1])
        stored = await manager.database.write(partial(_store, ctx, secret_id, new, (made, copies)))
        if stored is not None:
            return stored


def _store(
    ctx: RequestContext, secret_id: str, new: NewValue, made: tuple[Version, replicas.Copies], tx: Tx
) -> Version | None:
    """None where a region was added meanwhile, for which there is no copy."""
    there = primary(tx, ctx, secret_id)
    version, copies = made
    if any(one.region not in copies for one in replicas.of(tx, there)):
        return None
    stored = put_once(tx, there, version)
    store.change(tx, there, changed_at=ctx.clock.now(), **new.columns)
    for one, sealed in new.resealed:
        store.reseal(tx, there, one, sealed)
    replicas.follow(tx, store.existing(tx, parse_id(there.arn, ctx.scope)), copies)
    return stored


@operation("GetSecretValue")
async def get_secret_value(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The current value, or that of a version or stage."""
    secret = manager.secret(ctx, params["SecretId"])
    version_id, stage = params.get("VersionId", ""), params.get("VersionStage", "")
    if not version_id and not stage:
        stage = CURRENT
    found = await manager.database.read(lambda tx: store.version(tx, secret, version_id=version_id, stage=stage))
    if found is None:
        raise no_value(f"VersionId: {version_id}" if version_id else f"staging label: {stage}")
    return await value_of(manager, ctx, secret, found)


async def value_of(manager: SecretsManager, ctx: RequestContext, secret: Secret, found: Version) -> dict[str, Any]:
    """A version's value, opened in the caller's name."""
    context = {"SecretARN": secret.arn, "SecretVersionId": found.id}
    try:
        content = await sealing.unseal(ctx, found.sealed, context)
    except ServiceError as error:
        raise _of_kms(error, "DecryptionFailure") from None
    day = ctx.clock.now() // DAY_S * DAY_S
    if found.accessed_at != day or secret.accessed_at != day:
        await manager.database.write(lambda tx: store.accessed(tx, secret, found, day))
    return {
        **secret.named(),
        "VersionId": found.id,
        found.kind: content.decode() if found.kind == "SecretString" else content,
        "VersionStages": list(found.stages),
        "CreatedDate": moment(found.created_at),
    }


@operation("BatchGetSecretValue")
async def batch_get_secret_value(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Current values of up to twenty secrets, by id or by filter; each that fails is told for itself."""
    ids, asked = params.get("SecretIdList"), params.get("Filters")
    if bool(ids) == bool(asked):
        raise invalid("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
    token: dict[str, Any] = {}
    if not ids:
        found, token = await filters.listed(manager, ctx, params, default=20)
        ids = [secret.arn for secret in found]
    values: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for secret_id in ids:
        try:
            values.append(await ctx.call("secretsmanager", "GetSecretValue", {"SecretId": secret_id}))
        except ServiceError as error:
            errors.append({"SecretId": secret_id, "ErrorCode": error.code, "Message": error.message})
    return {"SecretValues": values, "Errors": errors, **token}


@operation("ListSecretVersionIds")
async def list_secret_version_ids(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Versions with labels; with IncludeDeprecated the others, too."""
    secret = manager.secret(ctx, params["SecretId"])
    every = await manager.database.read(lambda tx: store.versions(tx, secret))
    shown = [one for one in every if one.stages or params.get("IncludeDeprecated")]
    page, token = filters.paged(shown, params, 100, lambda one: one.id)
    return {**secret.named(), "Versions": [_listed(one) for one in page], **token}


def _listed(one: Version) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "VersionId": one.id,
        "VersionStages": list(one.stages),
        "CreatedDate": moment(one.created_at),
    }
    if one.accessed_at is not None:
        entry["LastAccessedDate"] = moment(one.accessed_at)
    return entry


@operation("UpdateSecretVersionStage")
async def update_secret_version_stage(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Move a label; the version that has it must be named."""
    stage, to, source = params["VersionStage"], params.get("MoveToVersionId"), params.get("RemoveFromVersionId")
    if to is None and source is None:
        raise invalid("You must specify MoveToVersionId or RemoveFromVersionId.")

    def write(tx: Tx) -> Secret:
        secret = primary(tx, ctx, params["SecretId"])
        holder = store.version(tx, secret, stage=stage)
        if to is not None and store.version(tx, secret, version_id=to) is None:
            raise no_value(f"VersionId: {to}")
        if source is not None and (holder is None or holder.id != source):
            raise invalid(f"The staging label {stage} is not attached to version {source}.")
        if source is None and holder is not None and holder.id != to:
            raise invalid(
                f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to "
                f"version {holder.id}, so you must explicitly reference that version in RemoveFromVersionId."
            )
        if stage == CURRENT and to is None:
            raise invalid("You can't remove the AWSCURRENT staging label; move it to another version.")
        store.move_stage(tx, secret, stage, to)
        if stage == CURRENT and to == secret.rotating:
            pending = store.version(tx, secret, version_id=to)
            if pending is not None:
                store.set_stages(tx, secret, pending, tuple(label for label in pending.stages if label != PENDING))
        store.change(tx, secret, changed_at=ctx.clock.now())
        replicas.follow(tx, store.existing(tx, parse_id(secret.arn, ctx.scope)))
        return secret

    return dict((await manager.database.write(write)).named())
