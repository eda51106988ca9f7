"""Which attributes a queue may have, and which values.

Pure. AWS: SQS API Reference, CreateQueue and SetQueueAttributes; Developer Guide, "Amazon SQS dead-letter queues",
"High throughput for FIFO queues".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.arn import is_fifo
from undercast.core.errors import ServiceError
from undercast.policy.document import parse_policy
from undercast.services.sqs.errors import invalid_attribute, invalid_value, invalid_value_of, unknown_attribute

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo", re.ASCII)
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
_FIFO_ONLY: Mapping[str, tuple[str, ...]] = {
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("messageGroup", "queue"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_READ_ONLY = frozenset({
    "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn",
})  # fmt: skip
SETTABLE = frozenset({
    *_NUMBERS, *_FIFO_ONLY, "FifoQueue", "Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId",
    "SqsManagedSseEnabled",
})  # fmt: skip
READABLE = SETTABLE | _READ_ONLY | {"All"}
MAX_RECEIVES = 1000


def check_name(name: str, attributes: Mapping[str, str]) -> None:
    """Raises InvalidParameterValue for a name that a queue of this kind cannot have."""
    if attributes.get("FifoQueue") == "true":
        if not _FIFO_NAME.fullmatch(name):
            raise invalid_value("The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
                                "underscores, must end with .fifo suffix and be 1 to 80 in length.")  # fmt: skip
    elif not _NAME.fullmatch(name):
        raise invalid_value("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")


def checked(given: Mapping[str, str], name: str, *, new: bool) -> dict[str, str]:
    """The attributes to store. Raises AWS's error for unknown ones and for values that cannot be.

    An empty Policy, RedrivePolicy or KmsMasterKeyId takes the attribute away: it is kept as "".
    """
    for attribute, value in given.items():
        if attribute not in SETTABLE:
            raise unknown_attribute(attribute)
        _CHECKS.get(attribute, _check_text)(attribute, value)
    fifo = is_fifo(name)
    for attribute in _FIFO_ONLY:
        if attribute in given and not fifo:
            raise unknown_attribute(attribute)
    _check_fifo(given, fifo, new=new)
    return dict(given)


def check_together(attributes: Mapping[str, str]) -> None:
    """Raises InvalidAttributeValue for values that exclude each other in the whole queue."""
    per_group = attributes.get("FifoThroughputLimit") == "perMessageGroupId"
    if per_group and attributes.get("DeduplicationScope", "queue") != "messageGroup":
        raise invalid_attribute(
            "FifoThroughputLimit",
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup.",
        )
    if attributes.get("KmsMasterKeyId") and attributes.get("SqsManagedSseEnabled") == "true":
        raise invalid_attribute("SqsManagedSseEnabled", "You can use one type of server-side encryption (SSE) at one "
                                "time. You can either enable KMS SSE or SQS SSE.")  # fmt: skip


def _check_fifo(given: Mapping[str, str], fifo: bool, *, new: bool) -> None:
    if "FifoQueue" not in given:
        return
    if given["FifoQueue"] not in ("true", "false") or (given["FifoQueue"] == "false" and new):
        # AWS: a standard queue is one that leaves the attribute out.
        raise unknown_attribute("FifoQueue")
    if (given["FifoQueue"] == "true") != fifo:
        raise invalid_attribute("FifoQueue", "Modifying queue type is not supported.")


def _check_number(name: str, value: str) -> None:
    least, most = _NUMBERS[name]
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
        raise invalid_attribute(name)


def _check_choice(name: str, value: str) -> None:
    if value not in _FIFO_ONLY[name]:
        raise invalid_attribute(name)


def _check_boolean(name: str, value: str) -> None:
    if value not in ("true", "false"):
        raise invalid_attribute(name)


def _check_text(name: str, value: str) -> None:
    """Any text will do."""


def _document(name: str, value: str) -> dict[str, Any]:
    try:
        document = json_values.parse(value)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    if name == "Policy":
        raise invalid_attribute(name)
    reason = "Amazon SQS can't create the redrive policy, as it’s in an unsupported format."
    raise invalid_value_of(name, value, reason)


def _check_policy(name: str, value: str) -> None:
    if not value:
        return
    try:
        parse_policy(_document(name, value), "resource")
    except ServiceError as error:
        raise invalid_attribute(name) from error


def _check_redrive(name: str, value: str) -> None:
    if not value:
        return
    document = _document(name, value)
    reason = f"Value {value} for parameter {name} is invalid. Reason: "
    for needed in ("deadLetterTargetArn", "maxReceiveCount"):
        if needed not in document:
            raise invalid_value(f"{reason}Redrive policy does not contain mandatory attribute: {needed}.")
    unknown = next((key for key in document if key not in ("deadLetterTargetArn", "maxReceiveCount")), None)
    if unknown is not None:
        raise invalid_value(f"{reason}Redrive policy contains unknown attribute: {unknown}.")
    count = document["maxReceiveCount"]
    digits = isinstance(count, str) and count.isascii() and count.isdigit() and len(count) <= 4
    if not ((isinstance(count, int) and not isinstance(count, bool)) or digits) or not 1 <= int(count) <= MAX_RECEIVES:
        raise invalid_value(f"{reason}Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both "
                            "inclusive.")  # fmt: skip
    target = document["deadLetterTargetArn"]
    if not isinstance(target, str) or not re.fullmatch(r"arn:[^:]+:sqs:[^:]+:\d{12}:[\w-]+(\.fifo)?", target, re.ASCII):
        raise invalid_value(f"{reason}Invalid value for deadLetterTargetArn.")


def _check_allow(name: str, value: str) -> None:
    if not value:
        return
    document = _document(name, value)
    permission = document.get("redrivePermission", "allowAll")
    arns = document.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue") or set(document) - {"redrivePermission", "sourceQueueArns"}:
        raise invalid_attribute(name)
    by_queue = permission == "byQueue"
    if by_queue != (arns is not None) or (by_queue and not (isinstance(arns, list) and 1 <= len(arns) <= 10)):
        raise invalid_attribute(name)


_CHECKS: Mapping[str, Callable[[str, str], None]] = {
    **dict.fromkeys(_NUMBERS, _check_number),
    **dict.fromkeys(_FIFO_ONLY, _check_choice),
    "SqsManagedSseEnabled": _check_boolean,
    "Policy": _check_policy,
    "RedrivePolicy": _check_redrive,
    "RedriveAllowPolicy": _check_allow,
}
