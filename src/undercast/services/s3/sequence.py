"""The order of all writes: one number for each, greater than every one before it, also after a restart.

Microseconds of the host clock, which is never moved. A row reserves a minute ahead, so most writes cost nothing.
AWS: S3 User Guide, "Event message structure" (sequencer).
"""

from undercast.core.clock import Clock
from undercast.store.database import Tx

_AHEAD = 60_000_000


class Sequence:
    """Gives out numbers inside write transactions. A number whose transaction failed is never given again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._reserved = 0

    def next(self, tx: Tx) -> int:
        """The next number."""
        if not self._reserved:
            row = tx.one("SELECT reserved FROM s3_sequence WHERE id = 1")
            self._last = max(self._last, 0 if row is None else int(row["reserved"]))
        self._last = max(self._last + 1, int(self._clock.now() * 1_000_000))
        if self._last > self._reserved:
            reserved = self._last + _AHEAD
            tx.execute(
                "INSERT INTO s3_sequence (id, reserved) VALUES (1, ?) "
                "ON CONFLICT (id) DO UPDATE SET reserved = excluded.reserved",
                (reserved,),
            )
            tx.after_commit(lambda: self._reserve(reserved))
        return self._last

    def _reserve(self, reserved: int) -> None:
        self._reserved = max(self._reserved, reserved)

    def forget(self) -> None:
        """The rows were deleted by a reset."""
        self._reserved = 0
