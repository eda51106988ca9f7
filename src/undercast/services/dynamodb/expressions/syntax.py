"""What an expression says: its tokens, and the nodes into which it is parsed.

Pure. Attribute names are resolved while parsing, so that a tree holds the item's own names; values stay placeholders.
AWS: DynamoDB Developer Guide, "Using expressions in DynamoDB", "Expression attribute names".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions.reserved import RESERVED

MAX_BYTES = 4096
MAX_OPERATORS = 300
MAX_PATH = 32
MAX_DEPTH = 60
"""Of what is nested in a condition, by brackets, NOT and functions."""

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*|\#[A-Za-z0-9_]+)|(?P<value>:[A-Za-z0-9_]+)|(?P<number>[0-9]+)"
    r"|(?P<sign><=|>=|<>|[=<>()\[\].,+\-])|(?P<wrong>\S))"
)


class Token(NamedTuple):
    """`kind` is "name", "value", "number", "sign" or "end"."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Path:
    """A document path: an attribute, then keys of maps and indexes of lists."""

    parts: tuple[str | int, ...]

    def __str__(self) -> str:
        return "[" + ", ".join(f"[{part}]" if isinstance(part, int) else part for part in self.parts) + "]"


@dataclass(frozen=True, slots=True)
class Literal:
    """A value's placeholder, with its colon."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or an operator with a name, on its operands."""

    name: str
    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """=, <>, <, <=, > or >=."""

    sign: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Logic:
    """AND and OR of many, NOT of one."""

    word: str
    parts: tuple["Node", ...]


Node = Path | Literal | Call | Compare | Logic


class Reader:
    """The tokens of one expression, one after the other. Knows what was used of the names and values."""

    def __init__(self, kind: str, text: str, names: Mapping[str, str]) -> None:
        self.kind = kind
        self.text = text
        self._names = names
        self.names_used: set[str] = set()
        self.values_used: set[str] = set()
        self.operators = 0
        if not text or text.isspace():
            raise self.wrong("The expression can not be empty;")
        if len(text.encode()) > MAX_BYTES:
            raise self.wrong(f"Expression size has exceeded the maximum allowed size; expression size: {len(text)}")
        self._tokens = self._scan()
        self._at = 0

    def _scan(self) -> list[Token]:
        found: list[Token] = []
        at = 0
        while match := _TOKEN.match(self.text, at):
            kind = match.lastgroup or ""
            token = Token(kind, match[kind], match.start(kind), match.end(kind))
            if kind == "wrong":
                raise self._syntax(token, found[-1] if found else None, None)
            found.append(token)
            at = match.end()
        end = len(self.text)
        found.append(Token("end", "<EOF>", end, end))
        return found

    @property
    def next(self) -> Token:
        """What comes now."""
        return self._tokens[self._at]

    @property
    def after_next(self) -> Token:
        """What comes behind it."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Go on."""
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
        return token

    def sees(self, *texts: str) -> bool:
        """Whether one of these signs or words (upper case) comes now."""
        token = self.next
        return token.kind in ("sign", "name") and token.text.upper() in texts

    def takes(self, *texts: str) -> bool:
        """Go on if one of these comes."""
        if self.sees(*texts):
            self._at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Raises a syntax error unless this sign or word comes."""
        if not self.takes(text):
            raise self.syntax()

    def count_operator(self) -> None:
        """Raises ValidationException beyond the limit."""
        self.operators += 1
        if self.operators > MAX_OPERATORS:
            raise self.wrong(
                "The expression contains too many operators; the operator count exceeds the maximum allowed; "
                f"operator count: {self.operators}, maximum allowed: {MAX_OPERATORS}"
            )

    def path(self) -> Path:
        """A document path. Raises for reserved words and names that are not defined."""
        parts: list[str | int] = [self._name()]
        while True:
            if self.takes("."):
                parts.append(self._name())
            elif self.takes("["):
                if self.next.kind != "number":
                    raise self.syntax()
                parts.append(int(self.take().text))
                self.expect("]")
            else:
                break
        if len(parts) > MAX_PATH:
            raise self.wrong(f"The document path has too many nesting elements; nesting elements: {len(parts)}")
        return Path(tuple(parts))

    def _name(self) -> str:
        token = self.next
        if token.kind != "name":
            raise self.syntax()
        if token.text.startswith("#"):
            self.take()
            self.names_used.add(token.text)
            name = self._names.get(token.text)
            if name is None:
                raise self.wrong(
                    "An expression attribute name used in the document path is not defined; "
                    f"attribute name: {token.text}"
                )
            return name
        if token.text.upper() in RESERVED:
            raise self.wrong(f"Attribute name is a reserved keyword; reserved keyword: {token.text}")
        self.take()
        return token.text

    def literal(self) -> Literal:
        """A value's placeholder."""
        name = self.take().text
        self.values_used.add(name)
        return Literal(name)

    def wrong(self, message: str) -> ServiceError:
        """An error of this expression."""
        return invalid(f"Invalid {self.kind}: {message}")

    def syntax(self) -> ServiceError:
        """The error for what comes now."""
        before = self._tokens[self._at - 1] if self._at else None
        return self._syntax(self.next, before, self.after_next)

    def _syntax(self, token: Token, before: Token | None, after: Token | None) -> ServiceError:
        start = before.start if before is not None else token.start
        end = after.end if after is not None else token.end
        return self.wrong(f'Syntax error; token: "{token.text}", near: "{self.text[start:end]}"')
