"""Opens the router's queues for rows that are in the outbox already: those of a start, and those of message groups that
have had to wait for a place (ADR 65).

Names of targets and of groups are read in the store thread; which group has its turn `message_groups` says.
AWS: SNS Developer Guide, "Amazon SNS message grouping for FIFO topics".
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from undercast.core.arn import is_fifo
from undercast.core.backoff import Backoff
from undercast.core.clock import PlatformClock
from undercast.core.record import record
from undercast.events import message_groups
from undercast.events.message_groups import MessageGroups
from undercast.events.target_queue import EVERYTHING, NOTHING, Name, Queues, TargetQueue
from undercast.store.database import Database, Tx

_BACKOFF = Backoff(longest_s=300.0)
_log = logging.getLogger(__name__)


@record
class Heard:
    """Who hears of queues."""

    opened: Callable[[TargetQueue], None]
    """One is open whose rows have not been read."""
    looked: Callable[[], None]
    """Names were read; maybe there are no more."""


class Opening:
    """See the module."""

    def __init__(self, queues: Queues, database: Database, clock: PlatformClock, heard: Heard) -> None:
        self._queues = queues
        self._database = database
        self._clock = clock
        self._heard = heard
        self._stopped = False
        self._readers: set[asyncio.Task[None]] = set()
        """Of names of message groups."""
        self._filling = False
        self.is_left = True
        """Whether targets have rows that no queue has heard of."""

    async def start(self) -> None:
        """Open a queue for each target that has rows. Those that are committed meanwhile are for it to find, too."""
        try:
            for arn in await self._database.read(_targets, long=True):
                if is_fifo(arn):
                    self._queues.turns(arn).groups.unread()
                    self.fill(arn)
                else:
                    self._heard.opened(self._queues.open(Name(arn), NOTHING))
                await asyncio.sleep(0)  # each reads its rows on the loop
        finally:
            self.is_left = False
            self._heard.looked()

    def stop(self) -> None:
        """Open nothing more."""
        self._stopped = True
        for reader in self._readers:
            reader.cancel()

    def admit(self, name: Name) -> TargetQueue | None:
        """The queue of a row that was just committed; None where its message group waits for a place."""
        queue = self._queues.admit(name, NOTHING if self.is_left else EVERYTHING)
        if queue is None:
            self.fill(name.target_arn)
        return queue

    def fill(self, target_arn: str) -> None:
        """Message groups that wait for a place have those that are free; more names are read where they run short."""
        if self._stopped or self._filling:
            return
        self._filling = True
        try:
            while (queue := self._queues.next_group(target_arn)) is not None:
                self._heard.opened(queue)
        finally:
            self._filling = False
        groups = self._queues.turns(target_arn).groups
        if groups.needs_page:
            after = groups.begin_page()
            reader = asyncio.create_task(self._read_names(target_arn, groups, after))
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)
        self._queues.forget(target_arn)

    async def _read_names(self, target_arn: str, groups: MessageGroups, after: str | None) -> None:
        query, failures = partial(_groups, target_arn=target_arn, after=after), 0
        while True:
            try:
                names = await self._database.read(query, long=True)
                break
            except Exception as error:  # a store that fails now is asked again; the rows are its own
                wait_s = _BACKOFF.wait_s(failures)
                failures += 1
                _log.warning("deliveries to %s wait %.0f s: the store failed with %r", target_arn, wait_s, error)
            await self._clock.wait_until(self._clock.now() + wait_s)
        groups.end_page(names, {name for name in names if self._queues.find(Name(target_arn, name)) is not None})
        self.fill(target_arn)
        self._heard.looked()


def _targets(tx: Tx) -> list[str]:
    """Every target that has rows, by one index probe each: DISTINCT would read all rows."""
    found: list[str] = []
    query = "SELECT target_arn FROM event_delivery WHERE target_arn > ? ORDER BY target_arn LIMIT 1"
    while (row := tx.one(query, (found[-1] if found else "",))) is not None:
        found.append(row["target_arn"])
    return found


def _groups(tx: Tx, target_arn: str, after: str | None) -> list[str]:
    """The next message groups of a target that have rows, in the same way."""
    found: list[str] = []
    query = (
        "SELECT message_group FROM event_delivery WHERE target_arn = ? AND message_group {} ?"
        " ORDER BY message_group LIMIT 1"
    )
    behind, first = query.format(">"), query.format(">=")
    row = tx.one(first if after is None else behind, (target_arn, after or ""))
    while row is not None:
        found.append(row["message_group"])
        row = tx.one(behind, (target_arn, found[-1])) if len(found) < message_groups.PAGE else None
    return found
