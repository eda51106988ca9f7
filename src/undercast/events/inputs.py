"""What a target gets of an event: a part of it, or a text with parts of it.

Pure. Paths of a rule's targets are EventBridge's subset of JSONPath: names, indices and [*]. Those of pipes have more
("Amazon EventBridge Pipes input transformation" lists wildcards). What a path does not find is left out.
AWS: EventBridge User Guide, "Amazon EventBridge input transformation"; API Reference, InputTransformer. Where its
answers and deliveries were recorded, they are what holds: https://github.com/radkawar/stackd, recordings of
EventBridge of September 2026, and https://github.com/localstack/localstack, of June 2024.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from undercast.core import json_values

_STEP = re.compile(r"\.(?P<name>[\w\-/:@ ]+)|\[(?:(?P<index>\d+)|\*)\]")
_WIDER_STEP = re.compile(rf"{_STEP.pattern}|\.\*|\[['\"](?P<quoted>[^'\"\]]+)['\"]\]")
_WILDCARD = "[*]"
"""No name has a bracket."""
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")
_STRING = re.compile(r'"(?P<text>(?>(?:[^"\\]++|\\.)*))(?:"(?P<colon>\s*+:)?|\\?\Z)', re.DOTALL)
"""A whole string, also one that nothing closes: no search begins inside of it. One with a colon behind it is a name."""
_SPACE = re.compile(r"\s*")
_WITH_PATHS = re.compile(r"<(\$[^<>\"]*|[A-Za-z0-9_.\-]+)>")
MISSING: Any = object()


class InvalidPath(ValueError):
    """The text is no path."""


def parse_path(text: str) -> tuple[str | int, ...]:
    """The steps of a path that PutTargets takes: $.detail.items[0].id. Raises InvalidPath."""
    return _steps(text, _STEP)


def _steps(text: str, pattern: re.Pattern[str]) -> tuple[str | int, ...]:
    if not text.startswith("$"):
        raise InvalidPath(text)
    at, steps = 1, []
    while at < len(text):
        found = pattern.match(text, at)
        if found is None:
            raise InvalidPath(text)
        names = found.groupdict()
        steps.append(int(names["index"]) if names["index"] else names["name"] or names.get("quoted") or _WILDCARD)
        at = found.end()
    return tuple(steps)


def at_path(document: Any, path: str) -> Any:
    """The value there, MISSING where there is none; of a path with a wildcard the list of values.

    A name may be quoted in brackets, and a wildcard is all of an array or of an object: `$.body['user-id']`, `$.a.*`.
    """
    try:
        steps = _steps(path, _WIDER_STEP)
    except InvalidPath:
        return MISSING
    return _found(document, steps, (list, dict))


def at_rule_path(document: Any, path: str) -> Any:
    """The same of a rule's target: a wildcard is all of an array. What only an older version took is a wider path."""
    try:
        steps = parse_path(path)
    except InvalidPath:
        return at_path(document, path)
    return _found(document, steps, (list,))


def _found(document: Any, steps: tuple[str | int, ...], containers: tuple[type, ...]) -> Any:
    found = list(_walk(document, steps, containers))
    if _WILDCARD in steps:
        return found
    return found[0] if found else MISSING


def _walk(value: Any, steps: tuple[str | int, ...], containers: tuple[type, ...]) -> Iterator[Any]:
    """`containers` are what a wildcard is all of."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step == _WILDCARD:
        if type(value) in containers:
            for one in value.values() if isinstance(value, dict) else value:
                yield from _walk(one, rest, containers)
    elif isinstance(step, int):
        if isinstance(value, list) and step < len(value):
            yield from _walk(value[step], rest, containers)
    elif isinstance(value, dict) and step in value:
        yield from _walk(value[step], rest, containers)


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def placeholders(template: str) -> list[str]:
    """The names of the variables that a template asks for."""
    return [found[1] for found in _PLACEHOLDER.finditer(template)]


def is_object(template: str) -> bool:
    """Whether it is a JSON object, in which variables are JSON; any other is a text, also one that is an array."""
    return template.lstrip().startswith("{")


def names_a_member(template: str) -> bool:
    """Whether a variable is, or is in, the name of a member."""
    names = (found["text"] for found in _STRING.finditer(template) if found["colon"])
    return any(_PLACEHOLDER.search(name) for name in names)


def without_variables(template: str) -> str:
    """The text whose syntax AWS checks: null for each variable."""
    return _PLACEHOLDER.sub("null", template)


def json_error(text: str, *, several: bool = True) -> json.JSONDecodeError | None:
    """Why a text is not one JSON value behind the other, as AWS takes them, or not a single one; None where it is."""
    decoder, at = json.JSONDecoder(), _begin(text, 0)
    try:
        while True:
            _, at = decoder.raw_decode(text, at)
            at = _begin(text, at)
            if at == len(text):
                return None
            if not several:
                return json.JSONDecodeError("Extra data", text, at)
    except json.JSONDecodeError as error:
        return error
    except RecursionError:
        return json.JSONDecodeError("Nested too deeply", text, at)


def _begin(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def fill(template: str, variables: Mapping[str, Any]) -> str:
    """The template with the variables' values. What is no variable stays.

    In an object they are JSON, "" where there is no value; inside of quotes texts are escaped, objects and arrays are
    not: their quotes end the string, and the whole is no JSON. A text has plain values: objects and arrays lose their
    quotes, and what has no value leaves nothing. An object goes out without blanks.
    Recorded from AWS: each of these; its documentation has some of them ("Common issues with transforming input").
    """
    if is_object(template):
        return _minified(_filled(template, _PLACEHOLDER, variables.__getitem__, _in_object))
    return _filled(template, _PLACEHOLDER, variables.__getitem__, lambda value, quoted: _plain(value))


def fill_paths(template: str, variables: Mapping[str, Any], document: Any) -> str:
    """The same of a pipe, where placeholders may be paths into a document, <$.a.b>, and JSON by themselves.

    AWS: EventBridge User Guide, "Amazon EventBridge Pipes input transformation": inside of a string, objects lose
    their quotes.
    """

    def value_of(name: str) -> Any:
        return at_path(document, name) if name.startswith("$") else variables.get(name, MISSING)

    def shown(value: Any, quoted: bool) -> str:
        return _plain(value) if quoted else _in_object(value, quoted)

    return _minified(_filled(template, _WITH_PATHS, value_of, shown))


def _filled(
    template: str, pattern: re.Pattern[str], value_of: Callable[[str], Any], shown: Callable[[Any, bool], str]
) -> str:
    parts: list[str] = []
    at, quoted = 0, False
    for found in pattern.finditer(template):
        before = template[at : found.start()]
        quoted = _ends_quoted(before, quoted)
        parts.append(before)
        try:
            parts.append(shown(value_of(found[1]), quoted))
        except KeyError:
            parts.append(found[0])
        at = found.end()
    parts.append(template[at:])
    return "".join(parts)


def _minified(text: str) -> str:
    try:
        return compact(json_values.parse(text))
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


def _in_object(value: Any, quoted: bool) -> str:
    if value is MISSING:
        return "" if quoted else '""'
    text = compact(value)
    return text[1:-1] if quoted and isinstance(value, str) else text


def _plain(value: Any) -> str:
    if value is MISSING:
        return ""
    if isinstance(value, str):
        return value
    return compact(value).replace('\\"', "").replace('"', "")
