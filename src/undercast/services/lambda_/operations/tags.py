"""Tags of functions, of event source mappings and of code signing configurations.

AWS: Lambda API Reference, TagResource, UntagResource, ListTags; Developer Guide, "Using tags on Lambda functions".
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import code_signing, mapping_store, store
from undercast.services.lambda_.configuration import check_tags
from undercast.services.lambda_.errors import function_not_found, invalid
from undercast.services.lambda_.instance import Lambda, existing_function
from undercast.services.lambda_.names import Reference, parse_function_arn
from undercast.store.database import Tx

Tags = Mapping[str, str]


@operation("TagResource")
async def tag_resource(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Add tags or change their values."""

    def add(tags: Tags) -> Tags:
        after = {**tags, **params["Tags"]}
        check_tags(after)
        return after

    return await _change(functions, ctx, params["Resource"], add)


@operation("UntagResource")
async def untag_resource(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Remove tags by key."""
    keys = frozenset(params["TagKeys"])
    return await _change(
        functions,
        ctx,
        params["Resource"],
        lambda tags: {key: value for key, value in tags.items() if key not in keys},
    )


@operation("ListTags")
async def list_tags(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What a resource has."""
    arn = params["Resource"]

    def find(tx: Tx) -> Tags:
        config = code_signing.find(tx, arn)
        if (mapping := mapping_store.by_arn(tx, arn)) is not None:
            return mapping.tags
        return config.tags if config is not None else existing_function(tx, _taggable(ctx, arn)).tags

    return {"Tags": dict(functions.database.read_now(find))}


async def _change(functions: Lambda, ctx: RequestContext, arn: str, change: Callable[[Tags], Tags]) -> Reply:
    def apply(tx: Tx) -> None:
        config = code_signing.find(tx, arn)
        if config is not None:
            code_signing.put(tx, replace(config, tags=change(config.tags)))
            return
        if (mapping := mapping_store.by_arn(tx, arn)) is not None:
            mapping_store.put(tx, replace(mapping, tags=change(mapping.tags)))
            return
        function = existing_function(tx, _taggable(ctx, arn))
        store.change_function(tx, replace(function, tags=change(function.tags)))
        functions.changed(tx)

    await functions.database.write(apply)
    return Reply(output={}, status=204)


def _taggable(ctx: RequestContext, arn: str) -> Reference:
    reference = parse_function_arn(arn)
    if reference is None or reference.scope.region != ctx.region:
        raise function_not_found(arn)
    if reference.qualifier is not None:
        raise invalid(
            "Tags on function aliases and versions are not supported. Please specify either a function ARN or an "
            "event source mapping ARN."
        )
    return reference
