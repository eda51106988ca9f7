"""`stats`: what is gathered of the rows of each group, and what it gives.

Pure. AWS: CloudWatch Logs User Guide, "stats" (aggregation functions, non-aggregation functions).
"""

import math
from collections.abc import Iterable
from typing import Any

from undercast.services.logs.insights.expressions import (
    Evaluate,
    Row,
    aggregates_in,
    compiled,
    fields_in,
    with_results,
)
from undercast.services.logs.insights.syntax import Aggregate, Stats
from undercast.services.logs.insights.values import Value, number_of, order_key, text_of

_OVERHEAD_BYTES = 64
"""About what a thing that is kept takes beside its text."""
_GROUP_BYTES = 512
"""About what a group takes beside its values and aggregates; measured, as is the next."""
_GATHERED_BYTES = 384


class TooMuch(Exception):
    """What a query has to keep is more than it may."""


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

    def add(self, value: Value, row: Row) -> int:
        """The argument's value in a row; how many bytes more are kept for it, about."""
        name = self._aggregate.name
        if self._aggregate.argument is None:
            self._count += 1
        elif value is None:
            return 0
        elif name == "count":
            self._count += 1
        elif name == "count_distinct":
            known = len(self._distinct)
            self._distinct.add(text := text_of(value))
            return len(text) + _OVERHEAD_BYTES if len(self._distinct) > known else 0
        elif name in ("earliest", "latest"):
            return self._keep(value, row.get("@timestamp") or 0, name == "latest")
        elif name in ("sortsfirst", "sortslast"):
            return self._keep(value, order_key(value), name == "sortslast")
        elif (number := number_of(value)) is not None:
            self._count += 1
            self._total += number
            if name in ("min", "max"):
                return self._keep(value, number, name == "max")
            if name in ("pct", "percentile", "stddev"):
                self._numbers.append(number)
                return _OVERHEAD_BYTES
        return 0

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

    def _keep(self, value: Value, rank: Any, higher: bool) -> int:
        if self._rank is not None and not (rank > self._rank if higher else rank < self._rank):
            return 0
        before, self._best, self._rank = self._best, value, rank
        return size_of(value) - size_of(before)

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
        named = set[str]().union(*(fields_in(item.expression) for item in stats.items))
        self._shown = named | {name.partition(".")[0] for name in named}
        """Fields of a group's first row that its result may need."""
        self.size = 0
        """Bytes that are kept, about."""

    def add(self, rows: Iterable[Row], most_bytes: float = math.inf) -> None:
        """More rows. Raises TooMuch."""
        for row in rows:
            if self.size > most_bytes:
                raise TooMuch(f"stats has to keep more than {most_bytes} bytes")
            values = [evaluate(row) for evaluate in self._by]
            key = tuple(None if value is None else text_of(value) for value in values)
            group = self._groups.get(key)
            if group is None:
                named = {item.name: value for item, value in zip(self._stats.by, values, strict=True)}
                first = {name: row[name] for name in self._shown & row.keys()}
                group = self._groups[key] = (named, first, [Gathered(one) for one in self._aggregates])
                self.size += _GROUP_BYTES + _GATHERED_BYTES * len(group[2]) + sum(map(size_of, (*key, *first.values())))
            for gathered, argument in zip(group[2], self._arguments, strict=True):
                self.size += gathered.add(argument(row), row)

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


def size_of(value: Value) -> int:
    """Bytes that a value takes, about."""
    if isinstance(value, dict | list):
        return _OVERHEAD_BYTES + len(text_of(value))
    return _OVERHEAD_BYTES + (len(value) if isinstance(value, str) else 0)


def _nothing(row: Row) -> Value:
    return None
