"""Replicas of secrets in other regions: rows that follow their primary in the commit of each change.

A replica is a secret of the same name and suffix whose values are sealed again with a key of its region. What is to be
sealed is sealed before the transaction; where that fails the replica is Failed and the primary goes on.
AWS: Secrets Manager User Guide, "Replicate AWS Secrets Manager secrets across Regions".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from undercast.core.arn import Region, Scope
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services import sealing
from undercast.services.secretsmanager import store
from undercast.services.secretsmanager.errors import invalid, refused
from undercast.services.secretsmanager.models import DEFAULT_KEY, Named, Secret, Version
from undercast.store.database import Row, Tx
from undercast.store.statements import upsert

IN_SYNC, FAILED = "InSync", "Failed"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_KEY = "account_id = ? AND region = ? AND name = ?"
_TAKEN = "Secret with this name already exists in this region"


@record(kw_only=False)
class Replica:
    """One region to which a primary is replicated. `message` says why it is Failed."""

    region: Region
    kms_key_id: str
    status: str
    message: str


Copies = Mapping[str, "Version | ServiceError"]
"""By region: the version as it is sealed there, or why it could not be."""


def checked_regions(given: Sequence[Mapping[str, str]], primary: Region) -> dict[Region, str]:
    """Region -> key, of AddReplicaRegions. Raises InvalidParameterException."""
    found: dict[Region, str] = {}
    for one in given:
        region = Region(one.get("Region", ""))
        if not _REGION.fullmatch(region) or region == primary or region in found:
            raise invalid(f"Invalid replica region {region}.")
        found[region] = one.get("KmsKeyId", "")
    return found


def of(tx: Tx, secret: Secret) -> list[Replica]:
    """Those of a primary, by region."""
    rows: list[Row] = tx.all(
        f"SELECT * FROM secretsmanager_replica WHERE {_KEY} ORDER BY replica_region", (*secret.scope, secret.name)
    )
    return [Replica(Region(row["replica_region"]), row["kms_key_id"], row["status"], row["message"]) for row in rows]


def at(secret: Secret, region: Region, kms_key_id: str) -> Secret:
    """A primary as it is in another region."""
    return replace(
        secret,
        scope=Scope(secret.scope.account_id, region),
        kms_key_id=kms_key_id,
        primary_region=secret.scope.region,
        accessed_at=None,
        rotation_lambda="",
        rotation_rules={},
        rotates_at=None,
        rotating="",
    )


async def sealed_at(ctx: RequestContext, there: Secret, made: Version, content: bytes) -> Version:
    """A version with its value sealed for a replica, in the caller's name. Raises KMS's errors."""
    context = {"SecretARN": there.arn, "SecretVersionId": made.id}
    sealed = await sealing.seal(replace(ctx, scope=there.scope), there.key_id, context, content)
    return replace(made, sealed=sealed)


async def copies_of(
    ctx: RequestContext, secret: Secret, replicas: Sequence[Replica], made: Version, content: bytes
) -> Copies:
    """A new version for each replica."""
    found: dict[str, Version | ServiceError] = {}
    for one in replicas:
        try:
            found[one.region] = await sealed_at(ctx, at(secret, one.region, one.kms_key_id), made, content)
        except ServiceError as error:
            found[one.region] = error
    return found


def put(tx: Tx, secret: Secret, replica: Replica) -> None:
    """Note a replica, or its state, with its primary."""
    tx.execute(
        upsert("secretsmanager_replica", "account_id, region, name, replica_region", "kms_key_id, status, message"),
        (*secret.scope, secret.name, replica.region, replica.kms_key_id, replica.status, replica.message),
    )


def forget(tx: Tx, secret: Secret, region: Region) -> None:
    """The primary has no replica there any more."""
    tx.execute(
        f"DELETE FROM secretsmanager_replica WHERE {_KEY} AND replica_region = ?", (*secret.scope, secret.name, region)
    )


def secret_at(tx: Tx, secret: Secret, region: Region) -> Secret | None:
    """The secret of this name in a region, a replica or not."""
    return store.find(tx, Named(scope=Scope(secret.scope.account_id, region), names=((secret.name, ""),)))


def make(tx: Tx, secret: Secret, replica: Replica, versions: Sequence[Version], force: bool) -> None:
    """A new replica with these versions, the oldest first; Failed where its name is taken. `force` takes it from a
    secret that has to do with one region only."""
    taken = secret_at(tx, secret, replica.region)
    is_ours = taken is not None and taken.primary_region == secret.scope.region
    if taken is not None and not is_ours and (not force or taken.primary_region or of(tx, taken)):
        put(tx, secret, replace(replica, status=FAILED, message=_TAKEN))
        return
    if taken is not None:
        store.remove(tx, taken)
    there = at(secret, replica.region, replica.kms_key_id)
    store.add(tx, there)
    for one in versions:
        store.add_version(tx, there, one)
    put(tx, secret, replica)


def follow(tx: Tx, secret: Secret, copies: Copies | None = None) -> None:
    """Make the replicas what their primary is now; `copies` are those of a version that is new."""
    replicas = [one for one in of(tx, secret) if one.status == IN_SYNC]
    if not replicas:
        return
    stages = {one.id: one.stages for one in store.versions(tx, secret)}
    for replica in replicas:
        there = secret_at(tx, secret, replica.region)
        copy = (copies or {}).get(replica.region)
        if there is None or isinstance(copy, ServiceError):
            message = copy.message if isinstance(copy, ServiceError) else "The replica does not exist"
            put(tx, secret, replace(replica, status=FAILED, message=message))
            continue
        if copy is not None and store.version(tx, there, version_id=copy.id) is None:
            store.add_version(tx, there, copy)
        for one in store.versions(tx, there):
            if one.id not in stages:
                store.remove_version(tx, there, one)
            elif one.stages != stages[one.id]:
                store.set_stages(tx, there, one, stages[one.id])
        store.change(
            tx,
            there,
            description=secret.description,
            tags=dict(secret.tags),
            policy=secret.policy,
            changed_at=secret.changed_at,
            rotated_at=secret.rotated_at,
        )


def described(tx: Tx, secret: Secret) -> dict[str, Any]:
    """PrimaryRegion and ReplicationStatus; nothing for a secret that has to do with one region only."""
    if secret.primary_region:
        return {"PrimaryRegion": secret.primary_region}
    found = statuses(tx, secret)
    return {"PrimaryRegion": secret.scope.region, "ReplicationStatus": found} if found else {}


def statuses(tx: Tx, secret: Secret) -> list[dict[str, Any]]:
    """ReplicationStatus."""
    found = []
    for one in of(tx, secret):
        entry: dict[str, Any] = {
            "Region": one.region,
            "KmsKeyId": one.kms_key_id or DEFAULT_KEY,
            "Status": one.status,
        }
        if one.message:
            entry["StatusMessage"] = one.message
        there = secret_at(tx, secret, one.region)
        if one.status == IN_SYNC and there is not None and there.accessed_at is not None:
            entry["LastAccessedDate"] = moment(there.accessed_at)
        found.append(entry)
    return found


def not_on_a_replica() -> ServiceError:
    """A change is the primary's to make."""
    return refused("Operation not permitted on a replica secret. Call must be made in primary secret's region.")
