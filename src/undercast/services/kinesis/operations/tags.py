"""Tags of streams and consumers, by either of the two sets of operations.

AWS: Kinesis API Reference, AddTagsToStream, TagResource and their companions; Developer Guide, "Tag your resources".
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.kinesis import store
from undercast.services.kinesis.errors import invalid, no_consumer
from undercast.services.kinesis.instance import Kinesis, asked, named
from undercast.services.kinesis.models import Consumer, Stream, is_consumer, named_by_arn
from undercast.store.database import Tx

MAX_TAGS = 50
_MOST_LISTED = 50


def check_tags(before: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """The tags with the new ones. Raises InvalidArgumentException."""
    if any(key.lower().startswith("aws:") for key in new):
        raise invalid("Tag keys that begin with aws: are reserved.")
    merged = {**before, **new}
    if len(merged) > MAX_TAGS:
        raise invalid(f"A resource has at most {MAX_TAGS} tags.")
    return merged


def resource(tx: Tx, arn: str) -> Stream | Consumer:
    """The stream or the consumer of a ResourceARN. Raises ResourceNotFoundException."""
    if not is_consumer(arn):
        return store.existing(tx, named_by_arn(arn))
    found = store.consumer_by_arn(tx, arn)
    if found is None:
        raise no_consumer(arn)
    return found


def _put(tx: Tx, owner: Stream | Consumer, tags: Mapping[str, str]) -> None:
    table = "kinesis_stream" if isinstance(owner, Stream) else "kinesis_consumer"
    tx.execute(f"UPDATE {table} SET tags = ? WHERE id = ?", (json.dumps(dict(tags)), owner.id))


def _remove(tx: Tx, owner: Stream | Consumer, keys: list[str]) -> None:
    _put(tx, owner, {key: value for key, value in owner.tags.items() if key not in keys})


@operation("AddTagsToStream")
async def add_tags_to_stream(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Add or replace."""

    def write(tx: Tx) -> None:
        stream = asked(tx, ctx, params)
        _put(tx, stream, check_tags(stream.tags, params["Tags"]))

    await kinesis.change(named(ctx, params), write)
    return {}


@operation("RemoveTagsFromStream")
async def remove_tags_from_stream(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Keys that are not there are passed over."""
    await kinesis.change(named(ctx, params), lambda tx: _remove(tx, asked(tx, ctx, params), params["TagKeys"]))
    return {}


@operation("ListTagsForStream")
async def list_tags_for_stream(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By key."""
    stream = kinesis.database.read_now(lambda tx: asked(tx, ctx, params))
    limit = params.get("Limit", _MOST_LISTED)
    keys = [key for key in sorted(stream.tags) if key > params.get("ExclusiveStartTagKey", "")]
    shown = [{"Key": key, "Value": stream.tags[key]} for key in keys[:limit]]
    return {"Tags": shown, "HasMoreTags": len(keys) > limit}


@operation("TagResource")
async def tag_resource(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Add or replace."""

    def write(tx: Tx) -> None:
        owner = resource(tx, params["ResourceARN"])
        _put(tx, owner, check_tags(owner.tags, params["Tags"]))

    await kinesis.change(named_by_arn(params["ResourceARN"]), write)
    return {}


@operation("UntagResource")
async def untag_resource(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Keys that are not there are passed over."""
    arn, keys = params["ResourceARN"], params["TagKeys"]
    await kinesis.change(named_by_arn(arn), lambda tx: _remove(tx, resource(tx, arn), keys))
    return {}


@operation("ListTagsForResource")
async def list_tags_for_resource(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By key."""
    owner = kinesis.database.read_now(lambda tx: resource(tx, params["ResourceARN"]))
    return {"Tags": [{"Key": key, "Value": owner.tags[key]} for key in sorted(owner.tags)]}
