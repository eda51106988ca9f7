"""Enable-, Describe-, Update- and DisableKinesisStreamingDestination.

A destination is ACTIVE as soon as it is there; ENABLING and the like are what the changing call itself answers. The
texts about states are AWS's where users have quoted them.
AWS: DynamoDB API Reference, the operations of these names.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.identity import root_principal
from undercast.core.service import Params, operation
from undercast.services.dynamodb import tables
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import Destination, Table, named
from undercast.store.database import Tx

_ENABLE = "Table is not in a valid state to enable Kinesis Streaming Destination: "
_DISABLE = "Table is not in a valid state to disable Kinesis Streaming Destination: "
_UPDATE = "Table is not in a valid state to update Kinesis Streaming Destination: "
Change = Callable[[Destination | None], Destination]


@operation("EnableKinesisStreamingDestination")
async def enable_kinesis_streaming_destination(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Changes from now on go to the stream, which must be there."""
    given = params.get("EnableKinesisStreamingConfiguration") or {}
    precision = given.get("ApproximateCreationDateTimePrecision", "MILLISECOND")
    owner = root_principal(ctx.account_id)
    await ctx.call("kinesis", "DescribeStreamSummary", {"StreamARN": params["StreamArn"]}, principal=owner)

    def enable(known: Destination | None) -> Destination:
        if known is not None and known.is_active:
            raise invalid(f"{_ENABLE}EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED to perform "
                          "ENABLE operation.")  # fmt: skip
        return Destination(stream_arn=params["StreamArn"], is_active=True, precision=precision)

    await _change(dynamo, ctx, params, enable)
    answer = {"TableName": _name(ctx, params), "StreamArn": params["StreamArn"], "DestinationStatus": "ENABLING"}
    return {**answer, "EnableKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": precision}}


@operation("DisableKinesisStreamingDestination")
async def disable_kinesis_streaming_destination(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Changes from now on do not go there. What EnableKinesisStreamingConfiguration says must be so."""
    given = params.get("EnableKinesisStreamingConfiguration") or {}

    def disable(known: Destination | None) -> Destination:
        if known is None or not known.is_active:
            raise invalid(f"{_DISABLE}KinesisStreamingDestination must be ACTIVE to perform DISABLE operation.")
        if given.get("ApproximateCreationDateTimePrecision", known.precision) != known.precision:
            raise invalid(f"The precision of the Kinesis Streaming Destination is {known.precision}.")
        return replace(known, is_active=False)

    await _change(dynamo, ctx, params, disable)
    return {"TableName": _name(ctx, params), "StreamArn": params["StreamArn"], "DestinationStatus": "DISABLING"}


@operation("UpdateKinesisStreamingDestination")
async def update_kinesis_streaming_destination(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Change the precision of the times of changes from now on."""
    wanted = (params.get("UpdateKinesisStreamingConfiguration") or {}).get("ApproximateCreationDateTimePrecision")

    def update(known: Destination | None) -> Destination:
        if known is None or not known.is_active:
            raise invalid(f"{_UPDATE}KinesisStreamingDestination must be ACTIVE to perform UPDATE operation.")
        if wanted is None:
            raise invalid("UpdateKinesisStreamingConfiguration must have an ApproximateCreationDateTimePrecision.")
        if wanted == known.precision:
            raise invalid(f"The precision of the Kinesis Streaming Destination is {known.precision} already.")
        return replace(known, precision=wanted)

    await _change(dynamo, ctx, params, update)
    answer = {"TableName": _name(ctx, params), "StreamArn": params["StreamArn"], "DestinationStatus": "UPDATING"}
    return {**answer, "UpdateKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": wanted}}


@operation("DescribeKinesisStreamingDestination")
async def describe_kinesis_streaming_destination(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The table's destinations, also those that were disabled."""
    table = await dynamo.database.read(lambda tx: tables.existing(tx, named(ctx.scope, params["TableName"])))
    shown = [
        {
            "StreamArn": one.stream_arn,
            "DestinationStatus": "ACTIVE" if one.is_active else "DISABLED",
            "ApproximateCreationDateTimePrecision": one.precision,
        }
        for one in table.destinations
    ]
    return {"TableName": table.of.name, "KinesisDataStreamDestinations": shown}


def _name(ctx: RequestContext, params: Params) -> str:
    return named(ctx.scope, params["TableName"]).name


async def _change(dynamo: Dynamo, ctx: RequestContext, params: Params, change: Change) -> Table:
    of, arn = named(ctx.scope, params["TableName"]), params["StreamArn"]

    def write(tx: Tx) -> Table:
        table = tables.existing(tx, of)
        known = next((one for one in table.destinations if one.stream_arn == arn), None)
        changed = change(known)
        others: Sequence[Destination] = [one for one in table.destinations if one.stream_arn != arn]
        kept = [one.kept() for one in (*others, changed)]
        updated = tables.set_definition(tx, table, {**table.definition, "KinesisDestinations": kept})
        dynamo.tables.changed(tx, of)
        return updated

    return await dynamo.database.write(write)
