"""Topics under a key of KMS: who publishes needs kms:GenerateDataKey and kms:Decrypt.

A service that publishes for somebody (S3, EventBridge, CloudWatch) is let in by the key's own policy.
AWS: SNS Developer Guide, "Managing Amazon SNS encryption keys and costs"; API Reference, Publish (KMSAccessDenied).
"""

from undercast.core.context import RequestContext
from undercast.services.customer_keys import CustomerKey
from undercast.services.sns.models import Topic

_CODES = {
    "NotFoundException": "KMSNotFoundException",
    "AccessDeniedException": "KMSAccessDeniedException",
    "DisabledException": "KMSDisabledException",
    "KMSInvalidStateException": "KMSInvalidStateException",
}


async def check_publish(ctx: RequestContext, topic: Topic) -> None:
    """Raises KMSAccessDeniedException and its like."""
    if key_id := topic.attributes.get("KmsMasterKeyId"):
        context = {"aws:sns:topicArn": topic.arn}
        key = CustomerKey(id=key_id, scope=topic.scope, context=context, codes=_CODES)
        await key.check_write(ctx)
        await key.check_read(ctx)  # a new data key is verified before it is used
