"""Change code or configuration of $LATEST.

What runs stays in service until the update is Successful.
AWS: Lambda API Reference, UpdateFunctionCode, UpdateFunctionConfiguration; Developer Guide, "Lambda function states".
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.lambda_ import configuration, layer_store, store
from undercast.services.lambda_.destinations import check_dead_letter
from undercast.services.lambda_.errors import stale_revision, update_in_progress
from undercast.services.lambda_.hot_reload import check_free, check_publishable
from undercast.services.lambda_.instance import Lambda, check_role, existing_version, unqualified
from undercast.services.lambda_.layers import check_unzipped
from undercast.services.lambda_.models import IN_PROGRESS, PENDING, Version, output
from undercast.services.lambda_.names import Reference, parse_reference
from undercast.services.lambda_.operations.functions import add_version, check_code_storage
from undercast.services.lambda_.operations.uploads import accept_code, accept_image
from undercast.store.database import Tx


@operation("UpdateFunctionCode")
async def update_function_code(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Replace the package of $LATEST; with Publish a version of it is made, with DryRun nothing is changed."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))
    before = functions.database.read_now(lambda tx: changeable(tx, reference, params))
    architectures = params.get("Architectures")
    if before.image is None:
        code = await accept_code(functions, ctx, "UpdateFunctionCode", params)
    else:
        wanted = (architectures or before.configuration["Architectures"])[0]
        code = await accept_image(functions, ctx, "UpdateFunctionCode", params, wanted)

    def update(tx: Tx) -> tuple[Version, ...]:
        current = changeable(tx, reference, params)
        if _takes(current) != _takes(before):
            raise update_in_progress(current.arn)  # the code was taken for what was there before
        members = {**current.configuration, **({"Architectures": architectures} if architectures else {})}
        changed = replace(
            current,
            configuration=members,
            code_sha256=code.draft.id,
            code_size=0 if code.image is not None else code.draft.size_bytes,
            unzipped_bytes=code.unzipped_bytes,
            folder=code.folder,
            image=code.image,
            modified_at=ctx.clock.now(),
            revision_id=ctx.ids.uuid(),
            update_status=IN_PROGRESS,
        )
        check_unzipped(changed.unzipped_bytes, changed.layers)
        check_free(tx, changed)
        if params.get("DryRun"):
            digest, size = changed.code_sha256, changed.code_size
            return (replace(current, code_sha256=digest, code_size=size, image=changed.image),)
        functions.blobs.acquire(tx, code.draft)
        return _replace_code(functions, tx, current, changed, publish=bool(params.get("Publish")))

    made = await functions.database.write(update)
    return output(made[-1], made[-1].version if len(made) > 1 else None)


def _takes(version: Version) -> tuple[bool, list[str]]:
    """By which code is taken in: a package, or an image of an architecture."""
    is_image = version.image is not None
    return is_image, version.configuration["Architectures"] if is_image else []


def _replace_code(
    functions: Lambda, tx: Tx, current: Version, changed: Version, *, publish: bool
) -> tuple[Version, ...]:
    tx.after_commit(lambda: functions.catalog.keep_serving(current))
    functions.blobs.release(tx, current.code_sha256)
    store.change_version(tx, changed)
    made: tuple[Version, ...] = (changed,)
    if publish:
        check_publishable(changed)
        number = store.next_number(tx, changed.scope, changed.name)
        published = replace(changed, number=number, state=PENDING, update_status="", revision_id=functions.ids.uuid())
        functions.blobs.acquire_id(tx, published.code_sha256)
        add_version(functions, tx, published)
        made = (changed, published)
    check_code_storage(tx, changed.scope)
    functions.changed(tx)
    superseded = tuple({current.code_sha256} - {changed.code_sha256})
    tx.after_commit(lambda: functions.deployments.begin(made, superseded))
    return made


@operation("UpdateFunctionConfiguration")
async def update_function_configuration(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Change what is given and leave the rest. Environments of the earlier configuration are shut down."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))
    before = functions.database.read_now(lambda tx: changeable(tx, reference, params))
    role_arn = params.get("Role", before.configuration["Role"])
    if "Role" in params:
        await check_role(ctx, role_arn, reference.name)
    if arn := params.get("DeadLetterConfig", {}).get("TargetArn"):
        await check_dead_letter(ctx, "UpdateFunctionConfiguration", arn, role_arn)

    def update(tx: Tx) -> Version:
        current = changeable(tx, reference, params)
        changed = replace(
            current,
            configuration=configuration.changed(
                "UpdateFunctionConfiguration", current.configuration, params, functions.limits
            ),
            modified_at=ctx.clock.now(),
            revision_id=ctx.ids.uuid(),
            update_status=IN_PROGRESS,
        )
        if "Layers" in params:
            changed = _replace_layers(functions, tx, changed, params["Layers"])
        tx.after_commit(lambda: functions.catalog.keep_serving(current))
        store.change_version(tx, changed)
        functions.changed(tx)
        superseded = tuple(set(current.code) - set(changed.code))
        tx.after_commit(lambda: functions.deployments.begin((changed,), superseded))
        return changed

    return output(await functions.database.write(update), None)


def _replace_layers(functions: Lambda, tx: Tx, version: Version, arns: Sequence[str]) -> Version:
    layers = layer_store.uses(tx, version.scope, arns)
    check_unzipped(version.unzipped_bytes, layers)
    for layer in layers:
        functions.blobs.acquire_id(tx, layer.code_sha256)
    for layer in version.layers:
        functions.blobs.release(tx, layer.code_sha256)
    return replace(version, layers=layers)


def changeable(tx: Tx, reference: Reference, params: Params) -> Version:
    """$LATEST, if it may be changed now and RevisionId, when given, is its current one."""
    current = existing_version(tx, reference)
    if current.state == PENDING or current.update_status == IN_PROGRESS:
        raise update_in_progress(current.arn)
    if params.get("RevisionId") not in (None, current.revision_id):
        raise stale_revision()
    return current
