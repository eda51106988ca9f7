"""How much of bodies is held at once: of one request, of one sender, of all.

A body that is not streamed has to be whole before it is parsed, and most of what a request may do is known from its
body alone. So whoever can send a request can have its body held: no more than any call of its operation needs, and from
inside a sandbox, or unsigned, no more than a share of what all may have.
AWS: the quotas of each service, "payload size". DynamoDB Developer Guide, "Quotas": a request has 16 MB.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from undercast.core.errors import ServiceError

MIB = 1024 * 1024
OPERATION_BYTES = 8 * MIB
"""What an operation takes unless its manifest says more (`largest`): 1 MiB of messages with each character escaped."""
UNSIGNED_BYTES = MIB
"""Nobody's request: the few operations that take one need some hundred bytes."""
HELD_BYTES = 768 * MIB
GUESTS_BYTES = 256 * MIB
"""Of all that comes from inside sandboxes or is unsigned: the user of this machine has the rest for himself."""
GUEST_BYTES = 96 * MIB
"""Of one environment, or of all that is unsigned; the largest request of Lambda fits."""


class Claim:
    """What one request holds."""

    def __init__(self, bodies: "Bodies", sender: str | None) -> None:
        self._bodies = bodies
        self._sender = sender
        self.size_bytes = 0

    def grow(self, size_bytes: int) -> None:
        """So many more bytes are held. Raises ServiceUnavailable when they are too many."""
        self._bodies.take(self._sender, size_bytes)
        self.size_bytes += size_bytes


class Bodies:
    """The bodies that are held for being parsed, all together. Used on the event loop alone."""

    def __init__(self) -> None:
        self._held_bytes = 0
        self._held_of_guests = 0
        self._held_of: dict[str, int] = {}
        self._turns: dict[str | None, tuple[asyncio.Lock, int]] = {}
        self._collects = False
        """Whether the collector was at work before it was told to rest: during the start it is not."""

    @property
    def held_bytes(self) -> int:
        """What all hold."""
        return self._held_bytes

    @contextmanager
    def claim(self, sender: str | None) -> Iterator[Claim]:
        """For the body of one request. `sender`: who shares a guest's part with others of that name; None is the user
        of this machine, who has all."""
        claim = Claim(self, sender)
        try:
            yield claim
        finally:
            self.take(sender, -claim.size_bytes)

    def take(self, sender: str | None, size_bytes: int) -> None:
        """Count what a sender holds. Raises ServiceUnavailable, and counts nothing, when it is too much."""
        held = self._held_bytes + size_bytes
        theirs = guests = 0
        if sender is not None:
            theirs = self._held_of.get(sender, 0) + size_bytes
            guests = self._held_of_guests + size_bytes
        if size_bytes > 0 and (held > HELD_BYTES or guests > GUESTS_BYTES or theirs > GUEST_BYTES):
            text = "Too much of other requests is being read and parsed at the moment. Send this one again."
            raise ServiceError("ServiceUnavailable", text, 503)
        self._held_bytes = held
        if sender is None:
            return
        self._held_of_guests = guests
        if theirs:
            self._held_of[sender] = theirs
        else:
            self._held_of.pop(sender, None)

    @asynccontextmanager
    async def turn(self, sender: str | None) -> AsyncIterator[None]:
        """While a large body is parsed: one of each sender at a time, for each costs the event loop some of its time.

        Meanwhile the collector of garbage rests, until the first of them ends: it would look at what was parsed again
        and again, and find nothing.
        """
        lock, waiting = self._turns.get(sender) or (asyncio.Lock(), 0)
        self._turns[sender] = lock, waiting + 1
        try:
            async with lock:
                if gc.isenabled():
                    self._collects = True
                    gc.disable()
                try:
                    yield
                finally:
                    if self._collects:
                        gc.enable()
        finally:
            _, waiting = self._turns.pop(sender)
            if waiting > 1:
                self._turns[sender] = lock, waiting - 1
