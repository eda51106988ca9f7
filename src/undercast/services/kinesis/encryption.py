"""Streams under a key of KMS: producers need kms:GenerateDataKey, consumers kms:Decrypt.

AWS: Kinesis Developer Guide, "Permissions to use user-generated KMS keys"; the encryption context is the stream's ARN.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.services.customer_keys import CustomerKey
from undercast.services.kinesis.models import Stream

CODES = {
    "NotFoundException": "KMSNotFoundException",
    "AccessDeniedException": "KMSAccessDeniedException",
    "DisabledException": "KMSDisabledException",
    "KMSInvalidStateException": "KMSInvalidStateException",
}
"""Kinesis's error codes, by KMS's."""


async def check_write(ctx: RequestContext, stream: Stream | None) -> None:
    """Raises KMSAccessDeniedException and its like where the caller cannot write under the stream's key."""
    if stream is not None and stream.key_id:
        await _key(stream).check_write(ctx)


async def check_read(ctx: RequestContext, stream: Stream, records: Iterable[Mapping[str, Any]]) -> None:
    """The same for reading what of these records is encrypted."""
    if stream.key_id and any("EncryptionType" in record for record in records):
        await _key(stream).check_read(ctx)


async def check_subscription(ctx: RequestContext, stream: Stream) -> None:
    """The same for reading what is still to come."""
    if stream.key_id:
        await _key(stream).check_read(ctx)


def _key(stream: Stream) -> CustomerKey:
    of = stream.of
    return CustomerKey(id=stream.key_id, scope=of.scope, context={"aws:kinesis:arn": of.arn}, codes=CODES)
