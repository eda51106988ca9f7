"""Filter expressions: what a trace has to be to be found, or to be in a group.

Pure. Simple keywords look at the root segment, `service()` and `edge()` at segments and calls between them. What the
language has beyond this (rootcause, json) is refused by its name.
AWS: X-Ray Developer Guide, "Using filter expressions".
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from undercast.core.record import record
from undercast.services.xray.assembly import Trace
from undercast.services.xray.documents import Document, annotations_of, end_of, entities, part, start_of
from undercast.services.xray.summaries import type_of

MAX_CHARACTERS = 2000
_MAX_DEPTH = 50
_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<op>!=|<=|>=|[=<>!(){},:\[\]])'
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_.]*))",
    re.ASCII,
)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "CONTAINS": lambda text, piece: piece in text,
    "BEGINSWITH": lambda text, piece: bool(text.startswith(piece)),
    "ENDSWITH": lambda text, piece: bool(text.endswith(piece)),
}
_OF_TEXT = frozenset({"=", "!=", "CONTAINS", "BEGINSWITH", "ENDSWITH"})
_OF_NUMBERS = frozenset({"=", "!=", "<", "<=", ">", ">="})


class Invalid(ValueError):
    """An expression that is none, or of a part of the language that is not here."""


class View(NamedTuple):
    """What keywords are asked of: a trace, and of it one segment."""

    trace: Trace
    segment: Document


Test = Callable[[View], bool]
Values = Callable[[View], Iterator[Any]]


def _http(*path: str) -> Values:
    def values(view: View) -> Iterator[Any]:
        value = part(view.segment, "http", *path)
        if value is not None:
            yield value

    return values


def _anywhere(*path: str) -> Values:
    """What any segment of the trace says."""

    def values(view: View) -> Iterator[Any]:
        for one in view.trace.segments:
            value = part(one, *path)
            if isinstance(value, str):
                yield value

    return values


_FLAGS: Mapping[str, Test] = {
    "ok": lambda view: not any(view.segment.get(name) is True for name in ("error", "throttle", "fault")),
    "error": lambda view: view.segment.get("error") is True,
    "throttle": lambda view: view.segment.get("throttle") is True,
    "fault": lambda view: view.segment.get("fault") is True,
    "partial": lambda view: view.trace.in_progress,
    "inferred": lambda view: view.segment.get("inferred") is True,
    "first": lambda view: view.trace.caller(view.segment) is None,
    "last": lambda view: not any(view.trace.caller(one) is view.segment for one in view.trace.segments),
}
_NUMBERS: Mapping[str, Values] = {
    "responsetime": lambda view: iter((end_of(view.segment) - start_of(view.segment),)),
    "duration": lambda view: iter((view.trace.end - view.trace.start,)),
    "http.status": _http("response", "status"),
}
_TEXTS: Mapping[str, Values] = {
    "http.url": _http("request", "url"),
    "http.method": _http("request", "method"),
    "http.useragent": _http("request", "user_agent"),
    "http.clientip": _http("request", "client_ip"),
    "user": _anywhere("user"),
    "type": lambda view: iter((type_of(view.segment),)),
    "availabilityzone": _anywhere("aws", "ec2", "availability_zone"),
    "instance.id": _anywhere("aws", "ec2", "instance_id"),
    "resource.arn": _anywhere("resource_arn"),
    "name": lambda view: iter((str(view.segment.get("name", "")),)),
}


@record(kw_only=False)
class Filter:
    """An expression that was understood."""

    text: str
    test: Test

    def matches(self, trace: Trace) -> bool:
        """Whether the trace is one of those that it means."""
        return self.test(View(trace, trace.root))


def parse(text: str) -> Filter:
    """Understand an expression; "" means every trace. Raises Invalid."""
    if len(text) > MAX_CHARACTERS:
        raise Invalid(f"the expression has more than {MAX_CHARACTERS} characters")
    if not text.strip():
        return Filter(text, lambda view: True)
    parser = _Parser(_tokens(text))
    test = parser.any_of(0)
    if not parser.at_end:
        raise Invalid(f"unexpected {parser.take()}")
    return Filter(text, test)


class Selector(NamedTuple):
    """Which segments are meant: answers of services, or calls along edges."""

    is_edge: bool
    picks: Test


def selector(text: str) -> Selector:
    """Understand an EntitySelectorExpression: service(), id() or edge(); "" means every edge. Raises Invalid."""
    if not text.strip():
        return Selector(True, lambda view: True)
    parser = _Parser(_tokens(text))
    found = parser.entities()
    if not parser.at_end:
        raise Invalid(f"unexpected {parser.take()}")
    return found


def _somewhere(picks: Test) -> Test:
    """Whether it holds of one of the trace's segments."""
    return lambda view: any(picks(View(view.trace, one)) for one in view.trace.segments)


def _tokens(text: str) -> list[str]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise Invalid(f"unexpected character at {at + 1}")
        found.append(match.group().strip())
        at = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def peek(self) -> str:
        return "" if self.at_end else self._tokens[self._at]

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise Invalid(f"{expected or 'more'} expected" + (f", not {token}" if token else " at the end"))
        self._at += 1
        return token

    def entities(self) -> Selector:
        """service(...), edge(..., ...) or id(...)."""
        if self.peek() == "id":
            wanted = self._node("")
            return Selector(False, lambda view: wanted(view.segment))
        word = self.take()
        if word not in ("service", "edge"):
            raise Invalid(f"service, edge or id expected, not {word}")
        return Selector(word == "edge", self._edge(0) if word == "edge" else self._service(0))

    def any_of(self, depth: int) -> Test:
        if depth > _MAX_DEPTH:
            raise Invalid("the expression is nested too deeply")
        tests = [self._all_of(depth)]
        while self.peek().upper() == "OR":
            self.take()
            tests.append(self._all_of(depth))
        return tests[0] if len(tests) == 1 else lambda view: any(test(view) for test in tests)

    def _all_of(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while (token := self.peek()) and token.upper() != "OR" and token not in ")}":
            if token.upper() == "AND":
                self.take()
            tests.append(self._one(depth))
        return tests[0] if len(tests) == 1 else lambda view: all(test(view) for test in tests)

    def _one(self, depth: int) -> Test:
        token = self.take()
        if token == "!":
            inner = self._one(depth + 1) if depth < _MAX_DEPTH else self.any_of(depth + 1)
            return lambda view: not inner(view)
        if token == "(":
            inner = self.any_of(depth + 1)
            self.take(")")
            return inner
        return self._keyword(token, depth)

    def _keyword(self, word: str, depth: int) -> Test:
        if word in _FLAGS:
            return self._flag(_FLAGS[word])
        if word in _NUMBERS:
            return self._compared(_NUMBERS[word], _OF_NUMBERS, float)
        if word in _TEXTS:
            return self._compared(_TEXTS[word], _OF_TEXT, str)
        if word == "service":
            return _somewhere(self._service(depth))
        if word == "edge":
            return _somewhere(self._edge(depth))
        if word == "annotation" or word.startswith("annotation."):
            return self._annotation(word.partition(".")[2])
        raise Invalid(f"the keyword {word} is not supported")

    def _flag(self, test: Test) -> Test:
        if self.peek() not in ("=", "!="):
            return test
        sign, said = self.take(), self.take().strip('"').lower()
        if said not in ("true", "false"):
            raise Invalid("true or false expected")
        wanted = (said == "true") == (sign == "=")
        return lambda view: test(view) is wanted

    def _compared(self, values: Values, allowed: frozenset[str], kind: type) -> Test:
        sign = self.take().upper()
        if sign not in allowed:
            raise Invalid(f"{sign} does not compare this keyword")
        wanted, compare = self._value(), _OPERATORS[sign]
        if isinstance(wanted, bool) or (kind is str) != isinstance(wanted, str):
            raise Invalid(f"{'a text' if kind is str else 'a number'} expected")
        return lambda view: any(compare(one, wanted) for one in values(view) if isinstance(one, str) == (kind is str))

    def _annotation(self, key: str) -> Test:
        if not key:
            self.take("[")
            key = self.take().strip('"')
            self.take("]")

        def values(view: View) -> Iterator[Any]:
            for segment in view.trace.segments:
                for inner in entities(segment):
                    yield from (value for name, value in annotations_of(inner) if name == key)

        sign = self.peek().upper()
        if sign not in _OPERATORS:
            return lambda view: any(True for _ in values(view))
        self.take()
        wanted, compare = self._value(), _OPERATORS[sign]
        if sign not in (_OF_TEXT if isinstance(wanted, str) else _OF_NUMBERS):
            raise Invalid(f"{sign} does not compare such a value")
        if isinstance(wanted, bool | str):
            return lambda view: any(type(one) is type(wanted) and compare(one, wanted) for one in values(view))
        return lambda view: any(compare(one, wanted) for one in values(view) if type(one) in (int, float))

    def _value(self) -> str | float | bool:
        token = self.take()
        if token.startswith('"'):
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if token.lower() in ("true", "false"):
            return token.lower() == "true"
        try:
            return float(token)
        except ValueError:
            raise Invalid(f"a value expected, not {token}") from None

    def _service(self, depth: int) -> Test:
        """Whether a segment is of this service."""
        self.take("(")
        wanted = self._node(")")
        self.take(")")
        inner = self._block(depth)
        return lambda view: wanted(view.segment) and inner(view)

    def _edge(self, depth: int) -> Test:
        """Whether a segment is a call along this edge."""
        self.take("(")
        source = self._node(",")
        self.take(",")
        target = self._node(")")
        self.take(")")
        inner = self._block(depth)

        def test(view: View) -> bool:
            caller = view.trace.caller(view.segment)
            return caller is not None and source(caller) and target(view.segment) and inner(view)

        return test

    def _node(self, end: str) -> Callable[[Document], bool]:
        """A name in quotes, id(name: "...", type: "..."), or nothing, which is every node."""
        if self.peek() == end:
            return lambda segment: True
        wanted: dict[str, str] = {}
        if self.peek() == "id":
            self.take()
            self.take("(")
            while self.peek() != ")":
                name = self.take()
                if name not in ("name", "type"):
                    raise Invalid(f"id() has no {name} here")
                self.take(":")
                wanted[name] = str(self._value())
                if self.peek() == ",":
                    self.take()
            self.take(")")
        else:
            value = self._value()
            if not isinstance(value, str):
                raise Invalid("the name of a service expected")
            wanted["name"] = value
        return lambda segment: (
            wanted.get("name", segment.get("name")) == segment.get("name")
            and wanted.get("type", type_of(segment)) == type_of(segment)
        )

    def _block(self, depth: int) -> Test:
        if self.peek() != "{":
            return lambda view: True
        self.take()
        inner = self.any_of(depth + 1)
        self.take("}")
        return inner
