"""`stats`: what is gathered of the rows of each group, and what it gives.

Pure. AWS: CloudWatch Logs User Guide, "stats" (aggregation functions, non-aggregation functions).
"""

import math
from collections.abc import Iterable
from typing import Any

from undercast.services.logs.insights.expressions import Evaluate, Row, aggregates_in, compiled, with_results
from undercast.services.logs.insights.syntax import Aggregate, Stats
from undercast.services.logs.insights.values import Value, number_of, order_key, text_of

MAX_GROUPS = 10_000


class Gathered:
    """One aggregate of one group."""

    __slots__ = ("_aggregate", "_best", "_count", "_distinct", "_numbers", "_rank", "_total")

    def __init__(self, aggregate: Aggregate) -> None:
        self._aggregate = aggregate
        self._count = 0
        self._total: int | float = 0
        self._numbers: list[int | float] = []
        self._distinct: set[str] = set()
        self._best: Value = None
        self._rank: Any = None

    def add(self, value: Value, row: Row) -> None:
        """The argument's value in a row."""
        name = self._aggregate.name
        if self._aggregate.argument is None:
            self._count += 1
        elif value is None:
            return
        elif name == "count":
            self._count += 1
        elif name == "count_distinct":
            self._distinct.add(text_of(value))
        elif name in ("earliest", "latest"):
            self._keep(value, row.get("@timestamp") or 0, name == "latest")
        elif name in ("sortsfirst", "sortslast"):
            self._keep(value, order_key(value), name == "sortslast")
        elif (number := number_of(value)) is not None:
            self._count += 1
            self._total += number
            if name in ("min", "max"):
                self._keep(value, number, name == "max")
            elif name in ("pct", "percentile", "stddev"):
                self._numbers.append(number)

    def result(self) -> Value:
        """None where there was nothing to gather."""
        name = self._aggregate.name
        if name == "count":
            return self._count
        if name == "count_distinct":
            return len(self._distinct)
        if name in ("earliest", "latest", "sortsfirst", "sortslast", "min", "max"):
            return self._best
        if not self._count:
            return None
        if name == "sum":
            return self._total
        if name == "avg":
            return self._total / self._count
        return self._deviation() if name == "stddev" else self._percentile()

    def _keep(self, value: Value, rank: Any, higher: bool) -> None:
        if self._rank is None or (rank > self._rank if higher else rank < self._rank):
            self._best, self._rank = value, rank

    def _deviation(self) -> float:
        mean = self._total / self._count
        return math.sqrt(sum((number - mean) * (number - mean) for number in self._numbers) / self._count)

    def _percentile(self) -> float:
        """The nearest rank."""
        ordered = sorted(self._numbers)
        return ordered[max(0, math.ceil(self._aggregate.percent / 100 * len(ordered)) - 1)]


class Grouping:
    """A `stats` command at work."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._by = [compiled(item.expression) for item in stats.by]
        self._aggregates = list(dict.fromkeys(one for item in stats.items for one in aggregates_in(item.expression)))
        self._arguments: list[Evaluate] = [
            compiled(one.argument) if one.argument is not None else _nothing for one in self._aggregates
        ]
        self._groups: dict[tuple[str | None, ...], tuple[dict[str, Value], Row, list[Gathered]]] = {}

    def add(self, rows: Iterable[Row]) -> None:
        """More rows."""
        for row in rows:
            values = [evaluate(row) for evaluate in self._by]
            key = tuple(None if value is None else text_of(value) for value in values)
            group = self._groups.get(key)
            if group is None:
                if len(self._groups) >= MAX_GROUPS:
                    continue
                named = {item.name: value for item, value in zip(self._stats.by, values, strict=True)}
                group = self._groups[key] = (named, row, [Gathered(one) for one in self._aggregates])
            for gathered, argument in zip(group[2], self._arguments, strict=True):
                gathered.add(argument(row), row)

    def rows(self) -> list[dict[str, Value]]:
        """One row for each group; without `by` one row in any case."""
        if not self._groups and not self._stats.by:
            self._groups[()] = ({}, {}, [Gathered(one) for one in self._aggregates])
        found: list[dict[str, Value]] = []
        for named, first, gathered in self._groups.values():
            results = {one: held.result() for one, held in zip(self._aggregates, gathered, strict=True)}
            row = dict(named)
            for item in self._stats.items:
                # A later item may name an earlier one: `max(a) as high, min(a) as low, high - low as range`.
                row[item.name] = with_results(item.expression, results.__getitem__)({**first, **row})
            found.append(row)
        return found


def _nothing(row: Row) -> Value:
    return None
