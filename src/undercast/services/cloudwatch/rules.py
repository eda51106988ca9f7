"""The rule of a composite alarm: a text such as ALARM("a") AND NOT (OK(b) OR TRUE).

Pure. NOT binds closest, then AND, then OR.
AWS: CloudWatch API Reference, PutCompositeAlarm, AlarmRule; User Guide, "Create a composite alarm".
"""

import re
from collections.abc import Callable

from undercast.core.record import record
from undercast.services.cloudwatch.alarms import name_of

States = Callable[[str], str | None]
"""Name of an alarm -> its state; None for one that is not there."""
MAX_CHILDREN = 100
MAX_ELEMENTS = 500
_MAX_DEPTH = 60
# No blank can be matched by two parts of it, or a rule of blanks would take hours.
_TOKENS = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\((?:\s*\"(?P<quoted>[^\"]*)\"\s*|(?P<bare>[^()\"]*))\)"
    r"|(?P<word>TRUE|FALSE|AND|OR|NOT)\b|(?P<mark>[()]))",
    re.IGNORECASE,
)


class RuleProblem(ValueError):
    """What is wrong with a rule."""


@record(kw_only=False)
class Rule:
    """A rule that has been read."""

    children: tuple[str, ...]
    """Names of the alarms that it looks at, each once, in the order of the text."""
    holds: Callable[[States], bool]


def parse(text: str) -> Rule:
    """Raises RuleProblem."""
    reader = _Reader(text)
    holds = reader.any_of()
    if reader.look():
        raise RuleProblem(f"unexpected '{reader.look()}'")
    if len(reader.children) > MAX_CHILDREN:
        raise RuleProblem(f"it has more than {MAX_CHILDREN} alarms")
    if reader.elements > MAX_ELEMENTS:
        raise RuleProblem(f"it has more than {MAX_ELEMENTS} elements")
    return Rule(tuple(reader.children), holds)


Holds = Callable[[States], bool]


class _Reader:
    """Goes through the text."""

    def __init__(self, text: str) -> None:
        self._tokens: list[re.Match[str]] = []
        text = text.rstrip()
        position = 0
        while position < len(text):
            found = _TOKENS.match(text, position)
            if found is None:
                raise RuleProblem(f"unexpected '{text[position:].strip()[:20]}'")
            self._tokens.append(found)
            position = found.end()
        self._at = 0
        self._depth = 0
        self.children: dict[str, None] = {}
        self.elements = 0

    def look(self) -> str:
        """The next word or sign; "" at the end."""
        if self._at >= len(self._tokens):
            return ""
        token = self._tokens[self._at]
        return token[0].strip() if token["state"] else (token["word"] or token["mark"]).upper()

    def any_of(self) -> Holds:
        """Terms with OR between them."""
        found = [self._all_of()]
        while self.look() == "OR":
            self._at += 1
            found.append(self._all_of())
        return found[0] if len(found) == 1 else lambda states: any(holds(states) for holds in found)

    def _all_of(self) -> Holds:
        found = [self._one()]
        while self.look() == "AND":
            self._at += 1
            found.append(self._one())
        return found[0] if len(found) == 1 else lambda states: all(holds(states) for holds in found)

    def _one(self) -> Holds:
        if self._at >= len(self._tokens):
            raise RuleProblem("unexpected end")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise RuleProblem("it is nested too deeply")
        try:
            return self._term(self._tokens[self._at])
        finally:
            self._depth -= 1

    def _term(self, token: re.Match[str]) -> Holds:
        self._at += 1
        if token["state"]:
            return self._child(token)
        word = (token["word"] or token["mark"]).upper()
        if word == "NOT":
            inner = self._one()
            return lambda states: not inner(states)
        if word in ("TRUE", "FALSE"):
            self.elements += 1
            return lambda states: word == "TRUE"
        if word == "(":
            self.elements += 1
            inner = self.any_of()
            if self.look() != ")":
                raise RuleProblem("a parenthesis is not closed")
            self._at += 1
            return inner
        raise RuleProblem(f"unexpected '{word}'")

    def _child(self, token: re.Match[str]) -> Holds:
        name = name_of((token["quoted"] if token["quoted"] is not None else token["bare"]).strip())
        if not name:
            raise RuleProblem("an alarm has no name")
        state = token["state"].upper()
        self.children[name] = None
        self.elements += 1
        return lambda states: states(name) == state
