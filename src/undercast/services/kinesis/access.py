"""What each Kinesis request needs: its action on the stream or the consumer, and that resource's own policy.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon Kinesis Data Streams".
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Access, Params
from undercast.services.kinesis.instance import Kinesis, named
from undercast.services.kinesis.models import named_by_arn
from undercast.services.kinesis.operations.records import parse_iterator
from undercast.services.kinesis.operations.streams import token_arn
from undercast.services.kinesis.operations.tags import resource

_OF_ACCOUNT = frozenset({"ListStreams", "DescribeLimits"})


async def access(kinesis: Kinesis, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`. A stream that is not there needs what its name would."""
    action = f"kinesis:{operation}"
    if operation in _OF_ACCOUNT:
        return (Access(action=action, resource="*"),)
    found = [_on(kinesis, action, _arn(ctx, params))]
    if operation == "CreateStream" and params.get("Tags"):
        found.append(_on(kinesis, "kinesis:AddTagsToStream", found[0].resource))
    if operation == "RegisterStreamConsumer" and params.get("Tags"):
        consumer = f"{found[0].resource}/consumer/{params['ConsumerName']}:{int(ctx.clock.now())}"
        found.append(_on(kinesis, "kinesis:TagResource", consumer))
    return tuple(found)


def _arn(ctx: RequestContext, params: Params) -> str:
    for member in ("ConsumerARN", "ResourceARN"):
        if member in params:
            return str(params[member])
    if "ShardIterator" in params:
        return parse_iterator(params["ShardIterator"]).stream_arn
    if "NextToken" in params and "StreamName" not in params and "StreamARN" not in params:
        return token_arn(params["NextToken"])
    return named(ctx, params).arn


def _on(kinesis: Kinesis, action: str, arn: str) -> Access:
    text = _policy(kinesis, arn)

    def needed() -> Access:
        return Access(
            action=action,
            resource=arn,
            resource_policy=_parsed(text),
            resource_account_id=named_by_arn(arn).scope.account_id,
        )

    return kinesis.accesses.find(action, arn, text, needed)


def _policy(kinesis: Kinesis, arn: str) -> str:
    try:
        return kinesis.policies.find(arn) or ""
    except ServiceError:
        return ""


def _parsed(text: str) -> Mapping[str, Any] | None:
    if not text:
        return None
    found: dict[str, Any] = json.loads(text)
    return found


async def policy_of(kinesis: Kinesis, arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    return _parsed(_policy(kinesis, arn))


def tags_of(kinesis: Kinesis, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    return kinesis.database.read_now(lambda tx: resource(tx, arn)).tags
