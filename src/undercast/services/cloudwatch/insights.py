"""Metrics Insights: a query such as SELECT MAX(Duration) FROM "AWS/Lambda" GROUP BY FunctionName becomes data.

Pure. Keywords in any case; names as they are. A series that lacks a key of GROUP BY is in the group Other.
AWS: CloudWatch User Guide, "Metrics Insights query components and syntax".
"""

import re
from collections.abc import Iterator

from undercast.core.metrics import Series, Tally
from undercast.core.record import record
from undercast.services.cloudwatch.lines import AGGREGATES, Line, MathProblem
from undercast.services.cloudwatch.statistics import SIMPLE

MAX_GROUPS = 500
OTHER = "Other"
_FUNCTIONS = {"AVG": "Average", "COUNT": "SampleCount", "MAX": "Maximum", "MIN": "Minimum", "SUM": "Sum"}
_TOKENS = re.compile(
    r"\s*(?:(?P<name>[A-Za-z0-9_]+)|\"(?P<quoted>(?:\\.|[^\"\\])*)\"|'(?P<value>(?:\\.|[^'\\])*)'|(?P<mark>!=|[=(),]))"
)


def is_select(expression: str) -> bool:
    """Whether an expression is a query and no metric math."""
    return expression.lstrip()[:6].upper() == "SELECT"


@record
class Select:
    """A query that has been read."""

    function: str
    name: str
    namespace: str
    schema: tuple[str, ...] | None
    """The dimensions that series have, no more and no less; None for any."""
    conditions: tuple[tuple[str, bool, str], ...]
    """(dimension, whether it is to be equal, value)."""
    groups: tuple[str, ...]
    order: tuple[str, bool] | None
    """(function, whether the highest come first)."""
    limit: int

    def wants(self, series: Series) -> bool:
        """Whether it asks for a series."""
        dimensions = dict(series.dimensions)
        if self.schema is not None and tuple(sorted(dimensions)) != self.schema:
            return False
        return all((dimensions.get(key) == value) is equal for key, equal, value in self.conditions)

    def group_of(self, series: Series) -> tuple[str, ...]:
        """The values of GROUP BY."""
        dimensions = dict(series.dimensions)
        return tuple(dimensions.get(key, OTHER) for key in self.groups)

    def value(self, tally: Tally) -> float | None:
        """What SELECT makes of a period."""
        return SIMPLE[_FUNCTIONS[self.function]](tally)

    def ordered(self, lines: list[Line]) -> list[Line]:
        """By ORDER BY, else by name; so many as LIMIT says."""
        if self.order is None:
            return sorted(lines, key=lambda line: line.label)[: self.limit]
        function, descending = self.order
        compute = AGGREGATES["DATAPOINT_COUNT" if function == "COUNT" else function]
        some = [line for line in lines if line.values]
        some.sort(key=lambda line: float(compute(list(line.values.values()))), reverse=descending)
        return some[: self.limit]


def parse(expression: str) -> Select:
    """Raises MathProblem."""
    reader = _Reader(expression)
    reader.keyword("SELECT")
    function, name = reader.function_name(), reader.name()
    reader.mark(")")
    reader.keyword("FROM")
    namespace, schema = reader.source()
    conditions = tuple(reader.conditions()) if reader.found("WHERE") else ()
    groups = tuple(reader.names()) if reader.found("GROUP", "BY") else ()
    order = reader.order() if reader.found("ORDER", "BY") else None
    limit = reader.limit() if reader.found("LIMIT") else MAX_GROUPS
    reader.end()
    return Select(
        function=function,
        name=name,
        namespace=namespace,
        schema=schema,
        conditions=conditions,
        groups=groups,
        order=order,
        limit=limit,
    )


class _Reader:
    """Goes through the text."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        text = text.rstrip()
        position = 0
        while position < len(text):
            found = _TOKENS.match(text, position)
            if found is None:
                raise MathProblem(f"the query has an unexpected '{text[position:].strip()[:1]}'")
            kind = str(found.lastgroup)
            self._tokens.append((kind, re.sub(r"\\(.)", r"\1", found[kind]) if kind != "mark" else found[kind]))
            position = found.end()
        self._at = 0

    def _take(self, *kinds: str) -> str:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "the end")
        if kind not in kinds:
            raise MathProblem(f"the query has an unexpected '{text}'")
        self._at += 1
        return text

    def found(self, *words: str) -> bool:
        """Whether these keywords come next; then they are behind us."""
        there = [text.upper() for kind, text in self._tokens[self._at : self._at + len(words)] if kind == "name"]
        if there != list(words):
            return False
        self._at += len(words)
        return True

    def keyword(self, word: str) -> None:
        """It has to come next."""
        if not self.found(word):
            raise MathProblem(f"the query lacks {word}")

    def mark(self, mark: str) -> None:
        """The sign has to come next."""
        text = self._take("mark")
        if text != mark:
            raise MathProblem(f"the query has '{text}' where '{mark}' is expected")

    def name(self) -> str:
        """A name, in double quotes or without."""
        return self._take("name", "quoted")

    def names(self) -> Iterator[str]:
        """Names with commas between."""
        yield self.name()
        while self._at < len(self._tokens) and self._tokens[self._at] == ("mark", ","):
            self._at += 1
            yield self.name()

    def function_name(self) -> str:
        """A function and its parenthesis."""
        function = self._take("name").upper()
        if function not in _FUNCTIONS:
            raise MathProblem(f"the query has no function {function}")
        self.mark("(")
        return function

    def source(self) -> tuple[str, tuple[str, ...] | None]:
        """A namespace, or SCHEMA with the dimensions."""
        if not self.found("SCHEMA"):
            return self.name(), None
        self.mark("(")
        namespace, *dimensions = self.names()
        self.mark(")")
        return namespace, tuple(sorted(dimensions))

    def conditions(self) -> Iterator[tuple[str, bool, str]]:
        """Equal or not, with AND between."""
        while True:
            key, sign, value = self.name(), self._take("mark"), self._take("value")
            if sign not in ("=", "!="):
                raise MathProblem(f"the query has an unexpected '{sign}'")
            yield key, sign == "=", value
            if not self.found("AND"):
                return

    def order(self) -> tuple[str, bool]:
        """A function, and which end comes first."""
        function = self.function_name()
        self.mark(")")
        descending = self.found("DESC")
        if not descending:
            self.found("ASC")
        return function, descending

    def limit(self) -> int:
        """A number."""
        text = self._take("name")
        if not text.isdigit() or not 0 < int(text) <= MAX_GROUPS:
            raise MathProblem(f"LIMIT is a number from 1 to {MAX_GROUPS}")
        return int(text)

    def end(self) -> None:
        """Nothing more."""
        if self._at < len(self._tokens):
            raise MathProblem(f"the query has an unexpected '{self._tokens[self._at][1]}'")
