"""Metric math as text becomes a tree.

Pure. Precedence, loosest first: OR, AND, comparisons, + and -, * and /, unary minus, ^.
AWS: CloudWatch User Guide, "Metric math syntax and functions".
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from undercast.core.record import record

_TOKENS = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<mark>==|!=|<=|>=|&&|\|\||[-+*/^<>()\[\],]))"
)
_MAX_DEPTH = 60
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("OR", "||"),
    ("AND", "&&"),
    ("==", "!=", "<=", ">=", "<", ">"),
    ("+", "-"),
    ("*", "/"),
)


class SyntaxProblem(ValueError):
    """What is wrong with an expression."""


@record(kw_only=False)
class Number:
    """A number in the text."""

    value: float


@record(kw_only=False)
class Text:
    """A string in quotes."""

    value: str


@record(kw_only=False)
class Name:
    """The id of another query, or a word such as DESC."""

    name: str


@record(kw_only=False)
class Call:
    """A function with its arguments. Operators are called by their sign; "neg" is the unary minus."""

    function: str
    arguments: tuple["Node", ...]


@record(kw_only=False)
class Chain:
    """Operators of one precedence, from the left: however many there are, it is no deeper than one."""

    first: "Node"
    rest: tuple[tuple[str, "Node"], ...]


@record(kw_only=False)
class Listing:
    """Several of them, in brackets."""

    items: tuple["Node", ...]


Node = Number | Text | Name | Call | Chain | Listing


def names_in(node: Node) -> Iterator[str]:
    """Each name of a tree whose value it needs: PERIOD asks only what a metric is."""
    if isinstance(node, Name):
        yield node.name
        return
    if isinstance(node, Call):
        parts: Iterable[Node] = () if node.function == "PERIOD" else node.arguments
    elif isinstance(node, Chain):
        parts = (node.first, *(one for _, one in node.rest))
    else:
        parts = node.items if isinstance(node, Listing) else ()
    for part in parts:
        yield from names_in(part)


class _Token(NamedTuple):
    kind: str
    text: str


def parse(expression: str) -> Node:
    """Raises SyntaxProblem."""
    reader = _Reader(_tokens(expression))
    node = reader.level(0)
    if reader.look().kind:
        raise SyntaxProblem(f"unexpected '{reader.look().text}'")
    return node


def _tokens(expression: str) -> list[_Token]:
    found: list[_Token] = []
    text = expression.rstrip()
    position = 0
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            raise SyntaxProblem(f"unexpected '{text[position:].lstrip()[:1]}'")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind]))
        position = match.end()
    return found


class _Reader:
    """Goes through the tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def look(self) -> _Token:
        """The next token, which stays; an empty one at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else _Token("", "")

    def level(self, number: int) -> Node:
        """A chain of operators of this precedence, grouped from the left."""
        if number == len(_LEVELS):
            return self._unary()
        node = self.level(number + 1)
        rest: list[tuple[str, Node]] = []
        while self.look().kind in ("mark", "name") and self.look().text in _LEVELS[number]:
            sign = self._take().text
            rest.append(({"OR": "||", "AND": "&&"}.get(sign, sign), self.level(number + 1)))
        return Chain(node, tuple(rest)) if rest else node

    def _unary(self) -> Node:
        if self.look() == ("mark", "-"):
            self._take()
            self._enter()
            negative = Call("neg", (self._unary(),))
            self._depth -= 1
            return negative
        node = self._atom()
        if self.look() == ("mark", "^"):
            self._take()
            self._enter()
            node = Call("^", (node, self._unary()))
            self._depth -= 1
        return node

    def _atom(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return Number(float(token.text))
        if token.kind == "text":
            return Text(token.text[1:-1])
        if token == ("mark", "("):
            self._enter()
            node = self.level(0)
            self._expect(")")
            return node
        if token == ("mark", "["):
            return Listing(self._until("]"))
        if token.kind == "name":
            if self.look() != ("mark", "("):
                return Name(token.text)
            self._take()
            return Call(token.text, self._until(")"))
        raise SyntaxProblem(f"unexpected '{token.text}'" if token.kind else "unexpected end")

    def _until(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        self._enter()
        if self.look() == ("mark", closing):
            self._expect(closing)
            return ()
        while True:
            items.append(self.level(0))
            if self.look() != ("mark", ","):
                break
            self._take()
        self._expect(closing)
        return tuple(items)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise SyntaxProblem("it is nested too deeply")

    def _expect(self, mark: str) -> None:
        token = self._take()
        if token != ("mark", mark):
            raise SyntaxProblem(f"expected '{mark}' before '{token.text or 'the end'}'")
        self._depth -= 1

    def _take(self) -> _Token:
        token = self.look()
        self._at += 1
        return token
