"""Event source mappings: which queue or stream a function works off, and how.

AWS: Lambda API Reference, CreateEventSourceMapping and its companions; Developer Guide, "Lambda parameters for Amazon
SQS event source mappings". Texts that AWS does not publish and nobody has quoted are ours; `source_checks.py` has those
that depend on the kind of source.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.arn import Arn
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.event_sources.pollers import with_defaults
from undercast.services.event_sources.progress import START
from undercast.services.lambda_ import mapping_store
from undercast.services.lambda_.configuration import check_tags
from undercast.services.lambda_.errors import conflict, function_not_found, not_found, user_error
from undercast.services.lambda_.instance import Lambda, existing_function, existing_version
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.services.lambda_.models import Version
from undercast.services.lambda_.names import parse_reference
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.services.lambda_.source_checks import (
    STREAM_MEMBERS,
    begin_of,
    check,
    check_members,
    check_source,
    is_queue,
)
from undercast.store.database import Tx

_SETTINGS = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FunctionResponseTypes",
    "ScalingConfig",
    "FilterCriteria",
    "KMSKeyArn",
    "MetricsConfig",
    "ProvisionedPollerConfig",
    *STREAM_MEMBERS,
)
_SWITCH = frozenset({"UUID", "Enabled"})
_NOTHING: tuple[object, ...] = ({}, [], "", {"Filters": []}, {"OnFailure": {}}, {"Metrics": []})


@operation("CreateEventSourceMapping")
async def create_event_source_mapping(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Begin to work off a queue or a stream."""
    source_arn = params.get("EventSourceArn", "")
    defaults = check_source(ctx, source_arn, params)
    version, function_arn = _function(functions, ctx, params["FunctionName"])
    check_tags(params.get("Tags", {}))
    settings = _changed(defaults, params)
    await check(ctx, source_arn, settings, version)
    begin = await begin_of(ctx, source_arn, params)
    mapping = EventSourceMapping(
        id=ctx.ids.uuid(),
        scope=ctx.scope,
        source_arn=source_arn,
        function_arn=function_arn,
        configuration=settings,
        enabled=params.get("Enabled", True),
        state=mapping_store.CREATING,
        tags=params.get("Tags", {}),
        modified_at=ctx.clock.now(),
    )

    def create(tx: Tx) -> None:
        _refuse_another(tx, mapping)
        mapping_store.put(tx, mapping)
        if begin is not None:
            mapping_store.progress_of(mapping).put(tx, {START: begin})
        functions.mappings.follow(tx, mapping)

    await functions.database.write(create)
    return _output(functions, mapping)


@operation("GetEventSourceMapping")
async def get_event_source_mapping(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One mapping."""
    return _output(functions, functions.database.read_now(lambda tx: _existing(tx, ctx, params["UUID"])))


@operation("ListEventSourceMappings")
async def list_event_source_mappings(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Those of a function, of a source, of both, or all."""
    limit, after = page_size(params), position(params)
    function_arn = parse_reference(ctx.scope, params["FunctionName"]).arn if params.get("FunctionName") else ""
    wanted = mapping_store.Wanted(params.get("EventSourceArn", ""), function_arn)
    found = functions.database.read_now(lambda tx: mapping_store.listed(tx, ctx.scope, wanted, after, limit + 1))
    listed = [_output(functions, mapping) for mapping in found[:limit]]
    return {"EventSourceMappings": listed, **marker(found, limit, lambda mapping: mapping.id)}


@operation("UpdateEventSourceMapping")
async def update_event_source_mapping(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Change what is given. What runs under the older settings ends first."""
    after = None
    while after is None:  # each turn but the last is another update's
        after = await _update(functions, ctx, params)
    return _output(functions, after)


async def _update(functions: Lambda, ctx: RequestContext, params: Params) -> EventSourceMapping | None:
    """None when another update was committed while this one was checked: it may have made another mapping of it."""
    before = functions.database.read_now(lambda tx: _existing(tx, ctx, params["UUID"]))
    version, function_arn = _function(functions, ctx, params.get("FunctionName") or before.function_arn)
    settings = _changed(before.configuration, params)
    check_members(before.source_arn, params)
    if params.keys() - _SWITCH:  # to be switched off, a mapping needs no source any more
        await check(ctx, before.source_arn, settings, version)

    def update(tx: Tx) -> EventSourceMapping | None:
        current = _free(tx, ctx, params["UUID"], "update")
        if (current.function_arn, current.configuration) != (before.function_arn, before.configuration):
            return None
        enabled = params.get("Enabled", current.enabled)
        switched = mapping_store.ENABLING if enabled else mapping_store.DISABLING
        after = replace(
            current,
            function_arn=function_arn,
            configuration=settings,
            enabled=enabled,
            state=mapping_store.UPDATING if enabled == current.enabled else switched,
            modified_at=ctx.clock.now(),
        )
        if function_arn != current.function_arn:
            _refuse_another(tx, after)
        mapping_store.put(tx, after)
        functions.mappings.follow(tx, after)
        return after

    return await functions.database.write(update)


@operation("DeleteEventSourceMapping")
async def delete_event_source_mapping(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Stop working off the queue; the mapping is gone when the batches that run have ended."""

    def delete(tx: Tx) -> EventSourceMapping:
        current = _free(tx, ctx, params["UUID"], "delete")
        after = replace(current, state=mapping_store.DELETING, modified_at=ctx.clock.now())
        mapping_store.put(tx, after)
        functions.mappings.follow(tx, after)
        return after

    return _output(functions, await functions.database.write(delete))


def _existing(tx: Tx, ctx: RequestContext, mapping_id: str) -> EventSourceMapping:
    found = mapping_store.find(tx, ctx.scope, mapping_id)
    if found is None:
        raise not_found("The resource you requested does not exist.")
    return found


def _free(tx: Tx, ctx: RequestContext, mapping_id: str, verb: str) -> EventSourceMapping:
    """One that no other change is under way on."""
    found = _existing(tx, ctx, mapping_id)
    if found.state not in mapping_store.SETTLED:
        text = f"Cannot {verb} the event source mapping because it is in use."
        raise user_error("ResourceInUseException", text)
    return found


def _refuse_another(tx: Tx, mapping: EventSourceMapping) -> None:
    """One function works off a queue once."""
    wanted = mapping_store.Wanted(mapping.source_arn, mapping.function_arn)
    others = mapping_store.listed(tx, mapping.scope, wanted, "", 2)
    other = next((other for other in others if other.id != mapping.id), None)
    if other is not None:
        name = Arn.parse(mapping.function_arn).resource.partition(":")[2]
        what = "An event source mapping with SQS arn" if is_queue(mapping.source_arn) else "The event source arn"
        provided = "" if is_queue(mapping.source_arn) else " provided mapping"
        raise conflict(
            f'{what} (" {mapping.source_arn} ") and function (" {name} "){provided} already exists. '
            f"Please update or delete the existing mapping with UUID {other.id}"
        )


def _function(functions: Lambda, ctx: RequestContext, name: str) -> tuple[Version, str]:
    """What a FunctionName means, and its ARN. Raises ResourceNotFoundException."""
    reference = parse_reference(ctx.scope, name)
    if reference.scope.account_id != ctx.account_id:
        raise function_not_found(reference.arn)

    def read(tx: Tx) -> Version:
        existing_function(tx, reference)
        return existing_version(tx, reference)

    return functions.database.read_now(read), reference.arn


def _changed(before: Mapping[str, Any], params: Params) -> dict[str, Any]:
    """The settings with those of the request; an empty structure or list removes one."""
    merged = {**before, **{name: params[name] for name in _SETTINGS if params.get(name) is not None}}
    if "StartingPositionTimestamp" in params:
        merged["StartingPositionTimestamp"] = params["StartingPositionTimestamp"].timestamp()
    return with_defaults({name: value for name, value in merged.items() if value not in _NOTHING})


def _output(functions: Lambda, mapping: EventSourceMapping) -> dict[str, Any]:
    return {
        "UUID": mapping.id,
        "EventSourceMappingArn": mapping.arn,
        "EventSourceArn": mapping.source_arn,
        "FunctionArn": mapping.function_arn,
        "LastModified": moment(mapping.modified_at),
        "LastProcessingResult": functions.mappings.result(mapping),
        "State": mapping.state,
        "StateTransitionReason": "USER_INITIATED" if is_queue(mapping.source_arn) else "User action",
        **mapping.configuration,
    }
