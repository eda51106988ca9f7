"""Queues: create, find, list, change, purge, delete, tag.

AWS: SQS API Reference, the operations of these names.
"""

import json
from typing import Any

from undercast.core.arn import AccountId, Scope, is_fifo
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.page_tokens import name_of, token_of
from undercast.core.service import Params, operation
from undercast.services.sqs import messages, moving, queues
from undercast.services.sqs.attributes import READABLE, check_name, check_together, checked
from undercast.services.sqs.errors import invalid_value, invalid_value_of, unknown_attribute
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.models import Queue, QueueName, named_by_arn
from undercast.store.database import Tx

MAX_RESULTS = 1000
MAX_TAGS = 50
PURGE_INTERVAL_S = 60.0


@operation("CreateQueue")
async def create_queue(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new queue; the one that is there when every attribute that is given equals its own."""
    name = QueueName(ctx.scope, params["QueueName"])
    given = params.get("Attributes") or {}
    check_name(name.name, given)
    attributes = checked(given, name.name, new=True)
    check_together(attributes)
    tags = params.get("tags") or {}
    _check_tags(tags)

    def write(tx: Tx) -> Queue:
        known = queues.find(tx, name)
        if known is None:
            _check_redrive(tx, name, attributes)
            queues.add(tx, name, attributes, tags, ctx.clock.now())
            sqs.queues.changed(tx, name)
            return queues.existing(tx, name)
        settings = known.settings
        for attribute, value in attributes.items():
            if settings.get(attribute, "") != value:
                text = f"A queue already exists with the same name and a different value for attribute {attribute}"
                raise ServiceError("QueueNameExists", text)
        return known

    return {"QueueUrl": (await sqs.database.write(write)).url(ctx.endpoint)}


def _check_redrive(tx: Tx, name: QueueName, attributes: dict[str, str]) -> None:
    """Raises InvalidParameterValue where the dead-letter queue is missing, of another kind, or refuses this one."""
    if not attributes.get("RedrivePolicy"):
        return
    arn = _target_of(attributes["RedrivePolicy"])
    target = queues.find(tx, named_by_arn(arn))
    reason = None
    if named_by_arn(arn) == name:
        reason = "A queue cannot be its own dead-letter queue."
    elif target is None or target.scope != name.scope:
        reason = "Dead letter target does not exist."
    elif target.is_fifo != is_fifo(name.name):
        kind = "FIFO" if is_fifo(name.name) else "standard"
        reason = f"Dead-letter queue must be same type of queue as the source ({kind})."
    elif not allows_redrive(target, name):
        reason = "Queue is not allowed to use this dead-letter queue by its RedriveAllowPolicy."
    if reason is not None:
        raise invalid_value_of("RedrivePolicy", attributes["RedrivePolicy"], reason)


def _target_of(text: str) -> str:
    """The deadLetterTargetArn of a RedrivePolicy that was checked."""
    arn: str = json.loads(text)["deadLetterTargetArn"]
    return arn


def allows_redrive(target: Queue, source: QueueName) -> bool:
    """RedriveAllowPolicy."""
    text = target.attributes.get("RedriveAllowPolicy", "")
    policy = json.loads(text) if text else {}
    permission = policy.get("redrivePermission", "allowAll")
    arn = f"arn:aws:sqs:{source.scope.region}:{source.scope.account_id}:{source.name}"
    return permission == "allowAll" or (permission == "byQueue" and arn in policy.get("sourceQueueArns", ()))


@operation("DeleteQueue")
async def delete_queue(sqs: Sqs, ctx: RequestContext, params: Params) -> None:
    """The queue and its messages are gone."""
    queue = sqs.queue(ctx, params["QueueUrl"])

    def write(tx: Tx) -> None:
        sqs.queues.still(tx, queue)
        queues.remove(tx, queue)
        moving.end_of(tx, queue)
        sqs.queues.changed(tx, queue.full_name)
        tx.after_commit(lambda: sqs.waiting.wake_all(queue.id))

    await sqs.database.write(write, long=True)


@operation("GetQueueUrl")
async def get_queue_url(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The URL of a queue by its name, also in another account."""
    account = AccountId(params.get("QueueOwnerAWSAccountId") or ctx.account_id)
    return {"QueueUrl": sqs.queues.get(QueueName(Scope(account, ctx.region), params["QueueName"])).url(ctx.endpoint)}


@operation("ListQueues")
async def list_queues(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The caller's queues by name."""
    prefix, limit, after = params.get("QueueNamePrefix", ""), _limit(params), _after(params.get("NextToken"))

    def read(tx: Tx) -> list[Queue]:
        found = []
        for queue in queues.named(tx, ctx.scope, prefix, after):
            found.append(queue)
            if len(found) > limit:
                break
        return found

    return _page(await sqs.database.read(read), limit, ctx, "QueueUrls", paged="MaxResults" in params)


@operation("ListDeadLetterSourceQueues")
async def list_dead_letter_source_queues(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The queues whose RedrivePolicy names this one."""
    target, limit, after = sqs.queue(ctx, params["QueueUrl"]), _limit(params), _after(params.get("NextToken"))

    def read(tx: Tx) -> list[Queue]:
        sources = queues.named(tx, target.scope, "", after)
        return [queue for queue in sources if queue.redrive and queue.redrive.target_arn == target.arn][: limit + 1]

    return _page(await sqs.database.read(read), limit, ctx, "queueUrls", paged="MaxResults" in params)


def _limit(params: Params) -> int:
    limit: int = params.get("MaxResults", MAX_RESULTS)
    if not 1 <= limit <= MAX_RESULTS:
        raise invalid_value_of("MaxResults", limit, "MaxResults must be an integer between 1 and 1000.")
    return limit


def _after(token: str | None) -> str:
    try:
        return name_of(token)
    except ValueError:
        raise invalid_value("The NextToken is invalid.") from None


def _page(found: list[Queue], limit: int, ctx: RequestContext, member: str, *, paged: bool) -> dict[str, Any]:
    """AWS gives a NextToken only to who has asked for pages by MaxResults."""
    if not found:
        return {}
    result: dict[str, Any] = {member: [queue.url(ctx.endpoint) for queue in found[:limit]]}
    if paged and len(found) > limit:
        result["NextToken"] = token_of(found[limit - 1].name)
    return result


@operation("GetQueueAttributes")
async def get_queue_attributes(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What was asked for; nothing where nothing was."""
    asked = set(params.get("AttributeNames") or ())
    for name in sorted(asked):
        if name not in READABLE:
            raise unknown_attribute(name)
    queue = sqs.queue(ctx, params["QueueUrl"])
    if not asked:
        return {}
    there = {**{name: value for name, value in queue.settings.items() if value}, **await _facts(sqs, queue, asked)}
    chosen = there if "All" in asked else {name: value for name, value in there.items() if name in asked}
    return {"Attributes": chosen} if chosen else {}


async def _facts(sqs: Sqs, queue: Queue, asked: set[str]) -> dict[str, str]:
    facts = {
        "QueueArn": queue.arn,
        "CreatedTimestamp": str(int(queue.created_at)),
        "LastModifiedTimestamp": str(int(queue.modified_at)),
    }
    if "All" in asked or any(name.startswith("Approximate") for name in asked):
        counts = await sqs.database.read(lambda tx: messages.count(tx, queue, sqs.clock.now()), long=True)
        facts |= {
            "ApproximateNumberOfMessages": str(counts.visible),
            "ApproximateNumberOfMessagesNotVisible": str(counts.in_flight),
            "ApproximateNumberOfMessagesDelayed": str(counts.delayed),
        }
    return facts


@operation("SetQueueAttributes")
async def set_queue_attributes(sqs: Sqs, ctx: RequestContext, params: Params) -> None:
    """Change some attributes; the others stay. An empty Policy or RedrivePolicy takes it away."""
    queue = sqs.queue(ctx, params["QueueUrl"])
    given = checked(params["Attributes"], queue.name, new=False)
    await sqs.database.write(lambda tx: set_some(sqs, ctx, tx, sqs.queues.still(tx, queue), given))


def set_some(sqs: Sqs, ctx: RequestContext, tx: Tx, queue: Queue, given: dict[str, str]) -> None:
    """Store attributes that were checked, beside the others; who waits for messages looks again."""
    name = queue.full_name
    merged = {**queue.attributes, **given}
    check_together(merged)
    _check_redrive(tx, name, given)
    queues.set_attributes(tx, queue, {key: value for key, value in merged.items() if value}, ctx.clock.now())
    sqs.queues.changed(tx, name)
    tx.after_commit(lambda: sqs.waiting.wake_all(queue.id))


@operation("PurgeQueue")
async def purge_queue(sqs: Sqs, ctx: RequestContext, params: Params) -> None:
    """Delete every message; once a minute at most."""
    looked_at, now = sqs.queue(ctx, params["QueueUrl"]), ctx.clock.now()

    def write(tx: Tx) -> None:
        queue = sqs.queues.still(tx, looked_at)
        if now - queue.purged_at < PURGE_INTERVAL_S:
            text = f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds."
            raise ServiceError("PurgeQueueInProgress", text, 403)
        messages.purge(tx, queue)
        queues.set_purged(tx, queue, now)
        sqs.queues.changed(tx, queue.full_name)

    await sqs.database.write(write, long=True)


@operation("TagQueue")
async def tag_queue(sqs: Sqs, ctx: RequestContext, params: Params) -> None:
    """Add tags, or change their values."""
    await _change_tags(sqs, sqs.queue(ctx, params["QueueUrl"]), params["Tags"], ())


@operation("UntagQueue")
async def untag_queue(sqs: Sqs, ctx: RequestContext, params: Params) -> None:
    """Remove tags by key."""
    await _change_tags(sqs, sqs.queue(ctx, params["QueueUrl"]), {}, tuple(params["TagKeys"]))


async def _change_tags(sqs: Sqs, looked_at: Queue, added: dict[str, str], removed: tuple[str, ...]) -> None:
    def write(tx: Tx) -> None:
        queue = sqs.queues.still(tx, looked_at)
        tags = {key: value for key, value in {**queue.tags, **added}.items() if key not in removed}
        _check_tags(tags)
        queues.set_tags(tx, queue, tags)
        sqs.queues.changed(tx, queue.full_name)

    await sqs.database.write(write)


@operation("ListQueueTags")
async def list_queue_tags(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The queue's tags."""
    tags = sqs.queue(ctx, params["QueueUrl"]).tags
    return {"Tags": dict(tags)} if tags else {}


def _check_tags(tags: dict[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise invalid_value(f"Too many tags added for queue: at most {MAX_TAGS} are allowed.")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
            raise invalid_value(f"The tag {key} is invalid.")
