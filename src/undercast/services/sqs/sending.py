"""From a request's entry to a message in the queue.

SendMessage, SendMessageBatch and the deliveries of other services take this one way.
AWS: SQS API Reference, SendMessage; Developer Guide, "Using the message deduplication ID", "Using the message group
ID".
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.identity import Principal
from undercast.core.record import record
from undercast.events.causality import Edge
from undercast.services.sqs import contents, messages
from undercast.services.sqs.errors import invalid_value, invalid_value_of, missing
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.models import NewMessage, Queue
from undercast.store.database import Tx

_TOKEN = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_MAX_DELAY_S = 900


@record
class Checked:
    """A message that may be stored, its size, and the digest of its system attributes."""

    message: NewMessage
    size_bytes: int
    system_md5: str


def check(sqs: Sqs, ctx: RequestContext, queue: Queue, entry: Mapping[str, Any]) -> Checked:
    """Raises AWS's error for what this queue does not take."""
    body = entry["MessageBody"]
    if not body:
        raise missing("MessageBody")
    contents.check_text(body, "message body")
    attributes = entry.get("MessageAttributes") or {}
    contents.check_attributes(attributes)
    size = contents.size_of(body, attributes)
    if size > queue.max_bytes:
        raise invalid_value(
            f"One or more parameters are invalid. Reason: Message must be shorter than {queue.max_bytes} bytes."
        )
    system = entry.get("MessageSystemAttributes") or {}
    for name in system:
        if name != "AWSTraceHeader":
            raise invalid_value(f"Message system attribute name '{name}' is invalid.")
    group_id, deduplication_id = _ids(queue, entry, body)
    message = NewMessage(
        id=ctx.ids.uuid(),
        body=body,
        body_md5=contents.body_md5(body),
        attributes=attributes,
        attributes_md5=contents.attributes_md5(attributes),
        sender_id=sender_id(ctx.principal),
        sent_at=sqs.clock.now(),
        delay_s=_delay(queue, entry),
        trace_header=system.get("AWSTraceHeader", {}).get("StringValue") or ctx.headers.get("x-amzn-trace-id", ""),
        group_id=group_id,
        deduplication_id=deduplication_id,
    )
    return Checked(message=message, size_bytes=size, system_md5=contents.attributes_md5(system))


def _ids(queue: Queue, entry: Mapping[str, Any], body: str) -> tuple[str, str]:
    group_id, deduplication_id = entry.get("MessageGroupId", ""), entry.get("MessageDeduplicationId", "")
    for name, value in (("MessageGroupId", group_id), ("MessageDeduplicationId", deduplication_id)):
        if name in entry and not _TOKEN.fullmatch(value):
            reason = f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            raise invalid_value_of(name, value, reason)
    if not queue.is_fifo:
        if deduplication_id:
            reason = "The request include parameter that is not valid for this queue type."
            raise invalid_value_of("MessageDeduplicationId", deduplication_id, reason)
        return group_id, ""
    if not group_id:
        raise missing("MessageGroupId")
    if not deduplication_id:
        if not queue.deduplicates_content:
            raise invalid_value(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly"
            )
        deduplication_id = hashlib.sha256(body.encode()).hexdigest()
    return group_id, deduplication_id


def _delay(queue: Queue, entry: Mapping[str, Any]) -> float:
    delay = entry.get("DelaySeconds")
    if delay is None:
        return queue.delay_s
    if not 0 <= delay <= _MAX_DELAY_S:
        reason = "DelaySeconds must be >= 0 and <= 900."
        raise invalid_value_of("DelaySeconds", delay, reason)
    if queue.is_fifo and delay:
        reason = "The request include parameter that is not valid for this queue type."
        raise invalid_value_of("DelaySeconds", delay, reason)
    return float(delay)


def sender_id(principal: Principal) -> str:
    """SenderId: the caller's unique id; for a role "role-id:session"."""
    return principal.user_id or principal.account_id


def store(sqs: Sqs, tx: Tx, ctx: RequestContext, queue: Queue, checked: Checked) -> messages.Sent:
    """Put it into the queue, with the edge that tells who sent it; waiters wake when it has committed.

    Raises QueueDoesNotExist for a queue that has gone meanwhile. Nobody wakes for a message behind another one of its
    group: that one wakes them when it comes, goes or comes back.
    """
    queue, message = sqs.queues.still(tx, queue), checked.message
    sent = messages.send(tx, queue, message, message.sent_at)
    if sent.is_new:
        _note(sqs, tx, ctx, message.id, queue)
        tx.after_commit(lambda: sqs.measures.sent(queue, checked.size_bytes))
    if sent.is_new and not sent.leads:
        return sent
    if sent.is_new and not message.delay_s:
        tx.after_commit(lambda: sqs.waiting.wake(queue.id))
    elif sent.is_new:
        visible_at = message.sent_at + message.delay_s
        tx.after_commit(lambda: sqs.waiting.ring_at(queue.id, visible_at))
    return sent


def _note(sqs: Sqs, tx: Tx, ctx: RequestContext, message_id: str, queue: Queue) -> None:
    delivered = ctx.cause.kind == "delivery" and not ctx.operation
    edge = Edge(
        from_kind="delivery" if delivered else "call",
        from_id=ctx.cause.id if delivered else ctx.request_id,
        to_kind="message",
        to_id=message_id,
        label=f"message in {queue.arn}",
        at=ctx.clock.now(),
        scope=queue.scope,
    )
    sqs.causality.asked(tx, ctx, edge, queue.arn)
