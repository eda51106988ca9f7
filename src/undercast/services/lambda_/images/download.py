"""A layer as it comes from a registry: where a connection breaks off, the rest is asked for on another one.

What was received before is in nobody's hands any more, so a registry that gives no ranges cannot be asked again.
Sources: OCI distribution-spec 1.1 ("Pulling blobs": Range); RFC 9110, 14.
"""

from collections.abc import Callable

from undercast.core.record import record
from undercast.services.lambda_.images.pulling import BrokenOff, Steady

MAX_BREAKS = 20
"""Of one layer."""


@record
class Part:
    """The body of an answer."""

    body: Steady
    end: int | None
    """Where it ends in the layer; None where only the connection says so."""


class Download:
    """One layer."""

    def __init__(self, ask: Callable[[int], Part]) -> None:
        """`ask`: the layer from a byte on. Raises ImageError."""
        self._ask = ask
        self._part = ask(0)
        self._position = self._breaks = 0

    def __enter__(self) -> "Download":
        return self

    def __exit__(self, *raised: object) -> None:
        self._part.body.close()

    def read(self, size: int) -> bytes:
        """What is there, at most so much; nothing at the end. Raises ImageMissing."""
        while True:
            try:
                piece = self._part.body.read(size)
            except BrokenOff as broken:
                self._go_on(broken)
                continue
            self._position += len(piece)
            if piece or self._part.end in (None, self._position):
                return piece
            self._go_on(BrokenOff(f"the registry has broken off at byte {self._position} of {self._part.end}"))

    def _go_on(self, broken: BrokenOff) -> None:
        self._part.body.close()
        self._breaks += 1
        if self._breaks > MAX_BREAKS:
            raise broken
        self._part = self._ask(self._position)
