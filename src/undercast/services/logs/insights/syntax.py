"""The parser: from the text of a query to its commands.

Pure. Recursive descent. AWS: CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax" and the pages
of its commands; "Boolean, comparison, numeric, datetime, and other functions".
"""

from undercast.core.record import record
from undercast.services.logs.insights.functions import AGGREGATES, FUNCTIONS
from undercast.services.logs.insights.regex import compiled_regex
from undercast.services.logs.insights.tokens import Missing, QueryError, Scanner, Token
from undercast.services.logs.insights.values import Value, number_of

MAX_DEPTH = 40
MAX_OPERATORS = 200
_ELSEWHERE = frozenset({
    "unmask", "pattern", "diff", "anomaly", "filterindex", "source", "unnest", "lookup", "join", "subquery", "append",
    "addtotals",
})  # fmt: skip
"""Commands of AWS that are not here."""
_WORDS = frozenset({"as", "by", "and", "or", "not", "in", "like", "asc", "desc"})


@record(kw_only=False)
class Literal:
    """A number, a text; a duration is its text."""

    value: Value


@record(kw_only=False)
class Field:
    """A field's value."""

    name: str


@record(kw_only=False)
class Call:
    """A function of values of one row, or an operator."""

    name: str
    arguments: tuple["Expression", ...]


@record(kw_only=False)
class Aggregate:
    """A function of many rows; without an argument it counts rows."""

    name: str
    argument: "Expression | None"
    percent: float = 0.0


@record(kw_only=False)
class Match:
    """`like`, `=~`: a regular expression, or a text that is contained."""

    value: "Expression"
    regex: str | None
    text: str = ""


@record(kw_only=False)
class In:
    """`in [...]`."""

    value: "Expression"
    items: tuple["Expression", ...]


Expression = Literal | Field | Call | Aggregate | Match | In


@record(kw_only=False)
class Named:
    """An expression and its column."""

    expression: Expression
    name: str


@record(kw_only=False)
class Fields:
    """`fields`, and `display`, which shows nothing else."""

    items: tuple[Named, ...]
    only: bool


@record(kw_only=False)
class Filter:
    """`filter`."""

    condition: Expression


@record(kw_only=False)
class Parse:
    """`parse`, by a regular expression with named groups (`names` empty) or by a glob."""

    value: Expression
    pattern: str
    names: tuple[str, ...]
    start: int
    end: int


@record(kw_only=False)
class Stats:
    """`stats`."""

    items: tuple[Named, ...]
    by: tuple[Named, ...]


@record(kw_only=False)
class Sort:
    """`sort`; each with whether it is descending."""

    items: tuple[tuple[Expression, bool], ...]


@record(kw_only=False)
class Limit:
    """`limit`."""

    count: int


@record(kw_only=False)
class Dedup:
    """`dedup`."""

    items: tuple[Expression, ...]


Command = Fields | Filter | Parse | Stats | Sort | Limit | Dedup


def parse_query(source: str, now_s: int = 0) -> tuple[Command, ...]:
    """`now_s` is what now() gives. Raises QueryError, or Missing for what AWS has and we lack."""
    return _Parser(source, now_s).query()


class _Parser:
    def __init__(self, source: str, now_s: int) -> None:
        self._scanner = Scanner(source)
        self._now_s = now_s
        self._source = source
        self._depth = 0
        self._operators = 0
        self._aggregates_allowed = False

    def query(self) -> tuple[Command, ...]:
        self._accept("|")
        commands = [self._command()]
        while self._accept("|"):
            commands.append(self._command())
        if self._scanner.token.kind != "end":
            raise self._scanner.unexpected()
        return tuple(commands)

    # Commands

    def _command(self) -> Command:
        token = self._scanner.token
        name = token.text.lower() if token.kind == "name" else ""
        if name in _ELSEWHERE:
            raise Missing(f"the command {name}")
        if name not in ("fields", "display", "filter", "parse", "stats", "sort", "limit", "dedup"):
            raise self._scanner.unexpected()
        self._scanner.take()
        command: Command = getattr(self, f"_{name}")()
        return command

    def _fields(self) -> Fields:
        return Fields(self._named_list(), only=False)

    def _display(self) -> Fields:
        return Fields(self._named_list(), only=True)

    def _filter(self) -> Filter:
        return Filter(self._expression())

    def _parse(self) -> Parse:
        value: Expression = Field("@message")
        if self._scanner.token.kind != "string" and not self._at("/"):
            value = self._primary()
        regex = self._scanner.regex()
        if regex is not None:
            return Parse(value, regex.text, (), regex.start, regex.end - 1)
        glob = self._scanner.token
        if glob.kind != "string":
            raise self._scanner.unexpected()
        self._scanner.take()
        self._expect_word("as")
        names = [self._name()]
        while self._accept(","):
            names.append(self._name())
        if glob.text.count("*") != len(names):
            text = f"the pattern has {glob.text.count('*')} wildcards for {len(names)} names"
            raise QueryError(text, glob.start, glob.end - 1)
        return Parse(value, glob.text, tuple(names), glob.start, glob.end - 1)

    def _stats(self) -> Stats:
        self._aggregates_allowed = True
        items = self._named_list()
        self._aggregates_allowed = False
        by: tuple[Named, ...] = ()
        if self._accept_word("by"):
            by = self._named_list()
        return Stats(items, by)

    def _sort(self) -> Sort:
        self._accept_word("by")
        items = [self._sorted()]
        while self._accept(","):
            items.append(self._sorted())
        return Sort(tuple(items))

    def _sorted(self) -> tuple[Expression, bool]:
        value = self._column()
        if self._accept_word("desc"):
            return value, True
        self._accept_word("asc")
        return value, False

    def _limit(self) -> Limit:
        token = self._scanner.token
        if token.kind != "number" or not token.text.isdigit() or int(token.text) < 1:
            raise self._scanner.unexpected()
        self._scanner.take()
        return Limit(int(token.text))

    def _dedup(self) -> Dedup:
        items = [self._column()]
        while self._accept(","):
            items.append(self._column())
        return Dedup(tuple(items))

    def _named_list(self) -> tuple[Named, ...]:
        items = [self._named()]
        while self._accept(","):
            items.append(self._named())
        return tuple(items)

    def _named(self) -> Named:
        start = self._scanner.token.start
        value = self._expression()
        text = self._source[start : self._scanner.token.start].strip()
        if self._accept_word("as"):
            return Named(value, self._name())
        return Named(value, value.name if isinstance(value, Field) else text)

    def _column(self) -> Expression:
        """A column is known by its text, too: `sort count(*)` behind `stats count(*)`."""
        start = self._scanner.token.start
        allowed, self._aggregates_allowed = self._aggregates_allowed, True
        value = self._additive()
        self._aggregates_allowed = allowed
        text = self._source[start : self._scanner.token.start].strip()
        return value if isinstance(value, Field) else Call("column", (Literal(text), _without_aggregates(value)))

    # Expressions

    def _expression(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._scanner.unexpected()
        left = self._conjunction()
        while self._accept_word("or"):
            left = self._operator("or", left, self._conjunction())
        self._depth -= 1
        return left

    def _conjunction(self) -> Expression:
        left = self._negation()
        while self._accept_word("and"):
            left = self._operator("and", left, self._negation())
        return left

    def _negation(self) -> Expression:
        negations = 0
        while self._accept_word("not"):
            negations += 1
        value = self._comparison()
        return Call("not", (value,)) if negations % 2 else value

    def _comparison(self) -> Expression:
        left = self._additive()
        token = self._scanner.token
        if token.kind == "mark" and token.text in ("=", "!=", "<", "<=", ">", ">="):
            self._scanner.take()
            return self._operator(token.text, left, self._additive())
        if self._accept("=~"):
            return self._match(left)
        negated = self._accept_word("not")
        if self._accept_word("like"):
            found: Expression = self._match(left)
        elif self._accept_word("in"):
            found = In(left, self._items())
        elif negated:
            raise self._scanner.unexpected()
        else:
            return left
        return Call("not", (found,)) if negated else found

    def _match(self, value: Expression) -> Match:
        token = self._scanner.regex()
        if token is not None:
            compiled_regex(token)
            return Match(value, token.text)
        token = self._scanner.token
        if token.kind != "string":
            raise self._scanner.unexpected()
        self._scanner.take()
        return Match(value, None, token.text)

    def _items(self) -> tuple[Expression, ...]:
        close = ")" if self._accept("(") else "]"
        if close == "]":
            self._expect("[")
        items = [self._additive()]
        while self._accept(","):
            items.append(self._additive())
        self._expect(close)
        return tuple(items)

    def _additive(self) -> Expression:
        left = self._multiplicative()
        while self._at("+") or self._at("-"):
            left = self._operator(self._scanner.take().text, left, self._multiplicative())
        return left

    def _multiplicative(self) -> Expression:
        left = self._power()
        while self._at("*") or self._at("/") or self._at("%"):
            left = self._operator(self._scanner.take().text, left, self._power())
        return left

    def _power(self) -> Expression:
        if self._operators > MAX_OPERATORS:
            raise self._scanner.unexpected()
        left = self._unary()
        if not self._accept("^"):
            return left
        self._operators += 1
        return Call("^", (left, self._power()))

    def _unary(self) -> Expression:
        negative = False
        while self._accept("-"):
            negative = not negative
        value = self._primary()
        return self._operator("-", Literal(0), value) if negative else value

    def _operator(self, name: str, left: Expression, right: Expression) -> Call:
        self._operators += 1
        return Call(name, (left, right))

    def _primary(self) -> Expression:
        if self._accept("("):
            value = self._expression()
            self._expect(")")
            return value
        token = self._scanner.token
        if token.kind in ("string", "number", "duration"):
            self._scanner.take()
            return Literal(number_of(token.text) if token.kind == "number" else token.text)
        if token.kind == "quoted":
            self._scanner.take()
            return Field(token.text)
        if token.kind != "name" or token.text.lower() in _WORDS:
            raise self._scanner.unexpected()
        self._scanner.take()
        if self._accept("("):
            return self._call(token)
        if token.text.lower() in ("true", "false"):
            return Literal(int(token.text.lower() == "true"))
        return Field(token.text)

    def _call(self, token: Token) -> Expression:
        name = token.text.lower()
        if name in AGGREGATES and self._aggregates_allowed:
            return self._aggregate(name)
        function = FUNCTIONS.get(name)
        if function is None:
            raise self._scanner.unexpected(token)
        arguments: list[Expression] = []
        if not self._accept(")"):
            arguments.append(self._expression())
            while self._accept(","):
                arguments.append(self._expression())
            self._expect(")")
        if not function.least <= len(arguments) <= function.most:
            raise QueryError(f"wrong number of arguments for {token.text}", token.start, token.end - 1)
        return Literal(self._now_s) if name == "now" else Call(name, tuple(arguments))

    def _aggregate(self, name: str) -> Expression:
        self._aggregates_allowed = False
        argument: Expression | None = None
        if name == "count" and (self._at(")") or self._at("*")):
            self._accept("*")
        else:
            argument = self._expression()
        percent = 0.0
        if name in ("pct", "percentile"):
            self._expect(",")
            token = self._scanner.take()
            if token.kind != "number" or not 0 <= float(token.text) <= 100:
                raise self._scanner.unexpected(token)
            percent = float(token.text)
        self._expect(")")
        self._aggregates_allowed = True
        return Aggregate(name, argument, percent)

    # Tokens

    def _name(self) -> str:
        token = self._scanner.token
        if token.kind not in ("name", "quoted", "duration"):
            raise self._scanner.unexpected()
        return self._scanner.take().text

    def _at(self, mark: str) -> bool:
        return self._scanner.token.kind == "mark" and self._scanner.token.text == mark

    def _accept(self, mark: str) -> bool:
        if self._at(mark):
            self._scanner.take()
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._accept(mark):
            raise self._scanner.unexpected()

    def _accept_word(self, word: str) -> bool:
        token = self._scanner.token
        if token.kind == "name" and token.text.lower() == word:
            self._scanner.take()
            return True
        return False

    def _expect_word(self, word: str) -> None:
        if not self._accept_word(word):
            raise self._scanner.unexpected()


def _without_aggregates(value: Expression) -> Expression:
    return Literal(None) if isinstance(value, Aggregate) else value
