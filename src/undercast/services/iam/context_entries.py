"""The context keys of a simulation: each value must be of the type that the entry names.

Pure. A type ending in "List" is checked value by value. AWS: IAM API Reference, "ContextEntry". The error is
InvalidInput, as SimulateCustomPolicy lists; its text is ours.
"""

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from undercast.services.iam import errors


def conditions(entries: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Context key -> its values. Raises InvalidInput."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        name, values = entry.get("ContextKeyName", ""), tuple(entry.get("ContextKeyValues", ()))
        kind = entry.get("ContextKeyType", "string")
        reads = _TYPES.get(kind.removesuffix("List"))
        if reads is None:
            raise errors.invalid_input(f"ContextKeyType {kind} of {name} is unknown.")
        for value in values:
            if not reads(value):
                raise errors.invalid_input(f"Value {value} of the context key {name} is not of type {kind}.")
        found[name] = values
    return found


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def reads(value: str) -> bool:
        try:
            parse(value)
        except (ValueError, binascii.Error):
            return False
        return True

    return reads


def _date(value: str) -> object:
    """ISO 8601 or seconds since the epoch, as the Date operators read it."""
    return float(value) if value.lstrip("-").replace(".", "", 1).isdigit() else datetime.fromisoformat(value)


_TYPES: Mapping[str, Callable[[str], bool]] = {
    "string": lambda value: True,
    "numeric": _parses(float),
    "boolean": lambda value: value.lower() in ("true", "false"),
    "ip": _parses(lambda value: ipaddress.ip_network(value, strict=False)),
    "binary": _parses(lambda value: base64.b64decode(value, validate=True)),
    "date": _parses(_date),
}
