"""The rows of messages: sent, received, hidden, deleted, moved to a dead-letter queue.

Every function runs in the caller's transaction, so that what a request does to several messages happens at once.
AWS: SQS Developer Guide, "Amazon SQS visibility timeout", "FIFO queue delivery logic", "Amazon SQS dead-letter queues".
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from undercast.services.sqs.models import (
    ATTEMPT_S,
    DEDUPLICATION_S,
    NewMessage,
    Queue,
    Receipt,
    encode_attributes,
)
from undercast.store.database import Row, Tx
from undercast.store.statements import upsert

_COLUMNS = (
    "queue_id, id, body, body_md5, attributes, attributes_md5, sender_id, trace_header, group_id, deduplication_id,"
    " source_arn, sent_at, visible_at, receives, first_received_at, receipt"
)
_INSERT = f"INSERT INTO sqs_message ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ROUND = 100
"""Messages beyond their age that one receive of a FIFO queue removes: they would hold back those behind them."""
_STANDARD = (
    "SELECT * FROM sqs_message WHERE queue_id = ? AND visible_at <= ? AND +sent_at > ? ORDER BY visible_at, sequence"
    " LIMIT ?"
)
_FIFO = (
    # From the first messages of groups that are not hidden, on through each group up to one that is (in flight or
    # delayed): it holds back those behind it. Taken in the order of sending. So many groups are enough, for each gives
    # a message. The plus sign keeps SQLite on the groups in their order, where it stops at the limit.
    "WITH RECURSIVE free (sequence, group_id) AS (SELECT * FROM (SELECT sequence, group_id FROM sqs_message"
    " WHERE queue_id = ?1 AND leads = 1 AND +visible_at <= ?2 ORDER BY sequence LIMIT ?3)"
    " UNION ALL SELECT behind.sequence, behind.group_id FROM free JOIN sqs_message AS behind ON behind.sequence ="
    " (SELECT MIN(sequence) FROM sqs_message WHERE queue_id = ?1 AND group_id = free.group_id AND group_id != ''"
    " AND sequence > free.sequence) WHERE behind.visible_at <= ?2 ORDER BY 1 LIMIT ?3)"
    " SELECT * FROM sqs_message WHERE sequence IN (SELECT sequence FROM free) ORDER BY sequence"
)
_LEADS = (
    "UPDATE sqs_message SET leads = 1 WHERE leads = 0 AND sequence = (SELECT MIN(sequence) FROM sqs_message"
    " WHERE queue_id = ?1 AND group_id = ?2 AND group_id != '')"
)
MOST_MOVED, MOST_MOVED_BYTES = 100, 1 << 20
"""What one transaction moves to another queue, of whichever there is more first: everybody waits for it."""
SEQUENCE_START = 18_850_000_000_000_000_000
"""SequenceNumber has 20 digits; ours begin where those of today's queues are."""


class Sent(NamedTuple):
    """A message that is in its queue; or, when it repeats one, that one."""

    id: str
    sequence: int
    is_new: bool
    leads: bool = True
    """Whether it can be received before another one is done; else no receiver need look."""


class Taken(NamedTuple):
    """What one ReceiveMessage gives, and which messages went to the dead-letter queue on the way."""

    rows: list[Row]
    receipts: list[Receipt]
    receives: list[int]
    first_received_at: list[float]
    dead: list[Row]

    @property
    def is_full(self) -> bool:
        """Whether there may be more to move than one transaction does."""
        return len(self.dead) >= MOST_MOVED or sum(len(row["body"]) for row in self.dead) >= MOST_MOVED_BYTES


def send(tx: Tx, queue: Queue, message: NewMessage, now: float) -> Sent:
    """Put one message at the end, unless a FIFO queue has had it within the last five minutes."""
    key = _deduplication_key(queue, message)
    if key:
        known = tx.one(
            "SELECT * FROM sqs_deduplication WHERE queue_id = ? AND key = ? AND ends_at > ?", (queue.id, key, now)
        )
        if known is not None:
            return Sent(known["message_id"], known["sequence"], False)
        expire(tx, queue, now, _ROUND)
    tx.execute(_INSERT, _row(queue, message))
    sequence = _last_sequence(tx)
    if key:
        tx.execute(
            upsert("sqs_deduplication", "queue_id, key", "message_id, sequence, ends_at"),
            (queue.id, key, message.id, sequence, now + DEDUPLICATION_S),
        )
    return Sent(message.id, sequence, True, not queue.is_fifo or _lead(tx, queue, [message.group_id]) > 0)


def _lead(tx: Tx, queue: Queue, groups: Iterable[str]) -> int:
    """What is first in these groups leads them, of a FIFO queue; for how many of them that is new."""
    return sum(tx.execute(_LEADS, (queue.id, group)) for group in groups) if queue.is_fifo else 0


def _deduplication_key(queue: Queue, message: NewMessage) -> str:
    if not queue.is_fifo:
        return ""
    group = message.group_id if queue.deduplicates_per_group else ""
    return json.dumps([group, message.deduplication_id])


def _row(queue: Queue, message: NewMessage) -> tuple[str | int | float, ...]:
    return (
        queue.id,
        message.id,
        message.body,
        message.body_md5,
        encode_attributes(message.attributes),
        message.attributes_md5,
        message.sender_id,
        message.trace_header,
        message.group_id,
        message.deduplication_id,
        "",
        message.sent_at,
        message.sent_at + message.delay_s,
        0,
        0.0,
        "",
    )


def _last_sequence(tx: Tx) -> int:
    row = tx.one("SELECT last_insert_rowid() AS sequence")
    return 0 if row is None else int(row["sequence"])


class Wish(NamedTuple):
    """What a ReceiveMessage asks for, and when."""

    most: int
    visibility_s: float
    attempt_id: str = ""
    now: float = 0.0


def receive(tx: Tx, queue: Queue, dead_letters: Queue | None, wish: Wish, new_nonce: Callable[[], str]) -> Taken:
    """Take messages that are visible, hide them, count the receive; what was received too often moves away."""
    if wish.attempt_id and (again := _repeated(tx, queue, wish, new_nonce)) is not None:
        return again
    taken = Taken([], [], [], [], [])
    while len(taken.rows) < wish.most and not taken.is_full:
        rows = _visible(tx, queue, wish.now, wish.most - len(taken.rows))
        if not rows:
            break
        alive: Sequence[Row] = rows
        if dead_letters is not None and queue.redrive:
            alive = _sifted(tx, rows, (queue, dead_letters), taken, wish.now)
        _hide(tx, alive, wish, new_nonce(), taken)
    if wish.attempt_id and taken.rows:
        _remember(tx, queue, wish, taken)
    return taken


def _sifted(tx: Tx, rows: Sequence[Row], places: tuple[Queue, Queue], taken: Taken, now: float) -> Sequence[Row]:
    """Those that were not received too often; the others move, up to the first for which there is no room."""
    queue, dead_letters = places
    alive: list[Row] = []
    for row in rows:
        if queue.redrive is None or row["receives"] < queue.redrive.max_receives:
            alive.append(row)
        elif taken.is_full:
            break
        else:
            move(tx, row, queue, dead_letters, now)
            taken.dead.append(row)
    return alive


def _visible(tx: Tx, queue: Queue, now: float, most: int) -> list[Row]:
    if queue.is_fifo:
        if expire(tx, queue, now, _ROUND) == _ROUND:
            return []  # there are more: housekeeping's
        return tx.all(_FIFO, (queue.id, now, most))
    return tx.all(_STANDARD, (queue.id, now, now - queue.retention_s, most))


def _hide(tx: Tx, rows: Sequence[Row], wish: Wish, nonce: str, taken: Taken) -> None:
    """All in one statement; the nonce says which receive it was, and is the same for all that it gives."""
    # A timeout of 0 leaves the message visible; a moment later, so that one request does not take it twice.
    visible_at = wish.now + max(wish.visibility_s, 1e-6)
    tx.execute(
        "UPDATE sqs_message SET visible_at = ?, receives = receives + 1, receipt = ?, received_at = ?,"
        " first_received_at = CASE first_received_at WHEN 0 THEN ? ELSE first_received_at END"
        f" WHERE sequence IN ({', '.join('?' * len(rows))})",
        (visible_at, nonce, wish.now, wish.now, *[row["sequence"] for row in rows]),
    )
    for row in rows:
        taken.rows.append(row)
        taken.receipts.append(Receipt(row["queue_id"], row["sequence"], nonce))
        taken.receives.append(row["receives"] + 1)
        taken.first_received_at.append(row["first_received_at"] or wish.now)


def _repeated(tx: Tx, queue: Queue, wish: Wish, new_nonce: Callable[[], str]) -> Taken | None:
    """The same messages for the same ReceiveRequestAttemptId, while all of them are still in flight."""
    tx.execute("DELETE FROM sqs_attempt WHERE queue_id = ? AND ends_at <= ?", (queue.id, wish.now))
    known = tx.one("SELECT * FROM sqs_attempt WHERE queue_id = ? AND id = ?", (queue.id, wish.attempt_id))
    if known is None:
        return None
    taken = Taken([], [], [], [], [])
    nonces: dict[str, str] = json.loads(known["sequences"])
    rows: list[Row] = []
    for sequence, nonce in nonces.items():
        row = tx.one("SELECT * FROM sqs_message WHERE sequence = ? AND receipt = ?", (int(sequence), nonce))
        if row is None or row["visible_at"] <= wish.now:
            return None
        rows.append(row)
    _hide(tx, rows, wish, new_nonce(), taken)
    _remember(tx, queue, wish, taken)
    return taken


def _remember(tx: Tx, queue: Queue, wish: Wish, taken: Taken) -> None:
    sequences = {str(receipt.sequence): receipt.nonce for receipt in taken.receipts}
    tx.execute("DELETE FROM sqs_attempt WHERE queue_id = ? AND id = ?", (queue.id, wish.attempt_id))
    tx.execute(
        "INSERT INTO sqs_attempt (queue_id, id, sequences, ends_at) VALUES (?, ?, ?, ?)",
        (queue.id, wish.attempt_id, json.dumps(sequences), wish.now + ATTEMPT_S),
    )


def move(tx: Tx, row: Row, queue: Queue, target: Queue, now: float) -> None:
    """Into another queue. AWS: in a standard queue a moved message keeps its age, in a FIFO queue it begins anew."""
    tx.execute("DELETE FROM sqs_message WHERE sequence = ?", (row["sequence"],))
    moved = dict(zip(row.keys(), tuple(row), strict=True))
    moved |= {"queue_id": target.id, "visible_at": now, "receipt": "", "source_arn": queue.arn}
    if target.is_fifo:
        moved["sent_at"] = now
    tx.execute(_INSERT, tuple(moved[name] for name in _COLUMNS.split(", ")))
    for place in (queue, target):
        _lead(tx, place, [row["group_id"]])


def redrive(tx: Tx, row: Row, places: tuple[Queue, Queue], now: float, new_id: str) -> None:
    """From the first place, a dead-letter queue, to the second one.

    AWS: a redriven message is a new one, with an id and an age of its own.
    """
    target = places[1]
    tx.execute("DELETE FROM sqs_message WHERE sequence = ?", (row["sequence"],))
    moved = dict(zip(row.keys(), tuple(row), strict=True))
    moved |= {"queue_id": target.id, "id": new_id, "sent_at": now, "visible_at": now, "source_arn": ""}
    moved |= {"receives": 0, "first_received_at": 0.0, "receipt": ""}
    tx.execute(_INSERT, tuple(moved[name] for name in _COLUMNS.split(", ")))
    for place in places:
        _lead(tx, place, [row["group_id"]])


def of_receipt(tx: Tx, receipt: Receipt) -> Row | None:
    """The message of a receipt handle, whoever received it last."""
    return tx.one(
        "SELECT sequence, receipt, visible_at, received_at FROM sqs_message WHERE sequence = ? AND queue_id = ?",
        (receipt.sequence, receipt.queue_id),
    )


def delete(tx: Tx, queue: Queue, receipts: Sequence[Receipt]) -> int:
    """Delete the messages of which these are the latest receipts; how many were. One statement for each receive."""
    by_nonce: dict[str, list[int]] = {}
    for receipt in receipts:
        by_nonce.setdefault(receipt.nonce, []).append(receipt.sequence)
    groups = _groups(tx, [receipt.sequence for receipt in receipts]) if queue.is_fifo else ()
    deleted = sum(
        tx.execute(
            # The plus sign keeps SQLite on the rows themselves, where it would rather walk through the queue.
            f"DELETE FROM sqs_message WHERE sequence IN ({', '.join('?' * len(sequences))}) AND +queue_id = ?"
            " AND receipt = ?",
            (*sequences, queue.id, nonce),
        )
        for nonce, sequences in by_nonce.items()
    )
    _lead(tx, queue, groups)
    return deleted


def _groups(tx: Tx, sequences: Sequence[int]) -> list[str]:
    places = ", ".join("?" * len(sequences))
    rows = tx.all(f"SELECT DISTINCT group_id FROM sqs_message WHERE sequence IN ({places})", sequences)
    return [row["group_id"] for row in rows]


def set_visible_at(tx: Tx, sequence: int, visible_at: float) -> None:
    """Hide the message until then."""
    tx.execute("UPDATE sqs_message SET visible_at = ? WHERE sequence = ?", (visible_at, sequence))


def uncount(tx: Tx, receipt: Receipt) -> None:
    """The last receive was none: its message is as it was before."""
    tx.execute(
        "UPDATE sqs_message SET receives = receives - 1, receipt = '', first_received_at ="
        " CASE receives WHEN 1 THEN 0 ELSE first_received_at END WHERE sequence = ? AND receipt = ?",
        (receipt.sequence, receipt.nonce),
    )


def purge(tx: Tx, queue: Queue) -> int:
    """Delete all messages; how many."""
    return tx.execute("DELETE FROM sqs_message WHERE queue_id = ?", (queue.id,))


def expire(tx: Tx, queue: Queue, now: float, most: int) -> int:
    """Delete messages that are older than the queue keeps them; how many."""
    rows = tx.all(
        "SELECT sequence, group_id FROM sqs_message WHERE queue_id = ? AND sent_at <= ? LIMIT ?",
        (queue.id, now - queue.retention_s, most),
    )
    if rows:
        sequences = [row["sequence"] for row in rows]
        tx.execute(f"DELETE FROM sqs_message WHERE sequence IN ({', '.join('?' * len(rows))})", sequences)
        _lead(tx, queue, {row["group_id"]: None for row in rows})
    return len(rows)


class Counts(NamedTuple):
    """The three approximate numbers of GetQueueAttributes; exact here."""

    visible: int
    in_flight: int
    delayed: int
    oldest_at: float | None
    """When the oldest of all was sent; None where there are none."""


def count(tx: Tx, queue: Queue, now: float) -> Counts:
    """What is in the queue now."""
    row = tx.one(
        "SELECT COUNT(*) FILTER (WHERE visible_at <= ?1) AS visible,"
        " COUNT(*) FILTER (WHERE visible_at > ?1 AND receives > 0) AS in_flight,"
        " COUNT(*) FILTER (WHERE visible_at > ?1 AND receives = 0) AS delayed, MIN(sent_at) AS oldest"
        " FROM sqs_message WHERE queue_id = ?2 AND sent_at > ?3",
        (now, queue.id, now - queue.retention_s),
    )
    if row is None:
        return Counts(0, 0, 0, None)
    return Counts(row["visible"], row["in_flight"], row["delayed"], row["oldest"])


def is_any_visible(tx: Tx, queue: Queue, now: float) -> bool:
    """Whether there is a message that is not hidden, if only behind one that holds it back."""
    return (
        tx.one("SELECT 1 FROM sqs_message WHERE queue_id = ? AND visible_at <= ? LIMIT 1", (queue.id, now)) is not None
    )


def next_visible_at(tx: Tx, queue: Queue, now: float) -> float | None:
    """When the next hidden message comes back; None when none is hidden."""
    row = tx.one(
        "SELECT MIN(visible_at) AS moment FROM sqs_message WHERE queue_id = ? AND visible_at > ?", (queue.id, now)
    )
    return None if row is None else row["moment"]


def at_rest(tx: Tx, queue: Queue, now: float, most: int) -> Sequence[Row]:
    """The oldest messages that are not in flight, for a move task: as many as one transaction moves."""
    rows, size_bytes = [], 0
    query = "SELECT * FROM sqs_message WHERE queue_id = ? AND +visible_at <= ? ORDER BY sequence LIMIT ?"
    for row in tx.each(query, (queue.id, now, most)):
        rows.append(row)
        size_bytes += len(row["body"])
        if size_bytes >= MOST_MOVED_BYTES:
            break
    return rows
