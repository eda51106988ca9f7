"""Deliveries that were given up: the newest are kept, so that their user can look at them and have them tried again.

AWS: none; there, what no dead-letter queue and no destination took is lost.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from undercast.core.context import EXTERNAL
from undercast.core.errors import ServiceError
from undercast.events.delivery import FORGIVEN, Delivery, Outcome
from undercast.events.outbox import Outbox, delivery_of
from undercast.events.trace import Edge
from undercast.store.database import Database, Row, Tx

MOST, MOST_BYTES = 1000, 64 * 1024 * 1024
"""So many are kept, and so many bytes of their events; and up to a part of `_PART` more, before the oldest go."""
_PART = 32
_MAX_REASON = 1024
_SAME = (
    "account_id, region, id, target_arn, kind, payload, created_at, cause_kind, cause_id, cause_environment_id,"
    " source_arn, attributes"
)
_COLUMNS = f"{_SAME}, ord, tries, reason, given_up_at, sent_to"
_BURY = (
    f"INSERT INTO event_dead ({_COLUMNS}) SELECT {_SAME}, ?, attempts + throttles + 1, ?, ?, ? FROM event_delivery"
    " WHERE id = ? ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ") if name != "id")
)
_TRIM = (
    "DELETE FROM event_dead WHERE ord IN (SELECT ord FROM (SELECT ord, ROW_NUMBER() OVER newest AS place,"
    " SUM(LENGTH(payload)) OVER newest AS size_bytes FROM event_dead WINDOW newest AS (ORDER BY ord DESC))"
    " WHERE place > ? OR size_bytes > ?)"
)
_LIST = (
    "SELECT id, kind, source_arn, target_arn, tries, reason, given_up_at, sent_to FROM event_dead"
    " ORDER BY ord DESC LIMIT ?"
)


def bury(tx: Tx, delivery: Delivery, outcome: Outcome, order: int, now: float) -> None:
    """Keep the row of a delivery that is given up, as it was committed. In the transaction that then deletes it.

    What goes back to its sender, which only counts it, is not sent on.
    """
    sent_to = [one.target_arn for one in outcome.follow_ups if one.target_arn != delivery.source_arn]
    tx.execute(_BURY, (order, outcome.reason[:_MAX_REASON], now, json.dumps(sent_to), delivery.id))


class Trim:
    """Says when the oldest go: at the first that dies in this process, then whenever a part has been added.

    To find them all that are kept are looked at, and to remove one its whole event: too much for each that dies.
    """

    def __init__(self) -> None:
        self._added, self._added_bytes = MOST // _PART, 0

    def note(self, delivery: Delivery) -> None:
        """One more is kept."""
        self._added += 1
        self._added_bytes += len(delivery.payload)

    @property
    def is_due(self) -> bool:
        """Whether enough have been added."""
        return self._added > MOST // _PART or self._added_bytes > MOST_BYTES // _PART

    async def run(self, database: Database) -> None:
        """Forget the oldest of those that are too many."""
        await database.write(lambda tx: tx.execute(_TRIM, (MOST, MOST_BYTES)), long=True)
        self._added = self._added_bytes = 0


class DeadDeliveries:
    """Those that are kept."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def shown(self, most: int) -> list[Mapping[str, Any]]:
        """The newest first: what each was, why and when it was given up, and where the failure was sent."""
        rows = await self._outbox.database.read(lambda tx: tx.all(_LIST, (most,)), long=True)  # behind their events
        return [_shown(row) for row in rows]

    async def count(self) -> int:
        """How many are kept."""
        row = await self._outbox.database.read(lambda tx: tx.one("SELECT COUNT(*) AS number FROM event_dead"))
        return 0 if row is None else int(row["number"])

    async def retry(self, ids: Sequence[str] | None) -> list[str]:
        """Have these, or all, delivered anew: each under its id, as if it had just been committed. Their ids.

        Raises NotFound for one that is not kept; then none is.
        """
        now = self._outbox.clock.now()
        return await self._outbox.database.write(
            lambda tx: [self._again(tx, row, now) for row in _taken(tx, ids)], long=True
        )

    def _again(self, tx: Tx, row: Row, now: float) -> str:
        """Its attempts and its age begin anew. What led to it, the trace knows already."""
        delivery = delivery_of({**dict(row), "due_at": 0.0, "attempts": 0, "throttles": 0})
        attributes = {name: value for name, value in delivery.attributes.items() if name != FORGIVEN}
        delivery = replace(delivery, created_at=now, attributes=attributes)
        self._outbox.causality.note_with(tx, self._asked(delivery, now))
        self._outbox.add(tx, delivery, (EXTERNAL.kind, EXTERNAL.id))
        return delivery.id

    def _asked(self, delivery: Delivery, now: float) -> Edge:
        return Edge(
            from_kind="delivery",
            from_id=delivery.id,
            to_kind="retry",
            to_id=f"{delivery.id}#{self._outbox.causality.next_order()}",
            label="again, as its user asks",
            at=now,
            scope=delivery.scope,
        )


def _taken(tx: Tx, ids: Sequence[str] | None) -> list[Row]:
    """Rows that are kept no longer, in the order in which they were given up."""
    rows = (
        tx.all("SELECT * FROM event_dead ORDER BY ord")
        if ids is None
        else [_row(tx, one) for one in dict.fromkeys(ids)]
    )
    for row in rows:
        tx.execute("DELETE FROM event_dead WHERE id = ?", (row["id"],))
    return rows


def _row(tx: Tx, delivery_id: str) -> Row:
    row = tx.one("SELECT * FROM event_dead WHERE id = ?", (delivery_id,))
    if row is None:
        raise ServiceError("NotFound", f"no delivery {delivery_id} was given up, or it is kept no longer", 404)
    return row


def _shown(row: Row) -> Mapping[str, Any]:
    return {
        "id": row["id"],
        "kind": row["kind"],
        "source": row["source_arn"],
        "target": row["target_arn"],
        "attempts": row["tries"],
        "reason": row["reason"],
        "at": row["given_up_at"],
        "sent_to": json.loads(row["sent_to"]),
    }
