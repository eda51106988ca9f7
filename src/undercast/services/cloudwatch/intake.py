"""Takes metric data in: from PutMetricData, and from `core.metrics`, where every service puts what it measures.

All of it goes through the journal's batch: a warm invoke waits for nothing here. PutMetricData waits until its data are
in the file, for its caller was told so.
AWS: CloudWatch API Reference, PutMetricData.
"""

import asyncio

from undercast.core.metrics import Metrics, Series, Tally
from undercast.core.recurring import every, recur
from undercast.services.cloudwatch import points
from undercast.store.journal import Journal

ROUND_S = 1.0
_MAX_KNOWN = 50_000


class Intake:
    """The only writer of points."""

    def __init__(self, journal: Journal, metrics: Metrics) -> None:
        self.journal = journal
        self._metrics = metrics
        self._keys: dict[Series, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Write what has gathered every second."""
        self._task = asyncio.create_task(recur("the writing of metrics", self._round, every(ROUND_S)))

    async def stop(self) -> None:
        """End; the journal flushes when it closes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.collect()

    def add(self, series: Series, unit: str, at_s: int, width_s: int, tally: Tally) -> None:
        """Write one point soon."""
        known = self._keys.get(series)
        key = points.key_of(series) if known is None else known
        row = (key, at_s, width_s, unit, tally.count, tally.total, tally.low, tally.high)
        self.journal.append(points.ADD_POINT, (*row, points.sample_text(tally)))
        if known is None:  # behind its point: a series without points may be taken away between two batches
            if len(self._keys) >= _MAX_KNOWN:
                self._keys.clear()
            self._keys[series] = key
            self.journal.append(points.ADD_SERIES, points.series_row(key, series))

    def collect(self) -> None:
        """Hand the journal what the platform's services have measured."""
        for point, tally in self._metrics.take().items():
            if tally.count:
                self.add(point.series, point.unit, point.at_s, point.width_s, tally)

    def clear(self) -> None:
        """Rows were deleted behind our back (reset), or series that are empty now."""
        self._keys.clear()

    def drop(self) -> None:
        """A reset: what has gathered is not to come back."""
        self._metrics.take()
        self.clear()

    async def _round(self) -> None:
        self.collect()
