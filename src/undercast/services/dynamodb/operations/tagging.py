"""TagResource, UntagResource, ListTagsOfResource; UpdateTimeToLive, DescribeTimeToLive.

AWS: DynamoDB API Reference, the operations of these names; Developer Guide, "Using time to live (TTL) in DynamoDB".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.dynamodb import items, tables
from undercast.services.dynamodb.errors import invalid, invalid_value
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import Table, named, named_by_arn
from undercast.store.database import Tx

MAX_TAGS = 50


def tags_of(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Raises ValidationException for too many, or AWS's own."""
    found = {one["Key"]: one["Value"] for one in given}
    if len(found) > MAX_TAGS:
        raise invalid_value(f"Too many tags. The maximum is {MAX_TAGS}")
    if any(name.lower().startswith("aws:") for name in found):
        raise invalid_value("Tag keys beginning with aws: are reserved for system use")
    return found


@operation("TagResource")
async def tag_resource(dynamo: Dynamo, ctx: RequestContext, params: Params) -> None:
    """Add tags, or change their values."""
    added = tags_of(params["Tags"])
    await _change_tags(dynamo, params, lambda tags: {**tags, **added})


@operation("UntagResource")
async def untag_resource(dynamo: Dynamo, ctx: RequestContext, params: Params) -> None:
    """Remove tags by key."""
    removed = params["TagKeys"]
    await _change_tags(dynamo, params, lambda tags: {key: tags[key] for key in tags if key not in removed})


async def _change_tags(dynamo: Dynamo, params: Params, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
    of = named_by_arn(params["ResourceArn"])

    def write(tx: Tx) -> None:
        table = tables.existing(tx, of)
        tags = change(table.tags)
        if len(tags) > MAX_TAGS:
            raise invalid_value(f"Too many tags. The maximum is {MAX_TAGS}")
        tables.set_tags(tx, table, tags)
        dynamo.tables.changed(tx, of)

    await dynamo.database.write(write)


@operation("ListTagsOfResource")
async def list_tags_of_resource(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A table's tags; all fit on one page."""
    of = named_by_arn(params["ResourceArn"])
    table = await dynamo.database.read(lambda tx: tables.existing(tx, of))
    if "NextToken" in params:
        raise invalid("Invalid NextToken")
    return {"Tags": [{"Key": key, "Value": value} for key, value in table.tags.items()]}


@operation("UpdateTimeToLive")
async def update_time_to_live(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Name the attribute that says when an item expires, or none."""
    of, wanted = named(ctx.scope, params["TableName"]), params["TimeToLiveSpecification"]
    name, enabled = wanted["AttributeName"], wanted["Enabled"]
    if not name:
        raise invalid("TimeToLiveSpecification AttributeName must not be empty")

    def write(tx: Tx) -> None:
        table = tables.existing(tx, of)
        if not enabled and not table.ttl_attribute:
            raise invalid("TimeToLive is already disabled")
        if enabled and table.ttl_attribute == name:
            raise invalid("TimeToLive is already enabled")
        if table.ttl_attribute not in ("", name):
            raise invalid(
                f"TimeToLive is active on a different AttributeName: current AttributeName is {table.ttl_attribute}"
            )
        tables.set_ttl(tx, table, name if enabled else "", dynamo.clock.now())
        dynamo.tables.changed(tx, of)
        _note_expiries(tx, tables.existing(tx, of))

    await dynamo.database.write(write, long=True)
    return {"TimeToLiveSpecification": {"AttributeName": name, "Enabled": enabled}}


def _note_expiries(tx: Tx, table: Table) -> None:
    """For items that are there already."""
    tx.execute("UPDATE dynamodb_item SET expires_at = NULL WHERE table_id = ? AND expires_at IS NOT NULL", (table.id,))
    if not table.ttl_attribute:
        return
    found = []
    for row in tx.each("SELECT id, size, item FROM dynamodb_item WHERE table_id = ?", (table.id,)):
        moment = items.expires_at(table, items.stored(row).item)
        if moment is not None:
            found.append((moment, row["id"]))
    tx.insert_many("UPDATE dynamodb_item SET expires_at = ? WHERE id = ?", found)


@operation("DescribeTimeToLive")
async def describe_time_to_live(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """ENABLED with the attribute's name, or DISABLED."""
    of = named(ctx.scope, params["TableName"])
    table = await dynamo.database.read(lambda tx: tables.existing(tx, of))
    if not table.ttl_attribute:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": table.ttl_attribute}}
