"""What a target gets of an event: a part of it, or a text with parts of it.

Pure. Paths are EventBridge's subset of JSONPath: names, indices and [*]. What a path does not find is left out.
AWS: EventBridge User Guide, "Amazon EventBridge input transformation"; API Reference, InputTransformer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_STEP = re.compile(r"\.([\w\-/:@ ]+|\*)|\[(\d+|\*)\]|\[['\"]([^'\"\]]+)['\"]\]")
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")
_WITH_PATHS = re.compile(r"<(\$[^<>\"]*|[A-Za-z0-9_.\-]+)>")
MISSING: Any = object()


class InvalidPath(ValueError):
    """The text is no path."""


def parse_path(text: str) -> tuple[str | int, ...]:
    """The steps of $.detail.items[0].id; "*" stands for all. Raises InvalidPath."""
    if not text.startswith("$"):
        raise InvalidPath(text)
    at, steps = 1, []
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise InvalidPath(text)
        name = found[1] or found[3]
        steps.append(name if name is not None else found[2] if found[2] == "*" else int(found[2]))
        at = found.end()
    return tuple(steps)


def at_path(document: Any, path: str) -> Any:
    """The value there, MISSING where there is none; of a path with a wildcard the list of values."""
    try:
        steps = parse_path(path)
    except InvalidPath:
        return MISSING
    found = list(_walk(document, steps))
    if "*" in steps:
        return found
    return found[0] if found else MISSING


def _walk(value: Any, steps: tuple[str | int, ...]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step == "*":
        inner = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
        for one in inner:
            yield from _walk(one, rest)
    elif isinstance(step, int):
        if isinstance(value, list) and step < len(value):
            yield from _walk(value[step], rest)
    elif isinstance(value, dict) and step in value:
        yield from _walk(value[step], rest)


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def placeholders(template: str) -> list[str]:
    """The names of the variables that a template asks for."""
    return [found[1] for found in _PLACEHOLDER.finditer(template)]


def fill(template: str, variables: Mapping[str, Any], document: Any = MISSING) -> str:
    """The template with the variables' values: JSON where they stand by themselves, plain text inside of quotes.

    A variable that is not there leaves nothing inside of quotes, and "" where a value should be. A template that is
    JSON then goes out without blanks. Where a document is given, placeholders may be paths into it: <$.a.b>.
    """
    parts: list[str] = []
    at, quoted = 0, False
    for found in (_PLACEHOLDER if document is MISSING else _WITH_PATHS).finditer(template):
        before, name = template[at : found.start()], found[1]
        quoted = _ends_quoted(before, quoted)
        parts.append(before)
        value = at_path(document, name) if name.startswith("$") else variables.get(name, MISSING)
        parts.append(_text(value, quoted))
        at = found.end()
    parts.append(template[at:])
    text = "".join(parts)
    try:
        return compact(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _ends_quoted(text: str, quoted: bool) -> bool:
    escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = quoted
        elif character == '"':
            quoted = not quoted
    return quoted


def _text(value: Any, quoted: bool) -> str:
    if not quoted:
        return '""' if value is MISSING else compact(value)
    if value is MISSING:
        return ""
    if isinstance(value, str):
        return value
    return compact(value).replace('"', '\\"') if isinstance(value, dict | list) else compact(value)
