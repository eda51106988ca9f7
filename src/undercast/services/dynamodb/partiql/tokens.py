"""The tokens of a PartiQL statement.

Pure. AWS: DynamoDB Developer Guide, "PartiQL - a SQL-compatible query language for Amazon DynamoDB".
"""

import re

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.cursor import END, Cursor, Token
from undercast.services.dynamodb.errors import invalid

_TOKEN = re.compile(
    r"(?:\s|--[^\n]*|/\*(?:(?!\*/)[\s\S])*\*/)*(?:(?P<string>'(?:[^']|'')*')|(?P<quoted>\"[^\"]+\")|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><<|>>|<=|>=|<>|!=|[=<>()\[\]{}.,:*?+\-;])|(?P<wrong>\S))"
)


class Tokens(Cursor):
    """The tokens of one statement, one after the other."""

    def __init__(self, text: str) -> None:
        super().__init__(_TOKEN, text, words="word")

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
    shown = f"Unexpected term at 1:{token.start + 1}" if token.kind != END else "Unexpected end of the statement"
    return invalid(f"Statement wasn't well formed, can't be processed: {shown}")
