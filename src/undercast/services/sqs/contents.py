"""What a message may hold, and the digests by which clients check it.

Pure. AWS: SQS Developer Guide, "Amazon SQS message metadata" (data types, "Calculating the MD5 message digest for
message attributes"); API Reference, SendMessage (allowed characters).
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from undercast.core.errors import ServiceError
from undercast.services.sqs.errors import invalid_value

MAX_ATTRIBUTES = 10
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"(?!(?:aws|amazon)\.)(?!.*\.\.)(?!\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.IGNORECASE)
_TYPE = re.compile(r"(String|Number|Binary)(\..*)?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_TRANSPORT = {"String": 1, "Number": 1, "Binary": 2}


def check_text(text: str, where: str) -> None:
    """Raises InvalidMessageContents for characters that XML 1.0 has not, MissingParameter for an empty body."""
    if _FORBIDDEN.search(text):
        raise ServiceError(
            "InvalidMessageContents",
            f"Invalid characters found in {where}. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
            "#xE000 to #xFFFD | #x10000 to #x10FFFF",
        )


def check_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises InvalidParameterValue for what SQS does not take as a message attribute."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise invalid_value(f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [10].")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise invalid_value(f"The message attribute name '{name}' is invalid.")
        _check_value(name, value)


def _check_value(name: str, value: Mapping[str, Any]) -> None:
    kind = value.get("DataType", "")
    found = _TYPE.fullmatch(kind)
    if not kind or found is None or len(kind) > 256:
        raise invalid_value(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the following supported type "
            "prefixes: Binary, Number, String."
        )
    for refused in ("StringListValues", "BinaryListValues"):
        if value.get(refused):
            raise invalid_value(f"Message attribute list values in '{refused}' are not supported.")
    held = value.get("BinaryValue") if found[1] == "Binary" else value.get("StringValue")
    if not held:
        raise invalid_value(
            f"The message attribute '{name}' must contain a non-empty message attribute value for message attribute "
            f"type '{found[1]}'."
        )
    if found[1] == "Number" and not _NUMBER.fullmatch(held):
        raise invalid_value(f"Could not cast message attribute '{name}' value to number.")
    if isinstance(held, str):
        check_text(held, f"message attribute '{name}'")


def size_of(body: str, attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes that count against MaximumMessageSize: the body, and each attribute's name, type and value."""
    size = len(body) if body.isascii() else len(body.encode())
    for name, value in attributes.items():
        size += len(name.encode()) + len(value["DataType"].encode()) + len(_value(value))
    return size


def body_md5(body: str) -> str:
    """MD5OfMessageBody."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def attributes_md5(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """MD5OfMessageAttributes; "" for none."""
    if not attributes:
        return ""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        for part in (name.encode(), value["DataType"].encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        content = _value(value)
        transport = _TRANSPORT[value["DataType"].partition(".")[0]]
        digest.update(bytes((transport,)) + len(content).to_bytes(4, "big") + content)
    return digest.hexdigest()


def _value(value: Mapping[str, Any]) -> bytes:
    held = value.get("BinaryValue")
    return bytes(held) if held is not None else str(value.get("StringValue", "")).encode()
