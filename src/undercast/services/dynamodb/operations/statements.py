"""ExecuteStatement, BatchExecuteStatement and ExecuteTransaction.

AWS: DynamoDB API Reference, the operations of these names.
"""

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from undercast.core import json_values
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.dynamodb import capacity, inline, items, reading, writing
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions.paths import projected, tree_of
from undercast.services.dynamodb.inline import Budget
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.items import Origin
from undercast.services.dynamodb.keys import Key, check_scalars, key_in, key_of
from undercast.services.dynamodb.models import Index, Table, named
from undercast.services.dynamodb.operations import transactions
from undercast.services.dynamodb.partiql import plan
from undercast.services.dynamodb.partiql.parser import Statement, attempted, bound, parsed
from undercast.services.dynamodb.writing import Done, Write
from undercast.services.item_text import Item, dumped, loaded
from undercast.store.database import Tx

_INLINE_STATEMENTS = 16
_CODES = {"ResourceNotFoundException": "ResourceNotFound", "ConditionalCheckFailedException": "ConditionalCheckFailed",
          "ValidationException": "ValidationError", "DuplicateItemException": "DuplicateItem",
          "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded"}  # fmt: skip


@operation("ExecuteStatement")
async def execute_statement(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One statement. A SELECT is a page of a Query where WHERE names the partition, else of a Scan."""
    statement, values = _bound(params)
    table, index = _source(dynamo, ctx, statement)
    if statement.kind == "SELECT":
        return await _select(dynamo, (table, index), statement, {**params, "values": values})
    if statement.kind == "EXISTS":
        raise invalid("EXISTS can only be used in ExecuteTransaction write requests.")
    item, result = await _write(dynamo, ctx, table, params)
    found: dict[str, Any] = {"Items": [] if item is None else [item]}
    shown = capacity.shown(params.get("ReturnConsumedCapacity"), table, writing.units_of(result))
    return found if shown is None else {**found, "ConsumedCapacity": shown}


def _bound(params: Mapping[str, Any]) -> tuple[Statement, plan.Values]:
    statement = parsed(params["Statement"])
    return statement, plan.canonical(bound(statement, params.get("Parameters") or ()))


def _source(dynamo: Dynamo, ctx: RequestContext, statement: Statement) -> tuple[Table, Index | None]:
    of = named(ctx.scope, statement.table)
    table = dynamo.tables.existing(of)
    check_scalars(table, statement.used)
    return table, table.index(statement.index) if statement.index else None


async def _select(
    dynamo: Dynamo, source: tuple[Table, Index | None], statement: Statement, params: Mapping[str, Any]
) -> dict[str, Any]:
    table, index = source
    if index is not None and index.is_global and params.get("ConsistentRead"):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    span = plan.span_of(table, index, statement, params["values"])
    asked = {"Limit": params["Limit"]} if "Limit" in params else {}
    wanted = reading.wanted_of(table, index, asked, (plan.test_of(statement, params["values"]), statement.paths))
    wanted = replace(wanted, leaves=statement.paths)
    start = _start(params)
    dynamo.throttle.check(table, "Read", index)
    page = await reading.read_page(dynamo.database, span, wanted, None if start is None else span.position(start))
    units = reading.consumed(page, span, consistent=bool(params.get("ConsistentRead")))
    dynamo.throttle.charge(table, "Read", units)
    answer = reading.answer(page, span, params, units)
    found: dict[str, Any] = {
        name: answer[name] for name in ("Items", "ConsumedCapacity", "LastEvaluatedKey") if name in answer
    }
    if "LastEvaluatedKey" in answer:
        token = {"statement": _digest(params), "key": dumped(answer["LastEvaluatedKey"])}
        found["NextToken"] = base64.urlsafe_b64encode(json.dumps(token).encode()).decode()
    return found


def _digest(params: Mapping[str, Any]) -> str:
    return hashlib.sha256(dumped([params["Statement"], params.get("Parameters")]).encode()).hexdigest()


def _start(params: Mapping[str, Any]) -> Item | None:
    if "NextToken" not in params:
        return None
    try:
        token = json_values.parse(base64.urlsafe_b64decode(params["NextToken"]))
        if token["statement"] == _digest(params):
            return loaded(token["key"])
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        pass
    raise invalid("NextToken does not match request")


async def _write(
    dynamo: Dynamo, ctx: RequestContext, table: Table, params: Mapping[str, Any]
) -> tuple[Item | None, Done]:
    statement, write = _prepared(table, params)
    origin = Origin(ctx, dynamo.clock.now())
    result = await dynamo.database.write(lambda tx: writing.done(dynamo, tx, origin, write))
    return writing.returned(write, statement.returning, result), result


def _prepared(table: Table, params: Mapping[str, Any]) -> tuple[Statement, Write]:
    statement, values = _bound(params)
    write = plan.write_of(table, statement, values, params.get("Parameters") or ())
    shows = params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    return statement, replace(write, shows_on_failure=shows)


@operation("BatchExecuteStatement")
async def batch_execute_statement(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 25 statements, each for itself and for one item; what fails is told in its place."""
    requests = params["Statements"]
    _check_kinds(
        [found for one in requests if isinstance(found := attempted(one["Statement"]), Statement)],
        "Read and write requests together in the same batch is not supported.",
    )
    _check_apart(dynamo, ctx, requests)
    consumed: dict[int, tuple[Table, Units]] = {}
    responses = []
    for one in requests:
        await asyncio.sleep(0)  # not to wait, but to let others run: each may be of a large item
        statement = attempted(one["Statement"])
        if isinstance(statement, ServiceError):
            responses.append({"Error": {"Code": "ValidationError", "Message": statement.message}})
            continue
        answer: dict[str, Any] = {"TableName": statement.table}
        try:
            table, index = _source(dynamo, ctx, statement)
            item, units = await _one(dynamo, ctx, (table, index), one)
            consumed.setdefault(table.id, (table, Units()))[1].add(units)
            if item is not None:
                answer["Item"] = item
        except ServiceError as error:
            if error.code not in _CODES:
                raise
            answer["Error"] = {"Code": _CODES[error.code], "Message": error.message, **error.members}
        responses.append(answer)
    return {"Responses": responses, **capacity.all_shown(params.get("ReturnConsumedCapacity"), consumed.values())}


def _check_apart(dynamo: Dynamo, ctx: RequestContext, requests: Sequence[Mapping[str, Any]]) -> None:
    """AWS's own DynamoDB Local takes no item twice, whether it is read or written."""
    places = [place for one in requests if (place := _place(dynamo, ctx, one)) is not None]
    if len(set(places)) != len(places):
        raise invalid("Provided list of item keys contains duplicates")


def _place(dynamo: Dynamo, ctx: RequestContext, request: Mapping[str, Any]) -> tuple[int, Key] | None:
    """Table and key of a statement's item; None for one that is told to be wrong in its place."""
    try:
        statement, values = _bound(request)
        table, _ = _source(dynamo, ctx, statement)
        if statement.kind == "INSERT":
            return table.id, key_in(
                table, plan.write_of(table, statement, values, request.get("Parameters") or ()).given
            )
        return table.id, key_in(table, plan.key_in(table, statement, values))
    except ServiceError:
        return None


async def _one(
    dynamo: Dynamo, ctx: RequestContext, source: tuple[Table, Index | None], request: Mapping[str, Any]
) -> tuple[Item | None, Units]:
    table, index = source
    statement, values = _bound(request)
    if statement.kind != "SELECT":
        item, result = await _write(dynamo, ctx, table, request)
        return item, writing.units_of(result)
    if index is not None:
        raise invalid("Select statements within BatchExecuteStatement must not specify an index")
    consistent = bool(request.get("ConsistentRead"))
    found = await dynamo.database.read(lambda tx: _get(dynamo, tx, table, (statement, values, consistent)))
    dynamo.throttle.charge(table, "Read", found.units)
    return found.item, found.units


class _Got(NamedTuple):
    """The part of an item that was asked for, what it consumes, and how large the item is."""

    item: Item | None
    units: Units
    size: int


def _get(dynamo: Dynamo, tx: Tx, table: Table, asked: tuple[Statement, plan.Values, bool]) -> _Got:
    """The one item that a SELECT with the whole key means: what it names of it as GetItem gives it, not by leaves."""
    statement, values, consistent = asked
    dynamo.throttle.check(table, "Read")
    key, _ = key_of(table, plan.key_in(table, statement, values))
    stored, test = items.find(tx, table, key), plan.test_of(statement, values)
    size = stored.size if stored is not None else 0
    units = Units(capacity.read_units(size, consistent=consistent))
    if stored is None or (test is not None and not test(stored.item)):
        return _Got(None, units, size)
    item = stored.item if statement.paths is None else projected(stored.item, tree_of(statement.paths))
    return _Got(item, units, size)


def _check_kinds(statements: list[Statement], mixed: str) -> None:
    reads = {statement.kind == "SELECT" for statement in statements}
    if len(reads) > 1:
        raise invalid(mixed)


@operation("ExecuteTransaction")
async def execute_transaction(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 100 statements, all of them or none; EXISTS is a condition."""
    requests = params["TransactStatements"]
    statements = [parsed(one["Statement"]) for one in requests]
    _check_kinds(
        statements, "ExecuteTransaction API does not support both read and write operations in the same request."
    )
    if parsed(requests[0]["Statement"]).kind == "SELECT":
        return await _read_transaction(dynamo, ctx, params)
    writes = []
    for at, one in enumerate(requests):
        table, _ = _source(dynamo, ctx, statements[at])
        if statements[at].kind == "EXISTS" and len(list(plan.conjuncts(statements[at].where))) <= len(table.key.names):
            reason = "EXISTS() must contain a single item read with additional condition"
            raise invalid(f"Validation failed in TransactStatements[{at}]: {reason}")
        writes.append(_prepared(table, one)[1])
    token = params.get("ClientRequestToken")
    asked = None if token is None else (token, transactions.digest_of(requests))
    done = await transactions.run(dynamo, ctx, writes, asked, heavy=inline.is_heavy(requests))
    consumed = capacity.all_shown(params.get("ReturnConsumedCapacity"), done.consumed, done.kind)
    return {"Responses": [{} for _ in requests], **consumed}


async def _read_transaction(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    wanted = []
    for at, one in enumerate(params["TransactStatements"]):
        asked = _bound(one)
        table, _ = _source(dynamo, ctx, asked[0])
        if not plan.names_key(table, asked[0]):
            reason = "Select statements within ExecuteTransaction must specify the primary key in the where clause."
            raise invalid(f"Validation failed in TransactStatements[{at}]: {reason}")
        wanted.append((table, asked))

    def read(tx: Tx, budget: Budget) -> tuple[list[dict[str, Any]], list[tuple[Table, Units]]]:
        responses: list[dict[str, Any]] = []
        read_of: list[tuple[Table, Units]] = []
        keys = [(table.id, key_in(table, plan.key_in(table, *asked))) for table, asked in wanted]
        if len(set(keys)) != len(keys):
            raise invalid("Transaction request cannot include multiple operations on one item")
        for table, asked in wanted:
            got = _get(dynamo, tx, table, (*asked, True))
            budget.take(got.size)
            read_of.append((table, got.units))
            responses.append({} if got.item is None else {"Item": got.item})
        return responses, read_of

    responses, read_of = await inline.read(dynamo.database, read, heavy=len(wanted) > _INLINE_STATEMENTS)
    consumed: dict[int, tuple[Table, Units]] = {}
    for table, units in read_of:
        dynamo.throttle.charge(table, "Read", units)
        consumed.setdefault(table.id, (table, Units()))[1].add(Units(units.table * 4))  # consistent, in a transaction
    found = list(consumed.values())
    return {"Responses": responses, **capacity.all_shown(params.get("ReturnConsumedCapacity"), found, "Read")}
