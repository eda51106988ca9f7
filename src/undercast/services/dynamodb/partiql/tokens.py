"""The tokens of a PartiQL statement.

Pure. AWS: DynamoDB Developer Guide, "PartiQL - a SQL-compatible query language for Amazon DynamoDB".
"""

import re
from typing import NamedTuple

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.errors import invalid

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<quoted>\"[^\"]+\")|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><<|>>|<=|>=|<>|!=|[=<>()\[\]{}.,:*?+\-])|(?P<wrong>\S))"
)


class Token(NamedTuple):
    """`kind` is "string", "quoted", "number", "word", "sign" or "end"."""

    kind: str
    text: str
    at: int


class Tokens:
    """The tokens of one statement, one after the other."""

    def __init__(self, text: str) -> None:
        self._tokens: list[Token] = []
        at = 0
        while match := _TOKEN.match(text, at):
            kind = match.lastgroup or ""
            self._tokens.append(Token(kind, match[kind], match.start(kind)))
            at = match.end()
        self._tokens.append(Token("end", "", len(text)))
        self._at = 0

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
        token = self.next
        if token.kind != "end":
            self._at += 1
        return token

    def sees(self, *texts: str) -> bool:
        """Whether one of these signs or words (upper case) comes now."""
        return self.next.kind in ("sign", "word") and self.next.text.upper() in texts

    def takes(self, *texts: str) -> bool:
        """Go on if one of these comes."""
        if self.sees(*texts):
            self._at += 1
            return True
        return False

    def expect(self, *texts: str) -> None:
        """Raises unless all of these come, one after the other."""
        for text in texts:
            if not self.takes(text):
                raise self.wrong()

    def name(self) -> str:
        """An identifier, quoted or not."""
        token = self.take()
        if token.kind == "quoted":
            return token.text[1:-1]
        if token.kind != "word":
            raise _wrong(token)
        return token.text

    def wrong(self) -> ServiceError:
        """The error for what comes now."""
        return _wrong(self.next)


def _wrong(token: Token) -> ServiceError:
    shown = f"Unexpected term at 1:{token.at + 1}" if token.kind != "end" else "Unexpected end of the statement"
    return invalid(f"Statement wasn't well formed, can't be processed: {shown}")
