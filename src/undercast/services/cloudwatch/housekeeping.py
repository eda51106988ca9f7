"""Merges points that have come of age, and removes series that are empty. Every hour of the platform's clock.

AWS: CloudWatch User Guide, "Metrics retention".
"""

from functools import partial

from undercast.core.clock import PlatformClock
from undercast.core.metrics import MINUTE_S
from undercast.core.recurring import Rounds
from undercast.services.cloudwatch import points
from undercast.services.cloudwatch.intake import Intake

ROUND_S = 3600.0
MOST_PIECES = 100


class Housekeeping:
    """See the module. `rounds` is started and stopped with the platform."""

    def __init__(self, intake: Intake, clock: PlatformClock) -> None:
        self._intake = intake
        self._clock = clock
        self._shortened_s = 0
        """Before this nothing is added any more, but by who puts old data."""
        self.rounds = Rounds("the ageing of metrics", self.round, clock, ROUND_S)

    async def round(self) -> None:
        """Merge piece by piece, so that nobody waits for long."""
        journal, now_s = self._intake.journal, int(self._clock.now())
        for width_s in (1, MINUTE_S):
            shorten = partial(points.shorten, width_s=width_s, since_s=self._shortened_s)
            for _ in range(MOST_PIECES):
                if not await journal.write(shorten):
                    break
        self._shortened_s = now_s - 2 * int(ROUND_S)
        while await journal.write(lambda tx: points.merge_aged(tx, now_s)):
            continue
        self._intake.clear()  # who writes to a series that is taken away now makes it anew
        await journal.write(points.drop_empty)
