"""How long an event takes from its source to the handler's first line, warm.

The handler prints its clock, and its log is read afterwards; so nothing is asked while events are on their way.
"""

import io
import re
import statistics
import time
import zipfile
from collections.abc import Callable
from typing import Any

from benchmarks.figures import Round

PAUSE_S, FIRST_PAUSE_S = 0.02, 0.5
_READS, _BETWEEN_READS_S = 40, 0.5


class Undelivered(Exception):
    """An event was accepted by its source and never reached the handler."""


Source = Callable[[Any, str], Callable[[str], object]]
"""Connects a source to a function (target, the function's ARN); gives what sends an event with a name in it."""


def zipped(source: str) -> bytes:
    """A deployment package with one app.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    return buffer.getvalue()


def measured(subject: Any, name: str, runtime: str, code: str, connect: Source, events: int) -> Round:  # noqa: PLR0913
    """p50 and least (ms); `code` prints "BENCH NAME CLOCK" for each event."""
    function = subject.fresh("event")
    send = connect(subject, subject.create(function, runtime, zipped(code), "app.handler"))
    sent = {}
    for number in range(events + 1):
        sent[f"e{number}"] = time.time_ns()
        send(f"e{number}")
        time.sleep(PAUSE_S if number else FIRST_PAUSE_S)
    seen = _lines(subject, function, len(sent))
    delays = [(seen[key] - began) / 1e6 for key, began in sent.items() if key in seen and key != "e0"]
    if len(delays) < events:
        raise Undelivered(f"{name}: {events - len(delays)} events never reached the handler")
    return {name: statistics.median(delays), f"{name}_min": min(delays)}


def _lines(subject: Any, function: str, wanted: int) -> dict[str, int]:
    logs, seen = subject.client("logs"), {}
    for _ in range(_READS):
        time.sleep(_BETWEEN_READS_S)
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        for page in pages:
            for event in page["events"]:
                if found := re.match(r"BENCH (\S+) (\d+)", event["message"]):
                    seen.setdefault(found[1], int(found[2]))
        if len(seen) >= wanted:
            break
    return seen
