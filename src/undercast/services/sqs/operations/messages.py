"""SendMessage, ReceiveMessage, DeleteMessage and ChangeMessageVisibility.

AWS: SQS API Reference, the operations of these names.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.sqs import encryption, messages, sending
from undercast.services.sqs.errors import bad_receipt_handle, invalid_value, invalid_value_of
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.lineage import moved
from undercast.services.sqs.messages import Taken, Wish
from undercast.services.sqs.models import Queue, Receipt, decode_attributes, named_by_arn, parse_handle
from undercast.services.sqs.receiving import Selection, selection
from undercast.store.database import Tx

MAX_VISIBILITY_S = 43_200
MAX_WAIT_S = 20
MAX_MESSAGES = 10


@operation("SendMessage")
async def send_message(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One message at the end of the queue."""
    queue = sqs.queue(ctx, params["QueueUrl"])
    checked = sending.check(sqs, ctx, queue, params)
    await encryption.check_send(ctx, queue)
    sent = await sqs.database.write(lambda tx: sending.store(sqs, tx, ctx, queue, checked))
    return sent_output(queue, checked, sent)


def sent_output(queue: Queue, checked: sending.Checked, sent: messages.Sent) -> dict[str, Any]:
    """What the sender is told; a repeated message is told as the first one."""
    result = {"MessageId": sent.id, "MD5OfMessageBody": checked.message.body_md5}
    if checked.message.attributes_md5:
        result["MD5OfMessageAttributes"] = checked.message.attributes_md5
    if checked.system_md5:
        result["MD5OfMessageSystemAttributes"] = checked.system_md5
    if queue.is_fifo:
        result["SequenceNumber"] = str(messages.SEQUENCE_START + sent.sequence)
    return result


@operation("ReceiveMessage")
async def receive_message(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Messages that are visible; with a wait time, as soon as there is one. A stop of the platform ends the wait.

    Cancelled once messages are taken, it answers with them all the same: only who gets them can give them back.
    """
    queue = sqs.queue(ctx, params["QueueUrl"])
    wish, wait_s = _wish(queue, params)
    wanted = selection(params)
    ends_at = ctx.host_clock.now() + wait_s
    ask = False
    while True:
        wish = wish._replace(now=sqs.clock.now())
        ask = ask or not queue.key_id or _has_visible(sqs, queue, wish.now)
        source = _Source(queue, await encryption.refusal(ctx, queue) if ask else _Unasked())
        try:
            taken = await _committed(sqs, partial(_take, sqs, ctx, source, wish))
        except _Unasked:
            ask = True  # a message has come meanwhile, or the queue is under another key
            queue = sqs.queues.again(queue)
            continue
        if taken.is_full and not taken.rows:
            await asyncio.sleep(0)  # others first; there is more to move
            continue
        left_s = ends_at - ctx.host_clock.now()
        if taken.rows or left_s <= 0 or sqs.waiting.ended:
            sqs.measures.received(queue, len(taken.rows))
            return _output(queue, wanted, taken)
        comes_back_at = sqs.database.read_row(lambda tx: messages.next_visible_at(tx, queue, wish.now))  # noqa: B023
        await sqs.waiting.wait(queue.id, left_s, comes_back_at)
        queue = sqs.queues.again(queue)  # it may have been changed or deleted meanwhile


def _has_visible(sqs: Sqs, queue: Queue, now: float) -> bool:
    return sqs.database.read_row(lambda tx: messages.is_any_visible(tx, queue, now))


async def _committed(sqs: Sqs, take: Callable[[Tx], Taken]) -> Taken:
    """Take messages. Whoever is cancelled before the commit takes none, also where it has to wait for its turn."""
    taken: Taken | None = None
    left = False

    def work(tx: Tx) -> Taken:
        nonlocal taken
        if left:
            raise asyncio.CancelledError
        taken = take(tx)
        return taken

    try:
        return await sqs.database.write(work)
    except asyncio.CancelledError:
        left = True
        if taken is None or not taken.rows:
            raise
        await sqs.database.durable()
        return taken


class _Unasked(Exception):
    """There is something to read, and KMS was not asked about the queue's key, because nothing was there."""


class _Source(NamedTuple):
    """Where messages are taken from, and why the caller may read none, if so."""

    queue: Queue
    barred: Exception | None


def _take(sqs: Sqs, ctx: RequestContext, source: _Source, wish: Wish, tx: Tx) -> Taken:
    queue, barred = sqs.queues.still(tx, source.queue), source.barred
    if queue.key_id != source.queue.key_id:
        raise _Unasked
    dead_letters = sqs.queues.within(tx, named_by_arn(queue.redrive.target_arn)) if queue.redrive else None
    taken = messages.receive(tx, queue, dead_letters, wish, _nonce(ctx))
    if barred is not None and taken.rows:
        raise barred  # nothing of it has happened
    if dead_letters is not None and taken.dead:
        tx.after_commit(lambda: sqs.waiting.wake(dead_letters.id, len(taken.dead)))
        for row in taken.dead:
            sqs.causality.record(tx, moved(row, dead_letters, wish.now))
    return taken


def _nonce(ctx: RequestContext) -> Any:
    return lambda: ctx.ids.hex(16)


def _wish(queue: Queue, params: Params) -> tuple[Wish, float]:
    most = params.get("MaxNumberOfMessages", 1)
    if not 1 <= most <= MAX_MESSAGES:
        raise invalid_value_of("MaxNumberOfMessages", most, "Must be between 1 and 10, if provided.")
    visibility_s = params.get("VisibilityTimeout", queue.visibility_s)
    if not 0 <= visibility_s <= MAX_VISIBILITY_S:
        raise invalid_value_of("VisibilityTimeout", visibility_s, "Must be >= 0 and <= 43200, if provided.")
    wait_s = params.get("WaitTimeSeconds", queue.wait_s)
    if not 0 <= wait_s <= MAX_WAIT_S:
        raise invalid_value_of("WaitTimeSeconds", wait_s, "Must be >= 0 and <= 20, if provided.")
    attempt_id = params.get("ReceiveRequestAttemptId", "")
    if attempt_id and not queue.is_fifo:
        reason = "The request include parameter that is not valid for this queue type."
        raise invalid_value_of("ReceiveRequestAttemptId", attempt_id, reason)
    return Wish(most, visibility_s, attempt_id), wait_s


def _output(queue: Queue, wanted: Selection, taken: Taken) -> dict[str, Any]:
    if not taken.rows:
        return {}
    return {"Messages": [_message(queue, wanted, taken, place) for place in range(len(taken.rows))]}


def _message(queue: Queue, wanted: Selection, taken: Taken, place: int) -> dict[str, Any]:
    row = taken.rows[place]
    message: dict[str, Any] = {
        "MessageId": row["id"],
        "ReceiptHandle": taken.receipts[place].handle,
        "MD5OfBody": row["body_md5"],
        "Body": row["body"],
    }
    if wanted.system and (system := wanted.of_system(_system(queue, taken, place))):
        message["Attributes"] = system
    if wanted.attributes and row["attributes"]:
        attributes = wanted.of_attributes(decode_attributes(row["attributes"]))
        if attributes:
            message["MessageAttributes"] = attributes
            message["MD5OfMessageAttributes"] = wanted.digest(attributes, row["attributes_md5"])
    return message


def _system(queue: Queue, taken: Taken, place: int) -> dict[str, str]:
    row = taken.rows[place]
    system = {
        "SenderId": row["sender_id"],
        "SentTimestamp": str(int(row["sent_at"] * 1000)),
        "ApproximateReceiveCount": str(taken.receives[place]),
        "ApproximateFirstReceiveTimestamp": str(int(taken.first_received_at[place] * 1000)),
    }
    if queue.is_fifo:
        system["SequenceNumber"] = str(messages.SEQUENCE_START + row["sequence"])
        system["MessageDeduplicationId"] = row["deduplication_id"]
    for name, column in (
        ("MessageGroupId", "group_id"),
        ("AWSTraceHeader", "trace_header"),
        ("DeadLetterQueueSourceArn", "source_arn"),
    ):
        if row[column]:
            system[name] = row[column]
    return system


@operation("DeleteMessage")
async def delete_message(sqs: Sqs, ctx: RequestContext, params: Params) -> None:
    """Delete what was received. Deleting twice is no error."""
    queue = sqs.queue(ctx, params["QueueUrl"])

    def write(tx: Tx) -> None:
        there = sqs.queues.still(tx, queue)
        delete(sqs, tx, there, [to_delete(sqs, tx, there, params)])

    await sqs.database.write(write)


def to_delete(sqs: Sqs, tx: Tx, queue: Queue, entry: Mapping[str, Any]) -> Receipt:
    """Raises ReceiptHandleIsInvalid, and InvalidParameterValue for a FIFO message whose receipt has expired.

    AWS: a standard queue takes an old receipt handle without an error, and the message may stay.
    """
    receipt = parse_handle(entry["ReceiptHandle"])
    if receipt.queue_id != queue.id:
        raise bad_receipt_handle(entry["ReceiptHandle"])
    if queue.is_fifo:
        row = messages.of_receipt(tx, receipt)
        if row is not None and (row["receipt"] != receipt.nonce or row["visible_at"] <= sqs.clock.now()):
            raise _expired(entry["ReceiptHandle"])
    return receipt


def delete(sqs: Sqs, tx: Tx, queue: Queue, receipts: Sequence[Receipt]) -> None:
    """What `to_delete` has let pass."""
    deleted = messages.delete(tx, queue, receipts)
    if not deleted:
        return
    tx.after_commit(lambda: sqs.measures.deleted(queue, deleted))
    if queue.is_fifo:  # the next message of the group may be received now
        tx.after_commit(lambda: sqs.waiting.wake_all(queue.id))


@operation("ChangeMessageVisibility")
async def change_message_visibility(sqs: Sqs, ctx: RequestContext, params: Params) -> None:
    """Hide a received message for longer, or let it be seen at once."""
    queue = sqs.queue(ctx, params["QueueUrl"])
    await sqs.database.write(lambda tx: change_one(sqs, tx, sqs.queues.still(tx, queue), params))


def change_one(sqs: Sqs, tx: Tx, queue: Queue, entry: Mapping[str, Any]) -> None:
    """Raises MessageNotInflight for a message that is visible, deleted or received again meanwhile.

    And InvalidParameterValue for one that would be hidden for more than 12 hours since it was received, however often
    that was extended. AWS: SQS Developer Guide, "Amazon SQS visibility timeout": the maximum counts from the
    ReceiveMessage request, and extending does not begin it anew. So the API's 43200 is too much behind a receive.
    """
    timeout_s = entry.get("VisibilityTimeout", 0)
    if not 0 <= timeout_s <= MAX_VISIBILITY_S:
        raise invalid_value_of(
            "VisibilityTimeout", timeout_s, "VisibilityTimeout must be an integer between 0 and 43200"
        )
    receipt = parse_handle(entry["ReceiptHandle"])
    if receipt.queue_id != queue.id:
        raise bad_receipt_handle(entry["ReceiptHandle"])
    row, now = messages.of_receipt(tx, receipt), sqs.clock.now()
    if row is None:
        text = f"Value {entry['ReceiptHandle']} for parameter ReceiptHandle is invalid. Reason: Message does not exist "
        raise invalid_value(text + "or is not available for visibility timeout change.")
    if row["visible_at"] <= now or row["receipt"] != receipt.nonce:
        if queue.is_fifo:
            raise _expired(entry["ReceiptHandle"])
        raise ServiceError("MessageNotInflight", "The specified message isn't in flight.")
    if row["received_at"] and now + timeout_s - row["received_at"] > MAX_VISIBILITY_S:
        reason = f"Total VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY_S} seconds]"
        raise invalid_value_of("VisibilityTimeout", timeout_s, reason)
    messages.set_visible_at(tx, row["sequence"], now + timeout_s)
    if timeout_s == 0:
        tx.after_commit(lambda: sqs.waiting.wake_all(queue.id))
    else:
        tx.after_commit(lambda: sqs.waiting.ring_at(queue.id, now + timeout_s))


def give_back(sqs: Sqs, tx: Tx, queue: Queue, entry: Mapping[str, Any]) -> None:
    """`change_one` of a message that nobody was shown: its receive is not counted."""
    change_one(sqs, tx, queue, entry)
    messages.uncount(tx, parse_handle(entry["ReceiptHandle"]))


def _expired(handle: str) -> ServiceError:
    return invalid_value_of("ReceiptHandle", handle, "The receipt handle has expired.")
