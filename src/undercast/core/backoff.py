"""How long to wait before trying again: twice as long behind each failure in a row, up to a limit.

Pure, without jitter. Where AWS gives the numbers, who waits says where; else they are ours.
"""

from undercast.core.record import record

_MOST_DOUBLINGS = 64
"""Behind which every limit is long reached: a float holds no more than a thousand."""


@record
class Backoff:
    """The waits of one kind of attempt, in seconds."""

    first_s: float = 1.0
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """The wait behind a failure that has had so many before it."""
        return min(self.longest_s, self.first_s * 2.0 ** min(failures, _MOST_DOUBLINGS))
