"""Batches of a queue whose function is throttled."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.lambda_.conftest import World
from tests.unit.lambda_.test_pollers import source
from undercast.core.errors import ServiceError
from undercast.core.tasks import NotBegun
from undercast.events.poller import Pollers
from undercast.sandbox.model import Invocation, InvocationResult
from undercast.services.lambda_.hot_reload import BUCKET, HotReload

VISIBILITY_S = 43_200


class Throttle:
    """A function that takes so many invocations at once, each until the test ends it; and its queue, which is deep."""

    def __init__(self, world: World, room: int) -> None:
        self.world, self.room = world, room
        self.running: list[asyncio.Future[InvocationResult]] = []
        self.received, self.tried, self.given_back = 0, 0, 0
        world.environments.answer = self._answer
        world.services |= {
            "sts:AssumeRole": lambda _: {},
            "sqs:ReceiveMessage": self._receive,
            "sqs:GetQueueAttributes": lambda _: {"Attributes": {"VisibilityTimeout": str(VISIBILITY_S)}},
            "sqs:DeleteMessageBatch": lambda params: {"Successful": params["Entries"]},
            "sqs:ChangeMessageVisibilityBatch": self._return,
        }

    async def _answer(self, invocation: Invocation) -> InvocationResult:
        self.tried += 1
        if len(self.running) >= self.room:
            raise ServiceError("TooManyRequestsException", "Rate Exceeded.", 429)
        end: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        self.running.append(end)
        try:
            return await end
        finally:
            self.running.remove(end)

    def _receive(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.received += 1
        name, attributes = f"m{self.received}", {"ApproximateReceiveCount": "1", "SentTimestamp": "0"}
        message = {"MessageId": name, "ReceiptHandle": name, "Body": "b", "MD5OfBody": "5", "Attributes": attributes}
        return {"Messages": [message]}

    def _return(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.given_back += len(params["Entries"])
        return {}

    async def settle(self) -> None:
        """Let what can run do so."""
        for _ in range(300):
            await asyncio.sleep(0)

    async def end_one(self) -> None:
        """The invocation that has run longest succeeds."""
        self.running[0].set_result(InvocationResult(payload=b"null"))
        await self.settle()


@pytest.fixture
async def pollers(world: World) -> AsyncIterator[Pollers]:
    """Of a world with a function."""
    await world.create()
    made = Pollers(world.clock)
    yield made
    await made.stop(0.0)


async def test_a_throttled_batch_is_tried_at_least_every_five_minutes(world: World, pollers: Pollers) -> None:
    """However long the throttle has lasted: the function may be free again."""
    throttle = Throttle(world, room=0)
    feed = source(world)
    batch = await feed.take()
    assert batch is not None
    processing = asyncio.create_task(feed.process(batch))
    await throttle.settle()
    for tries in range(2, 20):
        world.clock.advance(300.0)
        await throttle.settle()
        assert throttle.tried == tries
    await feed.close()
    with pytest.raises(NotBegun):
        await processing


async def test_the_end_of_the_reading_ends_the_wait_for_the_next_attempt(world: World, pollers: Pollers) -> None:
    """A mapping is changed at once, not behind the visibility timeout; its messages go back."""
    throttle = Throttle(world, room=0)
    pollers.begin("m", source(world))
    await throttle.settle()
    assert (throttle.received, throttle.tried) == (5, 5)
    async with asyncio.timeout(5):
        await pollers.end("m")
    assert throttle.given_back == 5


async def test_a_throttled_batch_goes_before_new_ones_and_gets_the_room_that_another_leaves(
    world: World, pollers: Pollers
) -> None:
    """A long throttle over a deep queue fills no slots with batches that sleep while the function is free."""
    throttle = Throttle(world, room=2)
    pollers.begin("m", source(world))
    await throttle.settle()
    world.clock.tick(60.0)  # many more would be allowed at once by now
    await throttle.settle()
    assert (throttle.received, len(throttle.running)) == (5, 2)
    tried = throttle.tried
    await throttle.end_one()
    assert len(throttle.running) == 2
    assert throttle.received == 6
    assert throttle.tried <= tried + 2


async def test_a_batch_goes_back_that_is_cancelled_while_its_functions_folder_is_looked_at(
    world: World, tmp_path: Path
) -> None:
    """Hot reload: the function has not seen the messages, so their visibility timeout hides them from nobody."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "app.py").write_text("code")
    folder.chmod(0o755)
    live = HotReload(folder, world.functions.blobs, world.environments)
    world.functions = replace(world.functions, hot_reload=live)
    await world.create("f", Code={"S3Bucket": BUCKET, "S3Key": str(folder)})
    throttle = Throttle(world, room=1)
    feed = source(world)
    batch = await feed.take()
    assert batch is not None
    threads, busy = ThreadPoolExecutor(1), threading.Event()
    asyncio.get_running_loop().set_default_executor(threads)
    threads.submit(busy.wait)  # as a look at a folder that does not answer
    try:
        processing = asyncio.create_task(feed.process(batch))
        await throttle.settle()
        processing.cancel()
        with pytest.raises(NotBegun):
            await processing
    finally:
        busy.set()
    assert (throttle.tried, throttle.given_back) == (0, 1)
