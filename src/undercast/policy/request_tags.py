"""The tags that a request carries, as condition keys: aws:RequestTag/key and aws:TagKeys.

AWS: IAM User Guide, "AWS global condition context keys". The members are those of botocore's models: a map, a list of
Key and Value or of TagKey and TagValue, or, to remove tags, a list of keys.
"""

from collections.abc import Mapping
from typing import Any

_MEMBERS = ("Tags", "tags", "TagKeys", "tagKeys")


def request_tags(params: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    """By condition key; nothing where the request names no tag."""
    found: dict[str, str | tuple[str, ...]] = {}
    names: list[str] = []
    for member in _MEMBERS:
        given = params.get(member)
        if not given:
            continue
        for name, value in given.items() if isinstance(given, Mapping) else map(_pair, given):
            names.append(name)
            if value is not None:
                found[f"aws:RequestTag/{name}"] = value
    if names:
        found["aws:TagKeys"] = tuple(names)
    return found


def _pair(tag: str | Mapping[str, str]) -> tuple[str, str | None]:
    if isinstance(tag, str):
        return tag, None
    if "TagKey" in tag:
        return tag["TagKey"], tag.get("TagValue", "")
    return tag["Key"], tag.get("Value", "")
