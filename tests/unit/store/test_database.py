"""Transactions: all or nothing, serialised, on one snapshot, on the loop or beside it.

SQLite: https://sqlite.org/isolation.html, https://sqlite.org/wal.html
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.state import halted_before_commit
from undercast.store.database import Database, SqlValue, Tx
from undercast.store.errors import StoreError

WAIT_S = 20.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database.open(tmp_path / "state.db")
    await opened.write(lambda tx: tx.execute("CREATE TABLE item (name TEXT PRIMARY KEY, size INTEGER)"))
    yield opened
    await opened.close()


def names(tx: Tx) -> list[str]:
    return [row["name"] for row in tx.all("SELECT name FROM item ORDER BY name")]


def insert(tx: Tx, name: str) -> int:
    return tx.execute("INSERT INTO item (name, size) VALUES (?, 1)", (name,))


@pytest.mark.parametrize("long", [False, True])
async def test_write_keeps_nothing_of_a_function_that_raises(database: Database, long: bool) -> None:
    """A transaction is all or nothing."""
    called: list[str] = []

    def fails(tx: Tx) -> None:
        insert(tx, "a")
        tx.after_commit(lambda: called.append("committed"))
        raise KeyError("no")

    with pytest.raises(KeyError):
        await database.write(fails, long=long)
    assert await database.read(names) == []
    assert called == []
    assert await database.write(lambda tx: insert(tx, "b")) == 1


@pytest.mark.parametrize("long", [False, True])
async def test_after_commit_runs_on_the_loop_and_sees_the_commit(database: Database, long: bool) -> None:
    """Caches and wake-ups follow the commit, in the loop's thread."""
    seen: list[tuple[int, list[str]]] = []

    def work(tx: Tx) -> None:
        insert(tx, "a")
        tx.after_commit(lambda: seen.append((threading.get_ident(), database.read_now(names))))

    await database.write(work, long=long)
    assert seen == [(threading.get_ident(), ["a"])]


async def test_inline_write_waits_behind_a_long_one_and_the_loop_goes_on(database: Database) -> None:
    """Writers are serialised; the loop is never blocked by the store thread."""
    entered, proceed = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        insert(tx, "long")
        entered.set()
        assert proceed.wait(WAIT_S)

    long = asyncio.create_task(database.write(slow, long=True))
    await asyncio.get_running_loop().run_in_executor(None, entered.wait, WAIT_S)
    inline = asyncio.create_task(database.write(lambda tx: (insert(tx, "short"), names(tx))[1]))
    await asyncio.sleep(0)
    assert await database.read(names) == []
    assert not inline.done()
    proceed.set()
    assert await asyncio.wait_for(inline, WAIT_S) == ["long", "short"]
    await long


async def test_commits_is_another_behind_each_commit_alone(database: Database) -> None:
    """What was read at one number is still so: it is none while a long write may commit, and none is used twice."""
    before = database.commits
    with pytest.raises(sqlite3.IntegrityError):
        await database.write(lambda tx: (insert(tx, "a"), insert(tx, "a")))
    assert (database.commits, await database.read(names)) == (before, [])
    await database.write(lambda tx: insert(tx, "inline"))
    inline = database.commits
    async with halted_before_commit(database, database.write(lambda tx: insert(tx, "long"), long=True)):
        assert (database.commits, await database.read(names)) == (None, ["inline"])
    assert await database.read(names) == ["inline", "long"]
    long = database.commits
    database.write_now(lambda tx: insert(tx, "now"))
    assert None not in (before, inline, long, database.commits)
    assert len({before, inline, long, database.commits}) == 4


async def test_long_read_keeps_its_snapshot_while_others_write(database: Database) -> None:
    """A reader sees the state of its first statement until it ends."""
    entered, proceed = threading.Event(), threading.Event()

    def slow(tx: Tx) -> tuple[list[str], list[str]]:
        before = names(tx)
        entered.set()
        assert proceed.wait(WAIT_S)
        return before, names(tx)

    reading = asyncio.create_task(database.read(slow, long=True))
    await asyncio.get_running_loop().run_in_executor(None, entered.wait, WAIT_S)
    await database.write(lambda tx: insert(tx, "new"))
    proceed.set()
    assert await asyncio.wait_for(reading, WAIT_S) == ([], [])
    assert await database.read(names, long=True) == ["new"]


async def test_cancelled_long_write_is_finished_and_leaves_no_lock(database: Database) -> None:
    """A thread cannot be stopped: the transaction ends as a whole, then the next one runs."""
    entered, proceed = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        insert(tx, "a")
        entered.set()
        assert proceed.wait(WAIT_S)

    writing = asyncio.create_task(database.write(slow, long=True))
    await asyncio.get_running_loop().run_in_executor(None, entered.wait, WAIT_S)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    proceed.set()
    await asyncio.wait_for(database.write(lambda tx: insert(tx, "b")), WAIT_S)
    assert await database.read(names) == ["a", "b"]


async def test_read_that_writes_is_refused_and_undone(database: Database) -> None:
    """Reads run beside a long write; a write in one of them would go round the queue of writers."""
    with pytest.raises(RuntimeError, match="a read has written"):
        await database.read(lambda tx: insert(tx, "a"))
    assert await database.read(names) == []


async def test_transaction_is_dead_once_it_is_over(database: Database) -> None:
    """A Tx that escapes its function must not write outside a transaction."""
    kept: list[Tx] = []
    await database.write(kept.append)
    with pytest.raises(RuntimeError, match="the transaction is over"):
        insert(kept[0], "a")


async def test_unfinished_iteration_ends_with_its_transaction(database: Database) -> None:
    """A statement left open would pin its snapshot for ever."""
    await database.write(lambda tx: [insert(tx, name) for name in "abc"])
    rows = await database.read(lambda tx: tx.each("SELECT name FROM item"))
    with pytest.raises(sqlite3.ProgrammingError):
        next(rows)


async def test_coroutine_function_is_refused(database: Database) -> None:
    """A transaction cannot await."""

    async def wrong(tx: Tx) -> None:
        insert(tx, "a")

    untyped: Any = wrong
    with pytest.raises(TypeError, match="synchronous"):
        await database.write(untyped)


async def test_write_waits_for_another_program_that_is_writing(database: Database, tmp_path: Path) -> None:
    """A user's sqlite3 shell may hold the write lock; the loop goes on meanwhile."""
    foreigner = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    foreigner.execute("BEGIN IMMEDIATE")
    foreigner.execute("INSERT INTO item (name) VALUES ('theirs')")
    waiting = asyncio.create_task(database.write(lambda tx: insert(tx, "ours")))
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert not waiting.done()
    foreigner.execute("COMMIT")
    foreigner.close()
    await asyncio.wait_for(waiting, WAIT_S)
    assert await database.read(names) == ["ours", "theirs"]


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_many_writers_at_once_all_succeed_but_the_one_that_fails(tmp_path: Path, durability: str) -> None:
    """Group commit shares the fsync, not the fate."""
    database = Database.open(tmp_path / "power.db", durability="power" if durability == "power" else "process")
    await database.write(lambda tx: tx.execute("CREATE TABLE item (name TEXT PRIMARY KEY, size INTEGER)"))
    writes = [database.write(lambda tx, name=name: insert(tx, name)) for name in ["a", "b", "a", "c"]]  # type: ignore[misc]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results] == [int, int, sqlite3.IntegrityError, int]
    assert await database.read(names) == ["a", "b", "c"]
    await database.close()


async def test_wal_is_folded_into_the_file_while_writers_go_on(database: Database, tmp_path: Path) -> None:
    """Checkpoints run in the store thread; without them the WAL would grow for ever."""
    file = tmp_path / "state.db"
    small = file.stat().st_size
    for number in range(3072):
        name = f"{number:05}" * 1000
        await database.write(lambda tx, name=name: insert(tx, name))  # type: ignore[misc]
    async with asyncio.timeout(WAIT_S):
        while file.stat().st_size < small + 1024 * 1024:
            await asyncio.sleep(0.01)


async def test_close_leaves_one_file(tmp_path: Path) -> None:
    """The last connection folds the WAL into the database and removes it."""
    database = Database.open(tmp_path / "one.db")
    await database.write(lambda tx: tx.execute("CREATE TABLE t (a INTEGER)"))
    await database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["one.db"]


def test_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """The text says which file and what to do."""
    (tmp_path / "state.db").mkdir()
    with pytest.raises(StoreError, match=r"Cannot open .*state\.db"):
        Database.open(tmp_path / "state.db")


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 255, 256, 1024, 1025, 3000])
async def test_insert_many_keeps_every_row_and_their_order(database: Database, count: int) -> None:
    """Rows go into a table in the order in which they were given, however many fit into one statement."""
    rows = [(f"n{number}", number) for number in range(count)]
    await database.write(lambda tx: tx.insert_many("INSERT INTO item (name, size) VALUES (?, ?)", rows))
    found = await database.read(lambda tx: tx.all("SELECT name, size FROM item ORDER BY rowid"))
    assert [tuple(row) for row in found] == rows


async def test_insert_many_stays_below_the_parameters_of_one_statement(database: Database) -> None:
    """SQLite takes 32,766 parameters: a thousand rows of a table of forty columns are several statements."""
    columns = [f"c{number}" for number in range(40)]
    await database.write(lambda tx: tx.execute(f"CREATE TABLE wide ({', '.join(columns)})"))
    sql = f"INSERT INTO wide ({', '.join(columns)}) VALUES ({', '.join('?' * 40)})"
    rows: list[list[SqlValue]] = [[number, None, *range(38)] for number in range(1000)]
    await database.write(lambda tx: tx.insert_many(sql, rows))
    found = await database.read(lambda tx: tx.all("SELECT * FROM wide ORDER BY rowid"))
    assert [list(row) for row in found] == rows


async def test_insert_many_runs_other_statements_once_per_row(database: Database) -> None:
    """Only an INSERT that ends in its VALUES can take several rows."""
    sql = "INSERT INTO item (name, size) VALUES (?, ?) ON CONFLICT DO UPDATE SET size = size + excluded.size"
    await database.write(lambda tx: tx.insert_many(sql, [("a", 1), ("a", 2), ("b", 5)] * 10))
    assert await database.read(
        lambda tx: {row["name"]: row["size"] for row in tx.all("SELECT name, size FROM item")}
    ) == {"a": 30, "b": 50}


async def test_cancelled_long_write_still_tells_those_who_wait_for_its_commit(tmp_path: Path) -> None:
    """A caller that goes away takes neither the commit nor its wake-ups with it."""
    database = Database.open(tmp_path / "state.db")
    told: list[int] = []

    def work(tx: Tx) -> None:
        time.sleep(0.05)
        tx.execute("CREATE TABLE t (n INTEGER)")
        tx.after_commit(lambda: told.append(1))

    writing = asyncio.create_task(database.write(work, long=True))
    await asyncio.sleep(0.01)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await database.close()
    assert told == [1]


@pytest.mark.parametrize("long", [False, True])
async def test_a_callback_that_raises_keeps_neither_the_write_nor_the_others_back(
    database: Database, long: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What is committed is answered as committed, and the outbox behind it is woken."""
    called: list[str] = []

    def write(tx: Tx) -> int:
        tx.after_commit(lambda: called.append("first"))
        tx.after_commit(lambda: called.remove("absent"))
        tx.after_commit(lambda: called.append("last"))
        return insert(tx, "a")

    assert await database.write(write, long=long) == 1
    assert called == ["first", "last"]
    assert "a callback behind a commit failed" in caplog.text
