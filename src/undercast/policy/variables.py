"""Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, `${*}`, `${?}`, `${$}`.

Compiled once per policy text; a variable whose key the request lacks makes the element that holds it match nothing.
AWS: IAM User Guide, "IAM policy elements: Variables and tags".
"""

import re
from collections.abc import Callable

from undercast.core.record import record

Values = tuple[str, ...]
KeyLookup = Callable[[str], Values | None]
"""Lower-case condition key -> its values in the request, or None when the request has no such key."""

VARIABLES_SINCE = "2012-10-17"
"""Policies of an older version hold "${" as plain text."""

_VARIABLE = re.compile(r"\$\{\s*([^}',]+?)\s*(?:,\s*'([^']*)'\s*)?\}")
_LITERALS = frozenset("*?$")


@record(kw_only=False)
class Text:
    """Text of the policy. `wild` says whether "*" and "?" in it are wildcards."""

    text: str
    wild: bool = True


@record(kw_only=False)
class Variable:
    """A key of the request, with the default that stands in for a missing one."""

    key: str
    default: str | None


Template = tuple[Text | Variable, ...]


def compile_template(text: str, version: str = VARIABLES_SINCE) -> Template:
    """The text in its parts. Without variables it is one Text."""
    if version < VARIABLES_SINCE or "${" not in text:
        return (Text(text),)
    parts: list[Text | Variable] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        if match.start() > end:
            parts.append(Text(text[end : match.start()]))
        name = match[1]
        parts.append(Text(name, wild=False) if name in _LITERALS else Variable(name.lower(), match[2]))
        end = match.end()
    if end < len(text):
        parts.append(Text(text[end:]))
    return tuple(parts)


def has_variables(template: Template) -> bool:
    """Whether the template differs from request to request."""
    return any(isinstance(part, Variable) for part in template)


def resolve(template: Template, keys: KeyLookup) -> tuple[Text, ...] | None:
    """The template with the request's values, which are never wildcards. None when a key is missing.

    A key with several values has no value as a variable (AWS: "multivalued condition keys" cannot be variables).
    """
    parts: list[Text] = []
    for part in template:
        if isinstance(part, Text):
            parts.append(part)
            continue
        values = keys(part.key)
        value = values[0] if values and len(values) == 1 else part.default
        if value is None:
            return None
        parts.append(Text(value, wild=False))
    return tuple(parts)
