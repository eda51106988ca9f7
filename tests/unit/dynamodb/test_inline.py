"""What is much is neither prepared nor done on the event loop, and is done once."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.services.dynamodb.conftest import definition
from tests.state import busy_thread
from tests.unit.dynamodb.conftest import Ground
from undercast.core.errors import ServiceError
from undercast.services.dynamodb import writing
from undercast.services.dynamodb.inline import INLINE_BYTES, is_heavy
from undercast.services.dynamodb.service import MANIFEST

LARGE = "x" * 9000


async def call(ground: Ground, operation: str, **params: Any) -> dict[str, Any]:
    """Run an operation as dispatch does."""
    found: Any = await MANIFEST.operations[operation](ground.dynamo, ground.ctx, params)
    return dict(found or {})


@asynccontextmanager
async def waiting(ground: Ground, operation: str, **params: Any) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:
    """A call that has come as far as it can without the store thread."""
    async with busy_thread(ground.state.database):
        task = asyncio.create_task(call(ground, operation, **params))
        while not task.done() and not ground.state.database._thread_free._waiters:
            await asyncio.sleep(0.001)  # a thread prepares it
        yield task


def puts(count: int, text: str, begin: int = 0) -> list[dict[str, Any]]:
    """PutRequests of so many items."""
    keys = range(begin, begin + count)
    return [{"PutRequest": {"Item": {"pk": {"S": f"{key}"}, "v": {"S": text}}}} for key in keys]


KEYS = [{"pk": {"S": f"{number}"}} for number in range(10)]
SELECTS = [{"Statement": f"SELECT * FROM watched WHERE pk = '{number}'"} for number in range(10)]
UPDATE = {"TableName": "watched", "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("BatchWriteItem", {"RequestItems": {"watched": [{"DeleteRequest": {"Key": key}} for key in KEYS]}}),
    ("BatchGetItem", {"RequestItems": {"watched": {"Keys": KEYS}}}),
    ("TransactWriteItems", {"TransactItems": [{"Update": {"Key": key, **UPDATE}} for key in KEYS]}),
    ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "watched", "Key": key}} for key in KEYS]}),
    ("ExecuteTransaction", {"TransactStatements": SELECTS}),
]


@pytest.mark.parametrize(("text", "inline"), [("x", True), (LARGE, False)])
@pytest.mark.parametrize(("operation", "params"), CASES)
async def test_large_items_that_are_there_are_looked_at_in_the_stores_thread(
    ground: Ground, operation: str, params: dict[str, Any], text: str, inline: bool
) -> None:
    """A request does not say how large they are. What it consumes is counted once."""
    params = {**params, "ReturnConsumedCapacity": "TOTAL"}
    await call(ground, "BatchWriteItem", RequestItems={"watched": puts(10, text)})
    kind = "Read" if operation in ("BatchGetItem", "TransactGetItems", "ExecuteTransaction") else "Write"
    counted(ground, kind)
    async with waiting(ground, operation, **params) as task:
        assert task.done() is inline
    answer = await task
    assert not answer.get("UnprocessedItems") and not answer.get("UnprocessedKeys")
    (consumed,) = answer["ConsumedCapacity"]
    times = 4 if operation == "ExecuteTransaction" else 1
    assert times * counted(ground, kind) == consumed["CapacityUnits"] > 0


def counted(ground: Ground, kind: str) -> float:
    """The units of the table that CloudWatch is told of since the last look."""
    name = f"Consumed{kind}CapacityUnits"
    return sum(tally.total for point, tally in ground.metrics.take().items() if point.series.name == name)


@pytest.mark.parametrize(("text", "inline"), [("x", True), (LARGE, False)])
@pytest.mark.parametrize("operation", ["BatchWriteItem", "TransactWriteItems"])
async def test_a_large_request_is_prepared_and_done_beside_the_loop(
    ground: Ground, operation: str, text: str, inline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """25 items of 390 KB held everybody up for 0.1 s."""
    plain, threads = writing.plain, set()

    def noted(*args: Any) -> Any:
        threads.add(threading.current_thread() is threading.main_thread())
        return plain(*args)

    monkeypatch.setattr(writing, "plain", noted)
    requests = puts(10, text)
    if operation == "BatchWriteItem":
        params: dict[str, Any] = {"RequestItems": {"watched": requests}}
    else:
        params = {"TransactItems": [{"Put": {"TableName": "watched", **one["PutRequest"]}} for one in requests]}
    async with waiting(ground, operation, **params) as task:
        assert task.done() is inline
    await task
    assert threads == {inline}
    assert len(await ground.state.database.read(lambda tx: tx.all("SELECT 1 FROM dynamodb_item"))) == 10


async def test_a_token_is_used_once_by_a_transaction_that_was_undone_and_done_again(ground: Ground) -> None:
    """It is noted with what it did, not with what was undone."""
    await call(ground, "BatchWriteItem", RequestItems={"watched": puts(10, LARGE)})
    params: dict[str, Any] = {"TransactItems": CASES[2][1]["TransactItems"], "ClientRequestToken": "token"}
    await call(ground, "TransactWriteItems", **params)
    found = await call(ground, "GetItem", TableName="watched", Key=KEYS[9])
    assert found["Item"]["n"] == {"N": "1"}
    with pytest.raises(ServiceError, match="Request parameters do not match"):
        await call(ground, "TransactWriteItems", **{**params, "TransactItems": params["TransactItems"][:1]})


async def test_a_batch_that_was_undone_and_done_again_tells_of_each_table_once(ground: Ground) -> None:
    """What it consumed, in the order of the request."""
    await call(ground, "CreateTable", TableName="other", **definition("pk:S"))
    await call(ground, "BatchWriteItem", RequestItems={"watched": puts(10, LARGE)})
    requests = {"watched": CASES[0][1]["RequestItems"]["watched"], "other": puts(2, "x")}
    answer = await call(ground, "BatchWriteItem", RequestItems=requests, ReturnConsumedCapacity="TOTAL")
    assert [one["TableName"].rpartition("/")[2] for one in answer["ConsumedCapacity"]] == ["watched", "other"]


@pytest.mark.parametrize(
    ("given", "heavy"),
    [
        ({"S": "x" * INLINE_BYTES}, True),
        ({"S": "x" * (INLINE_BYTES - 100)}, False),
        ({"B": b"x" * INLINE_BYTES}, True),
        ({"M": {f"{at}": {"NULL": True} for at in range(5000)}}, True),
        ([[{"L": [{"N": "1"}] * 100}]] * 100, True),
        ([{"N": "1"}] * 100, False),
    ],
)
def test_what_is_heavy(given: Any, heavy: bool) -> None:
    """By bytes, and by how many values there are."""
    assert is_heavy(given) is heavy
