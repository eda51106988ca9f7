"""What each SQS request needs: its action on the queue, and the queue's own policy.

A batch needs the action of its single form.
AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon SQS".
"""

from collections.abc import Iterator, Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn, Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Access, Params
from undercast.services.sqs import queues
from undercast.services.sqs.errors import no_queue
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.models import QueueName, named_by_arn, named_by_url
from undercast.services.sqs.operations.moves import task_source

_MOST_KEPT = 4096
_TO_MOVE = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
"""AWS: what StartMessageMoveTask needs on its source besides itself; SendMessage on the destination."""


async def access(sqs: Sqs, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`. A queue that is not there needs what its name would."""
    action = f"sqs:{operation.removesuffix('Batch')}"
    if operation == "ListQueues":
        return (Access(action=action, resource=str(Arn.of(ctx.scope, "sqs", "*"))),)
    name = _name(ctx, params)
    if operation != "StartMessageMoveTask":
        return (_on(sqs, ctx, action, name),)
    on_source = tuple(_on(sqs, ctx, f"sqs:{needed}", name) for needed in (operation, *_TO_MOVE))
    return (*on_source, *(_on(sqs, ctx, "sqs:SendMessage", target) for target in _targets(sqs, name, params)))


def _on(sqs: Sqs, ctx: RequestContext, action: str, name: QueueName) -> Access:
    queue = sqs.queues.find(name)
    if queue is None and ctx.principal.account_id != name.scope.account_id:
        raise no_queue()  # whether there is such a queue in another account is nobody's business
    known = sqs.accesses.get((action, name))
    if known is not None and known[0] is queue:
        return known[1]  # the same object: what was decided about it holds (`gateway.auth`)
    access = Access(
        action=action,
        resource=str(Arn.of(name.scope, "sqs", name.name)),
        resource_policy=queue.policy if queue is not None else None,
        resource_account_id=name.scope.account_id,
    )
    if queue is not None:
        if len(sqs.accesses) >= _MOST_KEPT:
            sqs.accesses.clear()
        sqs.accesses[action, name] = (queue, access)
    return access


def _targets(sqs: Sqs, source: QueueName, params: Params) -> Iterator[QueueName]:
    """Where a move task sends: the queue that is named, else every queue whose dead letters these are."""
    if params.get("DestinationArn"):
        yield named_by_arn(params["DestinationArn"])
        return
    arn = str(Arn.of(source.scope, "sqs", source.name))
    for queue in sqs.database.read_now(lambda tx: list(queues.named(tx, source.scope, "", ""))):
        if queue.redrive is not None and queue.redrive.target_arn == arn:
            yield queue.full_name


def _name(ctx: RequestContext, params: Params) -> QueueName:
    if "QueueUrl" in params:
        return named_by_url(params["QueueUrl"], ctx.region)
    if "QueueName" in params:
        account = AccountId(params.get("QueueOwnerAWSAccountId") or ctx.account_id)
        return QueueName(Scope(account, ctx.region), params["QueueName"])
    return named_by_arn(params["SourceArn"] if "SourceArn" in params else task_source(params["TaskHandle"]))


async def policy_of(sqs: Sqs, arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    try:
        queue = sqs.queues.find(named_by_arn(arn))
    except ServiceError:
        return None
    return queue.policy if queue is not None else None


def tags_of(sqs: Sqs, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    queue = sqs.queues.find(named_by_arn(arn))
    return queue.tags if queue is not None else {}
