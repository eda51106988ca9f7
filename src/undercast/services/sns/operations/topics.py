"""Topics: create, find, list, change, delete, tag.

AWS: SNS API Reference, the operations of these names.
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.sns import retry, topics
from undercast.services.sns.attributes import check_name, check_size, checked_topic
from undercast.services.sns.errors import invalid_of, no_resource
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import Topic, TopicName
from undercast.services.sns.pages import page, position
from undercast.store.database import Tx

MAX_TAGS = 50


@operation("CreateTopic")
async def create_topic(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new topic; the one that is there when what is given equals its own."""
    given = params.get("Attributes") or {}
    name = TopicName(ctx.scope, params["Name"])
    check_name(name.name, given)
    attributes = checked_topic(given, name.name, "CreateTopic")
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}
    _check_tags(tags)

    def write(tx: Tx) -> None:
        known = topics.find(tx, name)
        if known is None:
            topics.add(tx, name, {key: value for key, value in attributes.items() if value}, tags, ctx.clock.now())
            sns.topics.changed(tx, name)
            return
        settings = {"FifoTopic": "false", **_defaults(known), **known.attributes}
        if any(settings.get(key, "") != value for key, value in attributes.items()):
            raise invalid_of("Attributes", "Topic already exists with different attributes")
        if tags and tags != known.tags:
            raise invalid_of("Tags", "Topic already exists with different tags")

    await sns.database.write(write)
    return {"TopicArn": name.arn}


def _defaults(topic: Topic) -> dict[str, str]:
    return {"ContentBasedDeduplication": "false", "FifoThroughputScope": "Topic"} if topic.is_fifo else {}


@operation("DeleteTopic")
async def delete_topic(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """The topic and its subscriptions are gone. Deleting what is not there is no error."""
    name = sns.name(ctx, params["TopicArn"])
    looked_at = sns.topics.find(name)

    def write(tx: Tx) -> None:
        if looked_at is not None:  # by its id: one that was made meanwhile stays
            topics.remove(tx, looked_at)
            sns.topics.changed(tx, name)

    await sns.database.write(write, long=True)


@operation("ListTopics")
async def list_topics(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The caller's topics by name."""
    after = position(params.get("NextToken"))
    names, more = await sns.database.read(lambda tx: page(topics.named(tx, ctx.scope, after), str))
    return {"Topics": [{"TopicArn": TopicName(ctx.scope, name).arn} for name in names], **more}


@operation("GetTopicAttributes")
async def get_topic_attributes(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What was set, what holds where nothing was, and the numbers of subscriptions."""
    topic = sns.topic(ctx, params["TopicArn"])
    pending = sum(one.is_pending for one in topic.subscriptions)
    attributes = {
        "TopicArn": topic.arn,
        "Owner": topic.scope.account_id,
        "DisplayName": "",
        "SubscriptionsConfirmed": str(len(topic.subscriptions) - pending),
        "SubscriptionsPending": str(pending),
        "SubscriptionsDeleted": str(topic.deleted_subscriptions),
        "EffectiveDeliveryPolicy": _compact(retry.effective_topic_policy(topic.attributes.get("DeliveryPolicy", ""))),
        **_defaults(topic),
        **topic.attributes,
        "Policy": topic.attributes.get("Policy") or _compact(topic.policy),
    }
    return {"Attributes": attributes}


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


@operation("SetTopicAttributes")
async def set_topic_attributes(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """Change one attribute; an empty value takes it away."""
    name = sns.name(ctx, params["TopicArn"])
    given = checked_topic({params["AttributeName"]: params.get("AttributeValue", "")}, name.name, "SetTopicAttributes")
    topic = sns.topics.get(name)
    await sns.database.write(lambda tx: set_some(sns, tx, sns.topics.still(tx, topic), given))


def set_some(sns: Sns, tx: Tx, topic: Topic, given: Mapping[str, str]) -> None:
    """Store attributes that were checked, beside the others."""
    check_size(topic, given)
    merged = {**topic.attributes, **given}
    topics.set_attributes(tx, topic, {key: value for key, value in merged.items() if value})
    sns.topics.changed(tx, TopicName(topic.scope, topic.name))


@operation("TagResource")
async def tag_resource(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """Add tags to a topic, or change their values."""
    await _change_tags(sns, ctx, params, {tag["Key"]: tag["Value"] for tag in params["Tags"]}, ())


@operation("UntagResource")
async def untag_resource(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """Remove tags by key."""
    await _change_tags(sns, ctx, params, {}, tuple(params["TagKeys"]))


async def _change_tags(
    sns: Sns, ctx: RequestContext, params: Params, added: Mapping[str, str], removed: tuple[str, ...]
) -> None:
    name = sns.name(ctx, params["ResourceArn"], "ResourceArn")

    def write(tx: Tx) -> None:
        topic = topics.find(tx, name)
        if topic is None:
            raise no_resource()
        tags = {key: value for key, value in {**topic.tags, **added}.items() if key not in removed}
        _check_tags(tags)
        topics.set_tags(tx, topic, tags)
        sns.topics.changed(tx, name)

    await sns.database.write(write)


@operation("ListTagsForResource")
async def list_tags_for_resource(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The topic's tags."""
    topic = sns.topics.find(sns.name(ctx, params["ResourceArn"], "ResourceArn"))
    if topic is None:
        raise no_resource()
    return {"Tags": [{"Key": key, "Value": value} for key, value in topic.tags.items()]}


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise ServiceError(
            "TagLimitExceededException", "Could not complete request: tag quota of per resource exceeded"
        )
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise invalid_of("Tags", f"The tag {key} is invalid")
