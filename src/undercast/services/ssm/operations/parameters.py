"""PutParameter, DeleteParameter(s), labels and tags.

AWS: Systems Manager API Reference, the operations of these names.
"""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.ssm import policies, secure, store, values
from undercast.services.ssm.errors import exists, invalid, no_version, not_found
from undercast.services.ssm.instance import Ssm
from undercast.services.ssm.models import SECURE, Version, check_new_name, parameter_arn, tags_of
from undercast.services.ssm.notices import CREATE, DELETE, LABEL, UPDATE
from undercast.services.ssm.values import ADVANCED, STANDARD
from undercast.store.database import Row, Tx

MAX_LABELS = 10
MAX_TAGS = 50
_LABEL = re.compile(r"(?!\d|aws|ssm)[A-Za-z0-9_.-]{1,100}", re.IGNORECASE)


class Draft(NamedTuple):
    """A new version, but for its number."""

    type: str
    tier: str
    policies: str
    key_id: str
    sealed: secure.Sealed


@operation("PutParameter")
async def put_parameter(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new parameter, or with Overwrite a new version."""
    name, overwrite = params["Name"].strip(), params.get("Overwrite", False)
    check_new_name(name)
    known = await ssm.database.read(lambda tx: store.newest(tx, ctx.scope, name))
    if known is not None and not overwrite:
        raise exists()
    if overwrite and params.get("Tags"):
        raise invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, "
                      "please remove overwrite flag. To update tags for an existing parameter, please use "
                      "AddTagsToResource or RemoveTagsFromResource.")  # fmt: skip
    draft = await _draft(ctx, name, params, known)

    def write(tx: Tx) -> Version:
        newest = store.newest(tx, ctx.scope, name)
        if newest is not None and not overwrite:
            raise exists()
        version = _version(ctx, name, params, draft, newest)
        tags = tags_of(params.get("Tags")) if newest is None else None
        store.add(tx, version, tags)
        ssm.notices.changed(tx, ctx, version, CREATE if newest is None else UPDATE)
        return version

    version = await ssm.database.write(write)
    return {"Version": version.version, "Tier": version.tier}


async def _draft(ctx: RequestContext, name: str, params: Params, known: Version | None) -> Draft:
    """Check everything that is given, and encrypt. Raises AWS's errors."""
    kind = params.get("Type") or (known.type if known else "")
    if not kind:
        raise invalid("A parameter type is required when you create a parameter.")
    if known is not None and kind != known.type and SECURE in (kind, known.type):
        text = f"You can't change a parameter from {known.type} to {kind}."
        raise ServiceError("HierarchyTypeMismatchException", text)
    if params.get("KeyId") and kind != SECURE:
        raise invalid("KeyId is required for SecureString type parameter only.")
    value, given = params["Value"], params.get("Policies")
    ruling = given if given is not None else known.policies if known else ""
    wanted = params.get("Tier") or (known.tier if known and known.tier == ADVANCED else STANDARD)
    if known is not None and known.tier == ADVANCED and wanted == STANDARD:
        raise invalid("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
                      "advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the "
                      "advanced parameter and recreate it as a standard parameter.")  # fmt: skip
    if not value:
        raise invalid("1 validation error detected: Value at 'value' failed to satisfy constraint: "
                      "Member must have length greater than or equal to 1")  # fmt: skip
    if "{{" in value:
        raise invalid('Parameter value can\'t nest another parameter. Do not use "{{}}" in the value')
    tier = values.tier_for(wanted, value, ruling)
    ruling = policies.checked(ruling, tier)
    await asyncio.to_thread(values.check_pattern, params.get("AllowedPattern", ""), value)
    values.check_data_type(params.get("DataType", "text"), value)
    if kind != SECURE:
        return Draft(kind, tier, ruling, "", secure.Sealed(value, ""))
    key_id = params.get("KeyId") or (known.key_id if known else "") or secure.DEFAULT_KEY
    sealed = await secure.seal(ctx, parameter_arn(ctx.scope, name), key_id, tier, value)
    return Draft(kind, tier, ruling, key_id, sealed)


def _version(ctx: RequestContext, name: str, params: Params, draft: Draft, newest: Version | None) -> Version:
    return Version(
        scope=ctx.scope,
        name=name,
        version=newest.version + 1 if newest else 1,
        value=draft.sealed.value,
        type=draft.type,
        key_id=draft.key_id,
        data_key=draft.sealed.data_key,
        data_type=params.get("DataType", newest.data_type if newest else "text"),
        tier=draft.tier,
        description=params.get("Description", newest.description if newest else ""),
        allowed_pattern=params.get("AllowedPattern", ""),
        policies=draft.policies,
        applied=policies.kept(newest.policies, newest.applied) if newest and "Policies" not in params else (),
        labels=(),
        modified_at=ctx.clock.now(),
        modified_by=ctx.principal.arn,
    )


@operation("DeleteParameter")
async def delete_parameter(ssm: Ssm, ctx: RequestContext, params: Params) -> None:
    """The parameter with all its versions."""
    if not await ssm.database.write(lambda tx: _deleted(ssm, tx, ctx, params["Name"])):
        raise not_found()


def _deleted(ssm: Ssm, tx: Tx, ctx: RequestContext, name: str) -> bool:
    newest = store.newest(tx, ctx.scope, name)
    if newest is None:
        return False
    store.delete(tx, ctx.scope, name)
    ssm.notices.changed(tx, ctx, newest, DELETE)
    return True


@operation("DeleteParameters")
async def delete_parameters(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to ten; those that are not there are told."""

    def write(tx: Tx) -> dict[str, list[str]]:
        deleted = [name for name in params["Names"] if _deleted(ssm, tx, ctx, name)]
        return {
            "DeletedParameters": deleted,
            "InvalidParameters": [name for name in params["Names"] if name not in deleted],
        }

    return await ssm.database.write(write)


@operation("LabelParameterVersion")
async def label_parameter_version(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Give labels to a version; they leave the version that had them."""
    wrong = [label for label in params["Labels"] if not _LABEL.fullmatch(label)]
    labels = tuple(dict.fromkeys(label for label in params["Labels"] if label not in wrong))

    def write(tx: Tx) -> int:
        version = _of_number(tx, ctx, params)
        together = tuple(dict.fromkeys((*version.labels, *labels)))
        if together == version.labels:
            return version.version  # it has them, or none is valid: no change, of which nobody hears
        if len(together) > MAX_LABELS:
            text = (
                "A parameter version can have maximum 10 labels."
                "Move one or more labels to another version and try again."
            )
            raise ServiceError("ParameterVersionLabelLimitExceeded", text)
        for other in store.versions(tx, ctx.scope, version.name):
            if other.version != version.version and set(other.labels) & set(labels):
                store.set_labels(tx, other, tuple(label for label in other.labels if label not in labels))
        store.set_labels(tx, version, together)
        ssm.notices.changed(tx, ctx, version, LABEL)
        return version.version

    return {"InvalidLabels": wrong, "ParameterVersion": await ssm.database.write(write)}


@operation("UnlabelParameterVersion")
async def unlabel_parameter_version(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Take labels away from a version."""

    def write(tx: Tx) -> dict[str, list[str]]:
        version = _of_number(tx, ctx, params)
        removed = [label for label in params["Labels"] if label in version.labels]
        store.set_labels(tx, version, tuple(label for label in version.labels if label not in removed))
        return {
            "RemovedLabels": removed,
            "InvalidLabels": [label for label in params["Labels"] if label not in removed],
        }

    return await ssm.database.write(write)


def _of_number(tx: Tx, ctx: RequestContext, params: Params) -> Version:
    name, number = params["Name"], params.get("ParameterVersion")
    if store.parameter(tx, ctx.scope, name) is None:
        raise not_found(name)
    version = store.selected(tx, ctx.scope, name, str(number) if number else "")
    if version is None:
        raise no_version(name, str(number))
    return version


@operation("AddTagsToResource")
async def add_tags_to_resource(ssm: Ssm, ctx: RequestContext, params: Params) -> None:
    """Add tags, or change their values."""
    added = tags_of(params["Tags"])
    await _change_tags(ssm, ctx, params, lambda tags: {**tags, **added})


@operation("RemoveTagsFromResource")
async def remove_tags_from_resource(ssm: Ssm, ctx: RequestContext, params: Params) -> None:
    """Remove tags by key."""
    removed = params["TagKeys"]
    await _change_tags(ssm, ctx, params, lambda tags: {key: tags[key] for key in tags if key not in removed})


async def _change_tags(
    ssm: Ssm, ctx: RequestContext, params: Params, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    def write(tx: Tx) -> None:
        tags = change(json.loads(_tagged(tx, ctx, params)["tags"]))
        if len(tags) > MAX_TAGS:
            raise ServiceError("TooManyTagsError", f"A resource can have at most {MAX_TAGS} tags.")
        store.set_tags(tx, ctx.scope, params["ResourceId"], tags)

    await ssm.database.write(write)


@operation("ListTagsForResource")
async def list_tags_for_resource(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A parameter's tags."""
    tags = json.loads((await ssm.database.read(lambda tx: _tagged(tx, ctx, params)))["tags"])
    return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _tagged(tx: Tx, ctx: RequestContext, params: Params) -> Row:
    if params["ResourceType"] != "Parameter":
        raise ServiceError("InvalidResourceType", "Only parameters can be tagged here.")
    row = store.parameter(tx, ctx.scope, params["ResourceId"])
    if row is None:
        text = "The resource ID is not valid. Verify that you entered the correct ID and try again."
        raise ServiceError("InvalidResourceId", text)
    return row
