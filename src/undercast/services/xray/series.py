"""Statistics of services or of calls between them, window by window.

Pure. AWS: X-Ray API Reference, GetTimeSeriesServiceStatistics, TimeSeriesServiceStatistics.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from undercast.core.clock import moment
from undercast.services.xray.assembly import Trace
from undercast.services.xray.documents import start_of
from undercast.services.xray.filters import Selector, View
from undercast.services.xray.graph import Calls


class Windows(NamedTuple):
    """Of so many seconds each, from the first to the second moment."""

    start: float
    end: float
    period_s: int


def statistics(traces: Iterable[Trace], selector: Selector, windows: Windows) -> list[dict[str, Any]]:
    """One entry for each window in which a call began; the oldest first."""
    found: dict[int, Calls] = {}
    for trace in traces:
        for segment in trace.segments:
            at = start_of(segment)
            if windows.start <= at < windows.end and selector.picks(View(trace, segment)):
                window = int(at // windows.period_s) * windows.period_s
                found.setdefault(window, Calls()).segments.append(segment)
    summary = "EdgeSummaryStatistics" if selector.is_edge else "ServiceSummaryStatistics"
    return [
        {
            "Timestamp": moment(window),
            summary: calls.statistics(),
            "ResponseTimeHistogram": calls.histogram(),
        }
        for window, calls in sorted(found.items())
    ]
