"""The batched second file: appends never wait, readers see every append before them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from undercast.store.database import Tx
from undercast.store.journal import Backlog, Journal
from undercast.store.migrations import migrate

INSERT = "INSERT INTO line (number) VALUES (?)"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = Journal.open(tmp_path / "journal.db")
    migrate(opened.database, "line", ("CREATE TABLE line (number INTEGER PRIMARY KEY);",))
    yield opened
    await opened.close()


def numbers(tx: Tx) -> list[int]:
    return [row["number"] for row in tx.all("SELECT number FROM line ORDER BY number")]


async def test_reader_sees_what_was_appended_before(journal: Journal) -> None:
    """GetLogEvents right after a line was written returns it."""
    for number in range(10):
        journal.append(INSERT, (number,))
    assert await journal.read(numbers) == list(range(10))


class Stepped(asyncio.SelectorEventLoop):
    """A loop whose clock goes only where a test sets it."""

    now_s = 0.0

    def time(self) -> float:
        """Seconds since the test began."""
        return self.now_s


def stepped(folder: Path, act: Callable[[Stepped, Journal], Coroutine[Any, Any, None]]) -> None:
    """Run `act` on such a loop, with a journal."""

    async def whole() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Stepped)
        journal = Journal.open(folder / "journal.db")
        migrate(journal.database, "line", ("CREATE TABLE line (number INTEGER PRIMARY KEY);",))
        await act(loop, journal)
        await journal.close()

    with asyncio.Runner(loop_factory=Stepped) as runner:
        runner.run(whole())


async def settled(journal: Journal) -> int:
    """How many rows are in the file once all that was begun by now is done: the store thread has one queue."""
    for _ in range(3):
        await asyncio.sleep(0)  # a batch that has been begun reaches the queue
        await journal.database.read(numbers, long=True)
    assert journal.settled == len(journal.database.read_now(numbers))
    return journal.settled


def test_batch_is_written_without_being_asked(tmp_path: Path) -> None:
    """100 ms after its first row, not before and not later: SIGKILL loses no more."""

    async def act(loop: Stepped, journal: Journal) -> None:
        loop.now_s = 5.0
        journal.append(INSERT, (1,))
        loop.now_s = 5.09
        journal.append(INSERT, (2,))
        assert await settled(journal) == 0
        loop.now_s = 5.1001
        assert await settled(journal) == 2

    stepped(tmp_path, act)


def test_full_batch_is_written_at_once(tmp_path: Path) -> None:
    """1,000 rows do not wait for the timer; what comes meanwhile is in the next batch. The clock stands still."""

    async def act(loop: Stepped, journal: Journal) -> None:
        for number in range(999):
            journal.append(INSERT, (number,))
        assert await settled(journal) == 0
        journal.append(INSERT, (999,))
        assert await settled(journal) == 1000
        for number in range(1000, 3500):  # one batch is in hand, and what gathers behind it is full before it ends
            journal.append(INSERT, (number,))
        assert await settled(journal) == 3500

    stepped(tmp_path, act)


async def test_close_loses_nothing(tmp_path: Path) -> None:
    """A clean stop flushes."""
    journal = Journal.open(tmp_path / "journal.db")
    migrate(journal.database, "line", ("CREATE TABLE line (number INTEGER PRIMARY KEY);",))
    journal.append(INSERT, (7,))
    await journal.close()
    again = Journal.open(tmp_path / "journal.db")
    assert await again.read(numbers) == [7]
    await again.close()


async def test_refused_row_does_not_take_others_along(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    """One duplicate in a batch is dropped with a line in our log."""
    for number in (1, 2, 2, 3):
        journal.append(INSERT, (number,))
    assert await journal.read(numbers) == [1, 2, 3]
    assert "UNIQUE constraint failed" in caplog.text


async def test_write_comes_behind_the_appends(journal: Journal) -> None:
    """Retention deletes what was appended before it."""
    journal.append(INSERT, (1,))
    await journal.write(lambda tx: tx.execute("DELETE FROM line"))
    journal.append(INSERT, (2,))
    assert await journal.read(numbers) == [2]


async def test_flush_in_the_moment_a_batch_ends_writes_the_next_one_too(journal: Journal) -> None:
    """The batch in hand has just been written and what gathered meanwhile has not: flush waits for both."""
    for number in range(200):
        journal.append(INSERT, (2 * number,))
        journal._begin()
        writing = journal._flushing
        journal.append(INSERT, (2 * number + 1,))
        while writing is not None and not writing.done():
            await asyncio.sleep(0)
        await journal.flush()
        assert len(journal.database.read_now(numbers)) == 2 * number + 2


async def test_a_backlog_takes_no_more_than_it_may(journal: Journal) -> None:
    """What its owner appended counts until it is in the file."""
    backlog = Backlog(journal)
    assert backlog.takes(60, most=100)
    journal.append(INSERT, (1,))
    assert [backlog.takes(60, most=100), backlog.takes(40, most=100)] == [False, True]
    journal.append(INSERT, (2,))
    assert not backlog.takes(1, most=100)
    await journal.flush()
    assert backlog.takes(100, most=100)


async def test_a_batch_that_could_not_be_written_is_never_acknowledged(journal: Journal) -> None:
    """A disk that is full for a moment: whoever flushes behind the failure is told; later rows and readers go on."""
    await journal.database.write(lambda tx: tx.execute("ALTER TABLE line RENAME TO away"))
    journal.append(INSERT, (1,))
    journal._begin()
    async with asyncio.timeout(60):
        while journal.settled < 1:
            await asyncio.sleep(0.01)
    await journal.database.write(lambda tx: tx.execute("ALTER TABLE away RENAME TO line"))
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="a journal batch was lost: no such table"):
            await journal.flush()
    assert await journal.read(numbers) == []
    journal.append(INSERT, (2,))
    await journal.flush()
    assert await journal.read(numbers) == [2]


def delete(tx: Tx) -> None:
    """Every line."""
    tx.execute("DELETE FROM line")


async def test_what_comes_behind_an_emptying_stays(journal: Journal) -> None:
    """Of before it goes what is in the file, what is being written and what waits; nobody waits for that for ever."""
    journal.append(INSERT, (1,))
    await journal.flush()
    journal.append(INSERT, (2,))
    journal._begin()
    journal.append(INSERT, (3,))
    waits = asyncio.create_task(journal.flush())
    await asyncio.sleep(0)
    emptied = journal.empty(delete)
    journal.append(INSERT, (4,))
    await asyncio.gather(waits, emptied)
    assert await journal.read(numbers) == [4]
    journal.append(INSERT, (5,))
    await journal.empty(delete)
    await journal.flush()
    assert await journal.read(numbers) == []


async def test_a_refused_row_brings_nothing_back_behind_an_emptying(journal: Journal) -> None:
    """The others of its batch are written once more: not behind the wipe of a reset, which waits for the thread."""
    for number in (1, 2, 2):
        journal.append(INSERT, (number,))
    journal._begin()
    emptied = journal.empty(delete)
    journal.append(INSERT, (3,))
    await emptied
    assert await journal.read(numbers) == [3]
