"""Publish and PublishBatch.

Acknowledged means: committed for every subscription. Each entry of a batch succeeds or fails for itself; all that
succeed are one commit. AWS: SNS API Reference, the operations of these names.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.sns import encryption, local, sending
from undercast.services.sns.contents import Message, check, shown_attributes
from undercast.services.sns.endpoints import PHONE
from undercast.services.sns.errors import invalid, invalid_of
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import SEQUENCE_START, Topic
from undercast.services.sns.operations.devices import check_enabled
from undercast.store.database import Tx

MAX_ENTRIES = 10
_MAX_SMS_CHARACTERS = 1600
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_TARGETS = ("TopicArn", "TargetArn", "PhoneNumber")


@operation("Publish")
async def publish(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One message to a topic, a device or a phone number."""
    named = [name for name in _TARGETS if params.get(name)]
    if len(named) != 1:
        reason = "no value for required parameter" if not named else "Only one of them may be given"
        raise invalid_of("TopicArn or TargetArn" if not named else " or ".join(named), reason)
    if named == ["PhoneNumber"]:
        return await _text_message(sns, ctx, params)
    if ":endpoint/" in params[named[0]]:
        return await _push(sns, ctx, params, params[named[0]])
    topic = sns.topic(ctx, params[named[0]], named[0])
    message = check(params, max_bytes=topic.max_bytes, trace_header=_trace(ctx))
    sending.check_order(topic, message)
    await encryption.check_publish(ctx, topic)
    prepared = await sending.prepare(sns, ctx, topic, message)
    sent = await sns.database.write(lambda tx: sending.store(sns, tx, ctx, topic, prepared), long=prepared.is_long)
    return _told(topic, sent)


def _trace(ctx: RequestContext) -> str:
    return ctx.headers.get("x-amzn-trace-id", "")


def _told(topic: Topic, sent: sending.Sent) -> dict[str, Any]:
    told = {"MessageId": sent.message_id}
    if topic.is_fifo:
        told["SequenceNumber"] = str(SEQUENCE_START + sent.sequence)
    return told


async def _text_message(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    number = params["PhoneNumber"]
    if not PHONE.fullmatch(number):
        raise invalid_of("PhoneNumber", f"{number} is not valid to publish to")
    message = check(params)
    if len(message.for_protocol("sms")) > _MAX_SMS_CHARACTERS:
        raise invalid("Message too long")
    return await _put(sns, ctx, message, "sms", number)


async def _push(sns: Sns, ctx: RequestContext, params: Params, arn: str) -> dict[str, Any]:
    check_enabled(sns, arn)
    return await _put(sns, ctx, check(params), "application", arn)


async def _put(sns: Sns, ctx: RequestContext, message: Message, protocol: str, destination: str) -> dict[str, Any]:
    item = local.Item(
        scope=ctx.scope,
        at=sns.clock.now(),
        protocol=protocol,
        destination=destination,
        message_id=ctx.ids.uuid(),
        subject=message.subject or "",
        body=message.for_protocol(protocol),
        attributes=shown_attributes(message.attributes),
        by_protocol=message.by_protocol,
    )

    def write(tx: Tx) -> None:
        if not local.put(tx, item):
            sns.outbox.add(tx, sending.refused_token(sns, ctx, item), origin=("message", item.message_id))

    await sns.database.write(write)
    return {"MessageId": item.message_id}


@operation("PublishBatch")
async def publish_batch(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to ten messages to one topic."""
    entries = _checked_entries(params.get("PublishBatchRequestEntries") or ())
    topic = sns.topic(ctx, params["TopicArn"])
    accepted: list[tuple[str, Message]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            message = check(entry, max_bytes=topic.max_bytes, trace_header=_trace(ctx))
            sending.check_order(topic, message)
            accepted.append((entry["Id"], message))
        except ServiceError as error:
            failed.append(_failure(entry["Id"], error))
    if sum(message.size_bytes for _, message in accepted) > topic.max_bytes:
        text = "The length of all the batch messages put together is more than the limit."
        raise ServiceError("BatchRequestTooLongException", text)
    if accepted:
        await encryption.check_publish(ctx, topic)
    prepared = [(identifier, await sending.prepare(sns, ctx, topic, message)) for identifier, message in accepted]

    def write(tx: Tx) -> list[dict[str, Any]]:
        return [
            {"Id": identifier, **_told(topic, sending.store(sns, tx, ctx, topic, one))} for identifier, one in prepared
        ]

    is_long = sum(len(one.receivers) for _, one in prepared) > sending.LONG
    successful = await sns.database.write(write, long=is_long) if prepared else []
    return {"Successful": successful, "Failed": failed}


def _failure(identifier: str, error: ServiceError) -> dict[str, Any]:
    code = error.code.removesuffix("Exception")
    return {"Id": identifier, "Code": code, "Message": error.message, "SenderFault": error.fault == "client"}


def _checked_entries(entries: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    if not entries:
        raise ServiceError("EmptyBatchRequestException", "The batch request doesn't contain any entries.")
    if len(entries) > MAX_ENTRIES:
        text = "The batch request contains more entries than permissible."
        raise ServiceError("TooManyEntriesInBatchRequestException", text)
    seen: set[str] = set()
    for entry in entries:
        if not _ID.fullmatch(entry["Id"]):
            text = "The Id of a batch entry in a batch request doesn't abide by the specification."
            raise ServiceError("InvalidBatchEntryIdException", text)
        if entry["Id"] in seen:
            text = "Two or more batch entries in the request have the same Id."
            raise ServiceError("BatchEntryIdsNotDistinctException", text)
        seen.add(entry["Id"])
    return entries
