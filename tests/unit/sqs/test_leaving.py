"""Who receives leaves before it has its messages, under `--durability power`."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import State, open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.identity import Principal, root_principal
from undercast.core.metrics import Metrics
from undercast.core.service import Reply
from undercast.events.poller import Processed
from undercast.services.event_sources.progress import Table
from undercast.services.event_sources.queue_source import Batch, Done, QueueSource
from undercast.services.event_sources.reading import Reading
from undercast.services.sqs.housekeeping import Housekeeping
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.measures import Measures
from undercast.services.sqs.moving import Moves
from undercast.services.sqs.queues import Queues
from undercast.services.sqs.schema import SCHEMA
from undercast.services.sqs.service import MANIFEST
from undercast.services.sqs.waiting import Waiting
from undercast.store import group_sync

SCOPE = Scope(AccountId("111122223333"), Region("eu-west-1"))
ENDPOINT = "http://localhost:4000"
URL = f"{ENDPOINT}/111122223333/q"


class Disk:
    """Syncs when a test lets it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.asked = self.done = 0

    def sync(self, descriptor: int) -> None:
        """See `store.files.sync_file`."""
        self.asked += 1
        self.open.wait(10)
        self.done += 1


class Account:
    """A queue's account, and a consumer that reads it."""

    def __init__(self, state: State) -> None:
        self.state, self.clock, self.ids = state, FakeClock(), CountingIds()
        database, queues, waiting = state.database, Queues(state.database), Waiting(self.clock)
        self.sqs = Sqs(
            database=database,
            queues=queues,
            waiting=waiting,
            moves=Moves(database, waiting, state.causality, self.ids),
            housekeeping=Housekeeping(database, self.clock),
            measures=Measures(Metrics(), database, self.clock),
            causality=state.causality,
            internal=lambda scope, principal=None, cause=EXTERNAL: self.ctx(),
            clock=self.clock,
            ids=self.ids,
        )

    def ctx(self, principal: Principal | None = None) -> RequestContext:
        """A request."""
        return RequestContext(
            request_id=self.ids.uuid(),
            scope=SCOPE,
            principal=principal or root_principal(SCOPE.account_id),
            cause=EXTERNAL,
            clock=self.clock,
            host_clock=self.clock.host,
            ids=self.ids,
            caller=self._call,
            permits=self._permits,
            endpoint=ENDPOINT,
        )

    async def _call(
        self, ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
    ) -> dict[str, Any]:
        return await self.run(operation, ctx, **params)

    async def _permits(
        self, principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]
    ) -> bool:
        return True

    async def run(self, operation: str, ctx: RequestContext | None = None, **params: Any) -> dict[str, Any]:
        """One operation."""
        result = await MANIFEST.operations[operation](self.sqs, ctx or self.ctx(), params)
        return dict(result.output if isinstance(result, Reply) else result or {})

    def receives(self) -> list[int]:
        """How often each visible message was received."""
        rows = self.state.database.read_now(
            lambda tx: tx.all("SELECT receives FROM sqs_message WHERE visible_at <= ?", (self.clock.now(),))
        )
        return [row["receives"] for row in rows]

    # As the consumer.

    async def context(self) -> RequestContext:
        """See `Reader`."""
        return self.ctx()

    def left_out(self, kind: str, number: int, ids: Sequence[str]) -> None:
        """See `Reader`. Without filters nothing is."""
        raise AssertionError(ids)

    def crowded(self) -> bool:
        """See `Work`."""
        return False

    def alike(self, trace_header: str) -> None:
        """See `Work`."""

    def close(self) -> None:
        """See `Work`."""

    async def process(self, batch: Batch) -> Done:
        """See `Work`."""
        return Done(tuple(batch.messages), Processed())


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """In place of the machine's."""
    made = Disk()
    monkeypatch.setattr(group_sync, "sync_file", made.sync)
    return made


@pytest.fixture
async def account(tmp_path: Path, disk: Disk) -> AsyncIterator[Account]:
    """With a queue in which one message lies."""
    async with open_state(tmp_path, FakeClock(), durability="power", schemas={"sqs": SCHEMA}) as state:
        made = Account(state)
        await made.run("CreateQueue", QueueName="q")
        await made.run("SendMessage", QueueUrl=URL, MessageBody="b")
        yield made
        disk.open.set()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def _taken(account: Account) -> int:
    """How many messages were received once."""
    count = "SELECT count(*) AS n FROM sqs_message WHERE receives = 1"
    return int(account.state.database.read_now(lambda tx: tx.all(count))[0]["n"])


@pytest.mark.parametrize("window_s", [0, 300])
async def test_what_was_taken_for_a_reader_that_ends_is_given_back(account: Account, disk: Disk, window_s: int) -> None:
    """Between the commit of a receive and its sync on the disk: visible again, and the receive does not count."""
    table = Table(table="t", owner="o", id="m")
    settings = {"BatchSize": 100 if window_s else 1, "MaximumBatchingWindowInSeconds": window_s}
    arn = "arn:aws:sqs:eu-west-1:111122223333:q"
    reading = Reading(source_arn=arn, settings=settings, consumer=account, progress=table)
    source = QueueSource(account.clock, reading, account)
    if window_s:  # a first message begins the window; the reader ends while it receives the second
        await account.run("SendMessage", QueueUrl=URL, MessageBody="c", DelaySeconds=1)
        reader = asyncio.create_task(source.take())
        await until(lambda: _taken(account) == 1 and account.sqs.waiting.polls == 1)
        disk.open.clear()
        account.clock.advance(1)
    else:
        disk.open.clear()
        reader = asyncio.create_task(source.take())
    total = 1 + (window_s > 0)
    await until(lambda: _taken(account) == total)

    async def leave() -> None:
        await asyncio.wait([reader])
        await source.close()

    reader.cancel()
    leaving = asyncio.create_task(leave())
    await asyncio.sleep(0)
    disk.open.set()
    await leaving
    assert account.receives() == [0] * total


async def test_who_leaves_before_the_commit_takes_nothing(account: Account) -> None:
    """Another program's lock holds the receive up; when it is its turn, nobody is there to get messages."""
    database = account.state.database
    with contextlib.closing(sqlite3.connect(database.path, isolation_level=None)) as foreigner:
        foreigner.execute("BEGIN IMMEDIATE")
        receiving = asyncio.create_task(account.run("ReceiveMessage", QueueUrl=URL))
        await until(lambda: len(database._tasks) > 0)
        receiving.cancel()
        await asyncio.wait([receiving])
        foreigner.execute("COMMIT")
    await until(lambda: not database._tasks)
    assert account.receives() == [0]
