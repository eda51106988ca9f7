"""The process that is killed: puts, deletes, deliveries, journal and migrations, all at once, reporting to the ledger.

Run as `python -m tests.crash.worker FOLDER RUN DURABILITY STEP`: it kills itself at that step, never when STEP is 0,
and ends by itself once all deliveries are done when STEP is "drain".
"""

import asyncio
import hashlib
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from tests.crash.ledger import die_at_step, say
from tests.state import State, open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import HostClock, PlatformClock
from undercast.core.context import Cause
from undercast.events.delivery import Delivery, Outcome
from undercast.events.router import Router
from undercast.store.blobs import BlobDraft
from undercast.store.database import Row, Tx
from undercast.store.folder import DataFolder
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
OBJECTS = "CREATE TABLE work_object (name TEXT PRIMARY KEY, blob_id TEXT NOT NULL);"
LINES = "CREATE TABLE work_line (run INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (run, number));"
STEP_ROWS = 300
SIZES = (100, 20_000, 50_000, 400_000)
PUTTERS = 3
KEYS = 8


def step(number: int) -> str:
    """A migration that takes a while: a table and its rows."""
    rows = "; ".join(
        f"INSERT INTO work_step_{number} (n) SELECT n + {100 * part} FROM work_hundred"
        for part in range(STEP_ROWS // 100)
    )
    return f"CREATE TABLE work_step_{number} (n INTEGER PRIMARY KEY); {rows};"


HUNDRED = "CREATE TABLE work_hundred (n INTEGER); " + "".join(
    f"INSERT INTO work_hundred (n) VALUES ({number});" for number in range(100)
)


class Effects:
    """The target: every first attempt fails somehow, every event has a follow-up."""

    def __init__(self, clock: PlatformClock) -> None:
        self._clock = clock

    async def deliver(self, delivery: Delivery) -> Outcome:
        """See `events.delivery.Target`."""
        await asyncio.sleep(0)
        say(effect=delivery.id)
        if delivery.id.endswith("-follow"):
            return Outcome(kind="done")
        if delivery.attempts + delivery.throttles == 0 and delivery.id[-1] in "13579":
            return Outcome(kind="retry", due_at=self._clock.now() + 0.01, counted=delivery.id[-1] in "15")
        follow_up = event(f"{delivery.id}-follow", "arn:follow", self._clock, Cause(kind="delivery", id=delivery.id))
        return Outcome(kind="dead" if delivery.id[-1] == "8" else "done", follow_ups=(follow_up,))


def event(event_id: str, target_arn: str, clock: PlatformClock, cause: Cause) -> Delivery:
    """A delivery of the only kind here."""
    return Delivery(
        id=event_id,
        kind="work",
        target_arn=target_arn,
        payload=event_id.encode(),
        scope=SCOPE,
        created_at=clock.now(),
        cause=cause,
    )


class Putter:
    """Overwrites and deletes its own names for ever, each change with its event."""

    def __init__(self, number: int, run: int, state: State, clock: PlatformClock) -> None:
        self._prefix = f"{run}-{number}"
        self._number = number
        self._state = state
        self._clock = clock
        self._random = random.Random(f"{run} {number}")

    async def work(self) -> None:
        """Until the process is killed."""
        count = 0
        while True:
            count += 1
            name = f"{self._number}/{self._random.randrange(KEYS)}"
            if self._random.random() < 0.2:
                await self._change(name, None, f"{self._prefix}-{count}")
                continue
            content = self._random.randbytes(self._random.choice(SIZES))
            say(will="object", name=name, value=hashlib.sha256(content).hexdigest())
            draft = await self._state.blobs.put(_pieces(content), digests=("md5", "crc64nvme"))
            await self._change(name, draft, f"{self._prefix}-{count}")

    async def _change(self, name: str, draft: BlobDraft | None, event_id: str) -> None:
        value = draft.id if draft else None
        say(will="object", name=name, value=value)
        cause = Cause(kind="call", id=f"r{event_id}")

        def change(tx: Tx) -> None:
            old = tx.one("SELECT blob_id FROM work_object WHERE name = ?", (name,))
            tx.execute("DELETE FROM work_object WHERE name = ?", (name,))
            if draft is not None:
                self._state.blobs.acquire(tx, draft)
                tx.execute("INSERT INTO work_object (name, blob_id) VALUES (?, ?)", (name, draft.id))
            if old is not None:
                self._state.blobs.release(tx, old["blob_id"])
            self._state.outbox.add(tx, event(event_id, f"arn:{self._number}", self._clock, cause))

        await self._state.database.write(change, long=self._random.random() < 0.1)
        say(done="object", name=name, value=value)
        say(event=event_id)
        say(event=f"{event_id}-follow")


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]


async def append_lines(run: int, state: State) -> None:
    """Journal lines; what a flush returned for must be there, what came later may be lost from the end."""
    number = 0
    while True:
        for _ in range(150):
            number += 1
            state.journal.append("INSERT INTO work_line (run, number) VALUES (?, ?)", (run, number))
        if number % 450 == 0:
            await state.journal.flush()
            say(least="lines", name=str(run), value=str(number))
        await asyncio.sleep(0.005)


async def take_inventory(state: State, steps: int) -> None:
    """Tell the ledger what survived, before anything new is done."""
    rows = await state.database.read(lambda tx: tx.all("SELECT name, blob_id FROM work_object"))
    for row in rows:
        content = await state.blobs.read_all(row["blob_id"])
        say(found="object", name=row["name"], value=hashlib.sha256(content).hexdigest())
    say(inventory="object")
    for number in range(steps):
        count = await state.database.read(lambda tx, n=number: tx.all(f"SELECT n FROM work_step_{n}"))  # type: ignore[misc]
        if len(count) != STEP_ROWS:
            say(problem=f"migration {number} left {len(count)} rows")
    await _check_lines(state)
    await state.blobs.sweep()
    for problem in await state.blobs.audit():
        say(problem=problem)


async def _check_lines(state: State) -> None:
    def lines(tx: Tx) -> list[Row]:
        return tx.all("SELECT run, MAX(number) AS last, COUNT(*) AS n FROM work_line GROUP BY run")

    for row in await state.journal.read(lines):
        if row["last"] != row["n"]:
            say(problem=f"the journal of run {row['run']} has holes: {row['n']} lines up to {row['last']}")
        say(found="lines", name=str(row["run"]), value=str(row["last"]))
    say(progress="lines")


async def main(folder: Path, run: int, durability: str, drain: bool) -> None:
    """Open, take the inventory, work; or let every delivery end, and stop."""
    clock = PlatformClock(HostClock())
    data = DataFolder(folder)
    data.lock()
    say(say="opening")
    schemas = {"work": (OBJECTS, HUNDRED, *(step(number) for number in range(run)))}
    async with open_state(
        folder, clock, durability="power" if durability == "power" else "process", schemas=schemas
    ) as state:
        migrate(state.journal.database, "work", (LINES,))
        await take_inventory(state, run)
        router = Router(state.outbox, {"work": Effects(clock)})
        await router.start()
        say(say="ready")
        if drain:
            while (await _rows_left(state)) > 0:
                await router.drained()
                await asyncio.sleep(0.02)
        else:
            work: list[Callable[[], Awaitable[None]]] = [
                *(Putter(number, run, state, clock).work for number in range(PUTTERS)),
                lambda: append_lines(run, state),
            ]
            await asyncio.gather(*(one() for one in work))
        await router.stop()
    data.unlock()


async def _rows_left(state: State) -> int:
    row = await state.database.read(lambda tx: tx.one("SELECT COUNT(*) AS n FROM event_delivery"))
    return 0 if row is None else int(row["n"])


if __name__ == "__main__":
    if sys.argv[4].isdigit():
        die_at_step(int(sys.argv[4]))
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4] == "drain"))
