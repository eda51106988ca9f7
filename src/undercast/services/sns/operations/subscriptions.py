"""Subscriptions: subscribe, confirm, list, change, end.

An endpoint outside AWS, and one in another account than who subscribes it, has to confirm first.
AWS: SNS API Reference, the operations of these names.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.sns import retry, topics
from undercast.services.sns.attributes import check_joins, checked_subscription
from undercast.services.sns.confirming import Notice, notice, send
from undercast.services.sns.endpoints import WEB, check_kind, owner_of
from undercast.services.sns.envelope import CONFIRMATION, UNSUBSCRIBED
from undercast.services.sns.errors import invalid, invalid_of, no_subscription, not_allowed
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import TOKEN_S, Subscription, Topic
from undercast.services.sns.operations.devices import existing_endpoint
from undercast.services.sns.pages import page, position
from undercast.services.sns.sending import topic_name
from undercast.store.database import Tx

_TOKEN_DIGITS = 208
PENDING = "pending confirmation"


@operation("Subscribe")
async def subscribe(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new subscription; the one that is there for the same endpoint when its attributes are the same."""
    topic: Topic | None = sns.topic(ctx, params["TopicArn"])
    while topic is not None:
        one = _new(sns, ctx, topic, params)
        known = _same_endpoint(topic, one)
        if known is not None:
            if params.get("Attributes") and one.attributes != known.attributes:
                raise invalid_of("Attributes", "Subscription already exists with different attributes")
            if not known.is_pending:
                return {"SubscriptionArn": known.arn}
            renewed = replace(known, token=one.token, created_at=one.created_at)
            one = replace(renewed, base_url=one.base_url, from_sandbox=one.from_sandbox)
        told = await notice(sns, ctx, topic, one, CONFIRMATION) if one.is_pending else None
        topic = await _add(sns, topic, one, told)
    return {"SubscriptionArn": PENDING if one.is_pending and not params.get("ReturnSubscriptionArn") else one.arn}


def _same_endpoint(topic: Topic, one: Subscription) -> Subscription | None:
    ours = (one.protocol, one.endpoint)
    return next((old for old in topic.subscriptions if (old.protocol, old.endpoint) == ours), None)


async def _add(sns: Sns, topic: Topic, one: Subscription, told: Notice | None) -> Topic | None:
    """Store it; the topic as it is now where another request has subscribed or confirmed its endpoint meanwhile."""
    known = _same_endpoint(topic, one)

    def write(tx: Tx) -> Topic | None:
        current = sns.topics.still(tx, topic)
        check_joins(current, one.protocol)
        there = _same_endpoint(current, one)
        if (there and (there.id, there.token, there.is_pending)) != (
            known and (known.id, known.token, known.is_pending)
        ):
            return current
        tx.execute(
            "DELETE FROM sns_subscription WHERE topic_id = ? AND confirmed_at = 0 AND (created_at < ? OR id = ?)",
            (current.id, one.created_at - TOKEN_S, one.id),
        )
        topics.add_subscription(tx, current, one)
        if told is not None:
            send(sns, tx, current, one, told)
        sns.topics.changed(tx, topic_name(topic))
        return None

    return await sns.database.write(write)


def _new(sns: Sns, ctx: RequestContext, topic: Topic, params: Params) -> Subscription:
    protocol, endpoint = params["Protocol"], params.get("Endpoint") or ""
    owner = owner_of(protocol, endpoint)
    check_kind(topic, protocol, endpoint)
    check_joins(topic, protocol)
    if protocol == "application":
        existing_endpoint(sns, endpoint)
    now = ctx.clock.now()
    confirmed = protocol == "sms" or owner == ctx.principal.account_id
    return Subscription(
        id=ctx.ids.uuid(),
        topic_arn=topic.arn,
        scope=topic.scope._replace(account_id=ctx.principal.account_id),
        protocol=protocol,
        endpoint=endpoint,
        attributes=checked_subscription(params.get("Attributes") or {}, {}, topic, protocol, "Subscribe"),
        principal=ctx.principal.role_arn or ctx.principal.arn,
        token=ctx.ids.hex(_TOKEN_DIGITS),
        created_at=now,
        confirmed_at=now if confirmed else 0.0,
        confirmed_by=str(ctx.principal.account_id) if confirmed else "",
        base_url=ctx.endpoint,
        from_sandbox=ctx.cause.kind != "external",
        needs_authentication=confirmed,
        filter=None,
    )


@operation("ConfirmSubscription")
async def confirm_subscription(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Whoever has the token has read what was sent to the endpoint. Without a signature, as by a click."""
    name = sns.name(ctx, params["TopicArn"])
    authenticates = params.get("AuthenticateOnUnsubscribe", "").lower() == "true"
    anonymous = ctx.principal.kind == "anonymous"
    if authenticates and anonymous:
        raise not_allowed("AuthenticateOnUnsubscribe needs a request that is signed.")

    def write(tx: Tx) -> str:
        topic = topics.existing(tx, name)
        found = next((one for one in topic.subscriptions if one.token == params["Token"]), None)
        now = ctx.clock.now()
        if found is None or (found.is_pending and now - found.created_at > TOKEN_S):
            raise invalid("Token")
        if found.is_pending:
            by = "" if anonymous else str(ctx.principal.account_id)
            topics.confirm_subscription(tx, found, by, authenticates, now)
            sns.topics.changed(tx, name)
        return found.arn

    return {"SubscriptionArn": await sns.database.write(write)}


@operation("Unsubscribe")
async def unsubscribe(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """End a subscription; its endpoint hears of it where somebody else than its owner did this without a signature."""
    topic, one = sns.subscription(params["SubscriptionArn"])
    anonymous = ctx.principal.kind == "anonymous"
    if anonymous and one.needs_authentication:
        raise not_allowed(
            "This subscription is ended by its owner or the topic's owner, with a request that is signed."
        )
    told = await notice(sns, ctx, topic, one, UNSUBSCRIBED) if anonymous else None

    def write(tx: Tx) -> None:
        topics.remove_subscription(tx, one)
        if told is not None:
            send(sns, tx, topic, one, told)
        sns.topics.changed(tx, topic_name(topic))

    await sns.database.write(write)


@operation("ListSubscriptions")
async def list_subscriptions(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What the caller subscribed to."""
    topic_arn, _, identifier = position(params.get("NextToken")).rpartition(":")

    def read(tx: Tx) -> tuple[list[Subscription], dict[str, Any]]:
        return page(topics.subscriptions_of(tx, ctx.scope, (topic_arn, identifier)), lambda one: one.arn)

    found, more = await sns.database.read(read)
    return {"Subscriptions": [_listed(one) for one in found], **more}


@operation("ListSubscriptionsByTopic")
async def list_subscriptions_by_topic(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All subscriptions of a topic, whoever made them."""
    topic, after = sns.topic(ctx, params["TopicArn"]), position(params.get("NextToken"))
    behind = sorted((one for one in topic.subscriptions if one.id > after), key=lambda one: one.id)
    found, more = page(behind, lambda one: one.id)
    return {"Subscriptions": [_listed(one) for one in found], **more}


def _listed(one: Subscription) -> dict[str, str]:
    return {
        "SubscriptionArn": "PendingConfirmation" if one.is_pending else one.arn,
        "Owner": one.scope.account_id,
        "Protocol": one.protocol,
        "Endpoint": one.endpoint,
        "TopicArn": one.topic_arn,
    }


@operation("GetSubscriptionAttributes")
async def get_subscription_attributes(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What was set, and what holds where nothing was."""
    topic, one = sns.subscription(params["SubscriptionArn"])
    attributes = {
        "SubscriptionArn": one.arn,
        "TopicArn": one.topic_arn,
        "Owner": str(one.scope.account_id),
        "Protocol": one.protocol,
        "Endpoint": one.endpoint,
        "PendingConfirmation": _flag(one.is_pending),
        "ConfirmationWasAuthenticated": _flag(bool(one.confirmed_by)),
        "SubscriptionPrincipal": one.principal,
        "RawMessageDelivery": "false",
        **one.attributes,
    }
    if one.protocol in WEB:
        texts = (whose.attributes.get("DeliveryPolicy", "") for whose in (topic, one))
        attributes["EffectiveDeliveryPolicy"] = json.dumps(retry.effective_policy(*texts), separators=(",", ":"))
    return {"Attributes": attributes}


def _flag(value: bool) -> str:
    return "true" if value else "false"


@operation("SetSubscriptionAttributes")
async def set_subscription_attributes(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """Change one attribute; an empty value takes it away."""
    topic, one = sns.subscription(params["SubscriptionArn"])
    given: Mapping[str, str] = {params["AttributeName"]: params.get("AttributeValue", "")}

    def write(tx: Tx) -> None:
        current = topics.find_subscription(tx, one.id)
        if current is None:
            raise no_subscription()
        merged = checked_subscription(given, current.attributes, topic, one.protocol, "SetSubscriptionAttributes")
        topics.set_subscription_attributes(tx, current, merged)
        sns.topics.changed(tx, topic_name(topic))

    await sns.database.write(write)
