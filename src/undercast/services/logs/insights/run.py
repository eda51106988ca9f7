"""A query at work: rows in, newest first, and the result's rows out.

Pure. What stands before the first stats, sort or limit is done row by row, and of sorted rows only those that can be
shown are kept: the result is exact whatever the number of rows. A query that has to keep more than it may fails.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile

from undercast.services.logs.insights.aggregates import Grouping, TooMuch, size_of
from undercast.services.logs.insights.discovery import BASE
from undercast.services.logs.insights.expressions import Row, compiled, fields_in
from undercast.services.logs.insights.regex import glob_of, groups_of
from undercast.services.logs.insights.syntax import (
    Command,
    Dedup,
    Expression,
    Fields,
    Filter,
    Limit,
    Parse,
    Sort,
    Stats,
    parse_query,
)
from undercast.services.logs.insights.values import Value, is_true, order_key, text_of

DEFAULT_LIMIT = 10_000
MAX_ROWS = 200_000
"""Ours: rows that are kept to be sorted where all of them are needed: `sort` before filter, dedup, stats or sort."""
MAX_BYTES = 64 * 1024 * 1024
"""Ours: of what is kept."""
_SORTED_AT_ONCE = 1000
Step = Callable[[dict[str, Value]], bool]
"""Changes a row; whether it stays."""
Result = list[dict[str, str]]
"""One row of GetQueryResults: field and value."""


class Query:
    """A compiled query. Raises QueryError or Missing."""

    def __init__(self, source: str, limit: int | None = None, now_s: int = 0) -> None:
        commands = parse_query(source, now_s)
        steps = list(takewhile(lambda command: isinstance(command, Fields | Filter | Parse), commands))
        self._steps = [step for command in steps for step in _steps(command)]
        behind = commands[len(steps) :]
        streamed = list(takewhile(lambda command: isinstance(command, Fields | Filter | Parse | Dedup), behind))
        self._distinct = [_Distinct(command.items) for command in streamed if isinstance(command, Dedup)]
        distinct = iter(self._distinct)
        self._behind = [
            step
            for command in streamed
            for step in ([next(distinct).is_new] if isinstance(command, Dedup) else _steps(command))
        ]
        """Those from the first dedup on: what they leave out has matched."""
        self._rest = behind[len(streamed) :]
        first = self._rest[0] if self._rest else None
        self._grouping = Grouping(first) if isinstance(first, Stats) else None
        self._sort = first if isinstance(first, Sort) else None
        for command in self._rest:
            if isinstance(command, Fields | Filter | Parse):
                _steps(command)
        self._commands = commands
        self._columns = self._shown_columns()
        named = set(self._columns).union(*(_names(command) for command in self._rest))
        self._kept = {"@timestamp", *named, *(name.partition(".")[0] for name in named)}
        self._rows: list[dict[str, Value]] = []
        limits = [command.count for command in commands if isinstance(command, Limit)]
        self._limit = min(limits) if limits else limit or DEFAULT_LIMIT
        self._enough = _enough(self._rest[1:] if self._sort is not None else self._rest, self._limit)
        self.discovers = bool(set().union(*(_names(command) for command in commands)) - BASE)
        self.matched = 0
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes that are kept, about."""
        grouping = self._grouping  # which another thread may take away
        gathered = grouping.size if grouping is not None else self._size
        return gathered + sum(one.size for one in self._distinct)

    def forget(self) -> None:
        """What was gathered is needed no more."""
        self._rows, self._grouping, self._size, self._distinct, self._behind = [], None, 0, [], []

    def add(self, rows: Iterable[dict[str, Value]]) -> bool:
        """More rows, older than all before. Whether older ones can still change the result. Raises TooMuch."""
        matched = [row for row in rows if all(step(row) for step in self._steps)]
        self.matched += len(matched)
        kept = (row for row in matched if all(step(row) for step in self._behind))
        if self._grouping is not None:
            self._grouping.add(kept, MAX_BYTES)
        else:
            for row in kept:
                self._keep({name: row[name] for name in self._kept & row.keys()})
                if self._is_done():
                    break
        if sum(one.size for one in self._distinct) > MAX_BYTES:
            raise TooMuch(f"dedup has to keep more than {MAX_BYTES} bytes of different values")
        return not self._is_done()

    def _is_done(self) -> bool:
        """Sorted and grouped rows may be any, others are the newest."""
        if self._grouping is not None or self._sort is not None:
            return False
        return self._enough is not None and len(self._rows) >= self._enough

    def _keep(self, row: dict[str, Value]) -> None:
        self._rows.append(row)
        self._size += _size(row)
        if self._sort is not None and self._enough is not None:
            # Twice as much, so that many rows come between one sorting and the next.
            if len(self._rows) < 2 * self._enough + _SORTED_AT_ONCE and self._size <= 2 * MAX_BYTES:
                return
            self._rows = _applied(self._sort, self._rows)[: self._enough]
            self._size = sum(map(_size, self._rows))
        elif self._sort is not None and len(self._rows) > MAX_ROWS:
            raise TooMuch(f"more than {MAX_ROWS} rows have to be kept to be sorted")
        if self._size > MAX_BYTES:
            raise TooMuch(f"rows of more than {MAX_BYTES} bytes have to be kept")

    def results(self) -> list[Result]:
        """What there is. The rows are forgotten."""
        rows, rest, self._rows, self._size = self._rows, self._rest, [], 0
        if self._grouping is not None:
            rows, rest, self._grouping = self._grouping.rows(), rest[1:], None
        for command in rest:
            rows = _applied(command, rows)
        return [_shown(row, self._columns) for row in rows[: self._limit]]

    def _shown_columns(self) -> Sequence[str]:
        columns: list[str] | None = None
        only: list[str] | None = None
        parsed: list[str] = []
        for command in self._commands:
            if isinstance(command, Stats):
                columns, only = [item.name for item in (*command.by, *command.items)], None
            elif isinstance(command, Fields):
                names = [item.name for item in command.items]
                only = names if command.only else only
                columns = columns if command.only else [*(columns or []), *names]
            elif isinstance(command, Parse):
                parsed += _parsed_names(command)
        found = only or columns or ["@timestamp", "@message", *parsed]
        has_rows_of_events = not any(isinstance(command, Stats) for command in self._commands)
        return list(dict.fromkeys([*found, "@ptr"] if has_rows_of_events else found))


def _enough(behind: Sequence[Command], limit: int) -> int | None:
    """How many rows are needed of those that come to some commands, in order; None: all."""
    for command in behind:
        if isinstance(command, Limit):
            return command.count
        if isinstance(command, Filter | Dedup | Stats | Sort):
            return None
    return limit


def _size(row: Row) -> int:
    return sum(map(size_of, row.values()))


def _shown(row: Row, columns: Sequence[str]) -> Result:
    found = ((name, row.get(name)) for name in columns)
    return [{"field": name, "value": text_of(value)} for name, value in found if value is not None]


def _steps(command: Command) -> list[Step]:
    match command:
        case Fields(items):
            return [_computed(item.name, item.expression) for item in items]
        case Filter(condition):
            holds = compiled(condition)
            return [lambda row: is_true(holds(row))]
        case Parse():
            return [_parsing(command)]
        case _:
            return []


def _computed(name: str, expression: Expression) -> Step:
    evaluate = compiled(expression)

    def step(row: dict[str, Value]) -> bool:
        value = evaluate(row)
        if value is not None:
            row[name] = value
        return True

    return step


def _taken(command: Parse) -> Callable[[str], Mapping[str, str]]:
    if command.names:
        return glob_of(command.pattern, command.names)
    return groups_of(command.pattern, command.start, command.end)


def _parsing(command: Parse) -> Step:
    evaluate, take = compiled(command.value), _taken(command)

    def step(row: dict[str, Value]) -> bool:
        value = evaluate(row)
        if value is not None:
            row.update(take(text_of(value)))
        return True

    return step


def _parsed_names(command: Parse) -> Sequence[str]:
    if command.names:
        return command.names
    return [part.partition(">")[0] for part in command.pattern.replace("(?P<", "(?<").split("(?<")[1:]]


def _applied(command: Command, rows: list[dict[str, Value]]) -> list[dict[str, Value]]:
    match command:
        case Stats():
            grouping = Grouping(command)
            grouping.add(rows, MAX_BYTES)
            return grouping.rows()
        case Sort(items):
            for expression, descending in reversed(items):
                evaluate = compiled(expression)
                rows = sorted(rows, key=lambda row, get=evaluate: order_key(get(row)), reverse=descending)  # type: ignore[misc]
            return rows
        case Limit(count):
            return rows[:count]
        case Dedup(items):
            distinct = _Distinct(items)
            return [row for row in rows if distinct.is_new(row)]
        case _:
            steps = _steps(command)
            return [row for row in rows if all(step(row) for step in steps)]


class _Distinct:
    """`dedup` at work: the first of those that are the same. A missing value is like no other."""

    def __init__(self, items: Sequence[Expression]) -> None:
        self._values = [compiled(item) for item in items]
        self._seen: set[tuple[str, ...]] = set()
        self.size = 0
        """Bytes that are kept, about."""

    def is_new(self, row: dict[str, Value]) -> bool:
        """Whether it stays."""
        found = [value(row) for value in self._values]
        if any(value is None for value in found):
            return True
        key = tuple(text_of(value) for value in found)
        if key in self._seen:
            return False
        self._seen.add(key)
        self.size += sum(map(size_of, key))
        return True


def _names(command: Command) -> set[str]:
    match command:
        case Fields(items):
            return set().union(*(fields_in(item.expression) for item in items))
        case Filter(condition):
            return fields_in(condition)
        case Parse(value):
            return fields_in(value)
        case Stats(items, by):
            return set().union(*(fields_in(item.expression) for item in (*items, *by)))
        case Sort(items):
            return set().union(*(fields_in(expression) for expression, _ in items))
        case Dedup(items):
            return set().union(*(fields_in(item) for item in items))
        case _:
            return set()
