"""A queue being read, with a queue that a test plays."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeClock
from undercast.core.identity import PLATFORM, Principal
from undercast.core.tasks import NotBegun
from undercast.events.poller import Processed
from undercast.services.event_sources.progress import Table
from undercast.services.event_sources.queue_source import Batch, Done, QueueSource
from undercast.services.event_sources.reading import Reading


class Queue:
    """A FIFO queue as `ctx`, and its reader: it is read as soon as a delete has freed the next message of the group."""

    endpoint = "http://localhost"

    account_id = "111122223333"

    def __init__(self, work: "Work | None" = None) -> None:
        self.source = QueueSource(FakeClock(), reading(self), work or Work())
        self.given = 0
        self.given_back: list[str] = []
        self.after_delete: Batch | None = None

    async def context(self) -> Any:
        """See `Reader`."""
        return self

    def left_out(self, kind: str, number: int, ids: Sequence[str]) -> None:
        """See `Reader`. Without filters nothing is."""
        raise AssertionError(ids)

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, principal: Principal | None = None
    ) -> dict[str, Any]:
        """See `RequestContext.call`."""
        if operation == "ChangeMessageVisibilityBatch":
            assert principal is not None and principal.arn == PLATFORM
            self.given_back += [entry["ReceiptHandle"] for entry in params["Entries"]]
            return {}
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

    def close(self) -> None:
        """See `queue_source.Work`. Nothing waits."""

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


def test_a_queue_whose_stored_filter_is_refused_now_is_not_read() -> None:
    """What the filters do not want is deleted: a filter that an older version took must not make it so of all."""
    refused = {"Filters": [{"Pattern": '{"body": {"ip": [{"cidr": "10.0.0.1/32"}]}}'}]}
    queue = Queue()
    given = replace(reading(queue), settings={"BatchSize": 1, "FilterCriteria": refused})
    with pytest.raises(ValueError, match="mask bits"):
        QueueSource(FakeClock(), given, Work())
    assert queue.given == 0


async def test_a_group_goes_on_when_its_message_is_deleted() -> None:
    """What the queue gives behind the delete is taken: left alone it would stay hidden for its visibility timeout."""
    queue = Queue()
    first = await queue.source.take()
    assert first is not None
    await queue.source.process(first)
    assert queue.after_delete is not None
    assert list(queue.after_delete.messages) == ["m2"]


@pytest.mark.parametrize(("raised", "given_back"), [(NotBegun, ["r"]), (asyncio.CancelledError, [])])
async def test_what_nobody_was_shown_goes_back_uncounted(
    raised: type[asyncio.CancelledError], given_back: list[str]
) -> None:
    """A batch cancelled while it waited for its turn; one that a function had is left to its visibility timeout."""

    class Leaving(Work):
        async def process(self, batch: Batch) -> Done:
            raise raised

    queue = Queue(Leaving())
    batch = await queue.source.take()
    assert batch is not None
    with pytest.raises(raised):
        await queue.source.process(batch)
    assert queue.given_back == given_back


async def test_what_a_cancelled_receive_has_taken_already_goes_back() -> None:
    """SQS answers with it all the same, for only who gets it can give it back; the reader ends nevertheless."""

    class Taken(Queue):
        waits = asyncio.Event()

        async def call(
            self, service: str, operation: str, params: Mapping[str, Any], *, principal: Principal | None = None
        ) -> dict[str, Any]:
            if operation == "ReceiveMessage":
                self.waits.set()
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            return await super().call(service, operation, params, principal=principal)

    queue = Taken()
    taking = asyncio.create_task(queue.source.take())
    await queue.waits.wait()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await queue.source.close()
    assert queue.given_back == ["r"]


async def test_a_batch_has_only_what_its_consumer_takes_together() -> None:
    """What is not alike to the first message waits for the next batch, however small this one is."""

    class Traced(Work):
        def alike(self, trace_header: str) -> Hashable:
            return trace_header

    class Standard(Queue):
        async def call(
            self, service: str, operation: str, params: Mapping[str, Any], *, principal: Principal | None = None
        ) -> dict[str, Any]:
            if self.given:
                return {"Messages": []}
            self.given += 1
            return {
                "Messages": [
                    {
                        "MessageId": f"m{number}", "ReceiptHandle": f"r{number}", "Body": "b", "MD5OfBody": "5",
                        "Attributes": {"AWSTraceHeader": trace, "ApproximateReceiveCount": "1"},
                    }
                    for number, trace in enumerate("abab")
                ]
            }  # fmt: skip

    queue = Standard()
    given = replace(reading(queue), source_arn="arn:aws:sqs:us-west-2:111122223333:q", settings={"BatchSize": 10})
    source = QueueSource(FakeClock(), given, Traced())
    batches = [await source.take() for _ in range(2)]
    assert [list(batch.messages) for batch in batches if batch is not None] == [["m0", "m2"], ["m1", "m3"]]
