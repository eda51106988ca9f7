"""Search expressions: which series a text such as '{AWS/Lambda,FunctionName} MetricName="Errors"' means.

Pure. A word matches a token of a name (a part by capitals, digits and signs); words in double quotes match whole names.
AWS: CloudWatch User Guide, "CloudWatch search expression syntax".
"""

import re
from collections.abc import Callable

from undercast.core.metrics import Series
from undercast.services.cloudwatch.lines import MathProblem

Matches = Callable[[Series], bool]
_SCHEMA = re.compile(r"\s*\{([^}]*)\}\s*,?")
_TOKENS = re.compile(r'\s*(?:(\()|(\))|((?:(?:"(?:\\.|[^"\\])*"|[^\s()"=]+)=)?)("(?:\\.|[^"\\])*"|[^\s()"]+))')
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_MAX_DEPTH = 40


def search(expression: str) -> Matches:
    """Raises MathProblem."""
    if len(expression) > 1024:
        raise MathProblem("a search expression has at most 1024 characters")
    schema, rest = None, expression
    if found := _SCHEMA.match(expression):
        schema, rest = _schema(found[1]), expression[found.end() :]
    terms = _Terms(rest).all() if rest.strip(" ,") else None
    if schema is None and terms is None:
        raise MathProblem("a search expression has a metric schema or a search term")
    return lambda series: (schema is None or schema(series)) and (terms is None or terms(series))


def _schema(text: str) -> Matches:
    namespace, *names = (part.strip().strip('"') for part in text.split(","))
    wanted = sorted(names)

    def matches(series: Series) -> bool:
        return series.namespace == namespace and [name for name, _ in series.dimensions] == wanted

    return matches


class _Terms:
    """Reads what is behind the schema."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, str]] = []
        text = text.rstrip(" ,")
        position = 0
        while position < len(text):
            found = _TOKENS.match(text, position)
            if found is None:
                raise MathProblem(f"the search term has an unexpected '{text[position:].strip()[:1]}'")
            sign = found[1] or found[2] or ""
            self._tokens.append((sign, (found[3] or "").rstrip("=").strip('"'), found[4] or ""))
            position = found.end()
        self._at = 0
        self._depth = 0

    def all(self) -> Matches:
        """The whole text."""
        matches = self._any()
        if self._at < len(self._tokens):
            raise MathProblem("the search term has a parenthesis too many")
        return matches

    def _word(self) -> str:
        if self._at >= len(self._tokens):
            return ""
        sign, name, text = self._tokens[self._at]
        return sign or ("" if name else text)

    def _any(self) -> Matches:
        found = [self._every()]
        while self._word() == "OR":
            self._at += 1
            found.append(self._every())
        return lambda series: any(one(series) for one in found)

    def _every(self) -> Matches:
        found = [self._single()]
        while self._at < len(self._tokens) and self._word() not in ("OR", ")"):
            if self._word() == "AND":
                self._at += 1
            found.append(self._single())
        return lambda series: all(one(series) for one in found)

    def _single(self) -> Matches:
        if self._at >= len(self._tokens):
            raise MathProblem("the search term ends too early")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise MathProblem("the search term is nested too deeply")
        word = self._word()
        _, name, text = self._tokens[self._at]
        self._at += 1
        try:
            if word == "NOT":
                inner = self._single()
                return lambda series: not inner(series)
            if word == "(":
                inner = self._any()
                if self._word() != ")":
                    raise MathProblem("the search term has a parenthesis too few")
                self._at += 1
                return inner
            if word == ")":
                raise MathProblem("the search term has a parenthesis too many")
            return _term(name, text)
        finally:
            self._depth -= 1


def _term(name: str, text: str) -> Matches:
    fits = _fits(text)
    return lambda series: any(fits(one) for one in _properties(series, name))


def _properties(series: Series, name: str) -> list[str]:
    if name == "MetricName":
        return [series.name]
    if name == "Namespace":
        return [series.namespace]
    if name:
        return [value for dimension, value in series.dimensions if dimension == name]
    return [series.name, series.namespace, *(part for pair in series.dimensions for part in pair)]


def _fits(text: str) -> Callable[[str], bool]:
    if text.startswith('"'):
        exact = re.sub(r"\\(.)", r"\1", text[1:-1])
        return lambda name: name == exact
    pieces = _PIECES.findall(text)
    if len(pieces) < 2:
        word = "".join(pieces).lower()
        return lambda name: word in {"".join(_PIECES.findall(name)).lower(), *map(str.lower, _PIECES.findall(name))}
    folded = not text.isalnum()
    wanted = [piece.lower() for piece in pieces] if folded else pieces

    def consecutive(name: str) -> bool:
        there = _PIECES.findall(name)
        there = [piece.lower() for piece in there] if folded else there
        return any(there[at : at + len(wanted)] == wanted for at in range(len(there)))

    return consecutive
