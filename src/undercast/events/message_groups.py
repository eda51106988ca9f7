"""Message groups of a FIFO target that have rows and no queue in memory: they wait for a place, in turn.

A group per order id is common, so their number costs neither the start nor memory: a thousand have a queue, the names
of a thousand more are known, the others are read in pages when there is room for them (ADR 65). No I/O.
AWS: SNS Developer Guide, "Amazon SNS message grouping for FIFO topics" (groups in parallel, each in its order).
Invariant: a group with rows has a queue, or its name waits here, or `_unread` holds.
"""

from collections.abc import Container

MOST_OPEN = 1024
"""Queues of one target, those among them whose delivery is held up."""
PAGE = 256
MOST_NAMES = 1024
TURN = 16
"""So many deliveries of a group begin, then its place goes to another one that waits for it."""


class MessageGroups:
    """Of one target."""

    __slots__ = ("_after", "_again", "_names", "_read", "_unread")

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._unread = False
        """Whether rows may be there of groups whose names are not known here."""
        self._after: str | None = None
        """The name behind which the next page begins; None: a round through all names begins."""
        self._again = False
        """Whether a name may have come before the place that this round has reached."""
        self._read = False
        """Whether somebody reads a page."""

    @property
    def are_left(self) -> bool:
        """Whether there are any, or may be."""
        return self._unread or bool(self._names)

    @property
    def needs_page(self) -> bool:
        """Whether names should be read, and nobody does."""
        return self._unread and not self._read and len(self._names) < PAGE

    def wait(self, group: str) -> None:
        """It has rows and no queue."""
        if group in self._names:
            return
        if self._unread or len(self._names) >= MOST_NAMES:
            self.unread()
        else:
            self._names[group] = None

    def unread(self) -> None:
        """Rows of groups may be there that nobody has named."""
        self._unread = self._again = True

    def following(self, queues: int) -> str | None:
        """The group that has its turn, where there is room for it."""
        if not self._names or queues >= MOST_OPEN:
            return None
        group = next(iter(self._names))
        del self._names[group]
        return group

    def begin_page(self) -> str | None:
        """Somebody reads the names behind this one."""
        self._read = True
        if self._after is None:
            self._again = False
        return self._after

    def end_page(self, names: list[str], opened: Container[str]) -> None:
        """A page was read; a short one is the last. Those that are `opened` have their turn already."""
        self._read = False
        self._names.update(dict.fromkeys(name for name in names if name not in opened))
        if len(names) == PAGE:
            self._after = names[-1]
        else:
            self._after, self._unread = None, self._again
