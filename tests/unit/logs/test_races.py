"""Calls that wait for one another: what is acknowledged is kept, what is deleted stays deleted."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.unit.logs.conftest import SCOPE, World
from tests.unit.logs.test_logs import FUNCTION, STREAM, left, messages
from undercast.core.errors import ServiceError
from undercast.services.logs import intake
from undercast.services.logs.sink import FunctionLogs
from undercast.store.database import Tx

LAMBDA = "arn:aws:lambda:us-west-2:111122223333:function:to"
FILTER = {
    "metricTransformations": [{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
    "filterPattern": "x",
}


@asynccontextmanager
async def held(world: World) -> AsyncIterator[None]:
    """state.db while a long write has it."""
    entered, free = threading.Event(), threading.Event()

    def hold(_: Tx) -> None:
        entered.set()
        free.wait(20)

    holding = asyncio.create_task(world.logs.database.write(hold, long=True))
    try:
        assert await asyncio.to_thread(entered.wait, 20)
        yield
    finally:
        free.set()
        await holding


async def begun(work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """A call that has come as far as it can: it waits for state.db."""
    task = asyncio.create_task(work)
    for _ in range(50):
        await asyncio.sleep(0)
    return task


async def test_events_that_wait_for_room_go_to_the_stream_that_is_there_then(world: World) -> None:
    """PutLogEvents waited with the key of a stream that was deleted and made anew: it was answered, its events lost."""
    await world.stream("g", "s")
    await world.stream(FUNCTION.log_group)
    await world.call("PutSubscriptionFilter", logGroupName=FUNCTION.log_group, filterName="f", filterPattern="",
                     destinationArn=LAMBDA)  # fmt: skip
    async with held(world):
        sink = FunctionLogs(world.logs.intake)
        sink.append(FUNCTION, STREAM, [(world.now_ms, "x" * 1_000_000)] * 5)  # more than subscriptions let wait
        put = asyncio.create_task(world.put("g", "s", (0, "kept")))
        while not world.logs.subscriptions._sending:  # it waits for them
            await asyncio.sleep(0.001)
        await world.call("DeleteLogStream", logGroupName="g", logStreamName="s")
        await world.call("CreateLogStream", logGroupName="g", logStreamName="s")
    await put
    assert await messages(world, logStreamName="s") == ["kept"]


async def test_events_that_come_as_their_stream_goes_are_removed_with_it(world: World) -> None:
    """They are in the file before the purge looks: nothing is left that nobody can see."""
    await world.stream("g", "s")
    for _ in range(5):
        results = await asyncio.gather(
            world.put("g", "s", (0, "one")),
            world.call("DeleteLogStream", logGroupName="g", logStreamName="s"),
            world.put("g", "s", (0, "two")),
            world.call("CreateLogStream", logGroupName="g", logStreamName="s"),
            return_exceptions=True,
        )
        assert all(isinstance(one, dict | ServiceError) for one in results), results
        kept = await messages(world, logStreamName="s")
        await left(world, len(kept))


@pytest.mark.parametrize("kind", ["MetricFilter", "SubscriptionFilter"])
async def test_a_filter_is_not_put_on_a_group_that_goes(world: World, kind: str) -> None:
    """DeleteLogGroup has taken the filters and waits to take the group: a later filter would be the next group's."""
    await world.stream("g")
    params: dict[str, Any] = FILTER if kind == "MetricFilter" else {"filterPattern": "", "destinationArn": LAMBDA}
    async with held(world):
        delete = await begun(world.call("DeleteLogGroup", logGroupName="g"))
        put = await begun(world.call(f"Put{kind}", logGroupName="g", filterName="f", **params))
    await delete
    with pytest.raises(ServiceError, match="log group does not exist"):
        await put
    await world.stream("g", "s")
    found = await world.call(f"Describe{kind}s", logGroupName="g")
    assert next(iter(found.values())) == []
    assert (SCOPE, "g") not in world.logs.intake.followers.by_group


async def test_a_policy_is_not_put_on_a_group_that_goes(world: World) -> None:
    """Nor would the next group of this name have it."""
    await world.stream("g")
    arn = "arn:aws:logs:us-west-2:111122223333:log-group:g"
    document = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},'
                f'"Action":"logs:PutLogEvents","Resource":"{arn}:*"}}]}}')  # fmt: skip
    async with held(world):
        delete = await begun(world.call("DeleteLogGroup", logGroupName="g"))
        put = await begun(world.call("PutResourcePolicy", resourceArn=arn, policyDocument=document))
    await delete
    with pytest.raises(ServiceError, match="log group does not exist"):
        await put
    assert (await world.call("DescribeResourcePolicies", resourceArn=arn))["resourcePolicies"] == []


async def test_a_stream_that_is_still_written_to_is_not_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many others come: its later lines went under a key that no stream had."""
    monkeypatch.setattr(intake, "_MAX_KNOWN", 4)
    sink = FunctionLogs(world.logs.intake)
    for number in range(12):
        sink.append(FUNCTION, "old", [(world.now_ms + number, f"{number}")])
        sink.append(FUNCTION, f"other {number}", [(world.now_ms, "x")])
    for number in range(12, 20):
        sink.append(FUNCTION, f"other {number}", [(world.now_ms, "x")])
    await world.journal.flush()
    sink.append(FUNCTION, "old", [(world.now_ms + 20, "20")])
    found = await messages(world, logGroupName=FUNCTION.log_group, logStreamName="old", startFromHead=True)
    assert found == [*map(str, range(12)), "20"]
