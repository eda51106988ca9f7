"""Tags of buses and rules.

AWS: EventBridge API Reference, TagResource, UntagResource, ListTagsForResource.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.events import store
from undercast.services.events.errors import invalid
from undercast.services.events.instance import Events
from undercast.services.events.models import Bus, Rule, bus_of_arn, rule_of_arn, tags_of
from undercast.store.database import Tx


@operation("TagResource")
async def tag_resource(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Add tags, or give them other values."""
    added = tags_of(params["Tags"])
    await events.database.write(lambda tx: _retag(events, ctx, tx, params["ResourceARN"], (added, ())))
    return {}


@operation("UntagResource")
async def untag_resource(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Tags that are not there are no error."""
    names = tuple(params["TagKeys"])
    await events.database.write(lambda tx: _retag(events, ctx, tx, params["ResourceARN"], ({}, names)))
    return {}


@operation("ListTagsForResource")
async def list_tags_for_resource(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All of them."""
    found = await events.database.read(lambda tx: _tagged(tx, params["ResourceARN"]))
    return {"Tags": [{"Key": name, "Value": value} for name, value in found.tags.items()]}


def _tagged(tx: Tx, arn: str) -> Bus | Rule:
    bus, rule = bus_of_arn(arn), rule_of_arn(arn)
    if bus is not None:
        return store.existing(tx, bus)
    if rule is not None:
        return store.existing_rule(tx, rule)
    raise invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")


def _retag(
    events: Events, ctx: RequestContext, tx: Tx, arn: str, change: tuple[Mapping[str, str], tuple[str, ...]]
) -> None:
    added, removed = change
    found = _tagged(tx, arn)
    left = {name: value for name, value in found.tags.items() if name not in removed}
    tags = tags_of([{"Key": name, "Value": value} for name, value in {**left, **added}.items()])
    if isinstance(found, Bus):
        store.put_bus(tx, replace(found, tags=tags), ctx.clock.now())
        events.buses.changed(tx, found.name)
    else:
        store.tag_rule(tx, found.name, tags)
        events.buses.changed(tx, found.name.bus)
