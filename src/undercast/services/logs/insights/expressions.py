"""Expressions as functions of a row.

Pure. A row maps fields to values. Compiled once, then called for each row.
"""

from collections.abc import Callable, Mapping

from undercast.services.logs.insights.functions import FUNCTIONS, OPERATORS, member_of
from undercast.services.logs.insights.regex import searcher
from undercast.services.logs.insights.syntax import Aggregate, Call, Expression, Field, In, Literal, Match
from undercast.services.logs.insights.values import Value, compare, is_true, text_of

Row = Mapping[str, Value]
Evaluate = Callable[[Row], Value]


def compiled(expression: Expression) -> Evaluate:
    """The value of an expression in a row. An aggregate has none in a single row."""
    match expression:
        case Literal(value):
            return lambda row: value
        case Field(name):
            return _field(name)
        case Match():
            return _match(expression)
        case In(value, items):
            return _membership(compiled(value), [compiled(item) for item in items])
        case Call():
            return _call(expression)
        case Aggregate():
            return lambda row: None


def aggregates_in(expression: Expression) -> list[Aggregate]:
    """Every aggregate within, in its order."""
    match expression:
        case Aggregate():
            return [expression]
        case Call(_, arguments):
            return [found for argument in arguments for found in aggregates_in(argument)]
        case _:
            return []


def with_results(expression: Expression, results: Callable[[Aggregate], Value]) -> Evaluate:
    """An expression over aggregates, whose results are known."""
    match expression:
        case Aggregate():
            known = results(expression)
            return lambda row: known
        case Call(name, arguments) if aggregates_in(expression):
            values = [with_results(argument, results) for argument in arguments]
            function = (OPERATORS.get(name) or FUNCTIONS[name]).apply
            return lambda row: function(*[value(row) for value in values])
        case _:
            return compiled(expression)


def fields_in(expression: Expression) -> set[str]:
    """The names of all fields within."""
    match expression:
        case Field(name):
            return {name}
        case Call(name, arguments):
            found = {"@timestamp"} if name == "bin" else set()
            if name == "column" and isinstance(arguments[0], Literal):
                found.add(str(arguments[0].value))
            return found.union(*(fields_in(argument) for argument in arguments))
        case Match(value):
            return fields_in(value)
        case In(value, items):
            return fields_in(value).union(*(fields_in(item) for item in items))
        case Aggregate(_, argument):
            return fields_in(argument) if argument is not None else set()
        case _:
            return set()


def _field(name: str) -> Evaluate:
    if "." not in name:
        return lambda row: row.get(name)

    def of_document(row: Row) -> Value:
        value = row.get(name)
        if value is None:
            first, *path = name.split(".")
            value = member_of(row.get(first), path) if isinstance(row.get(first), dict | list) else None
        return value

    return of_document


def _match(match: Match) -> Evaluate:
    value, text = compiled(match.value), match.text
    if match.regex is None:
        return lambda row: int((found := value(row)) is not None and text in text_of(found))
    search = searcher(match.regex)
    return lambda row: int((found := value(row)) is not None and search(text_of(found)))


def _membership(value: Evaluate, items: list[Evaluate]) -> Evaluate:
    def apply(row: Row) -> Value:
        found = value(row)
        return int(any(compare("=", found, item(row)) for item in items))

    return apply


def _call(call: Call) -> Evaluate:
    values = [compiled(argument) for argument in call.arguments]
    if call.name == "and":
        return lambda row: int(is_true(values[0](row)) and is_true(values[1](row)))
    if call.name == "or":
        return lambda row: int(is_true(values[0](row)) or is_true(values[1](row)))
    if call.name == "column":
        return lambda row: found if (found := row.get(str(values[0](row)))) is not None else values[1](row)
    if call.name == "bin":
        floor = FUNCTIONS["datefloor"].apply
        return lambda row: floor(row.get("@timestamp"), values[0](row))
    function = (OPERATORS.get(call.name) or FUNCTIONS[call.name]).apply
    if len(values) == 1:
        (only,) = values
        return lambda row: function(only(row))
    return lambda row: function(*[value(row) for value in values])
