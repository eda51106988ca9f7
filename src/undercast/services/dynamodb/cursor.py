"""The tokens of a text that a parser goes through: of an expression, of a PartiQL statement.

Pure. Which tokens there are is the language's pattern: each is a named group, and "wrong" is what is none of it.
"""

import re
from typing import NamedTuple

END = "end"
WRONG = "wrong"


class Token(NamedTuple):
    """`kind` is the name of the pattern's group, or "end"."""

    kind: str
    text: str
    start: int
    end: int


class Cursor:
    """A place in the tokens of one text. `words` is the kind of those that may be keywords."""

    def __init__(self, pattern: re.Pattern[str], text: str, *, words: str, end: str = "") -> None:
        self.text = text
        self._words = ("sign", words)
        self._tokens: list[Token] = []
        self._at = 0
        at = 0
        while match := pattern.match(text, at):
            kind = match.lastgroup or ""
            self._tokens.append(Token(kind, match[kind], match.start(kind), match.end(kind)))
            at = match.end()
        self._tokens.append(Token(END, end, len(text), len(text)))

    @property
    def next(self) -> Token:
        """What comes now."""
        return self._tokens[self._at]

    @property
    def after_next(self) -> Token:
        """What comes behind it."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def behind_brackets(self) -> Token:
        """What comes behind the bracket that closes the one that comes now."""
        level = 0
        for place in range(self._at, len(self._tokens)):
            text = self._tokens[place].text
            level += (text == "(") - (text == ")")
            if level == 0:
                return self._tokens[min(place + 1, len(self._tokens) - 1)]
        return self._tokens[-1]

    def take(self) -> Token:
        """Go on."""
        token = self._tokens[self._at]
        if token.kind != END:
            self._at += 1
        return token

    def sees(self, *texts: str) -> bool:
        """Whether one of these signs or words (upper case) comes now."""
        token = self._tokens[self._at]
        return token.kind in self._words and token.text.upper() in texts

    def takes(self, *texts: str) -> bool:
        """Go on if one of these comes."""
        if self.sees(*texts):
            self._at += 1
            return True
        return False
