"""What caused what (I10): one log of edges, in one order that is causal.

Edges of durable deliveries commit with them in state.db; those of calls and invocations, and of what is asked for from
outside, go through the journal's batch.
The order is a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): platform microseconds, counted
on when the clock stands still or a restart has set it back.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import PlatformClock
from undercast.core.context import Cause, RequestContext
from undercast.core.record import record
from undercast.events.trace import Edge, Trace, explore
from undercast.store.database import Database, SqlValue, Tx
from undercast.store.journal import Journal

log = logging.getLogger(__name__)

__all__ = ["FILTERED_NAMED", "CausalLog", "Edge", "Retention", "Trace"]
FILTERED_NAMED = 100
"""So many of what a filter leaves out of one batch lead to the note of it."""

_INSERT = (
    "INSERT INTO causal_edge (account_id, region, ord, at, from_kind, from_id, to_kind, to_id, label, environment_id,"
    " from_label) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_DELETE = "DELETE FROM causal_edge WHERE ord <= ?"
_MAX_REASON = 1024
_CHUNK = 500
"""Rows deleted in one transaction: other writers wait for it."""


class InvokedFunction(Protocol):
    """What the log needs to know of `sandbox.model.FunctionVersion`."""

    @property
    def account_id(self) -> AccountId: ...
    @property
    def region(self) -> Region: ...


class StartedInvocation(Protocol):
    """What the log needs to know of `sandbox.model.Invocation`."""

    @property
    def request_id(self) -> str: ...
    @property
    def function(self) -> InvokedFunction: ...
    @property
    def invoked_arn(self) -> str: ...
    @property
    def cause(self) -> Cause: ...


@record
class Retention:
    """How long edges are kept, by the platform clock and by number (per file)."""

    age_s: float = 24 * 3600.0
    rows: int = 1_000_000
    every: int = 20_000
    """Edges between two expiries."""


class CausalLog:
    """Writes and reads the edges, and knows what each execution environment is busy with (`sandbox.model.CauseBook`).

    Made after both schemas were applied: the order goes on where the files end.
    """

    def __init__(
        self, database: Database, journal: Journal, clock: PlatformClock, retention: Retention | None = None
    ) -> None:
        self._database = database
        self._journal = journal
        self.clock = clock
        self._retention = retention or Retention()
        self._phases: dict[str, Cause] = {}
        self._last = max(_last_order(database), _last_order(journal.database))
        self._ordering = threading.Lock()
        self._until_expiry = self._retention.every
        self._expiring: asyncio.Task[int] | None = None

    def next_order(self) -> int:
        """The next place in the total order: later than everything before it, also before a restart."""
        return self._order_at(self.clock.now())

    def _order_at(self, now: float) -> int:
        return self._orders_at(now, 1)

    def _orders_at(self, now: float, count: int) -> int:
        """The first of so many places, one behind the other."""
        order = int(now * 1_000_000)
        with self._ordering:  # a long transaction records its edges in the store thread
            last = self._last
            order = order if order > last else last + 1
            self._last = order + count - 1
        return order

    def record(self, tx: Tx, edge: Edge) -> int:
        """Write an edge in the commit of its delivery; its place in the order."""
        order = self.next_order()
        tx.execute(_INSERT, _row(edge, order))
        tx.after_commit(self._count)
        return order

    def note(self, edge: Edge) -> None:
        """Write an edge through the journal's batch, without waiting."""
        self._append((_row(edge, self.next_order()),))

    def gathered(self, edge: Edge, causes: Sequence[str]) -> None:
        """Write this edge from each of these, which became one thing together."""
        if not causes:
            return
        order = self._orders_at(self.clock.now(), len(causes))
        first = _row(edge, order)
        scope, kind, rest = first[:2], first[3:5], first[6:]
        self._append([(*scope, place, *kind, cause, *rest) for place, cause in enumerate(causes, order)])

    def filtered_out(self, kind: str, causes: Sequence[str], note: str, scope: Scope) -> None:
        """Note that filters left these out, as one node that says how many; behind the first of them."""
        edge = Edge(
            from_kind=kind,
            from_id="",
            to_kind="filtered",
            to_id=f"filtered-{self.next_order()}",
            label=note[:_MAX_REASON],
            at=self.clock.now(),
            scope=scope,
        )
        self.gathered(edge, causes[:FILTERED_NAMED])

    def asked(self, tx: Tx, ctx: RequestContext, edge: Edge, resource: str, more: Sequence[str] = ()) -> None:
        """Write the edge from a call to what it makes, with the commit of that; `more` are ids of others like it.

        Dispatch notes no call from outside. So the edge of one says what the call was, and goes through the journal's
        batch: a request from outside pays no row of its commit (ADR 0058).
        """
        if ctx.cause.id:
            for one in (edge, *(replace(edge, to_id=other) for other in more)):
                self.record(tx, one)
            return
        name = f"{ctx.service}:{ctx.operation} {resource}" if ctx.operation else resource
        self.note_with(tx, edge, more, from_label=name)

    def note_with(self, tx: Tx, edge: Edge, more: Sequence[str] = (), from_label: str = "") -> None:
        """Write edges through the journal's batch when the transaction commits; their places in the order are now.

        `from_label` is the edges', if it is given: `replace` would take longer than the row.
        """
        order = self._orders_at(self.clock.now(), 1 + len(more))
        first = _row(edge, order, from_label)
        scope, ends, rest = first[:2], first[3:7], first[8:]
        rows = [first, *((*scope, place, *ends, other, *rest) for place, other in enumerate(more, order + 1))]
        tx.after_commit(lambda: self._append(rows))

    def called(self, cause: Cause, request_id: str, label: str, scope: Scope) -> None:
        """Note that a call was made, e.g. "s3:PutObject bucket/key", and by whom."""
        self.note(
            Edge(
                from_kind=cause.kind,
                from_id=cause.id,
                to_kind="call",
                to_id=request_id,
                label=label,
                at=self.clock.now(),
                scope=scope,
            )
        )

    def set_phase(self, environment_id: str, cause: Cause | None) -> None:
        """What the environment is busy with from now on; None forgets it."""
        if cause is None:
            self._phases.pop(environment_id, None)
        else:
            self._phases[environment_id] = cause

    def invoked(self, invocation: StartedInvocation, environment_id: str) -> None:
        """Note that an invocation begins in an environment."""
        cause = invocation.cause
        function = invocation.function
        now = self.clock.now()
        # The row as `_row` makes it of an Edge, without the Edge: every invocation comes through here.
        row = (
            function.account_id,
            function.region,
            self._order_at(now),
            now,
            cause.kind,
            cause.id,
            "invocation",
            invocation.request_id,
            f"lambda:Invoke {invocation.invoked_arn}",
            environment_id,
            "",
        )
        self._append((row,))

    def failed(self, invocation: StartedInvocation, environment_id: str, error_type: str) -> None:
        """Note that an invocation ended with an error. One that is tried again may do so again."""
        function = invocation.function
        scope = Scope(AccountId(function.account_id), Region(function.region))
        self._error(("invocation", invocation.request_id), error_type, scope, environment_id)

    def not_delivered(self, delivery_id: str, reason: str, scope: Scope) -> None:
        """Note why a delivery came to nothing, this time."""
        self._error(("delivery", delivery_id), reason[:_MAX_REASON], scope)

    def _error(self, of: tuple[str, str], label: str, scope: Scope, environment_id: str = "") -> None:
        order = self.next_order()
        edge = Edge(
            from_kind=of[0],
            from_id=of[1],
            to_kind="error",
            to_id=f"{of[1]}!{order}",
            label=label,
            at=self.clock.now(),
            scope=scope,
            environment_id=environment_id,
        )
        self._append((_row(edge, order),))

    def cause_of(self, environment_id: str) -> Cause:
        """The cause of a call that arrives from an environment now; background work when it runs no invocation."""
        known = self._phases.get(environment_id)
        return known or Cause(kind="background", id=environment_id, environment_id=environment_id)

    async def trace(self, node_id: str) -> Trace:
        """Ancestors and descendants of a request, delivery or invocation id."""
        return await explore(node_id, (lambda fn: self._database.read(fn, long=True), self._journal.read))

    async def expire(self) -> int:
        """Drop edges that are too old or too many, in both files; how many."""
        return await self._expire_in(self._database) + await self._expire_in(self._journal.database)

    async def close(self) -> None:
        """Wait for a running expiry."""
        if self._expiring is not None:
            await asyncio.wait([self._expiring])

    def _append(self, rows: Sequence[tuple[SqlValue, ...]]) -> None:
        self._journal.extend(_INSERT, rows)
        self._count(len(rows))

    def _count(self, edges: int = 1) -> None:
        self._until_expiry -= edges
        if self._until_expiry <= 0 and (self._expiring is None or self._expiring.done()):
            self._until_expiry = self._retention.every
            self._expiring = asyncio.get_running_loop().create_task(self.expire())
            self._expiring.add_done_callback(_tell)

    async def _expire_in(self, database: Database) -> int:
        oldest = int((self.clock.now() - self._retention.age_s) * 1_000_000)
        kept = self._retention.rows
        surplus = await database.read(
            lambda tx: tx.one("SELECT ord FROM causal_edge ORDER BY ord DESC LIMIT 1 OFFSET ?", (kept,)), long=True
        )
        last = oldest if surplus is None else max(oldest, surplus["ord"])
        dropped = 0
        while True:
            some = await database.write(lambda tx: _drop_some(tx, last), long=True)
            dropped += some
            if some < _CHUNK:
                return dropped


def _tell(expiry: asyncio.Task[int]) -> None:
    if not expiry.cancelled() and (error := expiry.exception()) is not None:
        log.error("the expiry of causal edges failed; the next is tried later", exc_info=error)


def _row(edge: Edge, order: int, from_label: str = "") -> tuple[SqlValue, ...]:
    return (
        edge.scope.account_id,
        edge.scope.region,
        order,
        edge.at,
        edge.from_kind,
        edge.from_id,
        edge.to_kind,
        edge.to_id,
        edge.label,
        edge.environment_id,
        from_label or edge.from_label,
    )


def _last_order(database: Database) -> int:
    row = database.read_now(lambda tx: tx.one("SELECT MAX(ord) AS last FROM causal_edge"))
    return row["last"] or 0 if row is not None else 0


def _drop_some(tx: Tx, last: int) -> int:
    chunk = tx.one("SELECT ord FROM causal_edge WHERE ord <= ? ORDER BY ord LIMIT 1 OFFSET ?", (last, _CHUNK - 1))
    return tx.execute(_DELETE, (last if chunk is None else chunk["ord"],))
