"""Whom a received message comes to again, how old it is where it was moved to, and the digest of what is given.

AWS: SQS API Reference, ReceiveMessage; SQS Developer Guide, "Using dead-letter queues in Amazon SQS".
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from tests.unit.sqs.test_cost import Shelf
from undercast.services.sqs import messages
from undercast.services.sqs.housekeeping import Housekeeping
from undercast.services.sqs.messages import Taken, Wish
from undercast.services.sqs.models import Redrive
from undercast.services.sqs.receiving import selection

_REST = "account_id, region, 'dead', created_at, modified_at, purged_at, attributes, tags"
_QUEUE = "id, account_id, region, name, created_at, modified_at, purged_at, attributes, tags"


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    """A queue of the test's own."""
    made = Shelf(tmp_path)
    yield made
    await made.database.close()


def attempt(shelf: Shelf, nonce: str) -> Taken:
    """A receive with a ReceiveRequestAttemptId."""
    wish = Wish(2, 30.0, "attempt", shelf.now)
    taken: Taken = shelf.run(lambda tx: messages.receive(tx, shelf.queue, None, wish, lambda: nonce))
    return taken


@pytest.mark.parametrize(("after_s", "given"), [(29, ["1"]), (31, ["1", "2"])])
async def test_an_attempt_is_repeated_until_its_messages_are_visible(
    shelf: Shelf, after_s: int, given: list[str]
) -> None:
    """ReceiveRequestAttemptId: the same messages while the timeout lasts; then it is a receive like any other."""
    shelf.send(1, str)
    assert [row["id"] for row in attempt(shelf, "a").rows] == ["1"]
    shelf.send(1, str)
    shelf.now += after_s
    assert [row["id"] for row in attempt(shelf, "b").rows] == given


async def test_attempts_that_are_over_are_removed(shelf: Shelf) -> None:
    """Five minutes after them, though nobody asks with their id again."""
    shelf.send(1)
    attempt(shelf, "a")
    clock = FakeClock(shelf.now + 299)

    def attempts() -> int:
        return int(shelf.run(lambda tx: tx.all("SELECT COUNT(*) FROM sqs_attempt"))[0][0])

    await Housekeeping(shelf.database, clock).round()
    assert attempts() == 1
    clock.advance(2)
    await Housekeeping(shelf.database, clock).round()
    assert attempts() == 0


@pytest.mark.parametrize(("is_fifo", "sent_at"), [(False, 1000.0), (True, 1600.0)])
async def test_the_age_of_what_moves_to_a_dead_letter_queue(shelf: Shelf, is_fifo: bool, sent_at: float) -> None:
    """ "When a message is moved to a dead-letter queue, the enqueue timestamp is unchanged. For FIFO queues, the
    enqueue timestamp resets" (SQS Developer Guide, "Message retention periods for dead-letter queues").
    """
    queue = replace(shelf.queue, is_fifo=is_fifo, redrive=Redrive("arn", 1))
    dead = replace(shelf.queue, id=2, is_fifo=is_fifo, redrive=None)
    shelf.run(lambda tx: tx.execute(f"INSERT INTO sqs_queue ({_QUEUE}) SELECT 2, {_REST} FROM sqs_queue"))
    shelf.send(1, lambda _: "g" if is_fifo else "")
    for moment in (1000.0, 1600.0):
        wish = Wish(1, 30.0, "", moment)
        taken = shelf.run(partial(messages.receive, queue=queue, dead_letters=dead, wish=wish, new_nonce=lambda: "n"))
    assert [row["id"] for row in taken.dead] == ["1"]
    rows = shelf.run(lambda tx: tx.all("SELECT queue_id, sent_at FROM sqs_message"))
    assert [tuple(row) for row in rows] == [(2, sent_at)]


def digest(*attributes: tuple[str, str]) -> str:
    """MD5 of String attributes, by the Developer Guide: "Calculating the MD5 message digest for message attributes"."""
    made = b""
    for name, value in attributes:
        parts = [len(part).to_bytes(4, "big") + part for part in (name.encode(), b"String", value.encode())]
        made += parts[0] + parts[1] + b"\1" + parts[2]
    return hashlib.md5(made, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("a", [("a", "1")]),
        ("b.*", [("b.x", "2")]),
        ("All", [("a", "1"), ("b.x", "2")]),
        (".*", [("a", "1"), ("b.x", "2")]),
    ],
)
def test_the_digest_is_of_the_attributes_that_are_given(asked: str, given: list[tuple[str, str]]) -> None:
    """SDKs compare it with what they get."""
    there = {name: {"DataType": "String", "StringValue": value} for name, value in (("a", "1"), ("b.x", "2"))}
    wanted = selection({"MessageAttributeNames": [asked]})
    found = wanted.of_attributes(there)
    assert list(found) == [name for name, _ in given]
    assert wanted.digest(found, digest(("a", "1"), ("b.x", "2"))) == digest(*given)


@pytest.mark.parametrize(
    ("asked", "given"),
    [("bar.*", ["bar", "bar.x", "bark"]), ("bar", ["bar"]), ("ba", []), ("bar*", []), ("x.*", [])],
)
def test_a_prefix_stands_for_the_names_that_begin_with_it(asked: str, given: list[str]) -> None:
    """AWS: API Reference, ReceiveMessage, MessageAttributeNames: `bar.*` for all that start with the prefix."""
    there: dict[str, object] = dict.fromkeys(["bar", "bar.x", "bark", "foobar.x"])
    assert list(selection({"MessageAttributeNames": [asked]}).of_attributes(there)) == given
