"""Messages about a subscription itself: please confirm it, and: it has been ended.

AWS: SNS Developer Guide, "HTTP/HTTPS subscription confirmation JSON format", "HTTP/HTTPS unsubscribe confirmation JSON
format", "Confirm an Amazon SNS subscription in another account".
"""

from typing import NamedTuple
from urllib.parse import quote

from undercast.core.clock import iso_millis
from undercast.core.context import RequestContext
from undercast.services.sns import local
from undercast.services.sns.envelope import CONFIRMATION, Letter, Seal, envelope, function_event
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import QUEUES, Subscription, Topic
from undercast.services.sns.sending import (
    API_VERSION,
    FUNCTIONS,
    HTTP,
    addressed,
    certificate_base,
    unsubscribe_url,
)
from undercast.store.database import Tx

_CONFIRM = (
    "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the SubscribeURL included "
    "in this message."
)
_ENDED = (
    "You have chosen to deactivate subscription {subscription}.\nTo cancel this operation and restore the "
    "subscription, visit the SubscribeURL included in this message."
)


class Notice(NamedTuple):
    """One such message, signed."""

    letter: Letter
    seal: Seal


async def notice(sns: Sns, ctx: RequestContext, topic: Topic, subscription: Subscription, kind: str) -> Notice:
    """Write and sign it; `kind` is the Type of the message."""
    text = _CONFIRM if kind == CONFIRMATION else _ENDED
    fields = {
        "Type": kind,
        "MessageId": ctx.ids.uuid(),
        "Token": subscription.token,
        "TopicArn": topic.arn,
        "Message": text.format(topic=topic.arn, subscription=subscription.arn),
        "SubscribeURL": subscribe_url(subscription),
        "Timestamp": iso_millis(sns.clock.now()),
    }
    letter = Letter(fields=fields)
    return Notice(letter, await sns.signer.sign(letter, topic.signature_version, certificate_base(subscription)))


def subscribe_url(subscription: Subscription) -> str:
    """The link that confirms, without a signature."""
    return (
        f"{subscription.base_url}/?Action=ConfirmSubscription&TopicArn={quote(subscription.topic_arn, safe=':')}"
        f"&Token={subscription.token}&Version={API_VERSION}"
    )


def send(sns: Sns, tx: Tx, topic: Topic, subscription: Subscription, told: Notice) -> None:
    """Commit it to the endpoint, whatever the subscription's filter or raw delivery."""
    fields, protocol = told.letter.fields, subscription.protocol
    if protocol in local.PROTOCOLS:
        local.put(tx, _mail(sns, topic, subscription, told))
        return
    body = envelope(told.letter, told.seal)
    carried = {"message_type": fields["Type"], "message_id": fields["MessageId"]}
    if protocol == "lambda":
        event = function_event(told.letter, told.seal, subscription.arn, unsubscribe_url(subscription))
        delivery = addressed(sns, subscription, FUNCTIONS, event, carried)
    elif protocol == "sqs":
        delivery = addressed(sns, subscription, QUEUES, body.encode(), carried)
    else:
        delivery = addressed(sns, subscription, HTTP, body.encode(), carried)
    sns.outbox.add(tx, delivery)


def _mail(sns: Sns, topic: Topic, subscription: Subscription, told: Notice) -> local.Item:
    fields = told.letter.fields
    confirms = fields["Type"] == CONFIRMATION
    plain = fields["Message"] + "\n" + fields["SubscribeURL"]
    return local.Item(
        scope=topic.scope,
        at=sns.clock.now(),
        protocol=subscription.protocol,
        destination=subscription.endpoint,
        message_id=fields["MessageId"],
        topic_arn=topic.arn,
        subject=f"AWS Notification - {'Subscription' if confirms else 'Unsubscribe'} Confirmation",
        body=envelope(told.letter, told.seal) if subscription.protocol == "email-json" else plain,
    )
