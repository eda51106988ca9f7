"""Groups: traces that a filter expression means, and the tags of groups and sampling rules.

The Default group, every trace, is there without being made.
AWS: X-Ray Developer Guide, "Configuring groups"; API Reference, CreateGroup, TagResource.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import refused_member
from undercast.core.service import Params, operation
from undercast.services.xray import filters, store
from undercast.services.xray.errors import invalid, not_found, only_page
from undercast.services.xray.instance import XRay, arn_of
from undercast.services.xray.store import Group, Rule
from undercast.store.database import Tx

DEFAULT = "Default"
MAX_GROUPS = 25
_NO_INSIGHTS = {"InsightsEnabled": False, "NotificationsEnabled": False}


@operation("CreateGroup")
async def create_group(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A group with a name of its own."""
    name = params["GroupName"]
    made = Group(
        name=name,
        arn=arn_of(ctx, f"group/{name}/{xray.ids.base32(52)}"),
        filter=_checked(params.get("FilterExpression", "")),
        insights=_insights(ctx, _NO_INSIGHTS, params),
        tags={one["Key"]: one["Value"] for one in params.get("Tags", ())},
    )

    def write(tx: Tx) -> None:
        known = store.groups(tx, ctx.scope)
        if name == DEFAULT or any(one.name == name for one in known):
            raise invalid(f"A group with the name {name} exists already.")
        if len(known) >= MAX_GROUPS:
            raise invalid(f"An account has at most {MAX_GROUPS} groups in a region.")
        store.put_group(tx, ctx.scope, made)

    await xray.database.write(write)
    return {"Group": told(made)}


@operation("GetGroup")
async def get_group(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One group, by name or ARN."""
    return {"Group": told(await group_of(xray, ctx, params))}


@operation("GetGroups")
async def get_groups(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All groups; there are few enough for one page."""
    only_page(params)
    found = await xray.database.read(lambda tx: store.groups(tx, ctx.scope))
    return {"Groups": [told(one) for one in (_default(ctx), *found)]}


@operation("UpdateGroup")
async def update_group(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Another filter, other insights."""

    def write(tx: Tx) -> Group:
        group = _made(tx, ctx, params)
        changed = replace(
            group,
            filter=_checked(params.get("FilterExpression", group.filter)),
            insights=_insights(ctx, group.insights, params),
        )
        store.put_group(tx, ctx.scope, changed)
        return changed

    return {"Group": told(await xray.database.write(write))}


@operation("DeleteGroup")
async def delete_group(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Its traces stay."""
    await xray.database.write(lambda tx: store.delete_group(tx, ctx.scope, _made(tx, ctx, params).name))
    return {}


@operation("TagResource")
async def tag_resource(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Add tags to a group or a rule."""
    more = {one["Key"]: one["Value"] for one in params["Tags"]}
    await xray.database.write(lambda tx: _retag(tx, ctx, params["ResourceARN"], more, ()))
    return {}


@operation("UntagResource")
async def untag_resource(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Take tags away."""
    less = tuple(params["TagKeys"])
    await xray.database.write(lambda tx: _retag(tx, ctx, params["ResourceARN"], {}, less))
    return {}


@operation("ListTagsForResource")
async def list_tags(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """At most 50: one page."""
    only_page(params)
    found = await xray.database.read(lambda tx: _tagged(tx, ctx, params["ResourceARN"]))
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(found.tags.items())]}


async def group_of(xray: XRay, ctx: RequestContext, params: Params) -> Group:
    """The group that GroupName or GroupARN names, the default one too. Raises InvalidRequestException."""
    if params.get("GroupName") == DEFAULT or params.get("GroupARN") == _default(ctx).arn:
        return _default(ctx)
    return await xray.database.read(lambda tx: _made(tx, ctx, params))


def _made(tx: Tx, ctx: RequestContext, params: Params) -> Group:
    name, arn = params.get("GroupName"), params.get("GroupARN")
    for one in store.groups(tx, ctx.scope):
        if one.name == name or (name is None and one.arn == arn):
            return one
    raise invalid("Group not found.")


def _default(ctx: RequestContext) -> Group:
    return Group(name=DEFAULT, arn=arn_of(ctx, f"group/{DEFAULT}"), filter="", insights=_NO_INSIGHTS)


def _insights(ctx: RequestContext, before: Mapping[str, bool], params: Params) -> dict[str, bool]:
    wanted = params.get("InsightsConfiguration", {})
    for member in sorted(wanted):
        if wanted[member]:
            raise refused_member(ctx.operation, f"InsightsConfiguration.{member}", "there are no insights")
    return {**before, **wanted}


def _checked(text: str) -> str:
    try:
        return filters.parse(text).text
    except filters.Invalid as error:
        raise invalid(f"Invalid filter expression: {error}") from None


def _tagged(tx: Tx, ctx: RequestContext, arn: str) -> Group | Rule:
    """Raises ResourceNotFoundException."""
    for group in store.groups(tx, ctx.scope):
        if group.arn == arn:
            return group
    for rule in store.rules(tx, ctx.scope):
        if arn_of(ctx, f"sampling-rule/{rule.name}") == arn:
            return rule
    raise not_found(arn)


def _retag(tx: Tx, ctx: RequestContext, arn: str, more: dict[str, str], less: tuple[str, ...]) -> None:
    one = _tagged(tx, ctx, arn)
    tags = {key: value for key, value in {**one.tags, **more}.items() if key not in less}
    if isinstance(one, Group):
        store.put_group(tx, ctx.scope, replace(one, tags=tags))
    else:
        store.put_rule(tx, ctx.scope, replace(one, tags=tags))


def told(group: Group) -> dict[str, Any]:
    """As answers have it."""
    entry: dict[str, Any] = {
        "GroupName": group.name,
        "GroupARN": group.arn,
        "InsightsConfiguration": dict(group.insights),
    }
    return entry | ({"FilterExpression": group.filter} if group.filter else {})
