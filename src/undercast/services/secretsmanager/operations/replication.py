"""ReplicateSecretToRegions, RemoveRegionsFromReplication, StopReplicationToReplica.

AWS: Secrets Manager API Reference, the operations of these names.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from undercast.core.arn import Region, Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services import sealing
from undercast.services.secretsmanager import replicas, store
from undercast.services.secretsmanager.errors import invalid, refused
from undercast.services.secretsmanager.instance import SecretsManager, alive, primary
from undercast.services.secretsmanager.models import Named, Secret, Version
from undercast.services.secretsmanager.replicas import FAILED, IN_SYNC, Replica
from undercast.store.database import Tx


@operation("ReplicateSecretToRegions")
async def replicate_secret_to_regions(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Further regions, each with its key; those whose replication has failed are tried again."""
    secret = manager.database.read_now(lambda tx: primary(tx, ctx, params["SecretId"]))
    regions = replicas.checked_regions(params["AddReplicaRegions"], secret.scope.region)
    force = params.get("ForceOverwriteReplicaSecret", False)
    return {"ARN": secret.arn, "ReplicationStatus": await replicate(manager, ctx, secret, regions, force=force)}


class _Asked(NamedTuple):
    """What is to be replicated: regions with their keys, the versions as they are sealed there, which those are."""

    regions: Mapping[Region, str]
    made: Mapping[Region, list[Version] | ServiceError]
    ids: frozenset[str]
    force: bool


async def replicate(
    manager: SecretsManager, ctx: RequestContext, secret: Secret, regions: Mapping[Region, str], *, force: bool
) -> list[dict[str, Any]]:
    """Make the replicas; ReplicationStatus."""
    contents: dict[str, tuple[Version, bytes]] = {}
    while True:
        await _open_all(manager, ctx, secret, contents)
        made = {region: await _sealed_all(ctx, secret, region, key, contents) for region, key in regions.items()}
        asked = _Asked(regions, made, frozenset(contents), force)
        found = await manager.database.write(partial(_make, ctx, secret.arn, asked))
        if found is not None:
            return found


def _make(ctx: RequestContext, arn: str, asked: _Asked, tx: Tx) -> list[dict[str, Any]] | None:
    """None where a value came meanwhile, which is not sealed for the replicas."""
    secret = primary(tx, ctx, arn)
    if {one.id for one in store.versions(tx, secret)} - asked.ids:
        return None
    known = {one.region: one.status for one in replicas.of(tx, secret)}
    for region, key in asked.regions.items():
        versions = asked.made[region]
        if known.get(region) == IN_SYNC:
            raise invalid(f"The secret is already replicated to {region}.")
        if isinstance(versions, ServiceError):
            replicas.put(tx, secret, Replica(region, key, FAILED, versions.message))
        else:
            replicas.make(tx, secret, Replica(region, key, IN_SYNC, ""), versions, asked.force)
    replicas.follow(tx, secret)
    return replicas.statuses(tx, secret)


async def _open_all(
    manager: SecretsManager, ctx: RequestContext, secret: Secret, contents: dict[str, tuple[Version, bytes]]
) -> None:
    """Every version's value by its id, the oldest first, opened in the caller's name. Raises KMS's errors."""
    for one in reversed(manager.database.read_now(lambda tx: store.versions(tx, secret))):
        if one.id not in contents:
            context = {"SecretARN": secret.arn, "SecretVersionId": one.id}
            contents[one.id] = (one, await sealing.unseal(ctx, one.sealed, context))


async def _sealed_all(
    ctx: RequestContext, secret: Secret, region: Region, key: str, contents: Mapping[str, tuple[Version, bytes]]
) -> list[Version] | ServiceError:
    there = replicas.at(secret, region, key)
    try:
        return [await replicas.sealed_at(ctx, there, one, content) for one, content in contents.values()]
    except ServiceError as error:
        return error


@operation("RemoveRegionsFromReplication")
async def remove_regions_from_replication(
    manager: SecretsManager, ctx: RequestContext, params: Params
) -> dict[str, Any]:
    """Delete the replicas in these regions, at once."""

    def write(tx: Tx) -> dict[str, Any]:
        secret = primary(tx, ctx, params["SecretId"])
        known = {one.region: one for one in replicas.of(tx, secret)}
        for region in map(Region, params["RemoveReplicaRegions"]):
            if region not in known:
                raise invalid(f"The secret is not replicated to {region}.")
            there = replicas.secret_at(tx, secret, region)
            if there is not None and there.primary_region == secret.scope.region:
                store.remove(tx, there)
            replicas.forget(tx, secret, region)
        return {"ARN": secret.arn, "ReplicationStatus": replicas.statuses(tx, secret)}

    return await manager.database.write(write)


@operation("StopReplicationToReplica")
async def stop_replication_to_replica(manager: SecretsManager, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Called in the replica's region: the replica is a secret of its own from now on."""

    def write(tx: Tx) -> dict[str, Any]:
        secret = alive(tx, ctx, params["SecretId"])
        if not secret.primary_region:
            raise refused("The secret is not a replica.")
        scope = Scope(secret.scope.account_id, Region(secret.primary_region))
        source = store.find(tx, Named(scope=scope, names=((secret.name, ""),)))
        if source is not None:
            replicas.forget(tx, source, secret.scope.region)
        store.change(tx, secret, primary_region="")
        return {"ARN": secret.arn}

    return await manager.database.write(write)
