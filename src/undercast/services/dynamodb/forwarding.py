"""A table's changes on their way to Kinesis: one delivery for each change and stream, in the commit of the change.

A record has the images before and after the change, whatever the table's own stream shows. Changes of one item go to
one shard; they may come twice.
AWS: DynamoDB Developer Guide, "Using Kinesis Data Streams to capture changes to DynamoDB".
"""

import hashlib
import json
import logging

from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import root_principal
from undercast.core.record import record
from undercast.events.delivery import Delivery, Outcome
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import Destination, Table
from undercast.services.parts import Internal
from undercast.store.database import Tx

log = logging.getLogger(__name__)

KIND = "dynamodb-kinesis"
_GONE = frozenset({"ResourceNotFoundException", "AccessDeniedException", "InvalidArgumentException"})


@record
class Change:
    """What has changed. Items are texts, "" for none. `ctx` is None for an expiry."""

    keys: str
    before: str
    after: str
    size: int
    at: float
    ctx: RequestContext | None

    @property
    def name(self) -> str:
        """eventName."""
        return "INSERT" if not self.before else "REMOVE" if not self.after else "MODIFY"


def forward(dynamo: Dynamo, tx: Tx, table: Table, change: Change) -> None:
    """To every destination that is ACTIVE."""
    for destination in table.destinations:
        if destination.is_active:
            cause = Cause(kind="internal" if change.ctx is None else "call",
                          id="" if change.ctx is None else change.ctx.request_id)  # fmt: skip
            delivery = Delivery(
                id=dynamo.ids.uuid(),
                kind=KIND,
                target_arn=destination.stream_arn,
                payload=_record(dynamo, table, change, destination),
                scope=table.of.scope,
                created_at=change.at,
                cause=cause,
                source_arn=table.arn,
                attributes={"key": hashlib.md5(change.keys.encode(), usedforsecurity=False).hexdigest().upper()},
            )
            ctx = change.ctx
            named = f"dynamodb:{ctx.operation} {table.arn}" if ctx is not None and not ctx.cause.id else ""
            dynamo.outbox.add(tx, delivery, named=named)


def _record(dynamo: Dynamo, table: Table, change: Change, destination: Destination) -> bytes:
    """Item texts go in as they are kept."""
    members = [f'"ApproximateCreationDateTime":{int(change.at * destination.units_per_s)}']
    if destination.precision == "MICROSECOND":
        members.append('"ApproximateCreationDateTimePrecision":"MICROSECOND"')
    members.append(f'"Keys":{change.keys}')
    images = (("NewImage", change.after), ("OldImage", change.before))
    members += [f'"{name}":{text}' for name, text in images if text]
    members.append(f'"SizeBytes":{change.size}')
    identity = {"principalId": "dynamodb.amazonaws.com", "type": "Service"} if change.ctx is None else None
    head = json.dumps(
        {
            "awsRegion": table.of.scope.region,
            "eventID": dynamo.ids.uuid(),
            "eventName": change.name,
            "userIdentity": identity,
            "recordFormat": "application/json",
            "tableName": table.of.name,
        }
    )
    return f'{head[:-1]}, "dynamodb": {{{",".join(members)}}}, "eventSource": "aws:dynamodb"}}'.encode()


class KinesisTarget:
    """See `events.delivery.Target`. Puts as the table's account, where AWS has a role that is linked to the service."""

    def __init__(self, internal: Internal) -> None:
        self._internal = internal

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. A stream that is gone ends the delivery; one that is throttled is tried again."""
        cause = Cause(kind="delivery", id=delivery.id)
        ctx = self._internal(delivery.scope, root_principal(delivery.scope.account_id), cause)
        record = {"Data": delivery.payload, "PartitionKey": delivery.attributes["key"]}
        try:
            await ctx.call("kinesis", "PutRecord", {"StreamARN": delivery.target_arn, **record})
        except ServiceError as error:
            if error.code not in _GONE:
                raise
            log.warning("a change of %s does not reach %s: %s", delivery.source_arn, delivery.target_arn, error.message)
            return Outcome(kind="dead", reason=error.message)
        return Outcome(kind="done")
