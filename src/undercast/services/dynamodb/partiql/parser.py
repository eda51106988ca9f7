"""A PartiQL statement, parsed into the trees that expressions have.

Pure. A value, with the parameters in it, becomes a placeholder and a function of the parameters: what was parsed is
kept by its text.
AWS: DynamoDB Developer Guide, "PartiQL select statements for DynamoDB" and those of insert, update and delete.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.cursor import Token
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions import updates
from undercast.services.dynamodb.expressions.conditions import paths_of
from undercast.services.dynamodb.expressions.paths import leaf_name
from undercast.services.dynamodb.expressions.syntax import MAX_DEPTH, Call, Compare, Literal, Logic, Node, Path
from undercast.services.dynamodb.expressions.updates import Action
from undercast.services.dynamodb.partiql.tokens import Tokens
from undercast.services.item_text import Value

Parameters = Sequence[Value]
Make = Callable[[Parameters], Value]

_SIGNS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
_RETURNING = {("ALL", "OLD"): "ALL_OLD", ("ALL", "NEW"): "ALL_NEW",
              ("MODIFIED", "OLD"): "UPDATED_OLD", ("MODIFIED", "NEW"): "UPDATED_NEW"}  # fmt: skip


@dataclass(slots=True)
class Statement:
    """What is asked for. Not to be changed once it was parsed."""

    kind: str
    """SELECT, INSERT, UPDATE, DELETE or EXISTS."""
    table: str = ""
    index: str = ""
    paths: tuple[Path, ...] | None = None
    """Of a SELECT; None for *."""
    where: Node | None = None
    order: tuple[tuple[str, bool], ...] = ()
    """(attribute, whether descending)"""
    item: Make | None = None
    actions: tuple[Action, ...] = ()
    returning: str = "NONE"
    values: dict[str, Make] = field(default_factory=dict)
    parameters: int = 0
    """How many ? there are."""
    used: tuple[Path, ...] = ()
    """All document paths, wherever they stand."""


@lru_cache(maxsize=1024)
def parsed(text: str) -> Statement:
    """Raises ValidationException."""
    return _Parser(Tokens(text)).statement()


def attempted(text: str) -> Statement | ServiceError:
    """The statement, or the ValidationException that says why there is none."""
    try:
        return parsed(text)
    except ServiceError as error:
        return error


class _Parser:
    """One statement."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._parameters = 0
        self._values: dict[str, Make] = {}
        self._within: list[str] = []
        """Where the parser is in a value: keys of tuples and places in lists."""
        self._item: Token | None = None
        """Where the item of an INSERT begins."""

    def statement(self) -> Statement:
        """The whole text."""
        tokens = self._tokens
        word = tokens.next.text.upper()
        kinds = {"SELECT": self._select, "INSERT": self._insert, "UPDATE": self._update, "DELETE": self._delete,
                 "EXISTS": self._exists}  # fmt: skip
        if word not in kinds or tokens.next.kind != "word":
            raise tokens.wrong()
        tokens.take()
        found = kinds[word]()
        tokens.takes(";")
        if tokens.next.kind != "end":
            raise tokens.wrong()
        found.values, found.parameters = self._values, self._parameters
        where = paths_of(found.where) if found.where is not None else ()
        found.used = (*(found.paths or ()), *where, *updates.paths_of(found.actions))
        return found

    def _select(self) -> Statement:
        tokens, found = self._tokens, Statement("SELECT")
        if not tokens.takes("*"):
            found.paths = self._paths()
        tokens.expect("FROM")
        found.table = tokens.name()
        if tokens.takes("."):
            found.index = tokens.name()
        self._refuse_clauses()
        self._refuse_more_sources()
        if tokens.takes("WHERE"):
            found.where = self._either(0)
        if tokens.takes("ORDER"):
            tokens.expect("BY")
            found.order = (self._ordering(),)
            while tokens.takes(","):
                found.order = (*found.order, self._ordering())
        self._refuse_clauses()
        return found

    def _refuse_clauses(self) -> None:
        """What SQL has and DynamoDB has not, in its words."""
        tokens = self._tokens
        if tokens.sees("LIMIT", "OFFSET"):
            clause = tokens.take().text.upper()
            raise invalid(f"Unsupported clause: {clause} at {_place(tokens.next)}")
        if tokens.sees("GROUP", "HAVING"):
            clause = tokens.take().text.upper()
            raise invalid(f"Unsupported clause: {'GROUP BY' if clause == 'GROUP' else clause}")

    def _refuse_more_sources(self) -> None:
        tokens = self._tokens
        if tokens.sees(",", "JOIN"):
            raise invalid("Only select from a single table or index is supported.")
        if tokens.sees("AS") or (tokens.next.kind == "word" and not tokens.sees("WHERE", "ORDER")):
            raise invalid("Aliasing is not supported")

    def _paths(self) -> tuple[Path, ...]:
        tokens = self._tokens
        if tokens.sees("DISTINCT"):
            raise invalid("Unsupported token in expression: DISTINCT")
        paths = [self._path()]
        while tokens.takes(","):
            paths.append(self._path())
        if tokens.sees("AS"):
            raise invalid("Aliasing is not supported")
        names = [leaf_name(path) for path in paths]
        if twice := next((name for at, name in enumerate(names) if name in names[:at]), None):
            raise invalid(f"Duplicate identifiers in select clause: {twice}")
        return tuple(paths)

    def _ordering(self) -> tuple[str, bool]:
        name = self._tokens.name()
        if self._tokens.takes("DESC"):
            return name, True
        self._tokens.takes("ASC")
        return name, False

    def _exists(self) -> Statement:
        self._tokens.expect("(", "SELECT")
        found = self._select()
        self._tokens.expect(")")
        found.kind = "EXISTS"
        return found

    def _insert(self) -> Statement:
        self._tokens.expect("INTO")
        found = Statement("INSERT", table=self._tokens.name())
        self._tokens.expect("VALUE")
        self._item = self._tokens.next
        found.item = self._value(0)
        return found

    def _update(self) -> Statement:
        tokens, found = self._tokens, Statement("UPDATE", table=self._tokens.name())
        actions: list[Action] = []
        while tokens.sees("SET", "REMOVE"):
            section = tokens.take().text.upper()
            actions.append(self._action(section))
            while tokens.takes(","):
                actions.append(self._action(section))
        if not actions:
            raise tokens.wrong()
        found.actions = tuple(actions)
        found.where = self._mandatory_where()
        found.returning = self._returning()
        return found

    def _action(self, section: str) -> Action:
        path = self._path()
        if section == "REMOVE":
            return Action(section, path)
        self._tokens.expect("=")
        name = self._tokens.next.text.lower()
        if name in ("set_add", "set_delete") and self._tokens.after_next.text == "(":
            self._tokens.take()
            self._tokens.take()
            if self._path() != path:
                raise invalid(f"{name} takes the path that is set")
            self._tokens.expect(",")
            literal = self._literal(0)
            self._tokens.expect(")")
            return Action("ADD" if name == "set_add" else "DELETE", path, literal)
        left = self._set_operand()
        if self._tokens.sees("+", "-"):
            return Action(section, path, _computed(self._tokens.take().text, (left, self._set_operand())))
        return Action(section, path, left)

    def _set_operand(self, depth: int = 0) -> Node:
        """What a SET may compute of: as in an update expression, within one another."""
        name = self._tokens.next.text.lower()
        if name not in ("list_append", "if_not_exists") or self._tokens.after_next.text != "(":
            return self._operand(depth)
        if depth > MAX_DEPTH:
            raise _too_deep()
        self._tokens.take()
        self._tokens.take()
        first = self._set_operand(depth + 1)
        self._tokens.expect(",")
        second = self._set_operand(depth + 1)
        self._tokens.expect(")")
        if name == "if_not_exists" and not isinstance(first, Path):
            raise invalid(f"Operator or function requires a document path; operator or function: {name}")
        return _computed(name, (first, second))

    def _delete(self) -> Statement:
        self._tokens.expect("FROM")
        found = Statement("DELETE", table=self._tokens.name())
        found.where = self._mandatory_where()
        found.returning = self._returning()
        if found.returning not in ("NONE", "ALL_OLD"):
            words = next(words for words, name in _RETURNING.items() if name == found.returning)
            raise invalid(
                f"Invalid returning clause: RETURNING {' '.join(words)} *. Only RETURNING ALL OLD * is allowed in "
                "DELETE statements."
            )
        return found

    def _mandatory_where(self) -> Node:
        if not self._tokens.takes("WHERE"):
            if self._tokens.next.kind != "end":
                raise self._tokens.wrong()
            raise invalid("Where clause does not contain a mandatory equality on all key attributes")
        return self._either(0)

    def _returning(self) -> str:
        tokens = self._tokens
        if not tokens.takes("RETURNING"):
            return "NONE"
        words = (tokens.take().text.upper(), tokens.take().text.upper())
        tokens.expect("*")
        if words not in _RETURNING:
            raise invalid(f"RETURNING {' '.join(words)} * is not known")
        return _RETURNING[words]

    def _either(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _too_deep()
        parts = [self._both(depth)]
        while self._tokens.takes("OR"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Logic("OR", tuple(parts))

    def _both(self, depth: int) -> Node:
        parts = [self._unary(depth)]
        while self._tokens.takes("AND"):
            parts.append(self._unary(depth))
        return parts[0] if len(parts) == 1 else Logic("AND", tuple(parts))

    def _unary(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _too_deep()
        if self._tokens.takes("NOT"):
            return Logic("NOT", (self._unary(depth + 1),))
        if self._tokens.takes("("):
            node = self._either(depth + 1)
            self._tokens.expect(")")
            return node
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Node:
        tokens = self._tokens
        left = self._operand(depth)
        if tokens.next.kind == "sign" and tokens.next.text in _SIGNS:
            return Compare(_SIGNS[tokens.take().text], left, self._operand(depth))
        if tokens.takes("BETWEEN"):
            low = self._operand(depth)
            tokens.expect("AND")
            return Call("BETWEEN", (left, low, self._operand(depth)))
        if tokens.takes("IN"):
            closing = ")" if tokens.takes("(") else "]"
            if closing == "]":
                tokens.expect("[")
            choices = [self._operand(depth)]
            while tokens.takes(","):
                choices.append(self._operand(depth))
            tokens.expect(closing)
            return Call("IN", (left, *choices))
        if tokens.takes("IS"):
            return self._is(left)
        if isinstance(left, Call) and left.name != "size":
            return left
        if tokens.sees("+", "-", "*", "LIKE"):
            raise invalid(f"Unsupported operator in Condition Expression. Operator: {tokens.next.text.lower()}")
        raise tokens.wrong()

    def _is(self, left: Node) -> Node:
        negated = self._tokens.takes("NOT")
        if not isinstance(left, Path):
            raise self._tokens.wrong()
        if self._tokens.takes("MISSING"):
            return Call("attribute_exists" if negated else "attribute_not_exists", (left,))
        self._tokens.expect("NULL")
        node = Compare("=", left, self._named(lambda parameters: {"NULL": True}))
        return Logic("NOT", (node,)) if negated else node

    def _operand(self, depth: int) -> Node:
        token = self._tokens.next
        name = token.text.lower()
        if token.kind == "word" and self._tokens.after_next.text == "(":
            if name not in _FUNCTIONS or depth > MAX_DEPTH:
                raise invalid(f"Unrecognized function: {token.text}")
            self._tokens.take()
            self._tokens.take()
            operands = [self._operand(depth + 1)]
            while self._tokens.takes(","):
                operands.append(self._operand(depth + 1))
            self._tokens.expect(")")
            if len(operands) != _FUNCTIONS[name] or any(isinstance(one, Call) for one in operands):
                raise invalid(f"Function {token.text} has the wrong operands")
            return Call(name, tuple(operands))
        if token.kind == "quoted" or (token.kind == "word" and token.text.upper() not in ("TRUE", "FALSE", "NULL")):
            return self._path()
        return self._literal(depth)

    def _path(self) -> Path:
        parts: list[str | int] = [self._tokens.name()]
        while True:
            if self._tokens.takes("."):
                parts.append(self._tokens.name())
            elif self._tokens.sees("["):
                self._tokens.take()
                token = self._tokens.take()
                if token.kind == "string":
                    parts.append(_text(token.text))
                elif token.kind == "number" and token.text.isdigit():
                    parts.append(int(token.text))
                else:
                    raise self._tokens.wrong()
                self._tokens.expect("]")
            else:
                if len(parts) > 32:
                    raise _too_deep()
                return Path(tuple(parts))

    def _literal(self, depth: int) -> Literal:
        return self._named(self._value(depth))

    def _named(self, make: Make) -> Literal:
        name = f":{len(self._values)}"
        self._values[name] = make
        return Literal(name)

    def _value(self, depth: int) -> Make:
        tokens = self._tokens
        if depth > MAX_DEPTH:
            raise _too_deep()
        if tokens.takes("?"):
            at = self._parameters
            self._parameters += 1
            return lambda parameters: parameters[at]
        if tokens.takes("["):
            items = self._values_until("]", depth)
            return lambda parameters: {"L": [make(parameters) for make in items]}
        if tokens.sees("<<"):
            start = tokens.take()
            members = self._values_until(">>", depth)
            if not members:
                raise invalid(f"Empty bags are not supported at {_place(start)}")
            return lambda parameters: _set([make(parameters) for make in members])
        if tokens.sees("{"):
            return self._map(depth)
        return self._scalar()

    def _scalar(self) -> Make:
        tokens = self._tokens
        sign = "-" if tokens.takes("-") else ""
        token = tokens.take()
        value: Value
        if token.kind == "number":
            value = {"N": sign + token.text}
        elif token.kind == "string" and not sign:
            value = {"S": _text(token.text)}
        elif token.kind == "word" and token.text.upper() in ("TRUE", "FALSE") and not sign:
            value = {"BOOL": token.text.upper() == "TRUE"}
        elif token.kind == "word" and token.text.upper() == "NULL" and not sign:
            value = {"NULL": True}
        else:
            raise invalid("Statement wasn't well formed, can't be processed: a value was expected")
        return lambda parameters: value

    def _values_until(self, closing: str, depth: int) -> list[Make]:
        found: list[Make] = []
        if not self._tokens.takes(closing):
            found.append(self._value_in("0", depth))
            while self._tokens.takes(","):
                found.append(self._value_in(str(len(found)), depth))
            self._tokens.expect(closing)
        return found

    def _value_in(self, name: str, depth: int) -> Make:
        self._within.append(name)
        found = self._value(depth + 1)
        self._within.pop()
        return found

    def _map(self, depth: int) -> Make:
        members: dict[str, Make] = {}
        start = self._tokens.take()
        while not self._tokens.takes("}"):
            if members:
                self._tokens.expect(",")
            key = self._tokens.take()
            if key.kind not in ("string", "quoted"):
                raise self._tokens.wrong()
            self._tokens.expect(":")
            name = _text(key.text) if key.kind == "string" else key.text[1:-1]
            if name in members:
                # Under the attribute's value: in an INSERT the first name is the attribute.
                within = self._within if self._item is None else self._within[1:]
                place = _place(key if start is self._item else start)
                raise invalid(f"Duplicate keys in tuple. Key: {name} under {'.'.join(['root', *within])} at {place}")
            members[name] = self._value_in(name, depth)
        return lambda parameters: {"M": {name: make(parameters) for name, make in members.items()}}


def _computed(name: str, operands: tuple[Node, Node]) -> Call:
    """Only a whole value can be a list_append."""
    if any(isinstance(one, Call) and one.name == "list_append" for one in operands):
        raise invalid("The function is not allowed to be used this way in an expression; function: list_append")
    return Call(name, operands)


def _text(quoted: str) -> str:
    return quoted[1:-1].replace("''", "'")


def _place(token: Token) -> str:
    return f"1:{token.start + 1}:{token.end - token.start}"


def _set(members: list[Value]) -> Value:
    """Raises ValidationException for members of several types, or none."""
    kinds = {kind for member in members for kind in member}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise invalid("A set has members of one type: strings, numbers or binaries")
    (kind,) = kinds
    return {f"{kind}S": [member[kind] for member in members]}


def _too_deep() -> ServiceError:
    return invalid("Statement wasn't well formed, can't be processed: it is nested too deeply")


def bound(statement: Statement, parameters: Parameters) -> Mapping[str, Value]:
    """The values of a statement. Raises ValidationException when there are more or fewer parameters than ?."""
    if len(parameters) != statement.parameters:
        raise invalid("Number of parameters in request and statement don't match.")
    return {name: make(parameters) for name, make in statement.values.items()}
