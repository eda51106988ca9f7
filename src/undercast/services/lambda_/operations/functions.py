"""Create, read, list and delete functions.

AWS: Lambda API Reference, CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions, DeleteFunction.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from undercast.core.arn import Scope
from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import code_signing, concurrency, configuration, layer_store, package, store
from undercast.services.lambda_.code import Package
from undercast.services.lambda_.destinations import check_dead_letter
from undercast.services.lambda_.errors import code_storage_exceeded, conflict, invalid
from undercast.services.lambda_.hot_reload import check_free, check_publishable
from undercast.services.lambda_.instance import Lambda, check_role, existing_function, existing_version, unqualified
from undercast.services.lambda_.layers import check_unzipped
from undercast.services.lambda_.models import Function, Version, output, summary
from undercast.services.lambda_.names import LATEST, Reference, number_of, parse_reference
from undercast.services.lambda_.operations.uploads import accept_code, accept_image
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.store.blobs import BlobDraft
from undercast.store.database import Tx

MAX_CODE_BYTES = 80_530_636_800
"""75 GB per account and region."""


@operation("CreateFunction")
async def create_function(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Check, store the package and the rows, then unpack: the function is Pending until that is done."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))
    members = configuration.new("CreateFunction", params, reference.name, functions.limits)
    if functions.database.read_now(lambda tx: store.function(tx, reference.scope, reference.name)) is not None:
        raise _exists(reference.name)
    await check_role(ctx, members["Role"], reference.name)
    if "DeadLetterConfig" in members:
        await check_dead_letter(ctx, "CreateFunction", members["DeadLetterConfig"]["TargetArn"], members["Role"])
    code = await _accept(functions, ctx, members, params["Code"])
    latest = Version(
        scope=reference.scope,
        name=reference.name,
        number=0,
        configuration=members,
        code_sha256=code.draft.id,
        code_size=0 if code.image is not None else code.draft.size_bytes,
        unzipped_bytes=code.unzipped_bytes,
        folder=code.folder,
        image=code.image,
        revision_id=ctx.ids.uuid(),
        modified_at=ctx.clock.now(),
    )
    function = Function(scope=reference.scope, name=reference.name, tags=params.get("Tags") or {})

    def insert(tx: Tx) -> tuple[Version, ...]:
        first = replace(latest, layers=layer_store.uses(tx, reference.scope, params.get("Layers") or ()))
        check_unzipped(first.unzipped_bytes, first.layers)
        if not store.add_function(tx, function):
            raise _exists(function.name)
        if arn := params.get("CodeSigningConfigArn"):
            code_signing.check_signable(latest.image is not None)
            code_signing.assign(tx, function.scope, function.name, code_signing.usable(tx, function.scope, arn).arn)
        return _insert(functions, tx, first, code.draft, publish=bool(params.get("Publish")))

    made = await functions.database.write(insert)
    return output(made[-1], None)


async def _accept(
    functions: Lambda, ctx: RequestContext, members: Mapping[str, Any], code: Mapping[str, Any]
) -> Package:
    if members["PackageType"] == configuration.IMAGE:
        return await accept_image(functions, ctx, "CreateFunction", code, members["Architectures"][0])
    return await accept_code(functions, ctx, "CreateFunction", code)


def _insert(functions: Lambda, tx: Tx, latest: Version, draft: BlobDraft, *, publish: bool) -> tuple[Version, ...]:
    made: tuple[Version, ...] = (latest,)
    check_free(tx, latest)
    if publish:
        check_publishable(latest)
        number = store.next_number(tx, latest.scope, latest.name)
        made = (latest, replace(latest, number=number, revision_id=functions.ids.uuid()))
    for version in made:
        functions.blobs.acquire(tx, draft)
        add_version(functions, tx, version)
    check_code_storage(tx, latest.scope)
    functions.changed(tx)
    tx.after_commit(lambda: functions.deployments.begin(made))
    return made


def add_version(functions: Lambda, tx: Tx, version: Version) -> None:
    """Insert the row of a version; the reference to its code's blob is the caller's, those to its layers are not."""
    for layer in version.layers:
        functions.blobs.acquire_id(tx, layer.code_sha256)
    store.add_version(tx, version)


def check_code_storage(tx: Tx, scope: Scope) -> None:
    """In a transaction that has stored code: undo it when the account has too much."""
    if store.usage(tx, scope)[0] > MAX_CODE_BYTES:
        raise code_storage_exceeded()


def _exists(name: str) -> Exception:
    return conflict(f"Function already exist: {name}")


@operation("GetFunction")
async def get_function(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Configuration, where to fetch the code, tags and reserved concurrency."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    function, version = functions.database.read_now(
        lambda tx: (existing_function(tx, reference), existing_version(tx, reference))
    )
    found: dict[str, Any] = {
        "Configuration": output(version, reference.qualifier),
        "Code": _location(functions, ctx, version),
    }
    if function.tags:
        found["Tags"] = dict(function.tags)
    if function.reserved_concurrency is not None:
        found["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
    return found


def _location(functions: Lambda, ctx: RequestContext, version: Version) -> dict[str, str]:
    """FunctionCodeLocation."""
    if version.image is not None:
        return version.image.output()
    at = Path(version.folder).as_uri() if version.folder else functions.locations.url(ctx.endpoint, version.code_sha256)
    return {"RepositoryType": "S3", "Location": at}


@operation("GetFunctionConfiguration")
async def get_function_configuration(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The configuration of a version."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    version = functions.database.read_now(lambda tx: existing_version(tx, reference))
    return output(version, reference.qualifier)


@operation("ListFunctions")
async def list_functions(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All functions of the account and region by name; with FunctionVersion=ALL every version."""
    every = params.get("FunctionVersion") == "ALL"
    after = _after(params)
    limit = page_size(params)
    found = functions.database.read_now(
        lambda tx: store.all_versions(tx, ctx.scope, after, limit + 1, latest_only=not every)
    )
    page = found[:limit]
    listed = [summary(version, version.version if every else None) for version in page]
    return {"Functions": listed, **marker(found, limit, lambda version: f"{version.name}:{version.number}")}


def _after(params: Params) -> tuple[str, int]:
    start = position(params)
    if not start:
        return "", 0
    try:
        name, _, number = start.rpartition(":")
        return name, int(number)
    except ValueError as error:
        raise invalid("Invalid Marker.") from error


@operation("DeleteFunction")
async def delete_function(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Delete a function with everything that belongs to it, or one published version."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    if reference.qualifier is None:
        await functions.database.write(lambda tx: _delete_whole(functions, tx, reference))
    else:
        await functions.database.write(lambda tx: _delete_version(functions, tx, reference))
    return Reply(output={}, status=204)


def _delete_whole(functions: Lambda, tx: Tx, reference: Reference) -> None:
    existing_function(tx, reference)
    versions = store.versions(tx, reference.scope, reference.name)
    store.delete_function(tx, reference.scope, reference.name)
    tx.after_commit(lambda: functions.catalog.settle(reference.scope, reference.name))
    _forget(functions, tx, reference, versions)


def _delete_version(functions: Lambda, tx: Tx, reference: Reference) -> None:
    existing_function(tx, reference)
    if reference.qualifier == LATEST:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    number = number_of(str(reference.qualifier))
    if number is None:
        raise invalid("Deletion of aliases is not currently supported.")
    version = store.version(tx, reference.scope, reference.name, number)
    if version is None:
        return
    named = [
        alias.alias
        for alias in store.aliases(tx, reference.scope, reference.name)
        if version.version in (alias.version, *alias.weights)
    ]
    if named:
        raise conflict(f"Unable to delete version because the following aliases reference it: [{', '.join(named)}]")
    store.delete_version(tx, reference.scope, reference.name, number)
    _forget(functions, tx, reference, [version], version.version)


def _forget(
    functions: Lambda, tx: Tx, reference: Reference, versions: list[Version], retired: str | None = None
) -> None:
    functions.changed(tx)
    functions.provisioning.follow(tx, reference.scope, reference.name)
    tx.after_commit(lambda: functions.environments.retire(reference.function_arn, retired))
    tx.after_commit(lambda: functions.unable.gone(reference.function_arn, retired))
    functions.release(tx, versions)


@operation("GetAccountSettings")
async def get_account_settings(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Limits, and what is really used."""
    used, reserved = functions.database.read_now(
        lambda tx: (store.usage(tx, ctx.scope), store.reserved_elsewhere(tx, ctx.scope))
    )
    return {
        "AccountLimit": {
            "TotalCodeSize": MAX_CODE_BYTES,
            "CodeSizeUnzipped": package.MAX_UNZIPPED_BYTES,
            "CodeSizeZipped": package.MAX_ZIP_BYTES,
            "ConcurrentExecutions": concurrency.ACCOUNT_LIMIT,
            "UnreservedConcurrentExecutions": concurrency.ACCOUNT_LIMIT - reserved,
        },
        "AccountUsage": {"TotalCodeSize": used[0], "FunctionCount": used[1]},
    }
