"""Logical destinations, by which other accounts send to a stream of this one.

AWS: CloudWatch Logs API Reference, PutDestination, PutDestinationPolicy, DescribeDestinations, DeleteDestination.
"""

from typing import Any

from undercast.core import json_values
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import Params, operation
from undercast.policy.document import parse_policy
from undercast.services.logs import filter_store
from undercast.services.logs.destination import Destination, control_message, put
from undercast.services.logs.errors import invalid
from undercast.services.logs.instance import Logs
from undercast.services.logs.operations.pages import page_of
from undercast.store.database import Tx


@operation("PutDestination")
async def put_destination(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Make one, or change its stream and role; its policy stays."""
    wanted = Destination(
        scope=ctx.scope,
        name=params["destinationName"],
        target_arn=params["targetArn"],
        role_arn=params["roleArn"],
        created_ms=logs.now_ms(),
    )
    await check_stream(ctx, "PutDestination", wanted.target_arn, wanted.role_arn, wanted.arn)

    def write(tx: Tx) -> Destination:
        filter_store.put_destination(tx, wanted)
        return filter_store.destination(tx, ctx.scope, wanted.name) or wanted

    return {"destination": (await logs.database.write(write)).output()}


@operation("PutDestinationPolicy")
async def put_destination_policy(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Say who may send to it."""
    try:
        document = json_values.parse(params["accessPolicy"])
    except ValueError as error:
        raise invalid("The access policy is no valid JSON.") from error
    try:
        parse_policy(document, "resource")
    except ServiceError as error:
        raise invalid(f"The access policy is malformed: {error.message}") from error
    name = params["destinationName"]
    if not await logs.database.write(
        lambda tx: filter_store.set_destination_policy(tx, ctx.scope, name, params["accessPolicy"])
    ):
        raise no_destination()


@operation("DescribeDestinations")
async def describe_destinations(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name, those with a prefix where one is given."""
    prefix = params.get("DestinationNamePrefix", "")
    there = await logs.database.read(lambda tx: filter_store.destinations(tx, ctx.scope))
    page, token = page_of([(one.name, one.output()) for one in there if one.name.startswith(prefix)], params)
    return {"destinations": page, **token}


@operation("DeleteDestination")
async def delete_destination(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Forget it; filters that name it send nothing any more."""
    if not await logs.database.write(
        lambda tx: filter_store.delete_destination(tx, ctx.scope, params["destinationName"])
    ):
        raise no_destination()


async def check_stream(ctx: RequestContext, name: str, stream_arn: str, role_arn: str, source_arn: str) -> None:
    """Send the control message. Raises InvalidParameterException where the stream does not take it."""
    parts = stream_arn.split(":")
    vendor = parts[2] if len(parts) == 6 else ""
    if vendor == "firehose":
        raise refused_member(name, stream_arn, "destinations of the vendor firehose are missing here")
    if vendor != "kinesis" or not parts[5].startswith("stream/"):
        raise invalid(f"Invalid destination: {stream_arn}")
    record = {"Data": control_message(int(ctx.clock.now() * 1000)), "PartitionKey": "control"}
    try:
        await put(ctx, stream_arn, role_arn, record, source_arn)
    except ServiceError as error:
        raise invalid(
            "Could not deliver test message to specified Kinesis stream. Check if the given kinesis stream is in "
            "ACTIVE state."
        ) from error


def no_destination() -> ServiceError:
    """No such destination."""
    return ServiceError("ResourceNotFoundException", "The specified destination does not exist.")
