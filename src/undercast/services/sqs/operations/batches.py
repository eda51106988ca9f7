"""SendMessageBatch, DeleteMessageBatch and ChangeMessageVisibilityBatch.

Each entry succeeds or fails for itself; all that succeed are one commit.
AWS: SQS API Reference, the operations of these names.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import PLATFORM
from undercast.core.service import Params, operation
from undercast.services.sqs import encryption, sending
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.operations.messages import change_one, delete, give_back, sent_output, to_delete
from undercast.store.database import Tx

MAX_ENTRIES = 10
MAX_BATCH_BYTES = 1_048_576
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
Entry = Mapping[str, Any]
T = TypeVar("T")


@operation("SendMessageBatch")
async def send_message_batch(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to ten messages, 1 MiB together."""
    queue = sqs.queue(ctx, params["QueueUrl"])
    entries = _checked_entries("SendMessageBatch", params["Entries"])
    accepted: list[tuple[Entry, sending.Checked]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            accepted.append((entry, sending.check(sqs, ctx, queue, entry)))
        except ServiceError as error:
            failed.append(_failure(entry, error))
    size = sum(checked.size_bytes for _, checked in accepted)
    if size > MAX_BATCH_BYTES:
        text = f"Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. You have sent {size} bytes."
        raise ServiceError("BatchRequestTooLong", text)

    def write(tx: Tx) -> list[dict[str, Any]]:
        return [
            {"Id": entry["Id"], **sent_output(queue, one, sending.store(sqs, tx, ctx, queue, one))}
            for entry, one in accepted
        ]

    if accepted:
        await encryption.check_send(ctx, queue)
    successful = await sqs.database.write(write) if accepted else []
    return {"Successful": successful, "Failed": failed}


@operation("DeleteMessageBatch")
async def delete_message_batch(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Delete up to ten messages."""
    entries = _checked_entries("DeleteMessageBatch", params["Entries"])
    queue = sqs.queue(ctx, params["QueueUrl"])

    def write(tx: Tx) -> dict[str, Any]:
        there = sqs.queues.still(tx, queue)
        receipts, answer = _each(entries, lambda entry: to_delete(sqs, tx, there, entry))
        delete(sqs, tx, there, receipts)
        return answer

    return await sqs.database.write(write)


@operation("ChangeMessageVisibilityBatch")
async def change_message_visibility_batch(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Hide up to ten messages for longer. What the platform itself received and shows nobody, it gives back by this."""
    entries = _checked_entries("ChangeMessageVisibilityBatch", params["Entries"])
    queue = sqs.queue(ctx, params["QueueUrl"])
    change = give_back if ctx.principal.arn == PLATFORM else change_one

    def write(tx: Tx) -> dict[str, Any]:
        there = sqs.queues.still(tx, queue)
        return _each(entries, lambda entry: change(sqs, tx, there, entry))[1]

    return await sqs.database.write(write)


def _each(entries: Sequence[Entry], work: Callable[[Entry], T]) -> tuple[list[T], dict[str, Any]]:
    """(what `work` gave of those that succeed, the operation's answer)."""
    found, successful, failed = [], [], []
    for entry in entries:
        try:
            found.append(work(entry))
            successful.append({"Id": entry["Id"]})
        except ServiceError as error:
            failed.append(_failure(entry, error))
    return found, {"Successful": successful, "Failed": failed}


def _failure(entry: Entry, error: ServiceError) -> dict[str, Any]:
    return {"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": error.fault == "client"}


def _checked_entries(name: str, entries: Sequence[Entry]) -> Sequence[Entry]:
    if not entries:
        raise ServiceError("EmptyBatchRequest", f"There should be at least one {name}RequestEntry in the request.")
    if len(entries) > MAX_ENTRIES:
        text = f"Maximum number of entries per request are {MAX_ENTRIES}. You have sent {len(entries)}."
        raise ServiceError("TooManyEntriesInBatchRequest", text)
    seen: set[str] = set()
    for entry in entries:
        if not _ID.fullmatch(entry["Id"]):
            text = (
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most "
                "80 letters long."
            )
            raise ServiceError("InvalidBatchEntryId", text)
        if entry["Id"] in seen:
            raise ServiceError("BatchEntryIdsNotDistinct", f"Id {entry['Id']} repeated.")
        seen.add(entry["Id"])
    return entries
