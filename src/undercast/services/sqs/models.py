"""Queues and messages as frozen data.

Pure. AWS: SQS Developer Guide, "Amazon SQS queue parameters"; API Reference, CreateQueue, ReceiveMessage.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Arn, Region, Scope, is_fifo
from undercast.core.record import record
from undercast.services.sqs.errors import bad_receipt_handle, no_queue
from undercast.store.database import Row

DEDUPLICATION_S = 300.0
"""SQS Developer Guide: the deduplication interval is five minutes."""
ATTEMPT_S = 300.0
"""SQS API Reference, ReceiveMessage, ReceiveRequestAttemptId: five minutes."""
_KEPT = 1024
_PATH = re.compile(r"(?:^|/)(?P<account>\d{12})/(?P<name>[\w-]{1,80}(?:\.fifo)?)/?$", re.ASCII)

DEFAULTS: Mapping[str, str] = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
}


class Redrive(NamedTuple):
    """A queue's RedrivePolicy."""

    target_arn: str
    max_receives: int


class QueueName(NamedTuple):
    """Where a queue lives."""

    scope: Scope
    name: str


@record
class Queue:
    """One queue. `attributes` are those that were set; `settings` has the defaults, too."""

    id: int
    full_name: QueueName
    scope: Scope
    name: str
    created_at: float
    modified_at: float
    purged_at: float
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    arn: str
    is_fifo: bool
    visibility_s: int
    delay_s: int
    wait_s: int
    retention_s: int
    max_bytes: int
    redrive: Redrive | None
    policy: Mapping[str, Any] | None = field(hash=False)

    @property
    def settings(self) -> dict[str, str]:
        """Every attribute that can be set, with AWS's defaults."""
        defaults = dict(DEFAULTS)
        if self.is_fifo:
            defaults |= {
                "FifoQueue": "true",
                "ContentBasedDeduplication": "false",
                "DeduplicationScope": "queue",
                "FifoThroughputLimit": "perQueue",
            }
        if "KmsMasterKeyId" in self.attributes:
            defaults |= {"KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"}
        else:
            defaults["SqsManagedSseEnabled"] = "true"
        return {**defaults, **self.attributes}

    @property
    def key_id(self) -> str:
        """KmsMasterKeyId; "" without one."""
        return self.attributes.get("KmsMasterKeyId", "")

    @property
    def deduplicates_content(self) -> bool:
        """ContentBasedDeduplication."""
        return self.attributes.get("ContentBasedDeduplication") == "true"

    @property
    def deduplicates_per_group(self) -> bool:
        """DeduplicationScope."""
        return self.attributes.get("DeduplicationScope") == "messageGroup"

    def url(self, endpoint: str) -> str:
        """Its QueueUrl, for a caller that reached the platform at this endpoint."""
        return f"{endpoint}/{self.scope.account_id}/{self.name}"


def queue_of(row: Row) -> Queue:
    """A queue from its row."""
    attributes: dict[str, str] = json.loads(row["attributes"])
    settings = {**DEFAULTS, **attributes}
    scope = Scope(AccountId(row["account_id"]), Region(row["region"]))
    return Queue(
        id=row["id"],
        full_name=QueueName(scope, row["name"]),
        scope=scope,
        name=row["name"],
        created_at=row["created_at"],
        modified_at=row["modified_at"],
        purged_at=row["purged_at"],
        attributes=attributes,
        tags=json.loads(row["tags"]),
        arn=str(Arn.of(scope, "sqs", row["name"])),
        is_fifo=is_fifo(row["name"]),
        visibility_s=int(settings["VisibilityTimeout"]),
        delay_s=int(settings["DelaySeconds"]),
        wait_s=int(settings["ReceiveMessageWaitTimeSeconds"]),
        retention_s=int(settings["MessageRetentionPeriod"]),
        max_bytes=int(settings["MaximumMessageSize"]),
        redrive=_redrive(attributes.get("RedrivePolicy", "")),
        policy=json.loads(attributes["Policy"]) if attributes.get("Policy") else None,
    )


def _redrive(text: str) -> Redrive | None:
    if not text:
        return None
    document = json.loads(text)
    return Redrive(document["deadLetterTargetArn"], int(document["maxReceiveCount"]))


@lru_cache(maxsize=_KEPT)
def named_by_url(url: str, region: Region) -> QueueName:
    """The queue that a QueueUrl names. Its host does not matter; the region is the request's. Raises no_queue."""
    found = _PATH.search(url)
    if found is None:
        raise no_queue()
    return QueueName(Scope(AccountId(found["account"]), region), found["name"])


def named_by_arn(text: str) -> QueueName:
    """The queue that an ARN names. Raises ServiceError InvalidParameterValueException for text that is no ARN."""
    arn = Arn.parse(text)
    return QueueName(Scope(AccountId(arn.account_id), Region(arn.region)), arn.resource)


@record
class NewMessage:
    """A message on its way into a queue."""

    id: str
    body: str
    body_md5: str
    attributes: Mapping[str, Any]
    """MessageAttributes as the API has them; binary values are bytes."""
    attributes_md5: str
    sender_id: str
    sent_at: float
    delay_s: float
    trace_header: str = ""
    group_id: str = ""
    deduplication_id: str = ""


def encode_attributes(attributes: Mapping[str, Any]) -> str:
    """JSON for the store: bytes as base64."""
    if not attributes:
        return ""
    return json.dumps({name: _storable(value) for name, value in attributes.items()}, separators=(",", ":"))


def _storable(value: Mapping[str, Any]) -> dict[str, Any]:
    stored = {"DataType": value["DataType"]}
    if "BinaryValue" in value:
        stored["BinaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    else:
        stored["StringValue"] = value["StringValue"]
    return stored


def decode_attributes(text: str) -> dict[str, Any]:
    """What `encode_attributes` wrote."""
    if not text:
        return {}
    decoded: dict[str, Any] = json.loads(text)
    for value in decoded.values():
        if "BinaryValue" in value:
            value["BinaryValue"] = base64.b64decode(value["BinaryValue"])
    return decoded


class Receipt(NamedTuple):
    """What a receipt handle says: which message, and which of its receives."""

    queue_id: int
    sequence: int
    nonce: str

    @property
    def handle(self) -> str:
        """The opaque text that consumers get."""
        return base64.b64encode(f"{self.queue_id}:{self.sequence}:{self.nonce}".encode()).decode()


def parse_handle(handle: str) -> Receipt:
    """Raises ReceiptHandleIsInvalid for anything that is no handle of ours."""
    try:
        queue_id, sequence, nonce = base64.b64decode(handle, validate=True).decode().split(":")
        receipt = Receipt(int(queue_id), int(sequence), nonce)
    except (binascii.Error, ValueError):
        raise bad_receipt_handle(handle) from None
    if max(receipt.queue_id, receipt.sequence) >= 1 << 63 or min(receipt.queue_id, receipt.sequence) < 0:
        raise bad_receipt_handle(handle)
    return receipt
