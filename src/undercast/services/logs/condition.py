"""Conditions on values: `{ $.a.b[0] = "x*" && ($.n > 3 || $.z IS NULL) }` on JSON and `[ip, s=4*]` on fields.

Pure: a tokenizer and a recursive-descent parser that return predicates.
AWS: CloudWatch Logs User Guide, "Using filter patterns to match terms in JSON log events", "... in space-delimited
log events".
"""

import json
import re
from collections.abc import Callable
from typing import Any

from undercast.core import json_values
from undercast.services.logs.errors import invalid
from undercast.services.logs.regex import compile_regex

Matcher = Callable[[str], bool]
Test = Callable[[Any], bool]
Field = tuple[str, Test | None]
"""A field of `[...]`: its name, and what is asked of it."""
REST = "..."
MAX_DEPTH = 50
_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>&&|\|\||!=|>=|<=|[=<>(){},\[\]])|"(?P<quoted>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%"""
    r"""|(?P<selector>\$(?:\.[\w-]+|\['[^']+'\]|\["[^"]+"\]|\[\d+\])+)|(?P<word>[^\s"%&|=!<>(){},\[\]]+))\s*"""
)
_PART = re.compile(r"""\.([\w-]+)|\['([^']+)'\]|\["([^"]+)"\]|\[(\d+)\]""")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_MISSING = object()
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">": lambda one, other: one > other,
    "<": lambda one, other: one < other,
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
}


def bad_pattern() -> Exception:
    """AWS gives no more detail."""
    return invalid("Invalid filter pattern")


class Parser:
    """One pattern, token by token."""

    def __init__(self, text: str) -> None:
        self._tokens: list[re.Match[str]] = []
        self._next = 0
        self.selectors: dict[str, tuple[str | int, ...]] = {}
        """Of a parsed `{ ... }`: what it looks at."""
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise bad_pattern()
            self._tokens.append(token)
            at = token.end()

    def json(self) -> Matcher:
        """`{ condition }` over a message that is a JSON object."""
        self._expect("{")
        test = self._any_of(0)
        self._expect("}")
        self._finish()

        def matches(message: str) -> bool:
            try:
                document = json_values.parse(message)
            except ValueError:
                return False
            return isinstance(document, dict) and test(document)

        return matches

    def _any_of(self, depth: int) -> Test:
        tests = [self._all_of(depth)]
        while self._accept("||"):
            tests.append(self._all_of(depth))
        return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)

    def _all_of(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while self._accept("&&"):
            tests.append(self._one(depth))
        return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)

    def _one(self, depth: int) -> Test:
        if depth > MAX_DEPTH:
            raise bad_pattern()
        if self._accept("("):
            test = self._any_of(depth + 1)
            self._expect(")")
            return test
        selector = self._take()["selector"]
        path = self.selectors[selector or ""] = _path(selector)
        test = self._comparison()
        return lambda document: test(_lookup(document, path))

    def _comparison(self) -> Test:
        token = self._take()
        word = (token["word"] or "").upper()
        if word == "IS":
            return _is(self._word().upper())
        if word == "NOT":
            if self._word().upper() != "EXISTS":
                raise bad_pattern()
            return lambda value: value is _MISSING
        if word == "EXISTS":
            return lambda value: value is not _MISSING
        return self.operand(token["mark"])

    def operand(self, operator: str | None) -> Test:
        """What stands behind `=`, `!=`, `<` and their like, as a test of a value."""
        token = self._take()
        if operator in _ORDER:
            return _ordered(_ORDER[operator], token["word"] or "")
        if operator not in ("=", "!="):
            raise bad_pattern()
        test = _equal(token)
        return test if operator == "=" else lambda value: value is not _MISSING and not test(value)

    def field(self) -> Field:
        """One field of `[ip, status=4*, ...]`: its name, and what is asked of it."""
        name = self._word()
        if not self._at(("=", "!=", ">", "<", ">=", "<=")):
            return name, None
        tests = [self.operand(self._take()["mark"])]
        joined = ""
        while self._at(("&&", "||")):
            joined = self._take()["mark"] or ""
            if self._word() != name:
                raise bad_pattern()
            tests.append(self.operand(self._take()["mark"]))
        if joined == "||":
            return name, lambda value: any(test(value) for test in tests)
        return name, lambda value: all(test(value) for test in tests)

    def fields(self) -> list[Field]:
        """All fields between the brackets."""
        self._expect("[")
        if self._accept("]"):
            self._finish()
            return [(REST, None)]
        found = [self.field()]
        while self._accept(","):
            found.append(self.field())
        self._expect("]")
        self._finish()
        return found

    def _take(self) -> re.Match[str]:
        if self._next >= len(self._tokens):
            raise bad_pattern()
        self._next += 1
        return self._tokens[self._next - 1]

    def _word(self) -> str:
        word = self._take()["word"]
        if not word:
            raise bad_pattern()
        return word

    def _at(self, marks: tuple[str, ...]) -> bool:
        return self._next < len(self._tokens) and self._tokens[self._next]["mark"] in marks

    def _accept(self, mark: str) -> bool:
        if self._at((mark,)):
            self._next += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._accept(mark):
            raise bad_pattern()

    def _finish(self) -> None:
        if self._next != len(self._tokens):
            raise bad_pattern()


def fields_of(pattern: str) -> Matcher:
    """`[ip, user, ..., status=4*]`: as many fields as the message has, or any number where "..." stands."""
    fields = _parsed(pattern)

    def matches(message: str) -> bool:
        values = _split(message)
        asked = _spread(fields, len(values))
        return asked is not None and all(
            test is None or test(value) for (_, test), value in zip(asked, values, strict=True)
        )

    return matches


def names_of(pattern: str) -> Callable[[str], dict[str, str]]:
    """Takes the fields out of a message that matches: by name, those of "..." by place, "$1" the first."""
    fields = _parsed(pattern)

    def named(message: str) -> dict[str, str]:
        values = _split(message)
        asked = _spread(fields, len(values)) or []
        return {
            name or f"${place}": value
            for place, ((name, _), value) in enumerate(zip(asked, values, strict=False), start=1)
        }

    return named


def _parsed(pattern: str) -> list[Field]:
    fields = Parser(pattern).fields()
    if sum(name == REST for name, _ in fields) > 1:
        raise bad_pattern()
    return fields


def _spread(fields: list[Field], count: int) -> list[Field] | None:
    """One field for each of so many values; None where they do not fit."""
    at = next((place for place, (name, _) in enumerate(fields) if name == REST), None)
    if at is not None:
        missing = count - (len(fields) - 1)
        fields = [*fields[:at], *[("", None)] * missing, *fields[at + 1 :]] if missing >= 0 else []
    return fields if len(fields) == count else None


def _split(message: str) -> list[str]:
    """Fields are separated by spaces; "..." and [...] are one field each."""
    found = re.findall(r'"([^"]*)"|\[([^\]]*)\]|(\S+)', message)
    return [quoted or bracketed or plain for quoted, bracketed, plain in found]


def _path(selector: str | None) -> tuple[str | int, ...]:
    if not selector:
        raise bad_pattern()
    parts = (match.groups() for match in _PART.finditer(selector))
    return tuple(int(index) if index else name or single or double for name, single, double, index in parts)


def path_of(selector: str) -> tuple[str | int, ...]:
    """Of a whole selector, `$.a.b[0]`. Raises InvalidParameterException for other texts."""
    token = _TOKEN.fullmatch(selector)
    return _path(token["selector"] if token else None)


def value_at(document: Any, path: tuple[str | int, ...]) -> str | None:
    """What a selector finds, as text; None where there is nothing."""
    value = _lookup(document, path)
    if value is _MISSING:
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _lookup(document: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        if isinstance(part, int):
            document = document[part] if isinstance(document, list) and part < len(document) else _MISSING
        else:
            document = document.get(part, _MISSING) if isinstance(document, dict) else _MISSING
    return document


def _is(what: str) -> Test:
    wanted = {"NULL": None, "TRUE": True, "FALSE": False}
    if what not in wanted:
        raise bad_pattern()
    return lambda value: value is wanted[what]


def _ordered(compare: Callable[[float, float], bool], word: str) -> Test:
    if not _NUMBER.fullmatch(word):
        raise bad_pattern()
    limit = float(word)

    def test(value: Any) -> bool:
        number = _number(value)
        return number is not None and compare(number, limit)

    return test


def _equal(token: re.Match[str]) -> Test:
    if token["regex"]:
        search = compile_regex(token["regex"])
        return lambda value: isinstance(value, str) and search(value)
    word = token["word"]
    if word is not None and _NUMBER.fullmatch(word):
        wanted = float(word)
        return lambda value: _number(value) == wanted
    text = word if word is not None else token["quoted"]
    if text is None:
        raise bad_pattern()
    return _wildcard(re.sub(r"\\(.)", r"\1", text))


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _wildcard(text: str) -> Test:
    """A "*" stands for anything, in numbers too. Pieces are looked for in order, so that no pattern is slow."""
    pieces = text.split("*")

    def test(value: Any) -> bool:
        if isinstance(value, int | float) and len(pieces) > 1:
            value = json.dumps(value)
        if not isinstance(value, str):
            return False
        if len(pieces) == 1:
            return value == text
        if not value.startswith(pieces[0]):
            return False
        at = len(pieces[0])
        for piece in pieces[1:-1]:
            found = value.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        return len(value) - len(pieces[-1]) >= at and value.endswith(pieces[-1])

    return test
