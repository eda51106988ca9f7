"""`undercast profile`: invoke a function some times, and show how long callers wait, how long it works, what it uses.

A round trip is measured here, around the SDK's call. Duration, memory and INIT are those of the REPORT lines, which are
read from the function's log afterwards.
AWS: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs" (REPORT).
"""

import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from undercast.cli import profile_page, whereabouts
from undercast.cli.client import DataOption, ask, aws, locate, refused
from undercast.cli.invoke import payload_of
from undercast.cli.log_group import log_group_of
from undercast.cli.options import Options, take_options
from undercast.cli.output import fail, show, table, working, write_page

_REPORT = re.compile(r"REPORT RequestId: (\S+)\tDuration: ([\d.]+) ms\t.*?Max Memory Used: (\d+) MB\t(.*)", re.DOTALL)
_INIT = re.compile(r"Init Duration: ([\d.]+) ms")
_PATIENCE_S = 10.0
_POLL_S = 0.05
_HEAD = ("ms", "least", "average", "p50", "p95", "p99", "most")
ROUND_TRIP, DURATION, BESIDE = "round trip", "Duration", "beside it"
_OPTIONS: Options = (
    ("times", Annotated[int, typer.Option(help="How often, one after the other.", min=1, max=10_000)], 20),
    ("page", Annotated[Path | None, typer.Option(help="Write an HTML page that draws every invocation.")], None),
    ("data", DataOption, None),
    ("as_json", Annotated[bool, typer.Option("--json", help="Print JSON.")], False),
)


class Report(NamedTuple):
    """What the platform says of one invocation."""

    duration_ms: float
    memory_mb: int
    init_ms: float | None


@dataclass(slots=True, kw_only=True)
class Profile:
    """What was measured. `round_trips_ms` by request id, in the order of the invocations."""

    round_trips_ms: dict[str, float] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    failed: int = 0
    took_s: float = 0.0

    def series(self) -> dict[str, list[float]]:
        """Of each invocation that has a REPORT: the round trip, Duration, and what the one took beside the other."""
        both = [
            (trip, self.reports[one].duration_ms) for one, trip in self.round_trips_ms.items() if one in self.reports
        ]
        return {
            ROUND_TRIP: [trip for trip, _ in both],
            DURATION: [duration for _, duration in both],
            BESIDE: [trip - duration for trip, duration in both],
        }

    def summary(self) -> dict[str, Any]:
        """For --json."""
        inits = [report.init_ms for report in self.reports.values() if report.init_ms is not None]
        return {
            "invocations": len(self.round_trips_ms),
            "failed": self.failed,
            "per_second": len(self.round_trips_ms) / self.took_s,
            "ms": {name: statistics(values) for name, values in self.series().items() if values},
            "max_memory_used_mb": max((report.memory_mb for report in self.reports.values()), default=None),
            "init_duration_ms": inits,
        }


def profile(
    function: Annotated[str, typer.Argument(help="Name or ARN of the function, or name:alias.")],
    payload: Annotated[str, typer.Argument(help="JSON, @FILE, or - for standard input.")] = "{}",
    **options: Any,
) -> None:
    """Invoke a function some times; show round trips, Duration, rate, memory and INITs.

    What is beside Duration is the way to the platform and back, the SDK's part, and INIT where there was one. It is
    below 0 where the answer was here before the runtime asked for its next event, with which Duration ends.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    url, times, page = locate(options["data"]), options["times"], options["page"]
    event = payload_of(payload)
    since_ms = int(ask(url, "/_undercast/status")["clock"]["now"] * 1000) - 1
    try:
        with working(f"running {function} {times} times"):
            found = _measure(aws(url, "lambda"), function, event, times)
            found.reports = _reports(url, function, since_ms, found.round_trips_ms)
    except (ClientError, BotoCoreError) as error:
        refused(url, error, whereabouts.of_error(url, error))
    except KeyboardInterrupt:
        fail(f"the profile of {function} was given up")
    if page is not None:
        write_page(page, profile_page.page(function, found.series(), found.summary()))
    if options["as_json"]:
        show(found.summary(), True)
    else:
        _print(function, found.summary())


def statistics(values: Sequence[float]) -> dict[str, float]:
    """Least, average, ranks and most of some values; a rank is one of the values."""
    ordered = sorted(values)
    ranks = {f"p{rank}": ordered[math.ceil(len(ordered) * rank / 100) - 1] for rank in (50, 95, 99)}
    return {"least": ordered[0], "average": sum(ordered) / len(ordered), **ranks, "most": ordered[-1]}


def _measure(functions: Any, function: str, event: bytes, times: int) -> Profile:
    found, began = Profile(), time.perf_counter()
    for _ in range(times):
        at = time.perf_counter()
        answer = functions.invoke(FunctionName=function, Payload=event)
        answer["Payload"].read()
        found.round_trips_ms[answer["ResponseMetadata"]["RequestId"]] = (time.perf_counter() - at) * 1000
        found.failed += "FunctionError" in answer
    found.took_s = time.perf_counter() - began
    return found


def _reports(url: str, function: str, since_ms: int, wanted: Mapping[str, float]) -> dict[str, Report]:
    """By request id; those that are not logged within some seconds are left out."""
    group = log_group_of(url, function)
    logs, found = aws(url, "logs"), dict[str, Report]()
    end = time.monotonic() + _PATIENCE_S
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms)
        for text in (event["message"] for page in pages for event in page["events"]):
            found.update((one, report) for one, report in _read(text) if one in wanted)
        if len(found) == len(wanted) or time.monotonic() > end:
            return found
        time.sleep(_POLL_S)


def _read(text: str) -> Iterator[tuple[str, Report]]:
    """The REPORT that a log event is, as a line or as an object."""
    line = _REPORT.match(text)
    if line is not None:
        init = _INIT.search(line[4])
        yield line[1], Report(float(line[2]), int(line[3]), float(init[1]) if init else None)
    elif text.startswith("{") and '"platform.report"' in text:
        record = json.loads(text)["record"]
        metrics = record["metrics"]
        init_ms = metrics.get("initDurationMs")
        yield record["requestId"], Report(metrics["durationMs"], metrics["maxMemoryUsedMB"], init_ms)


def _print(function: str, summary: Mapping[str, Any]) -> None:
    count, failed = summary["invocations"], summary["failed"]
    print(f"{function}: {count} invocations, {summary['per_second']:.1f} a second, {failed} failed")
    rows = [(name, *(f"{value:.2f}" for value in one.values())) for name, one in summary["ms"].items()]
    table(_HEAD, rows, "no REPORT was logged: the system log level of the function is above INFO")
    if any(value < 0 for value in summary["ms"].get(BESIDE, {}).values()):
        print(
            f"{BESIDE} below 0: the answer was here before the runtime asked for its next event, which ends {DURATION}"
        )
    if summary["max_memory_used_mb"] is not None:
        print(f"Max Memory Used: {summary['max_memory_used_mb']} MB")
    if summary["init_duration_ms"]:
        print(f"Init Duration: {', '.join(f'{one:.2f}' for one in summary['init_duration_ms'])} ms")


take_options(profile, _OPTIONS)
