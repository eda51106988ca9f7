"""What a FIFO queue costs does not grow with what lies in it: steps of SQLite's machine are counted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.sqs import messages
from undercast.services.sqs.messages import Wish
from undercast.services.sqs.models import NewMessage, Queue, queue_of
from undercast.services.sqs.schema import SCHEMA
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("111122223333"), Region("eu-west-1"))


class Shelf:
    """A FIFO queue in a database."""

    def __init__(self, folder: Path) -> None:
        self.database = Database.open(folder / "state.db")
        migrate(self.database, "sqs", SCHEMA)
        self.database.write_now(
            lambda tx: tx.execute(
                "INSERT INTO sqs_queue (id, account_id, region, name, created_at, modified_at, purged_at, attributes,"
                " tags) VALUES (1, ?, ?, 'q.fifo', 0, 0, 0, '{}', '{}')",
                SCOPE,
            )
        )
        self.queue: Queue = queue_of(self.run(lambda tx: tx.all("SELECT * FROM sqs_queue"))[0])
        self.sent = 0
        self.now = 1000.0

    def run(self, work: Callable[[Tx], Any]) -> Any:
        """One transaction."""
        return self.database.write_now(work)

    def send(self, count: int, group: Callable[[int], str] = lambda _: "g") -> None:
        """So many messages."""

        def work(tx: Tx) -> None:
            for _ in range(count):
                self.sent += 1
                messages.send(tx, self.queue, self.message(group(self.sent)), self.now)

        self.run(work)

    def message(self, group: str) -> NewMessage:
        """The next one, not sent."""
        name = str(self.sent)
        return NewMessage(
            id=name, body=name, body_md5="", attributes={}, attributes_md5="", sender_id="", sent_at=self.now,
            delay_s=0.0, group_id=group, deduplication_id=name,
        )  # fmt: skip

    def receive(self, most: int = 10) -> list[str]:
        """Ids of what a ReceiveMessage takes; the receipts are kept."""
        taken = self.run(lambda tx: messages.receive(tx, self.queue, None, Wish(most, 30.0, "", self.now), lambda: "n"))
        self.receipts = taken.receipts
        return [row["id"] for row in taken.rows]

    def steps(self, work: Callable[[], object]) -> int:
        """Instructions of SQLite's virtual machine, in hundreds."""
        counted = 0

        def count() -> int:
            nonlocal counted
            counted += 1
            return 0

        connection = self.database._inline
        connection.set_progress_handler(count, 100)
        try:
            work()
        finally:
            connection.set_progress_handler(None, 0)
        return counted


@pytest.fixture
async def shelf(tmp_path: Path) -> Any:
    """A queue of the test's own."""
    made = Shelf(tmp_path)
    yield made
    await made.database.close()


async def test_a_send_does_not_pay_for_those_of_the_last_five_minutes(shelf: Shelf) -> None:
    """Deduplication ids are looked up, not swept."""
    shelf.send(10)
    at_first = shelf.steps(lambda: shelf.send(10))
    shelf.send(3000)
    assert shelf.steps(lambda: shelf.send(10)) <= 2 * at_first


async def test_a_blocked_group_does_not_cost_its_backlog(shelf: Shelf) -> None:
    """A receive looks at the first message of each group; what is behind one in flight is not read."""
    shelf.send(2)
    assert shelf.receive(1) == ["1"]
    at_first = shelf.steps(lambda: shelf.receive())
    shelf.send(3000)
    assert shelf.steps(lambda: shelf.receive()) <= 2 * at_first + 1
    shelf.send(1, lambda _: "h")
    assert shelf.receive() == ["3003"]


async def test_many_groups_do_not_cost_more_than_is_taken(shelf: Shelf) -> None:
    """A group of its own for each message is an ordinary use."""
    shelf.send(20, str)
    at_first = shelf.steps(lambda: shelf.receive())
    shelf.send(3000, str)
    assert shelf.steps(lambda: shelf.receive()) <= 2 * at_first


async def test_groups_go_on_when_what_leads_them_goes(shelf: Shelf) -> None:
    """Deleted, or beyond its age; and a group keeps its order among others."""
    shelf.send(6, lambda number: "ab"[number % 2])
    assert shelf.receive(3) == ["1", "2", "3"]
    receipts = shelf.receipts
    assert shelf.receive() == []
    shelf.run(lambda tx: messages.delete(tx, shelf.queue, receipts[1:2]))
    assert shelf.receive() == ["4", "6"]
    shelf.now += 31
    assert shelf.receive(2) == ["1", "3"]
    shelf.now += shelf.queue.retention_s
    shelf.send(1, lambda _: "a")
    assert shelf.receive() == ["7"]


async def test_one_transaction_moves_a_megabyte(shelf: Shelf) -> None:
    """Everybody waits for it: of large messages it takes few to the dead-letter queue or back, the next ones later."""
    redrive = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111122223333:d.fifo", "maxReceiveCount": 1})
    shelf.run(
        lambda tx: tx.execute(
            "INSERT INTO sqs_queue SELECT 2, account_id, region, 'd.fifo', 0, 0, 0, '{}', '{}' FROM sqs_queue"
        )
    )
    shelf.run(lambda tx: tx.execute("UPDATE sqs_queue SET attributes = json_object('RedrivePolicy', ?)", (redrive,)))
    queue, dead = map(queue_of, shelf.run(lambda tx: tx.all("SELECT * FROM sqs_queue ORDER BY id")))
    shelf.send(5, str)
    shelf.run(lambda tx: tx.execute("UPDATE sqs_message SET receives = 1, body = ?", ("x" * 600_000,)))
    shelf.send(1, str)
    wish = Wish(10, 30.0, "", shelf.now)
    moved = []
    for _ in range(3):
        taken = shelf.run(lambda tx: messages.receive(tx, queue, dead, wish, lambda: "n"))
        moved.append((len(taken.dead), taken.is_full, [row["id"] for row in taken.rows]))
    assert moved == [(2, True, []), (2, True, []), (1, False, ["6"])]
    assert len(shelf.run(lambda tx: messages.at_rest(tx, dead, shelf.now, 100))) == 2


async def test_only_what_leads_its_group_wakes_a_receiver(shelf: Shelf) -> None:
    """What is behind it cannot be received."""

    def sent(group: str) -> bool:
        shelf.sent += 1
        return bool(shelf.run(lambda tx: messages.send(tx, shelf.queue, shelf.message(group), shelf.now).leads))

    assert [sent("a"), sent("a"), sent("b")] == [True, False, True]


async def test_a_queue_of_an_older_version_knows_what_leads_its_groups(tmp_path: Path) -> None:
    """The migration looks at the messages that are there."""
    database = Database.open(tmp_path / "state.db")
    migrate(database, "sqs", SCHEMA[:1])
    columns = "queue_id, id, body, body_md5, attributes, attributes_md5, sender_id, trace_header, group_id,"
    columns += " deduplication_id, source_arn, sent_at, visible_at, receives, first_received_at, receipt"

    def fill(tx: Tx) -> None:
        for queue_id, name in ((1, "q.fifo"), (2, "q")):
            tx.execute(
                "INSERT INTO sqs_queue (id, account_id, region, name, created_at, modified_at, purged_at, attributes,"
                " tags) VALUES (?, ?, ?, ?, 0, 0, 0, '{}', '{}')",
                (queue_id, *SCOPE, name),
            )
            for number, group in enumerate("aab"):
                tx.execute(
                    f"INSERT INTO sqs_message ({columns})"
                    " VALUES (?, ?, '', '', '', '', '', '', ?, '', '', 0, 0, 0, 0, '')",
                    (queue_id, f"{name}{number}", group),
                )

    database.write_now(fill)
    migrate(database, "sqs", SCHEMA)
    leads = database.read_now(lambda tx: tx.all("SELECT id FROM sqs_message WHERE leads = 1 ORDER BY sequence"))
    assert [row["id"] for row in leads] == ["q.fifo0", "q.fifo2"]
    await database.close()
