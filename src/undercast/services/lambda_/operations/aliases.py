"""Aliases: names for versions, with a share of the traffic for a second one.

AWS: Lambda API Reference, CreateAlias, GetAlias, UpdateAlias, DeleteAlias, ListAliases; Developer Guide,
"Implement Lambda canary deployments using a weighted alias".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import store
from undercast.services.lambda_.errors import (
    conflict,
    function_not_found,
    invalid,
    not_found,
    stale_revision,
    unmet_constraint,
)
from undercast.services.lambda_.instance import Lambda, existing_function
from undercast.services.lambda_.models import Alias
from undercast.services.lambda_.names import LATEST, Reference, number_of, parse_reference, qualified
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.store.database import Tx

ALIAS_PATTERN = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"


@operation("CreateAlias")
async def create_alias(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Name a version."""
    reference = parse_reference(ctx.scope, params["FunctionName"])
    if params["Name"].isdigit():
        text = f"Member must satisfy regular expression pattern: {ALIAS_PATTERN}"
        raise unmet_constraint(params["Name"], "name", text)
    alias = Alias(
        scope=reference.scope,
        name=reference.name,
        alias=params["Name"],
        version=params["FunctionVersion"],
        description=params.get("Description", ""),
        weights=_weights(params),
        revision_id=ctx.ids.uuid(),
    )

    def create(tx: Tx) -> None:
        existing_function(tx, reference)
        _check_versions(tx, reference, alias)
        if store.alias(tx, alias.scope, alias.name, alias.alias) is not None:
            raise conflict(f"Alias already exists: {qualified(reference.function_arn, alias.alias)}")
        store.put_alias(tx, alias)
        functions.changed(tx)

    await functions.database.write(create)
    return alias.output()


@operation("GetAlias")
async def get_alias(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One alias."""
    reference = parse_reference(ctx.scope, params["FunctionName"])
    return functions.database.read_now(lambda tx: _existing(tx, reference, params["Name"])).output()


@operation("UpdateAlias")
async def update_alias(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Point an alias elsewhere, or change its weights: the next invoke follows."""
    reference = parse_reference(ctx.scope, params["FunctionName"])

    def update(tx: Tx) -> Alias:
        current = _existing(tx, reference, params["Name"])
        if params.get("RevisionId") not in (None, current.revision_id):
            raise stale_revision()
        changed = replace(
            current,
            version=params.get("FunctionVersion", current.version),
            description=params.get("Description", current.description),
            weights=_weights(params) if "RoutingConfig" in params else current.weights,
            revision_id=ctx.ids.uuid(),
        )
        _check_versions(tx, reference, changed)
        store.put_alias(tx, changed)
        functions.changed(tx)
        functions.provisioning.follow(tx, reference.scope, reference.name)
        return changed

    return (await functions.database.write(update)).output()


@operation("DeleteAlias")
async def delete_alias(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Remove the name; the version stays. No error when there is none."""
    reference = parse_reference(ctx.scope, params["FunctionName"])

    def delete(tx: Tx) -> None:
        existing_function(tx, reference)
        store.delete_alias(tx, reference.scope, reference.name, params["Name"])
        functions.changed(tx)
        functions.provisioning.follow(tx, reference.scope, reference.name)

    await functions.database.write(delete)
    return Reply(output={}, status=204)


@operation("ListAliases")
async def list_aliases(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The aliases of a function by name, or those of one version."""
    reference = parse_reference(ctx.scope, params["FunctionName"])
    limit = page_size(params)
    after = position(params)
    version = params.get("FunctionVersion")

    def read(tx: Tx) -> list[Alias]:
        existing_function(tx, reference)
        found = store.aliases(tx, reference.scope, reference.name)
        return [alias for alias in found if alias.alias > after and version in (None, alias.version)]

    found = functions.database.read_now(read)
    listed = [alias.output() for alias in found[:limit]]
    return {"Aliases": listed, **marker(found, limit, lambda alias: alias.alias)}


def _existing(tx: Tx, reference: Reference, name: str) -> Alias:
    existing_function(tx, reference)
    alias = store.alias(tx, reference.scope, reference.name, name)
    if alias is None:
        raise not_found(f"Cannot find alias arn: {qualified(reference.function_arn, name)}")
    return alias


def _weights(params: Mapping[str, Any]) -> dict[str, float]:
    weights = dict((params.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if any(not 0.0 <= share <= 1.0 for share in weights.values()):
        raise invalid("The weight of an additional version is between 0.0 and 1.0")
    return weights


def _check_versions(tx: Tx, reference: Reference, alias: Alias) -> None:
    for version in (alias.version, *alias.weights):
        number = number_of(version)
        if number is None or store.version(tx, reference.scope, reference.name, number) is None:
            raise function_not_found(qualified(reference.function_arn, version))
    if not alias.weights:
        return
    if LATEST in (alias.version, *alias.weights):
        raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    if alias.version in alias.weights:
        raise invalid(
            f"Invalid function version {alias.version}. "
            "Function version in AdditionalVersionWeights cannot be the version of the alias itself."
        )
