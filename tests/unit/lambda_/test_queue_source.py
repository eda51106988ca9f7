"""A queue being read, with a queue that a test plays."""

from collections.abc import Hashable, Mapping
from typing import Any

from tests.fakes import FakeClock
from undercast.events.poller import Processed
from undercast.services.event_sources.progress import Table
from undercast.services.event_sources.queue_source import Batch, Done, QueueSource
from undercast.services.event_sources.reading import Reading


class Queue:
    """A FIFO queue as `ctx`, and its reader: it is read as soon as a delete has freed the next message of the group."""

    endpoint = "http://localhost"

    def __init__(self) -> None:
        self.source = QueueSource(FakeClock(), reading(self), Work())
        self.given = 0
        self.after_delete: Batch | None = None

    async def context(self) -> Any:
        """See `Reader`."""
        return self

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `RequestContext.call`."""
        if operation == "DeleteMessageBatch":
            self.after_delete = await self.source.take()
            return {"Successful": [{"Id": entry["Id"]} for entry in params["Entries"]]}
        self.given += 1
        attributes = {"MessageGroupId": "g", "ApproximateReceiveCount": "1"}
        message = {"MessageId": f"m{self.given}", "ReceiptHandle": "r", "Body": "b", "MD5OfBody": "5"}
        return {"Messages": [{**message, "Attributes": attributes}]}


class Work:
    """Does all of every batch."""

    def crowded(self) -> bool:
        return False

    def alike(self, trace_header: str) -> Hashable:
        return None

    async def process(self, batch: Batch) -> Done:
        return Done(tuple(batch.messages), Processed())


def reading(queue: Queue) -> Reading:
    """Of one message at a time."""
    return Reading(
        source_arn="arn:aws:sqs:us-west-2:111122223333:q.fifo",
        settings={"BatchSize": 1},
        consumer=queue,
        progress=Table(table="t", owner="o", id="m"),
    )


async def test_a_group_goes_on_when_its_message_is_deleted() -> None:
    """What the queue gives behind the delete is taken: left alone it would stay hidden for its visibility timeout."""
    queue = Queue()
    first = await queue.source.take()
    assert first is not None
    await queue.source.process(first)
    assert queue.after_delete is not None
    assert list(queue.after_delete.messages) == ["m2"]
