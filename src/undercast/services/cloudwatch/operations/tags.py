"""Tags of alarms and dashboards.

AWS: CloudWatch API Reference, TagResource, UntagResource, ListTagsForResource.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.cloudwatch.alarms import ARN_PREFIX
from undercast.services.cloudwatch.errors import invalid_value
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.store.database import Tx

MAX_TAGS = 50
DASHBOARD_PREFIX = "dashboard/"


def checked_tags(given: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags of a request. Raises InvalidParameterValue."""
    tags = {one["Key"]: one["Value"] for one in given or ()}
    if len(tags) > MAX_TAGS or len(tags) < len(given or ()):
        raise invalid_value(f"Tags must have different keys, and at most {MAX_TAGS}.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise invalid_value("Tag keys must not begin with aws:.")
    return tags


class _Row:
    """Where the tags of an ARN are."""

    def __init__(self, text: str) -> None:
        arn = Arn.parse(text)
        if arn.service == "cloudwatch" and arn.resource.startswith(ARN_PREFIX):
            scope = Scope(AccountId(arn.account_id), Region(arn.region))
            self.table, where = "cloudwatch_alarm", "account_id = ? AND region = ? AND name = ?"
            self.values: tuple[str, ...] = (*scope, arn.resource.removeprefix(ARN_PREFIX))
        elif arn.service == "cloudwatch" and arn.resource.startswith(DASHBOARD_PREFIX):
            self.table, where = "cloudwatch_dashboard", "account_id = ? AND name = ?"
            self.values = (arn.account_id, arn.resource.removeprefix(DASHBOARD_PREFIX))
        else:
            raise invalid_value(f"{text} is not the ARN of an alarm or a dashboard.")
        self.where = where
        self.arn = text

    def read(self, tx: Tx) -> dict[str, str]:
        """Raises ResourceNotFoundException."""
        row = tx.one(f"SELECT tags FROM {self.table} WHERE {self.where}", self.values)
        if row is None:
            members = {"ResourceType": self.table.removeprefix("cloudwatch_"), "ResourceId": self.arn}
            raise ServiceError("ResourceNotFoundException", "Unknown", 404, members=members)
        tags: dict[str, str] = json.loads(row["tags"])
        return tags

    def write(self, tx: Tx, tags: Mapping[str, str]) -> None:
        """Replace them."""
        tx.execute(f"UPDATE {self.table} SET tags = ? WHERE {self.where}", (json.dumps(dict(tags)), *self.values))


@operation("TagResource")
async def tag_resource(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> None:
    """Add tags, or give them other values."""
    row = _Row(params["ResourceARN"])
    added = checked_tags(params["Tags"])

    def write(tx: Tx) -> None:
        tags = {**row.read(tx), **added}
        if len(tags) > MAX_TAGS:
            raise invalid_value(f"A resource has at most {MAX_TAGS} tags.")
        row.write(tx, tags)

    await cloudwatch.database.write(write)


@operation("UntagResource")
async def untag_resource(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> None:
    """Take tags away; those that are not there do not matter."""
    row = _Row(params["ResourceARN"])

    def write(tx: Tx) -> None:
        row.write(tx, {key: value for key, value in row.read(tx).items() if key not in params["TagKeys"]})

    await cloudwatch.database.write(write)


@operation("ListTagsForResource")
async def list_tags_for_resource(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All of them."""
    row = _Row(params["ResourceARN"])
    tags = await cloudwatch.database.read(row.read)
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
