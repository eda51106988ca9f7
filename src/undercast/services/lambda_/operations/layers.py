"""Layer versions: published, listed, fetched, deleted, and shared with other accounts.

AWS: Lambda API Reference, PublishLayerVersion, ListLayers, ListLayerVersions, GetLayerVersion, GetLayerVersionByArn,
DeleteLayerVersion, AddLayerVersionPermission, GetLayerVersionPolicy, RemoveLayerVersionPermission.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import layer_store
from undercast.services.lambda_.errors import (
    conflict,
    invalid,
    not_found,
    stale_revision,
    unmet_constraint,
    user_error,
)
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.layers import (
    LayerReference,
    LayerVersion,
    parse_layer,
    parse_layer_arn,
    statement,
    version_not_found,
)
from undercast.services.lambda_.models import code_digest, timestamp
from undercast.services.lambda_.operations.functions import check_code_storage
from undercast.services.lambda_.operations.uploads import accept_code
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.services.lambda_.permissions import MAX_POLICY_BYTES, policy_document
from undercast.services.lambda_.runtimes import IDENTIFIERS, KNOWN
from undercast.store.database import Tx

_MEMBERS = ("Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
_NEWEST = 1 << 62


@operation("PublishLayerVersion")
async def publish_layer_version(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Store an archive as the layer's next version."""
    layer = parse_layer(ctx.scope, params["LayerName"])
    if not set(params.get("CompatibleRuntimes") or ()) <= KNOWN:
        listed = f"[{', '.join(params['CompatibleRuntimes'])}]"
        one = f"Member must satisfy enum value set: [{', '.join(IDENTIFIERS)}]"
        raise unmet_constraint(listed, "compatibleRuntimes", f"Member must satisfy constraint: [{one}]")
    archive = await accept_code(functions, ctx, "PublishLayerVersion", params["Content"])
    configuration = {"Description": "", **{name: params[name] for name in _MEMBERS if name in params}}

    def publish(tx: Tx) -> LayerVersion:
        made = LayerVersion(
            reference=replace(layer, version=layer_store.next_version(tx, layer.scope, layer.name)),
            configuration=configuration,
            code_sha256=archive.draft.id,
            code_size=archive.draft.size_bytes,
            unzipped_bytes=archive.unzipped_bytes,
            created_at=ctx.clock.now(),
        )
        functions.blobs.acquire(tx, archive.draft)
        layer_store.add(tx, made)
        check_code_storage(tx, layer.scope)
        return made

    return _whole(functions, ctx, await functions.database.write(publish))


@operation("GetLayerVersion")
async def get_layer_version(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One version, with a URL of its archive."""
    reference = _numbered(ctx, params)
    return _whole(functions, ctx, functions.database.read_now(lambda tx: _existing(tx, reference)))


@operation("GetLayerVersionByArn")
async def get_layer_version_by_arn(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The same, by the ARN of the version."""
    reference = parse_layer_arn(params["Arn"])
    if reference is None or not reference.version:
        raise not_found("The resource you requested does not exist.")
    return _whole(functions, ctx, functions.database.read_now(lambda tx: _existing(tx, reference)))


@operation("ListLayers")
async def list_layers(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The account's layers by name, each with its newest version that passes the filters."""
    _check_runtime(params)
    limit = page_size(params)

    def read(tx: Tx) -> list[LayerVersion]:
        newest: dict[str, LayerVersion] = {}
        for version in layer_store.all_versions(tx, ctx.scope, position(params)):
            if version.reference.name not in newest and _passes(version, params):
                newest[version.reference.name] = version
                if len(newest) > limit:
                    break
        return list(newest.values())

    found = functions.database.read_now(read)
    layers = [
        {
            "LayerName": version.reference.name,
            "LayerArn": version.reference.layer_arn,
            "LatestMatchingVersion": _item(version),
        }
        for version in found[:limit]
    ]
    return {"Layers": layers, **marker(found, limit, lambda version: version.reference.name)}


@operation("ListLayerVersions")
async def list_layer_versions(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The versions of a layer, the newest first. An unknown layer has none."""
    _check_runtime(params)
    layer = parse_layer(ctx.scope, params["LayerName"])
    limit = page_size(params)
    start = position(params)
    if start and not start.isdigit():
        raise invalid("Invalid Marker.")

    def read(tx: Tx) -> list[LayerVersion]:
        below = int(start) if start else _NEWEST
        passing: Iterator[LayerVersion] = (
            version for version in layer_store.versions(tx, layer.scope, layer.name, below) if _passes(version, params)
        )
        return list(islice(passing, limit + 1))

    found = functions.database.read_now(read)
    listed = [_item(version) for version in found[:limit]]
    return {"LayerVersions": listed, **marker(found, limit, lambda version: str(version.reference.version))}


@operation("DeleteLayerVersion")
async def delete_layer_version(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Take a version away. Functions that have it keep it; no error when there is none."""
    reference = _numbered(ctx, params)

    def delete(tx: Tx) -> None:
        version = layer_store.find(tx, reference)
        if version is None:
            return
        layer_store.delete(tx, reference)
        functions.blobs.release(tx, version.code_sha256)
        tx.after_commit(lambda: functions.deployments.discard((version.code_sha256,)))

    await functions.database.write(delete)
    return Reply(output={}, status=204)


@operation("AddLayerVersionPermission")
async def add_layer_version_permission(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Let another account, an organization or everybody use a version."""
    reference = _numbered(ctx, params)
    added = statement(params, reference)

    def add(tx: Tx) -> LayerVersion:
        version = _current(tx, reference, params)
        if any(one["Sid"] == added["Sid"] for one in version.statements):
            raise conflict(
                f"The statement id ({added['Sid']}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
        changed = replace(version, statements=[*version.statements, added], policy_revision_id=ctx.ids.uuid())
        if (size := len(_text(changed))) > MAX_POLICY_BYTES:
            text = f"The final policy size ({size}) is bigger than the limit ({MAX_POLICY_BYTES})."
            raise user_error("PolicyLengthExceededException", text)
        layer_store.put_policy(tx, changed)
        return changed

    changed = await functions.database.write(add)
    return {"Statement": json.dumps(added, separators=(",", ":")), "RevisionId": changed.policy_revision_id}


@operation("GetLayerVersionPolicy")
async def get_layer_version_policy(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The policy as text, and its revision."""
    reference = _numbered(ctx, params)
    version = functions.database.read_now(lambda tx: _existing(tx, reference))
    if not version.statements:
        raise not_found("No policy is associated with the given resource.")
    return {"Policy": _text(version), "RevisionId": version.policy_revision_id}


@operation("RemoveLayerVersionPermission")
async def remove_layer_version_permission(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Take one statement back. Functions that have the layer already keep it."""
    reference = _numbered(ctx, params)

    def remove(tx: Tx) -> None:
        version = _current(tx, reference, params)
        if not version.statements:
            raise not_found("No policy is associated with the given resource.")
        left = [one for one in version.statements if one["Sid"] != params["StatementId"]]
        if len(left) == len(version.statements):
            raise not_found(f"Statement {params['StatementId']} is not found in resource policy.")
        layer_store.put_policy(tx, replace(version, statements=left, policy_revision_id=ctx.ids.uuid()))

    await functions.database.write(remove)
    return Reply(output={}, status=204)


def _numbered(ctx: RequestContext, params: Params) -> LayerReference:
    if params["VersionNumber"] < 1:
        raise invalid("Layer Version Cannot be less than 1.")
    return parse_layer(ctx.scope, params["LayerName"], params["VersionNumber"])


def _existing(tx: Tx, reference: LayerReference) -> LayerVersion:
    version = layer_store.find(tx, reference)
    if version is None:
        raise version_not_found(reference)
    return version


def _current(tx: Tx, reference: LayerReference, params: Params) -> LayerVersion:
    version = _existing(tx, reference)
    if params.get("RevisionId") not in (None, version.policy_revision_id):
        raise stale_revision("GetLayerVersionPolicy")
    return version


def _check_runtime(params: Params) -> None:
    runtime = params.get("CompatibleRuntime")
    if runtime is not None and runtime not in KNOWN:
        known = ", ".join(IDENTIFIERS)
        raise unmet_constraint(runtime, "compatibleRuntime", f"Member must satisfy enum value set: [{known}]")


def _passes(version: LayerVersion, params: Params) -> bool:
    return version.suits(params.get("CompatibleRuntime"), params.get("CompatibleArchitecture"))


def _item(version: LayerVersion) -> dict[str, Any]:
    return {
        **version.configuration,
        "LayerVersionArn": version.reference.arn,
        "Version": version.reference.version,
        "CreatedDate": timestamp(version.created_at),
    }


def _whole(functions: Lambda, ctx: RequestContext, version: LayerVersion) -> dict[str, Any]:
    return {
        **_item(version),
        "LayerArn": version.reference.layer_arn,
        "Content": {
            "Location": functions.locations.url(ctx.endpoint, version.code_sha256),
            "CodeSha256": code_digest(version.code_sha256),
            "CodeSize": version.code_size,
        },
    }


def _text(version: LayerVersion) -> str:
    return json.dumps(policy_document(version.statements), separators=(",", ":"))
