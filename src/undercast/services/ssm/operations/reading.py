"""GetParameter(s), GetParametersByPath, GetParameterHistory and DescribeParameters.

AWS: Systems Manager API Reference, the operations of these names.
"""

import asyncio
from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.ssm import filters, public, references, secure, store
from undercast.services.ssm.errors import invalid, no_version, not_found
from undercast.services.ssm.instance import Ssm
from undercast.services.ssm.models import SECRET_PREFIX, Version, parse_name
from undercast.services.ssm.pages import number, page, position
from undercast.store.database import Tx

BY_PATH, HISTORY, DESCRIBED = 10, 50, 50
"""How many a page has where MaxResults is left out."""


@operation("GetParameter")
async def get_parameter(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One parameter: the newest version, one by number or label, or a secret."""
    return {"Parameter": await _get(ssm, ctx, params["Name"], params.get("WithDecryption", False))}


async def _get(ssm: Ssm, ctx: RequestContext, text: str, decrypt: bool) -> dict[str, Any]:
    wanted = parse_name(text, ctx.scope)
    if wanted.name.startswith(SECRET_PREFIX):
        return await references.referenced(ctx, wanted.name, decrypt)
    if public.is_public(wanted.name):
        # In a thread: the data is read at first use.
        version = await asyncio.to_thread(public.find, wanted.scope.region, wanted.name, wanted.selector)
        if version is None:
            raise not_found()
        return version.output(version.value, wanted.selector)
    version = await ssm.database.read(lambda tx: store.selected(tx, wanted.scope, wanted.name, wanted.selector))
    if version is None:
        there = await ssm.database.read(lambda tx: store.parameter(tx, wanted.scope, wanted.name))
        raise not_found() if there is None else no_version(wanted.name, wanted.selector)
    return version.output(await secure.opened(ctx, version, decrypt), wanted.selector)


@operation("GetParameters")
async def get_parameters(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to ten; those that are not there are told."""
    found: list[dict[str, Any]] = []
    missing: list[str] = []
    for name in sorted(set(params["Names"])):
        try:
            found.append(await _get(ssm, ctx, name, params.get("WithDecryption", False)))
        except ServiceError as error:
            if error.code not in ("ParameterNotFound", "ParameterVersionNotFound"):
                raise
            missing.append(name)
    return {"Parameters": found, "InvalidParameters": missing}


@operation("GetParametersByPath")
async def get_parameters_by_path(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The parameters below a level of the hierarchy."""
    path = params["Path"]
    if not path.startswith("/"):
        raise invalid(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward "
            f'slash "/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive): {path}'
        )
    prefix = path if path.endswith("/") else f"{path}/"
    recursive, after = params.get("Recursive", False), position(params)
    conditions = filters.by_path(params.get("ParameterFilters") or ())

    def read(tx: Tx) -> tuple[list[Version], dict[str, Any]]:
        if public.is_public(path):
            versions = public.below(ctx.region, prefix, after)
        else:
            versions = (version for version, _ in store.each(tx, ctx.scope, after, prefix))
        below = (
            chosen
            for version in versions
            if recursive or "/" not in version.name[len(prefix) :]
            if (chosen := filters.labelled(tx, version, conditions)) is not None
        )
        return page(below, params.get("MaxResults", BY_PATH), lambda version: version.name)

    found, token = await ssm.database.read(read, long=True)
    decrypt = params.get("WithDecryption", False)
    return {
        "Parameters": [version.output(await secure.opened(ctx, version, decrypt)) for version in found],
        **token,
    }


@operation("GetParameterHistory")
async def get_parameter_history(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Every version that is kept, the oldest first."""
    wanted, after = parse_name(params["Name"], ctx.scope), number(params)
    every = await ssm.database.read(lambda tx: store.versions(tx, wanted.scope, wanted.name))
    if not every:
        raise not_found()
    left = [version for version in every if version.version > after]
    found, token = page(left, params.get("MaxResults", HISTORY), lambda version: str(version.version))
    decrypt = params.get("WithDecryption", False)
    return {"Parameters": [await _past(ctx, version, decrypt) for version in found], **token}


async def _past(ctx: RequestContext, version: Version, decrypt: bool) -> dict[str, Any]:
    described = version.described()
    del described["ARN"]
    return {
        **described,
        "Value": await secure.opened(ctx, version, decrypt),
        "Labels": list(version.labels),
        "LastModifiedDate": moment(version.modified_at),
    }


@operation("DescribeParameters")
async def describe_parameters(ssm: Ssm, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is known of parameters besides their values."""
    if params.get("Filters") and params.get("ParameterFilters"):
        raise invalid("You can use either Filters or ParameterFilters in a single request.")
    conditions, after = filters.described(params), position(params)

    def read(tx: Tx) -> tuple[list[Version], dict[str, Any]]:
        found = (
            version
            for version, tags in store.each(tx, ctx.scope, after)
            if all(condition(version, tags) for condition in conditions)
        )
        return page(found, params.get("MaxResults", DESCRIBED), lambda version: version.name)

    found, token = await ssm.database.read(read, long=True)
    return {"Parameters": [version.described() for version in found], **token}
