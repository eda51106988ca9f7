"""Queues as targets of deliveries: S3's events, SNS's messages, destinations and dead letters of functions.

At least once: an attempt that a crash repeats puts a second message into a standard queue.
AWS: SQS Developer Guide, "Basic examples of Amazon SQS policies" (services are let in by the queue's policy).
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.arn import AccountId, Arn
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, service_principal
from undercast.events.delivery import Delivery, Outcome, Refusal, refused
from undercast.services.sqs import encryption, sending
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.models import Queue, decode_attributes, named_by_arn

log = logging.getLogger(__name__)

KIND = "sqs"


class QueueTarget:
    """See `events.delivery.Target`.

    Attributes of a delivery: `source_account` (a service sends for this account and the queue's policy decides;
    without it the sender was authorised before), `message_attributes` (JSON, as `models.encode_attributes` writes it),
    `group_id`, `deduplication_id`, `trace_header`.
    """

    def __init__(self, sqs: Sqs) -> None:
        self._sqs = sqs

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. A queue that is gone, refuses, or cannot take the message ends the delivery."""
        queue = self._sqs.queues.find(named_by_arn(delivery.target_arn))
        if queue is None:
            return self._refused(delivery, "the queue does not exist", "missing")
        principal = _sender(delivery)
        ctx = self._sqs.internal(delivery.scope, principal, Cause(kind="delivery", id=delivery.id))
        if not await self._permitted(delivery, queue, principal):
            return self._refused(
                delivery, f"the queue's policy does not allow {delivery.source_arn or principal.arn}", "forbidden"
            )
        try:
            checked = sending.check(self._sqs, ctx, queue, _entry(delivery))
        except ServiceError as error:
            return self._refused(delivery, error.message)
        if (reason := await _barred(ctx, delivery, queue)) is not None:
            return self._refused(delivery, reason, "forbidden")
        try:
            await self._sqs.database.write(lambda tx: sending.store(self._sqs, tx, ctx, queue, checked))
        except ServiceError:
            return self._refused(delivery, "the queue does not exist any more", "missing")
        return Outcome(kind="done")

    def _refused(self, delivery: Delivery, reason: str, why: Refusal = "") -> Outcome:
        log.warning("the message %s for %s is refused: %s", delivery.id, delivery.target_arn, reason)
        return refused(delivery, reason, self._sqs.clock.now(), why)

    async def _permitted(self, delivery: Delivery, queue: Queue, principal: Principal) -> bool:
        account = delivery.attributes.get("source_account")
        if account is None:
            return True
        conditions = {"aws:SourceArn": delivery.source_arn, "aws:SourceAccount": account}
        ctx = self._sqs.internal(delivery.scope, principal)
        return await ctx.permits(principal, "sqs:SendMessage", queue.arn, conditions)


async def _barred(ctx: RequestContext, delivery: Delivery, queue: Queue) -> str | None:
    """Why a service may not use the queue's key; a sender that was authorised before is not asked again."""
    if "source_account" not in delivery.attributes:
        return None
    try:
        await encryption.check_send(replace(ctx, service="sqs"), queue)
    except ServiceError as error:
        return error.message
    return None


def _sender(delivery: Delivery) -> Principal:
    service = Arn.parse(delivery.source_arn).service if delivery.source_arn else "lambda"
    account = AccountId(delivery.attributes.get("source_account") or delivery.scope.account_id)
    return service_principal(f"{service}.amazonaws.com", account, delivery.source_arn)


def _entry(delivery: Delivery) -> dict[str, Any]:
    attributes: Mapping[str, str] = delivery.attributes
    entry: dict[str, Any] = {"MessageBody": delivery.payload.decode()}
    if "message_attributes" in attributes:
        entry["MessageAttributes"] = decode_attributes(attributes["message_attributes"])
    for name, member in (("group_id", "MessageGroupId"), ("deduplication_id", "MessageDeduplicationId")):
        if attributes.get(name):
            entry[member] = attributes[name]
    if attributes.get("trace_header"):
        entry["MessageSystemAttributes"] = {
            "AWSTraceHeader": {"DataType": "String", "StringValue": attributes["trace_header"]}
        }
    return entry
