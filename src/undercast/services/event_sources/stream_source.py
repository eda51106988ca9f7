"""A stream as an event source: follows its shards, and gives batches of all lanes that are free.

A shard is read when its parents are done; in it, ParallelizationFactor lanes, each with one batch at a time. The bell
of `events/arrivals.py` wakes the reader.
AWS: Lambda Developer Guide, "Using Lambda with Kinesis", "Using Lambda with DynamoDB".
"""

import asyncio
from functools import partial
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.events.poller import Processed, Unavailable
from undercast.services.event_sources.book import Book
from undercast.services.event_sources.kinds import kind_of
from undercast.services.event_sources.lane import THROTTLED, Batch, LaneReader, Rules
from undercast.services.event_sources.progress import Lane, Progress
from undercast.services.event_sources.queue_events import patterns_of
from undercast.services.event_sources.reading import Ground, Reading, Watch
from undercast.services.event_sources.work import Attempts, Means, Work, limits_of

LOOK_AGAIN_S = 60.0
"""The bell is in memory: a ring that was lost costs this much."""
THROTTLED_S = 1.0
"""AWS: a shard whose throughput is used up can be read again after a second."""
MOST_BATCHES = 10_000


class StreamSource:
    """See `events.poller.Source`. It gives no batch of a lane that has one, which bounds the batches at once."""

    most = MOST_BATCHES
    at_first = MOST_BATCHES

    def __init__(self, ground: Ground, reading: Reading, attempts: Attempts[Any], watch: Watch | None = None) -> None:
        settings = reading.settings
        self._ground = ground
        self._watch = watch
        self._table = reading.progress
        self._consumer = reading.consumer
        self._kind = kind_of(reading.source_arn)
        factor: int = settings.get("ParallelizationFactor", 1)
        self._book = Book(ground.database.read_now(self._table.load), factor)
        self._rules = Rules(
            batch_size=settings["BatchSize"],
            window_s=settings.get("MaximumBatchingWindowInSeconds", 0),
            tumbling_s=settings.get("TumblingWindowInSeconds", 0),
            patterns=patterns_of(settings.get("FilterCriteria", {})),
            factor=factor,
            is_done=self._book.is_done,
            watch=watch,
            left_out=partial(reading.consumer.left_out, "record"),
        )
        means = Means(
            kind=self._kind,
            limits=limits_of(settings),
            clock=ground.clock,
            database=ground.database,
            outbox=ground.outbox,
            progress=reading.progress,
            book=self._book,
        )
        self._work = Work(attempts, means)
        self._readers: dict[Lane, LaneReader] = {}
        self._stale = True
        """Whether the shards have to be listed again."""
        self._bell: asyncio.Event | None = None

    def crowded(self) -> bool:
        """See `Source`."""
        return False

    async def close(self) -> None:
        """See `Source`. A batch that waits for its next attempt is left to who reads next."""
        self._work.close()
        moved = {lane: one.passed_over for lane, one in self._readers.items() if one.passed_over is not None}
        if moved:
            await self._ground.database.write(lambda tx: self._table.put(tx, moved))

    async def take(self) -> Batch | None:
        """See `Source`."""
        ctx = await self._consumer.context()
        try:
            with self._ground.arrivals.listen(self._kind.bell) as bell:
                self._bell = bell
                while (batch := await self._next(ctx)) is None:
                    if not await self._rung(bell):
                        self._stale = True
                        if self._watch is not None:
                            self._watch.polled(0)
                        return None
                batch.reader.busy = True
                return batch
        except ServiceError as error:
            self._stale = True
            raise Unavailable(f"{error.code}: {error.message}") from error
        finally:
            self._bell = None

    async def process(self, batch: Batch) -> Processed:
        """See `Source`."""
        reader = batch.reader
        try:
            return await self._work.process(batch)
        finally:
            reader.rewind()
            reader.busy = False
            if self._bell is not None:
                self._bell.set()

    async def _next(self, ctx: RequestContext) -> Batch | None:
        """A batch of the first free lane that has one; lanes that were asked are asked last the next time."""
        if self._stale:
            await self._follow(ctx)
        for lane, reader in tuple(self._readers.items()):
            if reader.busy:
                continue
            self._readers[lane] = self._readers.pop(lane)
            try:
                batch = await reader.read(self._kind, ctx, self._rules, self._ground.clock.now())
            except ServiceError as error:
                if error.code == THROTTLED:
                    reader.again_at = self._ground.clock.now() + THROTTLED_S
                    continue
                if error.code != "ResourceNotFoundException" or not await self._has_expired(ctx, lane):
                    raise
                return await self._next(ctx)
            if batch is not None:
                return batch
            if reader.at_end:
                await self._end(reader)
            elif (passed_over := reader.worth_keeping(self._ground.clock.now())) is not None:
                await self._work.commit(reader, passed_over)
            await asyncio.sleep(0)  # not to wait: there are up to thousands of lanes, and others want the loop
        return await self._next(ctx) if self._stale else None

    async def _follow(self, ctx: RequestContext) -> None:
        """List the shards; read those that may be read now."""
        listing = await self._kind.listing(ctx)
        self._work.retention_s = listing.retention_s
        if gone := self._book.forget_others(listing):
            await self._ground.database.write(lambda tx: self._table.forget(tx, gone))
        readable = self._book.readable(listing)
        for lane in [lane for lane, one in self._readers.items() if lane.shard_id not in readable and not one.busy]:
            del self._readers[lane]
        for shard_id in readable:
            for lane, start in self._book.lanes(shard_id):
                if lane not in self._readers:
                    self._readers[lane] = LaneReader(lane, start)
        self._stale = False

    async def _has_expired(self, ctx: RequestContext, lane: Lane) -> bool:
        """Whether the stream has the lane's shard no more; the lane is given up then."""
        listed = {shard.id for shard in (await self._kind.listing(ctx)).shards}
        if lane.shard_id in listed:
            return False
        del self._readers[lane]
        self._stale = True
        return True

    async def _end(self, reader: LaneReader) -> None:
        """All of the lane is done; its shard's children may be readable now."""
        await self._work.commit(
            reader, Progress(sequence=reader.cursor.sequence, since=reader.cursor.since, ended=True)
        )
        del self._readers[reader.lane]
        self._stale = True

    async def _rung(self, bell: asyncio.Event) -> bool:
        """Wait for news, for a lane that is free again, or for the end of a window."""
        times = [at for one in self._readers.values() if (at := one.wakes_at(self._rules)) is not None]
        timer = None
        if times:
            timer = asyncio.get_running_loop().create_task(self._ground.clock.wait_until(min(times)))
            timer.add_done_callback(lambda _: bell.set())
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                await bell.wait()
        except TimeoutError:
            return False
        finally:
            if timer is not None:
                timer.cancel()
        bell.clear()
        return True
