"""Topics as targets of deliveries (S3's events), and what becomes of a message that its subscriber refuses.

At least once: an attempt that a crash repeats publishes a second message.
AWS: SNS Developer Guide, "Example cases for Amazon SNS access control" (services are let in by the topic's policy),
"Amazon SNS dead-letter queues".
"""

import logging
from dataclasses import replace

from undercast.core.arn import AccountId, Arn, Region, Scope, is_fifo
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.core.identity import service_principal
from undercast.events.delivery import Delivery, Outcome, Refusal, refused
from undercast.services.sns import encryption, sending
from undercast.services.sns.contents import check
from undercast.services.sns.envelope import undelivered
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import QUEUES, Topic, topic_named

log = logging.getLogger(__name__)

KIND = "sns"


class TopicTarget:
    """See `events.delivery.Target`.

    Attributes of a delivery: `source_account` (a service publishes for this account and the topic's policy decides;
    without it the sender was authorised before), `subject`, `trace_header`.
    """

    def __init__(self, sns: Sns) -> None:
        self._sns = sns

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. A topic that is gone, refuses, or cannot take the message ends the delivery."""
        topic = self._sns.topics.find(topic_named(delivery.target_arn))
        if topic is None:
            return self._refused(delivery, "the topic does not exist", "missing")
        if not await self._permitted(delivery):
            return self._refused(delivery, f"the topic's policy does not allow {delivery.source_arn}", "forbidden")
        attributes = delivery.attributes
        given = {"Message": delivery.payload.decode()}
        if attributes.get("subject"):
            given["Subject"] = attributes["subject"]
        try:
            message = check(given, max_bytes=topic.max_bytes, trace_header=attributes.get("trace_header", ""))
            sending.check_order(topic, message)
        except ServiceError as error:
            return self._refused(delivery, error.message)
        if (reason := await self._barred(delivery, topic)) is not None:
            return self._refused(delivery, reason, "forbidden")
        principal = service_principal("sns.amazonaws.com", topic.scope.account_id)
        ctx = self._sns.internal(topic.scope, principal, Cause(kind="delivery", id=delivery.id))
        prepared = await sending.prepare(self._sns, ctx, topic, message)
        try:
            await self._sns.database.write(
                lambda tx: sending.store(self._sns, tx, ctx, topic, prepared), long=prepared.is_long
            )
        except ServiceError:
            return self._refused(delivery, "the topic does not exist any more", "missing")
        return Outcome(kind="done")

    async def _permitted(self, delivery: Delivery) -> bool:
        account = delivery.attributes.get("source_account")
        if account is None:
            return True
        principal = service_principal(f"{Arn.parse(delivery.source_arn).service}.amazonaws.com", AccountId(account))
        conditions = {"aws:SourceArn": delivery.source_arn, "aws:SourceAccount": account}
        ctx = self._sns.internal(delivery.scope, principal)
        return await ctx.permits(principal, "sns:Publish", delivery.target_arn, conditions)

    async def _barred(self, delivery: Delivery, topic: Topic) -> str | None:
        """Why a service may not use the topic's key; a sender that was authorised before is not asked again."""
        account = delivery.attributes.get("source_account")
        if account is None:
            return None
        host = f"{Arn.parse(delivery.source_arn).service}.amazonaws.com"
        ctx = self._sns.internal(topic.scope, service_principal(host, AccountId(account), delivery.source_arn))
        try:
            await encryption.check_publish(replace(ctx, service="sns"), topic)
        except ServiceError as error:
            return error.message
        return None

    def _refused(self, delivery: Delivery, reason: str, why: Refusal = "") -> Outcome:
        log.warning("the message %s for %s is refused: %s", delivery.id, delivery.target_arn, reason)
        return refused(delivery, reason, self._sns.clock.now(), why)


class DeadLetterTarget:
    """Takes what a subscriber refused and sends it to the queue of the subscription's RedrivePolicy.

    A queue gets the envelope that the subscriber would have got; of a function's event the one that is in it. The
    queue's policy must let SNS in, as on AWS.
    """

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Hand it on."""
        arn = Arn.parse(delivery.target_arn)
        payload = delivery.payload
        if delivery.attributes["failed_kind"] == sending.FUNCTIONS:
            payload = undelivered(payload).encode()
        carried = dict(delivery.attributes)
        if is_fifo(arn.resource):
            carried.setdefault("deduplication_id", delivery.id)
        letter = replace(
            delivery,
            id=f"{delivery.id}-queue",
            kind=QUEUES,
            payload=payload,
            attributes=carried,
            scope=Scope(AccountId(arn.account_id), Region(arn.region)),
            cause=Cause(kind="delivery", id=delivery.id),
            due_at=0.0,
            attempts=0,
            throttles=0,
        )
        return Outcome(kind="done", follow_ups=(letter,))
