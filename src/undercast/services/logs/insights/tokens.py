"""Tokens of a query, with their places in it.

Pure. A "/" begins a regular expression where the parser expects one, else it divides.
AWS: CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax".
"""

import re
from typing import NamedTuple

from undercast.services.logs.insights.periods import UNITS

_SPACE = re.compile(r"(?:\s+|#[^\n]*)*")
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|`(?P<quoted>[^`]+)`"""
    rf"""|(?P<duration>\d+(?:{UNITS})\b)|(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+)"""
    r"""|(?P<name>[@\w$][\w@$]*(?:\.[\w@$]+)*)|(?P<mark>=~|!=|<=|>=|[=<>+\-*/^%()\[\],|])""",
    re.DOTALL,
)
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
MAX_TOKENS = 5000


class QueryError(Exception):
    """A query that is none. `start` and `end` are character offsets."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


class Missing(Exception):
    """A command or function of AWS that is not here; the text names it."""


class Token(NamedTuple):
    """`kind` is string, name, duration, number, mark, or end."""

    kind: str
    text: str
    """Of a string what it stands for, of a name in backticks the name."""
    start: int
    end: int


class Scanner:
    """Gives one token after the other."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._at = 0
        self._count = 0
        self._token = self._scan()

    @property
    def token(self) -> Token:
        """The next one."""
        return self._token

    def take(self) -> Token:
        """The next one, which is behind us then."""
        taken = self._token
        self._at = taken.end
        self._token = self._scan()
        return taken

    def regex(self) -> Token | None:
        """The regular expression that begins here, or None."""
        found = _REGEX.match(self.source, self._token.start)
        if found is None:
            return None
        token = Token("regex", found[1].replace("\\/", "/"), found.start(), found.end())
        self._at = token.end
        self._token = self._scan()
        return token

    def unexpected(self, token: Token | None = None) -> QueryError:
        """The error about a token, the next one if none is given."""
        at = token or self._token
        line = self.source.count("\n", 0, at.start) + 1
        position = at.start - (self.source.rfind("\n", 0, at.start) + 1)
        what = "end of query" if at.kind == "end" else f"symbol found {self.source[at.start : at.end]}"
        return QueryError(
            f"unexpected {what} at line {line} and position {position}", at.start, max(at.end - 1, at.start)
        )

    def _scan(self) -> Token:
        space = _SPACE.match(self.source, self._at)
        start = space.end() if space else self._at
        if start >= len(self.source):
            return Token("end", "", start, start)
        self._count += 1
        found = _TOKEN.match(self.source, start)
        if found is None or self._count > MAX_TOKENS:
            return Token("mark", self.source[start], start, start + 1)
        kind = found.lastgroup or "mark"
        text = found[kind]
        if kind == "string":
            text = _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), text[1:-1])
        return Token(kind, text, start, found.end())
