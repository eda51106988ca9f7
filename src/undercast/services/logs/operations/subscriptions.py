"""Subscription filters: put, describe, delete.

AWS: CloudWatch Logs API Reference, PutSubscriptionFilter, DescribeSubscriptionFilters, DeleteSubscriptionFilter. The
texts of refusals are from users' reports (amplify-education/serverless-log-forwarding#13, cloudtools/troposphere#413).
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.identity import service_principal
from undercast.core.service import Params, operation
from undercast.services.logs import filter_store
from undercast.services.logs.destination import PRINCIPAL
from undercast.services.logs.errors import invalid
from undercast.services.logs.followers import GroupName
from undercast.services.logs.instance import Logs, existing_group, offering_group
from undercast.services.logs.operations.destinations import check_stream, no_destination
from undercast.services.logs.operations.pages import page_of
from undercast.services.logs.pattern import compile_pattern
from undercast.services.logs.subscription import BY_STREAM, MAX_PER_GROUP, SubscriptionFilter
from undercast.store.database import Tx


@operation("PutSubscriptionFilter")
async def put_subscription_filter(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Send what matches to a destination, from now on."""
    if params.get("applyOnTransformedLogs"):
        raise refused_member("PutSubscriptionFilter", "applyOnTransformedLogs", "there are no log transformers")
    group = GroupName(ctx.scope, params["logGroupName"])
    wanted = SubscriptionFilter(
        scope=ctx.scope,
        group=group.group,
        name=params["filterName"],
        created_ms=logs.now_ms(),
        pattern=params["filterPattern"],
        destination_arn=params["destinationArn"],
        role_arn=params.get("roleArn", ""),
        distribution=params.get("distribution", BY_STREAM),
    )
    await logs.journal.read(lambda tx: offering_group(tx, ctx, group.group))
    compile_pattern(wanted.pattern)
    await _check_destination(logs, ctx, wanted)

    def put(tx: Tx) -> None:
        there = filter_store.subscriptions(tx, group)
        if len(there) >= MAX_PER_GROUP and all(one.name != wanted.name for one in there):
            raise ServiceError("LimitExceededException", "Resource limit exceeded.")
        filter_store.put_subscription(tx, wanted)
        _tell(logs, tx, group)

    async with logs.belongings:
        await logs.journal.read(lambda tx: existing_group(tx, ctx.scope, group.group))
        await logs.database.write(put)


@operation("DescribeSubscriptionFilters")
async def describe_subscription_filters(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A group's filters, by name."""
    group = GroupName(ctx.scope, params["logGroupName"])
    await logs.journal.read(lambda tx: offering_group(tx, ctx, group.group))
    found = await logs.database.read(lambda tx: filter_store.subscriptions(tx, group))
    prefix = params.get("filterNamePrefix", "")
    page, token = page_of([(one.name, one.output()) for one in found if one.name.startswith(prefix)], params)
    return {"subscriptionFilters": page, **token}


@operation("DeleteSubscriptionFilter")
async def delete_subscription_filter(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Send nothing any more."""
    group = GroupName(ctx.scope, params["logGroupName"])
    await logs.journal.read(lambda tx: existing_group(tx, ctx.scope, group.group))

    def delete(tx: Tx) -> None:
        if not filter_store.delete_subscription(tx, group, params["filterName"]):
            raise ServiceError("ResourceNotFoundException", "The specified subscription filter does not exist.")
        _tell(logs, tx, group)

    await logs.database.write(delete)


def _tell(logs: Logs, tx: Tx, group: GroupName) -> None:
    """With the commit, so that what works is what is stored, whoever waits for it."""
    found = filter_store.subscriptions(tx, group)
    tx.after_commit(lambda: logs.subscriptions.learn(group, found))


async def _check_destination(logs: Logs, ctx: RequestContext, wanted: SubscriptionFilter) -> None:
    """Raises unless the destination takes what CloudWatch Logs sends."""
    parts = wanted.destination_arn.split(":")
    vendor = parts[2] if len(parts) > 5 else ""
    if vendor == "firehose":
        reason = "destinations of the vendor firehose are missing here"
        raise refused_member("PutSubscriptionFilter", f"destinationArn={wanted.destination_arn}", reason)
    if vendor == "kinesis":
        if not wanted.role_arn:
            raise invalid("destinationArn for vendor kinesis cannot be used without roleArn")
        where, role = wanted.destination_arn, wanted.role_arn
        await check_stream(ctx, "PutSubscriptionFilter", where, role, wanted.source_arn)
    elif vendor == "logs" and parts[5] == "destination":
        if wanted.role_arn:
            raise invalid("destinationArn for vendor logs cannot be used with roleArn")
        if logs.subscriptions.destination(wanted.destination_arn) is None:
            raise no_destination()
    elif vendor == "lambda" and len(parts) in (7, 8) and parts[5] == "function":
        await _check_function(ctx, wanted, parts)
    else:
        raise invalid(f"Invalid destinationArn: {wanted.destination_arn}")


async def _check_function(ctx: RequestContext, wanted: SubscriptionFilter, parts: list[str]) -> None:
    if wanted.role_arn:
        raise invalid("destinationArn for vendor lambda cannot be used with roleArn")
    same_account = (parts[3], parts[4]) == (ctx.region, ctx.account_id)
    if same_account and wanted.group == f"/aws/lambda/{parts[6]}":
        raise invalid("The log group provided is reserved for the function logs of the destination function.")
    principal = service_principal(PRINCIPAL, ctx.account_id)
    conditions = {"aws:SourceArn": wanted.source_arn, "aws:SourceAccount": str(ctx.account_id)}
    if not same_account or not await ctx.permits(
        principal, "lambda:InvokeFunction", wanted.destination_arn, conditions
    ):
        raise invalid(
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
            "your function."
        )
