"""What a message may hold, and what it is for each protocol.

Pure. AWS: SNS API Reference, Publish; Developer Guide, "Amazon SNS message attributes" (data types), "Large message
payloads"; the texts are the service's answers.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.record import record
from undercast.services.sns.errors import invalid, invalid_attribute_value
from undercast.services.sns.models import DEFAULT_MAX_BYTES

_NAME = re.compile(r"(?!(?:aws|amazon)\.)(?!.*\.\.)(?!\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.IGNORECASE)
_TYPE = re.compile(r"(String|Number|Binary)(\..*)?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_SUBJECT = re.compile(r"[\x20-\x7e\u00a0-\ud7ff\ue000-\U0010ffff]{1,99}")
_GROUP = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_UNPAIRED = re.compile(r"[\ud800-\udfff]")
"""JSON can escape half a character, which no encoding can write."""
_RESERVED_MOBILE = re.compile(r"AWS\.SNS\.(MOBILE|SMS)\.|AWS\.MM\.", re.IGNORECASE)
"""Attributes that steer push and SMS: the only ones that begin with AWS."""


@record
class Message:
    """What is published, checked."""

    text: str
    """For every protocol that `by_protocol` does not name."""
    by_protocol: Mapping[str, str]
    subject: str | None
    attributes: Mapping[str, Mapping[str, Any]]
    size_bytes: int
    group_id: str = ""
    deduplication_id: str = ""
    trace_header: str = ""

    def for_protocol(self, name: str) -> str:
        """The text that a protocol gets."""
        return self.by_protocol.get(name, self.text)


def check(params: Mapping[str, Any], *, max_bytes: int = DEFAULT_MAX_BYTES, trace_header: str = "") -> Message:
    """Raises AWS's error for what cannot be published. `params` are Publish's, or an entry of PublishBatch."""
    text = params.get("Message") or ""
    if not text:
        raise invalid("Empty message")
    subject = params.get("Subject")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise invalid("Subject")
    attributes = params.get("MessageAttributes") or {}
    _check_attributes(attributes)
    size = len(text.encode()) + _size(attributes)
    if size > max_bytes:
        raise invalid("Message too long")
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        if name in params and not _GROUP.fullmatch(params[name]):
            raise invalid(f"The {name} parameter is invalid: up to 128 alphanumeric characters and punctuation")
    by_protocol: dict[str, str] = {}
    structure = params.get("MessageStructure", "")
    if structure == "json":
        by_protocol = _by_protocol(text)
        text = by_protocol.pop("default")
    elif structure:
        raise invalid("MessageStructure")
    return Message(
        text=text,
        by_protocol=by_protocol,
        subject=subject,
        attributes=attributes,
        size_bytes=size,
        group_id=params.get("MessageGroupId", ""),
        deduplication_id=params.get("MessageDeduplicationId", ""),
        trace_header=trace_header,
    )


def _by_protocol(text: str) -> dict[str, str]:
    """The texts of MessageStructure json. What is no text is left out, as AWS says."""
    try:
        given = json_values.parse(text, object_pairs_hook=_once)
    except ValueError as error:
        raise invalid("Message Structure - JSON message body failed to parse") from error
    texts = {name: value for name, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}
    if any(_UNPAIRED.search(value) for value in texts.values()):
        raise invalid("Message Structure - JSON message body failed to parse")
    if "default" not in texts:
        raise invalid("Message Structure - No default entry in JSON message body")
    return texts


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate keys")
    return found


def _check_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> None:
    for name, value in attributes.items():
        if not _NAME.fullmatch(name) and not _RESERVED_MOBILE.match(name):
            raise invalid_attribute_value(f"The message attribute name '{name}' is invalid: it may have letters, "
                                          "digits, '_', '-' and '.', and not begin with AWS. or Amazon.")  # fmt: skip
        _check_value(name, value)


def _check_value(name: str, value: Mapping[str, Any]) -> None:
    kind = value.get("DataType") or ""
    found = _TYPE.fullmatch(kind)
    if not kind:
        raise invalid_attribute_value(f"The message attribute '{name}' must contain non-empty message attribute type.")
    if found is None or len(kind) > 256:
        raise invalid_attribute_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes "
            "is Binary, Number, and String."
        )
    held = value.get("BinaryValue") if found[1] == "Binary" else value.get("StringValue")
    other = value.get("StringValue") if found[1] == "Binary" else value.get("BinaryValue")
    if held is None and other is not None:
        field = "Binary" if found[1] == "Binary" else "String"
        raise invalid_attribute_value(f"The message attribute '{name}' with type '{kind}' must use field '{field}'.")
    if not held:
        raise invalid_attribute_value(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute type "
            f"'{kind}'."
        )
    if found[1] == "Number" and not _NUMBER.fullmatch(held):
        raise invalid_attribute_value(f"Could not cast message attribute '{name}' value to number.")
    if kind == "String.Array":
        _check_array(name, held)


def _check_array(name: str, text: str) -> None:
    try:
        values = json_values.parse(text)
    except ValueError:
        values = None
    if not isinstance(values, list) or any(isinstance(value, list | dict) for value in values):
        raise invalid_attribute_value(
            f"The message attribute '{name}' of type 'String.Array' must be a JSON array of strings, numbers, true, "
            "false and null."
        )


def _size(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(
        len(name.encode()) + len(value["DataType"].encode()) + len(_content(value))
        for name, value in attributes.items()
    )


def _content(value: Mapping[str, Any]) -> bytes:
    held = value.get("BinaryValue")
    return bytes(held) if held is not None else str(value["StringValue"]).encode()


def shown_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Message attributes as envelopes have them: Type and Value, binary ones in base64."""
    return {
        name: {
            "Type": value["DataType"],
            "Value": base64.b64encode(value["BinaryValue"]).decode()
            if "BinaryValue" in value
            else value["StringValue"],
        }
        for name, value in attributes.items()
    }


def queued_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """Message attributes of a raw delivery, as the deliveries to queues carry them."""
    found: dict[str, dict[str, str]] = {}
    for name, value in attributes.items():
        found[name] = {"DataType": value["DataType"]}
        if "BinaryValue" in value:
            found[name]["BinaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
        else:
            found[name]["StringValue"] = value["StringValue"]
    return json.dumps(found, separators=(",", ":"))
