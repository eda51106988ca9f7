"""What an expression says: its tokens, and the nodes into which it is parsed.

Pure. Attribute names are resolved while parsing, so that a tree holds the item's own names; values stay placeholders.
AWS: DynamoDB Developer Guide, "Using expressions in DynamoDB", "Expression attribute names"; the texts are those of
AWS's own DynamoDB Local 2.6.
"""

import re
from collections.abc import Mapping

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.dynamodb.cursor import WRONG, Cursor, Token
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions.reserved import RESERVED

MAX_BYTES = 4096
MAX_OPERATORS = 300
MAX_PATH = 32
MAX_INDEX = 2**31 - 1
WORDS = ("AND", "BETWEEN", "IN", "NOT", "OR")
"""Of the grammar itself: no name, whatever comes before or behind."""
MAX_DEPTH = 60
"""Of what is nested in a condition, by brackets, NOT and functions."""

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z][A-Za-z0-9_]*|\#[A-Za-z0-9_]+)|(?P<value>:[A-Za-z0-9_]+)|(?P<number>0|[1-9][0-9]*)"
    r"|(?P<sign><=|>=|<>|[=<>()\[\].,+\-])|(?P<wrong>\S))"
)


@record(kw_only=False)
class Path:
    """A document path: an attribute, then keys of maps and indexes of lists."""

    parts: tuple[str | int, ...]

    def __str__(self) -> str:
        return "[" + ", ".join(f"[{part}]" if isinstance(part, int) else part for part in self.parts) + "]"


@record(kw_only=False)
class Literal:
    """A value's placeholder, with its colon."""

    name: str


@record(kw_only=False)
class Call:
    """A function, or an operator with a name, on its operands."""

    name: str
    operands: tuple["Node", ...]


@record(kw_only=False)
class Compare:
    """=, <>, <, <=, > or >=."""

    sign: str
    left: "Node"
    right: "Node"


@record(kw_only=False)
class Logic:
    """AND and OR of many, NOT of one."""

    word: str
    parts: tuple["Node", ...]


Node = Path | Literal | Call | Compare | Logic


class Reader(Cursor):
    """The tokens of one expression, one after the other. Knows what was used of the names and values."""

    def __init__(self, kind: str, text: str, names: Mapping[str, str]) -> None:
        self.kind = kind
        self._names = names
        self.names_used: set[str] = set()
        self.values_used: set[str] = set()
        self.operators = 0
        if not text or text.isspace():
            raise self.wrong("The expression can not be empty;")
        if len(text.encode()) > MAX_BYTES:
            raise self.wrong(f"Expression size has exceeded the maximum allowed size; expression size: {len(text)}")
        super().__init__(_TOKEN, text, words="name", end="<EOF>")
        for place, token in enumerate(self._tokens):
            if token.kind == WRONG:
                raise self._syntax(token, self._tokens[place - 1] if place else None, self._tokens[place + 1])

    def expect(self, text: str) -> None:
        """Raises a syntax error unless this sign or word comes."""
        if not self.takes(text):
            raise self.syntax()

    def count_operator(self) -> None:
        """Raises ValidationException beyond the limit."""
        self.operators += 1
        if self.operators > MAX_OPERATORS:
            raise self.wrong(f"The expression contains too many operators; operator count: {self.operators}")

    def path(self) -> Path:
        """A document path. Raises for reserved words and names that are not defined."""
        parts: list[str | int] = [self._name()]
        while True:
            if self.takes("."):
                parts.append(self._name())
            elif self.takes("["):
                if self.next.kind != "number":
                    raise self.syntax()
                parts.append(self._index())
                self.expect("]")
            else:
                break
        if len(parts) > MAX_PATH:
            raise self.wrong(f"The document path has too many nesting levels; nesting levels: {len(parts)}")
        return Path(tuple(parts))

    def _index(self) -> int:
        text = self.take().text
        if len(text) > len(str(MAX_INDEX)) or int(text) > MAX_INDEX:
            raise self.wrong(f"List index is not within the allowable range; index: [{text}]")
        return int(text)

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
        if token.text.upper() in WORDS:
            raise self.syntax()
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
