"""Schedule groups and their tags.

AWS: EventBridge Scheduler API Reference, the operations of these names.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.scheduler import store
from undercast.services.scheduler.errors import conflict, invalid, no_group
from undercast.services.scheduler.instance import Scheduler
from undercast.services.scheduler.models import DEFAULT_GROUP, Group, made_by
from undercast.services.scheduler.pages import page
from undercast.store.database import Tx

MAX_TAGS = 50
_ARN = re.compile(r"arn:aws[\w-]*:scheduler:([a-z0-9-]+):(\d{12}):schedule-group/([\w.-]+)", re.ASCII)


def _tags(given: Any) -> dict[str, str]:
    tags = {tag["Key"]: tag["Value"] for tag in given or ()}
    if len(tags) > MAX_TAGS:
        raise invalid(f"The number of tags exceeds the limit of {MAX_TAGS}.")
    return tags


@operation("CreateScheduleGroup")
async def create_schedule_group(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, str]:
    """A group; the one that is there where the same request is made again (ClientToken)."""
    name, now = params["Name"], ctx.clock.now()
    group = Group(
        scope=ctx.scope,
        name=name,
        tags=_tags(params.get("Tags")),
        made_by=made_by(params),
        created_at=now,
        changed_at=now,
    )

    def write(tx: Tx) -> None:
        known = store.find_group(tx, ctx.scope, name)
        if known is not None:
            if group.made_by.is_again(known.made_by):
                return
            raise conflict(f"Schedule group {name} already exists.")
        store.put_group(tx, group, now)

    await scheduler.database.write(write)
    return {"ScheduleGroupArn": group.arn}


@operation("GetScheduleGroup")
async def get_schedule_group(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One of them."""
    found = await scheduler.database.read(lambda tx: store.existing_group(tx, ctx.scope, params["Name"]))
    return found.described()


@operation("ListScheduleGroups")
async def list_schedule_groups(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The default group among them."""
    prefix = params.get("NamePrefix") or ""
    every = await scheduler.database.read(lambda tx: store.groups(tx, ctx.scope))
    found, token = page([one for one in every if one.name.startswith(prefix)], lambda one: one.name, params)
    return {"ScheduleGroups": [one.described() for one in found], **token}


@operation("DeleteScheduleGroup")
async def delete_schedule_group(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """With the schedules in it."""
    if params["Name"] == DEFAULT_GROUP:
        raise invalid("Default schedule group cannot be deleted.")
    await scheduler.database.write(
        lambda tx: store.remove_group(tx, store.existing_group(tx, ctx.scope, params["Name"]))
    )
    return {}


def _named(ctx: RequestContext, arn: str) -> str:
    """The name of a group of this account and region. Raises ResourceNotFoundException."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise invalid(f"Provided Arn is not in correct format: {arn}")
    if (found[2], found[1]) != ctx.scope:
        raise no_group(found[3])
    return found[3]


@operation("TagResource")
async def tag_resource(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Add tags, or give them other values."""
    await _retag(scheduler, ctx, params["ResourceArn"], lambda tags: {**tags, **_tags(params["Tags"])})
    return {}


@operation("UntagResource")
async def untag_resource(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Tags that are not there are no error."""
    gone = set(params["TagKeys"])
    await _retag(
        scheduler,
        ctx,
        params["ResourceArn"],
        lambda tags: {name: value for name, value in tags.items() if name not in gone},
    )
    return {}


async def _retag(scheduler: Scheduler, ctx: RequestContext, arn: str, change: Any) -> None:
    def write(tx: Tx) -> None:
        group = store.existing_group(tx, ctx.scope, _named(ctx, arn))
        tags: Mapping[str, str] = change(group.tags)
        if len(tags) > MAX_TAGS:
            raise invalid(f"The number of tags exceeds the limit of {MAX_TAGS}.")
        store.put_group(tx, replace(group, tags=tags), ctx.clock.now())

    await scheduler.database.write(write)


@operation("ListTagsForResource")
async def list_tags_for_resource(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All of them."""
    name = _named(ctx, params["ResourceArn"])
    group = await scheduler.database.read(lambda tx: store.existing_group(tx, ctx.scope, name))
    return {"Tags": [{"Key": key, "Value": value} for key, value in group.tags.items()]}
