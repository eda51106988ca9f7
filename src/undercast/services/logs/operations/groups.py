"""Log groups: create, describe, retention, tags, delete.

AWS: CloudWatch Logs API Reference, CreateLogGroup, DescribeLogGroups, PutRetentionPolicy, TagResource, DeleteLogGroup.
"""

import base64
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import Params, operation
from undercast.services.logs import filter_store, store
from undercast.services.logs.classes import STANDARD, alike
from undercast.services.logs.errors import exists, invalid, no_group
from undercast.services.logs.followers import GroupName
from undercast.services.logs.instance import Logs, existing_group, offering_group
from undercast.services.logs.models import Group, group_name, group_of_arn
from undercast.services.logs.operations.keys import check_key
from undercast.store.database import Tx

PAGE_ITEMS = 50
MAX_TAGS = 50
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


@operation("CreateLogGroup")
async def create_log_group(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Make an empty group."""
    if params.get("deletionProtectionEnabled"):
        raise refused_member("CreateLogGroup", "deletionProtectionEnabled", "groups can always be deleted here")
    name = params["logGroupName"]
    if name.startswith("aws/"):
        raise invalid("Log groups starting with AWS/ are reserved for AWS.")
    if params.get("kmsKeyId"):
        await check_key(ctx, name, params["kmsKeyId"])
    group = Group(
        scope=ctx.scope,
        name=name,
        created_ms=logs.now_ms(),
        tags=params.get("tags") or {},
        group_class=params.get("logGroupClass", STANDARD),
        kms_key=params.get("kmsKeyId", ""),
    )
    if not await logs.journal.write(lambda tx: tx.execute(store.ADD_GROUP, store.group_row(group))):
        raise exists("group")


@operation("DeleteLogGroup")
async def delete_log_group(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Remove a group with its streams at once; its events go in the background."""
    name = params["logGroupName"]
    group = GroupName(ctx.scope, name)

    def delete_filters(tx: Tx) -> None:
        filter_store.delete_of_group(tx, group)
        tx.after_commit(lambda: logs.subscriptions.learn(group, ()))
        tx.after_commit(lambda: logs.metric_filters.learn(group, ()))

    def delete(tx: Tx) -> None:
        keys = store.delete_group(tx, ctx.scope, name)
        if keys is None:
            raise no_group()
        tx.after_commit(lambda: logs.intake.forget(keys))
        tx.after_commit(lambda: logs.intake.forget_size(*group))

    async with logs.belongings:
        await logs.database.write(delete_filters)
        await logs.journal.write(delete)
    logs.housekeeping.purge_soon()


@operation("DescribeLogGroups")
async def describe_log_groups(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Groups by name: all, those with a prefix, those that contain a text, or those that are named."""
    prefix, part = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
    if prefix and part:
        raise invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    limit = params.get("limit") or PAGE_ITEMS
    after = _decoded(params.get("nextToken"))
    named = {group_name(ctx.scope, None, text) for text in params.get("logGroupIdentifiers") or ()}
    wanted_class = params.get("logGroupClass")
    logs.intake.save_sizes()

    def read(tx: Tx) -> list[Group]:
        found = []
        for group in store.groups(tx, ctx.scope, after):
            if prefix and not group.name.startswith(prefix):
                continue
            if (part and part not in group.name) or (named and group.name not in named):
                continue
            if wanted_class is None or group.group_class in alike(wanted_class):
                found.append(group)
            if len(found) > limit:
                break
        return found

    found = await logs.journal.read(read)
    result: dict[str, Any] = {
        "logGroups": [
            {**group.output(), "metricFilterCount": logs.metric_filters.count(GroupName(ctx.scope, group.name))}
            for group in found[:limit]
        ]
    }
    if len(found) > limit:
        result["nextToken"] = base64.b64encode(found[limit - 1].name.encode()).decode()
    return result


@operation("PutRetentionPolicy")
async def put_retention_policy(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Events older than so many days are not shown any more and are removed."""
    days = params["retentionInDays"]
    if days not in RETENTION_DAYS:
        raise invalid(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
            f"Member must satisfy enum value set: {list(RETENTION_DAYS)}"
        )
    await _retain(logs, ctx, params["logGroupName"], days)


@operation("DeleteRetentionPolicy")
async def delete_retention_policy(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Events never expire."""
    await _retain(logs, ctx, params["logGroupName"], None)


async def _retain(logs: Logs, ctx: RequestContext, name: str, days: int | None) -> None:
    def write(tx: Tx) -> None:
        store.set_retention(tx, offering_group(tx, ctx, name), days)

    await logs.journal.write(write)


@operation("TagResource")
async def tag_resource(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Add tags to a group, or change their values."""
    await _tag(logs, ctx, group_of_arn(ctx.scope, params["resourceArn"]), params["tags"])


@operation("UntagResource")
async def untag_resource(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Remove tags by key."""
    await _untag(logs, ctx, group_of_arn(ctx.scope, params["resourceArn"]), params["tagKeys"])


@operation("ListTagsForResource")
async def list_tags_for_resource(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A group's tags."""
    name = group_of_arn(ctx.scope, params["resourceArn"])
    return {"tags": dict((await logs.journal.read(lambda tx: existing_group(tx, ctx.scope, name))).tags)}


@operation("TagLogGroup")
async def tag_log_group(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """The older TagResource."""
    await _tag(logs, ctx, params["logGroupName"], params["tags"])


@operation("UntagLogGroup")
async def untag_log_group(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """The older UntagResource."""
    await _untag(logs, ctx, params["logGroupName"], params["tags"])


@operation("ListTagsLogGroup")
async def list_tags_log_group(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The older ListTagsForResource."""
    name = params["logGroupName"]
    return {"tags": dict((await logs.journal.read(lambda tx: existing_group(tx, ctx.scope, name))).tags)}


async def _tag(logs: Logs, ctx: RequestContext, name: str, tags: dict[str, str]) -> None:
    def write(tx: Tx) -> None:
        group = existing_group(tx, ctx.scope, name)
        merged = {**group.tags, **tags}
        if len(merged) > MAX_TAGS:
            text = f"A resource can have no more than {MAX_TAGS} tags."  # the model's words for this error
            raise ServiceError("TooManyTagsException", text, members={"resourceName": group.arn})
        store.set_tags(tx, group, merged)

    await logs.journal.write(write)


async def _untag(logs: Logs, ctx: RequestContext, name: str, keys: list[str]) -> None:
    def write(tx: Tx) -> None:
        group = existing_group(tx, ctx.scope, name)
        store.set_tags(tx, group, {key: value for key, value in group.tags.items() if key not in keys})

    await logs.journal.write(write)


def _decoded(token: str | None) -> str:
    try:
        return base64.b64decode(token or "", validate=True).decode()
    except ValueError as error:
        raise invalid("The specified nextToken is invalid.") from error
