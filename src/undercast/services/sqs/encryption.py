"""Queues under a key of KMS: who sends needs kms:GenerateDataKey and kms:Decrypt, who receives kms:Decrypt.

A service that sends for somebody (S3, SNS, EventBridge) is let in by the key's own policy.
AWS: SQS Developer Guide, "Amazon SQS key management"; API Reference, SendMessage, ReceiveMessage (KmsAccessDenied).
"""

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.services.customer_keys import CustomerKey
from undercast.services.sqs.models import Queue

_CODES = {
    "NotFoundException": "KmsNotFound",
    "AccessDeniedException": "KmsAccessDenied",
    "DisabledException": "KmsDisabled",
    "KMSInvalidStateException": "KmsInvalidState",
    "InvalidKeyUsageException": "KmsInvalidKeyUsage",
}


async def check_send(ctx: RequestContext, queue: Queue) -> None:
    """Raises KmsAccessDenied and its like."""
    if (key := _key(queue)) is not None:
        await key.check_write(ctx)
        await key.check_read(ctx)  # a new data key is verified before it is used


async def check_move(ctx: RequestContext, source: Queue, destination: Queue | None) -> None:
    """The same for who has messages moved: they are read, and written where it says so.

    AWS: SQS Developer Guide, "Configure a dead-letter queue redrive" (permissions for encrypted queues).
    """
    if (key := _key(source)) is not None:
        await key.check_read(ctx)
    if destination is not None:
        await check_send(ctx, destination)


async def refusal(ctx: RequestContext, queue: Queue) -> ServiceError | None:
    """Why the caller cannot read the queue's messages, if it cannot: an error only where there is one to read."""
    if (key := _key(queue)) is not None:
        try:
            await key.check_read(ctx)
        except ServiceError as error:
            return error
    return None


def _key(queue: Queue) -> CustomerKey | None:
    if not queue.key_id:
        return None
    return CustomerKey(id=queue.key_id, scope=queue.scope, context={"aws:sqs:arn": queue.arn}, codes=_CODES)
