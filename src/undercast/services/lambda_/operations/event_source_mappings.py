"""Event source mappings: which queue a function works off, and how.

AWS: Lambda API Reference, CreateEventSourceMapping and its companions; Developer Guide, "Lambda parameters for Amazon
SQS event source mappings". Texts that AWS does not publish and nobody has quoted are ours: FIFO's batch size, a queue
of another region, the number of filters.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, not_implemented, refused_member
from undercast.core.identity import root_principal
from undercast.core.service import Params, operation
from undercast.services.lambda_ import mapping_store
from undercast.services.lambda_.configuration import check_tags
from undercast.services.lambda_.errors import conflict, function_not_found, invalid, not_found, user_error
from undercast.services.lambda_.instance import Lambda, existing_function, existing_version
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.services.lambda_.models import Version
from undercast.services.lambda_.names import parse_reference
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.services.lambda_.queue_events import patterns_of
from undercast.services.lambda_.roles import allows, session_of
from undercast.store.database import Tx

_SETTINGS = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "FunctionResponseTypes",
    "ScalingConfig",
    "FilterCriteria",
    "KMSKeyArn",
)
_DEFAULTS = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_LATER_SOURCES = {"kinesis": "Kinesis streams", "dynamodb": "DynamoDB streams"}
_SMALL_BATCH = 10
_MAX_FILTERS = 5


@operation("CreateEventSourceMapping")
async def create_event_source_mapping(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Begin to work off a queue."""
    source_arn = params.get("EventSourceArn", "")
    _check_source(ctx, source_arn, params)
    version, function_arn = _function(functions, ctx, params["FunctionName"])
    check_tags(params.get("Tags", {}))
    settings = _changed(_DEFAULTS, params)
    _check_settings(source_arn, settings)
    await _check_queue(ctx, source_arn, version)
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
    before = functions.database.read_now(lambda tx: _existing(tx, ctx, params["UUID"]))
    version, function_arn = _function(functions, ctx, params.get("FunctionName") or before.function_arn)
    settings = _changed(before.configuration, params)
    _check_settings(before.source_arn, settings)
    await _check_queue(ctx, before.source_arn, version)

    def update(tx: Tx) -> EventSourceMapping:
        current = _free(tx, ctx, params["UUID"], "update")
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

    return _output(functions, await functions.database.write(update))


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
        raise conflict(
            f'An event source mapping with SQS arn (" {mapping.source_arn} ") and function (" {name} ") already '
            f"exists. Please update or delete the existing mapping with UUID {other.id}"
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


def _check_source(ctx: RequestContext, arn: str, params: Params) -> None:
    parts = arn.split(":")
    service = parts[2] if len(parts) >= 6 else ""
    if service in _LATER_SOURCES:
        member = f"EventSourceArn={arn}"
        raise refused_member(ctx.operation, member, f"{_LATER_SOURCES[service]} are not event sources here yet")
    if service != "sqs":
        if service in ("kafka", "mq", "rds", "docdb"):
            raise not_implemented("lambda", f"{ctx.operation} for {service}")
        raise invalid("Unrecognized event source, must be kinesis, dynamodb stream or sqs. Unsupported source.")
    if parts[3] != ctx.region:
        raise invalid(f"The event source must be in the region of the function, {ctx.region}: {arn}")
    for member in ("StartingPosition", "StartingPositionTimestamp"):
        if member in params:
            raise invalid(f"{member} is not valid for SQS event sources.")


def _changed(before: Mapping[str, Any], params: Params) -> dict[str, Any]:
    """The settings with those of the request; an empty structure or list removes one."""
    merged = {**before, **{name: params[name] for name in _SETTINGS if params.get(name) is not None}}
    return {name: value for name, value in merged.items() if value not in ({}, [], "", {"Filters": []})}


def _check_settings(source_arn: str, settings: Mapping[str, Any]) -> None:
    criteria = settings.get("FilterCriteria", {})
    if len(criteria.get("Filters", ())) > _MAX_FILTERS:
        raise invalid(f"An event source mapping has at most {_MAX_FILTERS} filters")
    try:
        patterns_of(criteria)
    except (ValueError, RecursionError) as error:
        raise invalid("Invalid filter pattern definition.") from error
    size, window = settings["BatchSize"], settings["MaximumBatchingWindowInSeconds"]
    if source_arn.endswith(".fifo"):
        if window:
            raise invalid("Batching window is not supported for FIFO queues")
        if size > _SMALL_BATCH:
            raise invalid(f"Maximum batch size for FIFO queues is {_SMALL_BATCH}")
    if size > _SMALL_BATCH and not window:
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")


async def _check_queue(ctx: RequestContext, arn: str, version: Version) -> None:
    """The role may use it, it exists, and hides messages for as long as the function may run."""
    role_arn = version.configuration["Role"]
    for action in _ACTIONS:
        if not await _may(ctx, role_arn, f"sqs:{action}", arn):
            raise invalid(f"The provided execution role does not have permissions to call {action} on SQS")
    parsed = Arn.parse(arn)
    owner = AccountId(parsed.account_id)
    url = f"{ctx.endpoint}/{parsed.account_id}/{parsed.resource}"
    asked = {"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]}
    try:
        found = await ctx.call(
            "sqs",
            "GetQueueAttributes",
            asked,
            principal=root_principal(owner),
            scope=Scope(owner, Region(parsed.region)),
        )
    except ServiceError as error:
        if "QueueDoesNotExist" not in error.code and "NonExistentQueue" not in error.code:
            raise
        raise invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist."
        ) from error
    visibility_s, timeout_s = int(found["Attributes"]["VisibilityTimeout"]), version.configuration["Timeout"]
    if visibility_s < timeout_s:
        raise invalid(
            f"Queue visibility timeout: {visibility_s} seconds is less than Function timeout: {timeout_s} seconds"
        )


async def _may(ctx: RequestContext, role_arn: str, action: str, arn: str) -> bool:
    """In one account the role's policies or the queue's must allow it, across accounts both. Unknown roles pass."""
    by_role = await allows(ctx, role_arn, action, arn)
    crosses = Arn.parse(arn).account_id != role_arn.split(":")[4]
    if by_role is None or (by_role and not crosses):
        return True
    if crosses and not by_role:
        return False
    return await ctx.permits(await session_of(ctx, role_arn, "lambda"), action, arn, {})


def _output(functions: Lambda, mapping: EventSourceMapping) -> dict[str, Any]:
    return {
        "UUID": mapping.id,
        "EventSourceMappingArn": mapping.arn,
        "EventSourceArn": mapping.source_arn,
        "FunctionArn": mapping.function_arn,
        "LastModified": datetime.fromtimestamp(mapping.modified_at, UTC),
        "LastProcessingResult": functions.mappings.result(mapping),
        "State": mapping.state,
        "StateTransitionReason": "USER_INITIATED",
        **mapping.configuration,
    }
