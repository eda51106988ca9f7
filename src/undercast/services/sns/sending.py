"""From a message to what goes to each subscription: deliveries, and rows of the local outbox.

Publish, PublishBatch and the deliveries of other services take this one way. All of a message is one commit.
AWS: SNS Developer Guide, "Amazon SNS message delivery", "Message deduplication for FIFO topics", "Raw message
delivery".
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

from undercast.core import json_values
from undercast.core.arn import AccountId, Arn, Region, Scope, is_fifo
from undercast.core.clock import iso_millis
from undercast.core.context import RequestContext
from undercast.core.listing import first_few
from undercast.core.record import record
from undercast.events.causality import Edge
from undercast.events.delivery import GROUP, ORDERED, UNFINISHED, Delivery
from undercast.services.sns import local, topics
from undercast.services.sns.contents import Message, queued_attributes, shown_attributes
from undercast.services.sns.envelope import NOTIFICATION, Letter, Seal, envelope, function_event
from undercast.services.sns.errors import invalid
from undercast.services.sns.filters import BODY, comparable
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import (
    DEDUPLICATION_S,
    QUEUES,
    SEQUENCE_START,
    Subscription,
    Topic,
    TopicName,
    topic_named,
)
from undercast.store.database import Tx
from undercast.store.statements import upsert

API_VERSION = "2010-03-31"
"""In links: at a host name that is not SNS's own, it says which service an action is of."""
FUNCTIONS, HTTP = "lambda", "sns-http"
DEAD_LETTERS = "sns-dead-letter"
PUSH_FEEDBACK = "sns-push-feedback"
_SIGNED = frozenset({"lambda", "sqs", "http", "https", "email-json"})
NOTHING: Mapping[str, str] = MappingProxyType({})
NO_SEALS: Mapping[str, Seal] = MappingProxyType({})
LONG = 32
"""From so many subscriptions on, a message is written in the store's thread."""
_FORGOTTEN = 16
_FORGET = (
    "DELETE FROM sns_deduplication WHERE (topic_id, key) IN"
    " (SELECT topic_id, key FROM sns_deduplication WHERE ends_at <= ? LIMIT ?)"
)
"""Of what was remembered for its five minutes each message removes some: more than the one that it adds."""


class Sent(NamedTuple):
    """What the publisher is told."""

    message_id: str
    sequence: int = 0


@record
class Prepared:
    """A message whose receivers are known and whose signatures are being made."""

    message: Message
    message_id: str
    at: float
    receivers: tuple[Subscription, ...]
    filtered_out: tuple[Subscription, ...]
    """Those that do not want it."""
    seals: Mapping[str, Seal]
    """By text; none where nothing is signed."""

    @property
    def is_long(self) -> bool:
        """Whether writing it takes more than the event loop may be kept."""
        return len(self.receivers) > LONG


def check_order(topic: Topic, message: Message) -> None:
    """Raises InvalidParameter for a message that a topic of this kind does not take."""
    if not topic.is_fifo:
        if message.deduplication_id:
            raise invalid("The request includes MessageDeduplicationId parameter that is not valid for this topic type")
        return
    if not message.group_id:
        raise invalid("The MessageGroupId parameter is required for FIFO topics")
    if not message.deduplication_id and topic.attributes.get("ContentBasedDeduplication") != "true":
        raise invalid(
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
            "explicitly"
        )


async def prepare(sns: Sns, ctx: RequestContext, topic: Topic, message: Message) -> Prepared:
    """Ask the filters. What can suspend is done here, so that all else is one transaction."""
    confirmed = [one for one in topic.subscriptions if not one.is_pending]
    receivers = tuple(_receivers(confirmed, message))
    prepared = Prepared(
        message=message,
        message_id=ctx.ids.uuid(),
        at=sns.clock.now(),
        receivers=receivers,
        filtered_out=_others(confirmed, receivers),
        seals=NO_SEALS,
    )
    signed = [] if topic.is_fifo else [one for one in receivers if one.protocol in _SIGNED and not _is_bare(one)]
    return replace(prepared, seals=await _seals(sns, topic, prepared, signed)) if signed else prepared


async def _seals(sns: Sns, topic: Topic, prepared: Prepared, signed: Sequence[Subscription]) -> Mapping[str, Seal]:
    """A text is signed once, however many get it. What goes to the local outbox waits for it: nothing finishes that."""
    texts = [prepared.message.for_protocol(one.protocol) for one in signed]
    at_once = {text for text, one in zip(texts, signed, strict=True) if one.protocol in local.PROTOCOLS}
    seals: dict[str, Seal] = {}
    for text, deliveries in Counter(texts).items():
        letter, version = _letter(topic, prepared, text), topic.signature_version
        if text in at_once:
            seals[text] = await sns.signer.sign(letter, version, "")
        else:
            seals[text] = await sns.signer.promise(letter, version, deliveries)
    return seals


def _receivers(confirmed: Sequence[Subscription], message: Message) -> Sequence[Subscription]:
    if all(one.filter is None for one in confirmed):
        return confirmed
    attributes, body = comparable(message.attributes), None
    if any(one.filter is not None and one.filter.scope == BODY for one in confirmed):
        with suppress(ValueError):
            body = json_values.parse(message.text)
    return [one for one in confirmed if one.filter is None or one.filter.accepts(attributes, body)]


def _letter(topic: Topic, prepared: Prepared, text: str, sequence: int = 0) -> Letter:
    message = prepared.message
    fields = {"Type": NOTIFICATION, "MessageId": prepared.message_id}
    if topic.is_fifo:
        fields["SequenceNumber"] = str(SEQUENCE_START + sequence)
    fields["TopicArn"] = topic.arn
    if message.subject is not None:
        fields["Subject"] = message.subject
    fields["Message"] = text
    fields["Timestamp"] = iso_millis(prepared.at)
    return Letter(fields=fields, attributes=shown_attributes(message.attributes))


def _others(confirmed: Sequence[Subscription], receivers: Sequence[Subscription]) -> tuple[Subscription, ...]:
    if len(receivers) == len(confirmed):
        return ()
    arns = {one.arn for one in receivers}
    return tuple(one for one in confirmed if one.arn not in arns)


def _is_bare(subscription: Subscription) -> bool:
    """Whether it gets the text without an envelope."""
    return subscription.is_raw and subscription.protocol != "lambda"


def store(sns: Sns, tx: Tx, ctx: RequestContext, topic: Topic, prepared: Prepared) -> Sent:
    """Commit the message to every receiver. A message that a FIFO topic has had is answered like the first one.

    Raises NotFound for a topic that has gone meanwhile.
    """
    topic, sequence = sns.topics.still(tx, topic), 0
    if topic.is_fifo:
        key = _deduplication_key(topic, prepared.message)
        known = tx.one(
            "SELECT message_id, sequence FROM sns_deduplication WHERE topic_id = ? AND key = ? AND ends_at > ?",
            (topic.id, key, prepared.at),
        )
        if known is not None:
            return Sent(known["message_id"], known["sequence"])
        sequence = topics.next_sequence(tx, topic)
        tx.execute(_FORGET, (prepared.at, _FORGOTTEN))
        tx.execute(
            upsert("sns_deduplication", "topic_id, key", "message_id, sequence, ends_at"),
            (topic.id, key, prepared.message_id, sequence, prepared.at + DEDUPLICATION_S),
        )
    if prepared.receivers or prepared.filtered_out:
        _record(sns, tx, ctx, topic, prepared)
        write = Writer(sns, ctx, topic, prepared, sequence)
        for subscription in prepared.receivers:
            write.to(tx, subscription)
    tx.after_commit(lambda: _measure(sns, topic, prepared))
    return Sent(prepared.message_id, sequence)


def _measure(sns: Sns, topic: Topic, prepared: Prepared) -> None:
    name = topic_name(topic)
    sns.measures.published(name, prepared.message.size_bytes, len(prepared.filtered_out))
    sns.measures.delivered(name, sum(one.protocol in local.PROTOCOLS for one in prepared.receivers))


def _deduplication_key(topic: Topic, message: Message) -> str:
    identifier = message.deduplication_id or hashlib.sha256(message.text.encode()).hexdigest()
    per_group = topic.attributes.get("FifoThroughputScope") == "MessageGroup"
    return f"{message.group_id}/{identifier}" if per_group else identifier


def _record(sns: Sns, tx: Tx, ctx: RequestContext, topic: Topic, prepared: Prepared) -> None:
    """The edge that tells who published, and a note of the subscriptions that do not want it."""
    delivered = ctx.cause.kind == "delivery" and not ctx.operation
    edge = Edge(
        from_kind="delivery" if delivered else "call",
        from_id=ctx.cause.id if delivered else ctx.request_id,
        to_kind="message",
        to_id=prepared.message_id,
        label=f"message to {topic.arn}",
        at=sns.clock.now(),
        scope=topic.scope,
    )
    sns.causality.asked(tx, ctx, edge, topic.arn)
    if not prepared.filtered_out:
        return
    number = len(prepared.filtered_out)
    ends = first_few((one.shown for one in prepared.filtered_out), number)
    note = f"filtered out by {number} of {number + len(prepared.receivers)} subscriptions: {ends}"
    tx.after_commit(lambda: sns.causality.filtered_out("message", (prepared.message_id,), note, topic.scope))


class Writer:
    """Writes one message to its subscriptions, within one transaction."""

    def __init__(self, sns: Sns, ctx: RequestContext, topic: Topic, prepared: Prepared, sequence: int) -> None:
        self._sns = sns
        self._ctx = ctx
        self._topic = topic
        self._prepared = prepared
        self._message = prepared.message
        self._shown = shown_attributes(prepared.message.attributes)
        self._sequence = sequence

    def to(self, tx: Tx, subscription: Subscription) -> None:
        """A delivery, or a row of the local outbox."""
        protocol = subscription.protocol
        if protocol in local.PROTOCOLS:
            self._to_outbox(tx, subscription)
        elif protocol == "lambda":
            event = function_event(*self._sealed(subscription), subscription.arn, unsubscribe_url(subscription))
            self._add(tx, subscription, FUNCTIONS, event, {})
        elif protocol == "sqs":
            self._add(tx, subscription, QUEUES, self._body(subscription).encode(), self._for_queue(subscription))
        else:
            raw = {"raw": "true"} if subscription.is_raw else {}
            carried = {"message_type": NOTIFICATION, "message_id": self._prepared.message_id, **raw}
            self._add(tx, subscription, HTTP, self._body(subscription).encode(), carried)

    def _body(self, subscription: Subscription) -> str:
        if subscription.is_raw:
            return self._message.for_protocol(subscription.protocol)
        letter, seal = self._sealed(subscription)
        return envelope(letter, None if self._topic.is_fifo else seal, unsubscribe_url(subscription))

    def _sealed(self, subscription: Subscription) -> tuple[Letter, Seal]:
        text = self._message.for_protocol(subscription.protocol)
        letter = _letter(self._topic, self._prepared, text, self._sequence)
        if self._topic.is_fifo:  # it signs nothing
            return letter, Seal(version="", signature="", certificate_url="")
        seal = self._prepared.seals[text]
        return letter, replace(seal, certificate_url=certificate_base(subscription) + seal.certificate_url)

    def _unfinished(self, subscription: Subscription) -> Mapping[str, str]:
        """The mark in the place of the signature, where there is one."""
        if _is_bare(subscription):
            return NOTHING
        seal = self._prepared.seals.get(self._message.for_protocol(subscription.protocol))
        return {UNFINISHED: seal.signature} if seal is not None and seal.is_promised else NOTHING

    def _for_queue(self, subscription: Subscription) -> dict[str, str]:
        carried: dict[str, str] = {}
        if subscription.is_raw and self._message.attributes:
            carried["message_attributes"] = queued_attributes(self._message.attributes)
        if self._message.group_id:
            carried[GROUP] = self._message.group_id
        if is_fifo(subscription.endpoint):
            message = self._message
            carried[ORDERED] = "true"
            carried["deduplication_id"] = message.deduplication_id or hashlib.sha256(message.text.encode()).hexdigest()
        return carried

    def _to_outbox(self, tx: Tx, subscription: Subscription) -> None:
        message, prepared = self._message, self._prepared
        body = message.for_protocol(subscription.protocol)
        if subscription.protocol == "email-json":
            body = self._body(subscription)
        elif subscription.protocol == "email":
            body += local.footer(unsubscribe_url(subscription))
        item = local.Item(
            scope=self._topic.scope,
            at=prepared.at,
            protocol=subscription.protocol,
            destination=subscription.endpoint,
            message_id=prepared.message_id,
            topic_arn=self._topic.arn,
            subject=message.subject or ("AWS Notification Message" if subscription.protocol == "email" else ""),
            body=body,
            attributes=self._shown,
            by_protocol=message.by_protocol,
        )
        if not local.put(tx, item):
            self._sns.outbox.add(tx, refused_token(self._sns, self._ctx, item), origin=("message", prepared.message_id))

    def _add(self, tx: Tx, subscription: Subscription, kind: str, payload: bytes, carried: Mapping[str, str]) -> None:
        extra = {"trace_header": self._message.trace_header} if self._message.trace_header else {}
        more = {**carried, **extra, **self._unfinished(subscription)}
        delivery = addressed(self._sns, subscription, kind, payload, more)
        # A FIFO topic's deliveries are in the order of their sequence numbers, however long each took to prepare.
        made_at = delivery.created_at if self._topic.is_fifo else self._prepared.at
        caused = replace(delivery, created_at=made_at, cause=self._ctx.cause)
        self._sns.outbox.add(tx, caused, origin=("message", self._prepared.message_id))


def refused_token(sns: Sns, ctx: RequestContext, item: local.Item) -> Delivery:
    """What becomes of a message for a device whose token the push service refuses."""
    return Delivery(
        id=sns.ids.uuid(),
        kind=PUSH_FEEDBACK,
        target_arn=item.destination,
        payload=b"",
        scope=item.scope,
        created_at=item.at,
        cause=ctx.cause,
        attributes={} if item.topic_arn else {"message_id": item.message_id},
    )


def addressed(
    sns: Sns, subscription: Subscription, kind: str, payload: bytes, carried: Mapping[str, str] = NOTHING
) -> Delivery:
    """A delivery to a subscription's endpoint from its topic, with where it goes when it is refused."""
    attributes = {"source_account": str(topic_named(subscription.topic_arn).scope.account_id), **carried}
    if subscription.dead_letter_arn:
        attributes |= {"failure_kind": DEAD_LETTERS, "failure_arn": subscription.dead_letter_arn}
    if kind == HTTP:
        target_arn, target_scope = subscription.arn, subscription.scope
        attributes["endpoint"] = subscription.endpoint
        if subscription.from_sandbox:
            attributes["sandbox"] = subscription.principal
    else:
        arn = Arn.parse(subscription.endpoint)
        target_arn, target_scope = subscription.endpoint, Scope(AccountId(arn.account_id), Region(arn.region))
    return Delivery(
        id=sns.ids.uuid(),
        kind=kind,
        target_arn=target_arn,
        payload=payload,
        scope=target_scope,
        created_at=sns.clock.now(),
        source_arn=subscription.topic_arn,
        attributes=attributes,
    )


def certificate_base(subscription: Subscription) -> str:
    """Where a receiver finds the certificate: functions at SNS's own name, all others where they subscribed.

    Inside a sandbox AWS's names lead to the platform, and verifying code accepts no others. On the host they lead to
    AWS, which does not have our certificate (ADR 0034).
    """
    if subscription.protocol == "lambda":
        return f"https://sns.{subscription.scope.region}.amazonaws.com"
    return subscription.base_url


def unsubscribe_url(subscription: Subscription) -> str:
    """The link that ends a subscription without a signature."""
    arn = quote(subscription.arn, safe=":")
    return f"{subscription.base_url}/?Action=Unsubscribe&SubscriptionArn={arn}&Version={API_VERSION}"


def topic_name(topic: Topic) -> TopicName:
    """Its name."""
    return TopicName(topic.scope, topic.name)
