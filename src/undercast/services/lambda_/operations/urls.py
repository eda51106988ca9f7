"""Function URLs: made, changed, listed, removed. What they answer is in `url_site`.

AWS: Lambda API Reference, CreateFunctionUrlConfig, GetFunctionUrlConfig, UpdateFunctionUrlConfig,
DeleteFunctionUrlConfig, ListFunctionUrlConfigs.
"""

from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import urls
from undercast.services.lambda_.errors import conflict, not_found
from undercast.services.lambda_.instance import Lambda, existing_function, existing_qualifier
from undercast.services.lambda_.names import Reference, parse_reference
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.services.lambda_.urls import FunctionUrl
from undercast.store.database import Tx

_MEMBERS = ("AuthType", "InvokeMode", "Cors")


@operation("CreateFunctionUrlConfig")
async def create_function_url_config(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Give a function or an alias a URL, which it then has for good."""
    reference = _reference(ctx, params)
    now = ctx.clock.now()
    url = FunctionUrl(
        scope=reference.scope,
        name=reference.name,
        qualifier=reference.qualifier,
        id=ctx.ids.base32(32).lower(),
        configuration={"InvokeMode": "BUFFERED", **_given(params)},
        created_at=now,
        modified_at=now,
    )

    def create(tx: Tx) -> None:
        existing_qualifier(tx, reference)
        if urls.find(tx, reference) is not None:
            raise conflict(
                "Failed to create function url config for [functionArn = "
                f"{reference.arn}]. Error message:  FunctionUrlConfig exists for this Lambda function"
            )
        urls.put(tx, url)

    await functions.database.write(create)
    output = url.output(ctx.endpoint)
    del output["LastModifiedTime"]
    return Reply(output=output, status=201)


@operation("GetFunctionUrlConfig")
async def get_function_url_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The URL of a function or alias."""
    reference = _reference(ctx, params)
    return functions.database.read_now(lambda tx: _existing(tx, reference)).output(ctx.endpoint)


@operation("UpdateFunctionUrlConfig")
async def update_function_url_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Change what is given and leave the rest."""
    reference = _reference(ctx, params)

    def update(tx: Tx) -> FunctionUrl:
        current = _existing(tx, reference)
        configuration = {**current.configuration, **_given(params)}
        changed = replace(current, configuration=configuration, modified_at=ctx.clock.now())
        urls.put(tx, changed)
        return changed

    return (await functions.database.write(update)).output(ctx.endpoint)


@operation("DeleteFunctionUrlConfig")
async def delete_function_url_config(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Take the URL away. The next one is another."""
    reference = _reference(ctx, params)
    await functions.database.write(lambda tx: urls.delete(tx, _existing(tx, reference)))
    return Reply(output={}, status=204)


@operation("ListFunctionUrlConfigs")
async def list_function_url_configs(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The URLs of a function and its aliases."""
    reference = parse_reference(ctx.scope, params["FunctionName"])
    limit, after = page_size(params), position(params)

    def find(tx: Tx) -> list[FunctionUrl]:
        existing_function(tx, reference)
        return [url for url in urls.of_function(tx, reference) if url.id > after]

    found = sorted(functions.database.read_now(find), key=lambda url: url.id)
    listed = [url.output(ctx.endpoint) for url in found[:limit]]
    return {"FunctionUrlConfigs": listed, **marker(found, limit, lambda url: url.id)}


def _reference(ctx: RequestContext, params: Params) -> Reference:
    return parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))


def _given(params: Params) -> dict[str, Any]:
    return {member: params[member] for member in _MEMBERS if member in params}


def _existing(tx: Tx, reference: Reference) -> FunctionUrl:
    existing_qualifier(tx, reference)
    url = urls.find(tx, reference)
    if url is None:
        raise not_found("The resource you requested does not exist.")
    return url
