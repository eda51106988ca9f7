"""How long an event takes from its source to the handler's first line, warm.

The handler prints its clock, and its log is read afterwards; so nothing is asked while events are on their way.
"""

import io
import re
import statistics
import time
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.figures import Round

PAUSE_S, FIRST_PAUSE_S = 0.02, 0.5
_READS, _BETWEEN_READS_S = 40, 0.5


class Undelivered(Exception):
    """An event was accepted by its source and never reached the handler."""


Send = Callable[[str], int]
"""Sends an event with a name in it; when the clock started (`time.time_ns`)."""
Source = Callable[[Any, str], Mapping[str, Send]]
"""Connects a source to a function (target, the function's ARN); gives what sends to it, by what the measurement's name
has more ("" or "_raw")."""


def through_boto3(send: Callable[[str], object]) -> Send:
    """The clock starts before boto3 is called."""

    def timed(name: str) -> int:
        began = time.time_ns()
        send(name)
        return began

    return timed


def zipped(source: str) -> bytes:
    """A deployment package with one app.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


def measured(subject: Any, name: str, runtime: str, code: str, connect: Source, events: int) -> Round:  # noqa: PLR0913
    """p50 and least (ms) of each way to send, which take turns; `code` prints "BENCH NAME CLOCK" for each event."""
    function = subject.fresh("event")
    ways = connect(subject, subject.create(function, runtime, zipped(code), "app.handler"))
    sent: dict[str, dict[str, int]] = {way: {} for way in ways}
    for number in range(events + 1):
        for way, send in ways.items():
            sent[way][f"e{number}{way}"] = send(f"e{number}{way}")
            time.sleep(PAUSE_S if number else FIRST_PAUSE_S)
    seen = _lines(subject, function, len(ways) * (events + 1))
    found = {}
    for way, began in sent.items():
        delays = [(seen[key] - at) / 1e6 for key, at in began.items() if key in seen and key != f"e0{way}"]
        if len(delays) < events:
            raise Undelivered(f"{name}{way}: {events - len(delays)} events never reached {subject.name}'s handler")
        found |= {
            f"{name}{way}_{subject.name}": statistics.median(delays),
            f"{name}{way}_{subject.name}_min": min(delays),
        }
    return found


def _lines(subject: Any, function: str, wanted: int) -> dict[str, int]:
    logs, seen = subject.client("logs"), {}
    for _ in range(_READS):
        time.sleep(_BETWEEN_READS_S)
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        try:
            messages = [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:  # nothing has been logged yet
            continue
        for message in messages:
            if found := re.match(r"BENCH (\S+) (\d+)", message):
                seen.setdefault(found[1], int(found[2]))
        if len(seen) >= wanted:
            break
    return seen
