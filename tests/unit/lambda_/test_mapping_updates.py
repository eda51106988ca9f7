"""Two updates of one event source mapping at once: the later one is made of what the earlier one left."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.lambda_.conftest import SCOPE, World
from undercast.core.errors import ServiceError
from undercast.services.lambda_ import mapping_store
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.store.database import Tx

QUEUE = f"arn:aws:sqs:{SCOPE.region}:{SCOPE.account_id}:q"


class Overtaken:
    """A queue. While an update asks for its attributes, another update is committed and has ended."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.id = ""
        self.overtaking: dict[str, Any] = {}
        world.services["sqs:GetQueueAttributes"] = self.attributes

    async def map(self, **settings: Any) -> None:
        """A mapping that no change is under way on."""
        made = await self.world.call(
            "CreateEventSourceMapping", EventSourceArn=QUEUE, FunctionName="f", BatchSize=5, **settings
        )
        self.id = made["UUID"]
        self.world.database.write_now(lambda tx: mapping_store.settle(tx, self.found(tx)))

    def attributes(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `World.services`."""
        overtaking, self.overtaking = self.overtaking, {}
        if overtaking:
            self.world.database.write_now(lambda tx: mapping_store.put(tx, replace(self.found(tx), **overtaking)))
        return {"Attributes": {"VisibilityTimeout": "30"}}

    def found(self, tx: Tx) -> EventSourceMapping:
        """Its row."""
        found = mapping_store.find(tx, SCOPE, self.id)
        assert found is not None
        return found

    def configured(self, **settings: Any) -> Mapping[str, Any]:
        """What it is configured with, and more."""
        return {**self.world.database.read_now(self.found).configuration, **settings}

    async def update(self, **members: Any) -> dict[str, Any]:
        """The update that is overtaken."""
        return await self.world.call("UpdateEventSourceMapping", UUID=self.id, **members)


async def test_update_keeps_settings_that_another_one_made_meanwhile(world: World) -> None:
    """AWS: UpdateEventSourceMapping changes the settings that are given."""
    await world.create()
    queue = Overtaken(world)
    await queue.map()
    queue.overtaking = {"configuration": queue.configured(BatchSize=7)}
    updated = await queue.update(MaximumBatchingWindowInSeconds=3)
    assert (updated["BatchSize"], updated["MaximumBatchingWindowInSeconds"]) == (7, 3)


async def test_update_keeps_the_function_that_another_one_gave_meanwhile(world: World) -> None:
    """AWS: FunctionName is optional; without it the function stays."""
    await world.create()
    other = (await world.create("g"))["FunctionArn"]
    queue = Overtaken(world)
    await queue.map()
    queue.overtaking = {"function_arn": other}
    updated = await queue.update(BatchSize=3)
    assert (updated["BatchSize"], updated["FunctionArn"]) == (3, other)


async def test_settings_of_two_updates_are_checked_together(world: World) -> None:
    """More than ten messages ask for a window, which another update has just taken away."""
    await world.create()
    queue = Overtaken(world)
    await queue.map(MaximumBatchingWindowInSeconds=1)
    queue.overtaking = {"configuration": queue.configured(MaximumBatchingWindowInSeconds=0)}
    with pytest.raises(ServiceError, match="Maximum batch window in seconds must be greater than 0"):
        await queue.update(BatchSize=100)
