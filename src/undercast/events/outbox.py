"""The outbox: deliveries as rows, committed with the change that causes them (I6).

The row is the queue entry: it is there until the router has an outcome, and its id is the request id of every attempt.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import PlatformClock
from undercast.core.context import Cause
from undercast.events.causality import CausalLog, Edge
from undercast.events.delivery import Delivery
from undercast.store.database import Database, Row, Tx

_INSERT = (
    "INSERT INTO event_delivery (account_id, region, id, ord, target_arn, kind, due_at, payload, created_at,"
    " cause_kind, cause_id, cause_environment_id, source_arn, attributes, attempts, throttles, message_group)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

INLINE_BYTES = 64 * 1024
"""Of events, that the event loop reads, writes or removes itself, of the 2 ms that a transaction may take: a row of
1 MiB is read in 0.8 ms and removed in 11, for each of its pages goes to a list; one that is written takes 20."""
WITHOUT_LARGE = (
    "SELECT account_id, region, id, target_arn, kind, due_at, created_at, cause_kind, cause_id, cause_environment_id,"
    " source_arn, attributes, attempts, throttles, CASE WHEN LENGTH(payload) <= ? THEN payload END AS payload"
    " FROM event_delivery WHERE id = ?"
)
"""A row; its event only where it is no larger, which SQLite knows without looking at it."""


class Listener(Protocol):
    """Hears of deliveries on the event loop, after their commit: the router."""

    def added(self, delivery: Delivery, order: int) -> None:
        """A delivery has been committed."""
        ...

    def cleared(self, count: int) -> None:
        """So many deliveries have been removed behind the router's back."""
        ...


class Outbox:
    """Adds deliveries to a transaction. `database`, `clock` and `causality` are also the router's."""

    def __init__(self, database: Database, clock: PlatformClock, causality: CausalLog) -> None:
        self.database = database
        self.clock = clock
        self.causality = causality
        self._listener: Listener | None = None

    def listen(self, listener: Listener | None) -> None:
        """Who is told of commits."""
        self._listener = listener

    def add(self, tx: Tx, delivery: Delivery, origin: tuple[str, str] | None = None, named: str = "") -> None:
        """Add a delivery to the caller's transaction, with its causal edge. The router wakes once it has committed.

        The edge begins at `origin` (kind, id), e.g. the object that changed; at the delivery's cause where that is all.
        `named` says what that is, where no other edge does.
        """
        due_at = delivery.due_at or delivery.created_at
        from_kind, from_id = origin or (delivery.cause.kind, delivery.cause.id)
        order = self.causality.record(
            tx,
            Edge(
                from_kind=from_kind,
                from_id=from_id,
                to_kind="delivery",
                to_id=delivery.id,
                label=f"{delivery.kind} {delivery.target_arn}",
                at=self.clock.now(),
                scope=delivery.scope,
                from_label=named,
            ),
        )
        tx.execute(_INSERT, (*_identity(delivery, order), due_at, *_content(delivery)))
        tx.after_commit(lambda: self._committed(delivery, order))

    def clear(self, tx: Tx, account_id: str | None = None, region: str | None = None) -> int:
        """Remove deliveries, all or those of an account or region (a reset); how many wait no longer."""
        of = "WHERE (? IS NULL OR account_id = ?) AND (? IS NULL OR region = ?)"
        count, _ = (
            tx.execute(f"DELETE FROM {table} {of}", (account_id, account_id, region, region))
            for table in ("event_delivery", "event_dead")
        )
        tx.after_commit(lambda: self._cleared(count))
        return count

    def _committed(self, delivery: Delivery, order: int) -> None:
        if self._listener is not None:
            self._listener.added(delivery, order)

    def _cleared(self, count: int) -> None:
        if self._listener is not None:
            self._listener.cleared(count)


def _identity(delivery: Delivery, order: int) -> tuple[str | int, ...]:
    scope = delivery.scope
    return (scope.account_id, scope.region, delivery.id, order, delivery.target_arn, delivery.kind)


def _content(delivery: Delivery) -> tuple[str | int | float | bytes | None, ...]:
    cause = delivery.cause
    return (
        delivery.payload,
        delivery.created_at,
        cause.kind,
        cause.id,
        cause.environment_id,
        delivery.source_arn,
        json.dumps(dict(delivery.attributes)) if delivery.attributes else "{}",
        delivery.attempts,
        delivery.throttles,
        delivery.message_group,
    )


def delivery_of(row: Row | Mapping[str, Any]) -> Delivery:
    """The delivery that a row of event_delivery holds, or one with the same columns."""
    cause = Cause(kind=row["cause_kind"], id=row["cause_id"], environment_id=row["cause_environment_id"])
    return Delivery(
        id=row["id"],
        kind=row["kind"],
        target_arn=row["target_arn"],
        payload=row["payload"],
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        created_at=row["created_at"],
        cause=cause,
        source_arn=row["source_arn"],
        attributes=json.loads(row["attributes"]),
        due_at=row["due_at"],
        attempts=row["attempts"],
        throttles=row["throttles"],
    )
