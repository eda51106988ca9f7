"""TransactWriteItems and TransactGetItems: all of it or nothing.

AWS: DynamoDB Developer Guide, "Amazon DynamoDB Transactions: How it works"; API Reference, CancellationReason.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.dynamodb import capacity, inline, items, writing
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions.paths import projected, tree_of
from undercast.services.dynamodb.inline import Budget
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.items import Origin
from undercast.services.dynamodb.keys import Key, check_scalars, key_of
from undercast.services.dynamodb.models import Table, named
from undercast.services.dynamodb.operations.items import projection
from undercast.services.dynamodb.writing import Done, Write
from undercast.services.item_text import dumped
from undercast.store.database import Tx

MAX_BYTES = 4 * 1024 * 1024
TOKEN_S = 600.0
_INLINE_ACTIONS = 16
"""What the event loop may be kept for: a small action takes some 0.1 ms."""
_REASONS = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "ValidationException": "ValidationError",
    "DuplicateItemException": "DuplicateItem",
    "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded",
}


class Transaction(NamedTuple):
    """What was done, or, for a token that was used before, what was looked at again."""

    results: list[Done]
    consumed: list[tuple[Table, Units]]

    @property
    def kind(self) -> str:
        """Of the capacity."""
        return "Write" if self.results else "Read"


@operation("TransactWriteItems")
async def transact_write_items(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 100 actions on as many items. The same ClientRequestToken within ten minutes does nothing again."""
    given, token, heavy = params["TransactItems"], params.get("ClientRequestToken"), inline.is_heavy(params)

    def prepare() -> tuple[list[Write], tuple[str, str] | None]:
        return [_prepared(ctx, one) for one in given], None if token is None else (token, digest_of(given))

    writes, request = await inline.prepared(prepare, heavy=heavy)
    done = await run(dynamo, ctx, writes, request, heavy=heavy)
    answer = capacity.all_shown(params.get("ReturnConsumedCapacity"), done.consumed, done.kind)
    if params.get("ReturnItemCollectionMetrics") == "SIZE":
        metrics: dict[str, list[dict[str, Any]]] = {}
        for one, result in zip(writes, done.results, strict=False):
            if result.table.has_local_indexes:
                metrics.setdefault(one.of.name, []).append(writing.collection_metrics(result.table, one.given))
        answer["ItemCollectionMetrics"] = metrics
    return answer


async def run(
    dynamo: Dynamo, ctx: RequestContext, writes: Sequence[Write], token: tuple[str, str] | None, *, heavy: bool
) -> Transaction:
    """All writes or none; `token` is the client's with the digest of its request. Raises ServiceError."""
    now = dynamo.clock.now()
    if sum(one.size for one in writes) > MAX_BYTES:
        raise invalid("Aggregate size of all items in the transaction exceeds the maximum allowed size of 4 MB")

    def write(tx: Tx, budget: Budget) -> Transaction:
        if token is not None and _was_done(tx, ctx, token, now):
            return Transaction([], _read_units(dynamo, tx, writes, budget))
        _check_apart(dynamo, tx, writes)
        results = _all_done(dynamo, tx, Origin(ctx, now, budget), writes)
        return Transaction(results, _consumed(results))

    return await inline.write(dynamo.database, write, heavy=heavy or len(writes) > _INLINE_ACTIONS)


def _prepared(ctx: RequestContext, given: Mapping[str, Any]) -> Write:
    if len(given) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    ((kind, params),) = given.items()
    return writing.prepared(kind, ctx.scope, params)


def _all_done(dynamo: Dynamo, tx: Tx, origin: Origin, writes: Sequence[Write]) -> list[Done]:
    """Every action, or TransactionCanceledException with a reason for each."""
    results: list[Done] = []
    reasons: list[dict[str, Any]] = []
    for one in writes:
        try:
            results.append(writing.done(dynamo, tx, origin, one, in_transaction=True))
            reasons.append({"Code": "None"})
        except ServiceError as error:
            if error.code not in _REASONS:
                raise
            reasons.append({"Code": _REASONS[error.code], "Message": error.message, **error.members})
    if len(results) != len(writes):
        raise cancelled(reasons)
    return results


def cancelled(reasons: list[dict[str, Any]]) -> ServiceError:
    """A transaction that was not done, and why, action by action."""
    codes = ", ".join(one["Code"] for one in reasons)
    return ServiceError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        members={"CancellationReasons": reasons},
    )


def _check_apart(dynamo: Dynamo, tx: Tx, writes: Sequence[Write]) -> None:
    seen: set[tuple[int, Key]] = set()
    for one in writes:
        try:
            place = writing.target_of(dynamo, tx, one).place
        except ServiceError as error:
            if error.code not in _REASONS:
                raise
            continue  # told with the reasons
        if place in seen:
            raise invalid("Transaction request cannot include multiple operations on one item")
        seen.add(place)


def _consumed(results: Sequence[Done]) -> list[tuple[Table, Units]]:
    found: dict[int, tuple[Table, Units]] = {}
    for result in results:
        units = writing.units_of(result).doubled()
        found.setdefault(result.table.id, (result.table, Units()))[1].add(units)
    return list(found.values())


def _read_units(dynamo: Dynamo, tx: Tx, writes: Sequence[Write], budget: Budget) -> list[tuple[Table, Units]]:
    """A repeated transaction reads the items, no more."""
    found: dict[int, tuple[Table, Units]] = {}
    for one in writes:
        table = dynamo.tables.get(tx, one.of)
        stored = items.find(tx, table, writing.target_of(dynamo, tx, one).key)
        size = stored.size if stored is not None else 0
        budget.take(size)
        units = Units(2 * capacity.read_units(size, consistent=True))
        found.setdefault(table.id, (table, Units()))[1].add(units)
    return list(found.values())


def digest_of(given: Sequence[Mapping[str, Any]]) -> str:
    """By which a repeated request is known."""
    return hashlib.sha256(dumped([given]).encode()).hexdigest()


def _was_done(tx: Tx, ctx: RequestContext, request: tuple[str, str], now: float) -> bool:
    """Whether the token was used for the same before; else it is noted. Raises IdempotentParameterMismatchException."""
    token, digest = request
    row = tx.one(
        "SELECT digest, ends_at FROM dynamodb_token WHERE account_id = ? AND region = ? AND token = ?",
        (*ctx.scope, token),
    )
    if row is not None and row["ends_at"] > now:
        if row["digest"] != digest:
            raise ServiceError(
                "IdempotentParameterMismatchException",
                "Request parameters do not match those of the earlier request with the same client token",
            )
        return True
    tx.execute("DELETE FROM dynamodb_token WHERE account_id = ? AND region = ? AND token = ?", (*ctx.scope, token))
    tx.execute(
        "INSERT INTO dynamodb_token (account_id, region, token, digest, ends_at) VALUES (?, ?, ?, ?, ?)",
        (*ctx.scope, token, digest, now + TOKEN_S),
    )
    return False


@operation("TransactGetItems")
async def transact_get_items(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 100 items as they are at one moment."""
    wanted = []
    for one in params["TransactItems"]:
        get = one["Get"]
        wanted.append((get, named(ctx.scope, get["TableName"]), projection(get)))

    def read(tx: Tx, budget: Budget) -> tuple[list[dict[str, Any]], list[tuple[Table, Units]]]:
        responses, seen = [], set()
        consumed: dict[int, tuple[Table, Units]] = {}
        for get, of, paths in wanted:
            table = dynamo.tables.get(tx, of)
            dynamo.throttle.check(table, "Read")
            check_scalars(table, paths or ())
            key, _ = key_of(table, get["Key"])
            if (table.id, key) in seen:
                raise invalid("Transaction request cannot include multiple operations on one item")
            seen.add((table.id, key))
            stored = items.find(tx, table, key)
            size = stored.size if stored is not None else 0
            budget.take(size)
            units = Units(2 * capacity.read_units(size, consistent=True))
            consumed.setdefault(table.id, (table, Units()))[1].add(units)
            item = stored.item if stored is not None else None
            if item is not None and paths is not None:
                item = projected(item, tree_of(paths))
            responses.append({} if item is None else {"Item": item})
        return responses, list(consumed.values())

    responses, consumed = await inline.read(dynamo.database, read, heavy=len(wanted) > _INLINE_ACTIONS)
    for table, units in consumed:
        dynamo.throttle.charge(table, "Read", units)
    return {"Responses": responses, **capacity.all_shown(params.get("ReturnConsumedCapacity"), consumed, "Read")}
