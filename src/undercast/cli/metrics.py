"""`undercast metrics`: how often functions ran, how long they took, and their memory, as CloudWatch has it.

Times are the platform clock's, as in `undercast logs`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from undercast.cli import metrics_page, whereabouts
from undercast.cli.client import DataOption, ask, aws, locate, refused
from undercast.cli.output import fail, show, table, write_page

_NAMESPACE = "AWS/Lambda"
_COUNTS = ("Invocations", "Errors", "Throttles")
_SIMPLE = ("Minimum", "Average", "Maximum")
_RANKS = ("p50", "p95", "p99")
_HEAD = ("invocations", "errors", "throttles", "min ms", "avg ms", "max ms", "p50 ms", "p95 ms", "p99 ms", "max MB")
_MEMORY = "used_memory_max"
_MAX_MINUTES = 1440
Figures = dict[str, float]


def metrics(
    function: Annotated[
        str, typer.Argument(help="Function name, or name:alias. Without it: all functions, one line each.")
    ] = "",
    since: Annotated[int, typer.Option(help="How many minutes back to look.", min=1, max=_MAX_MINUTES)] = 60,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    page: Annotated[
        Path | None, typer.Option(help="Write an HTML page that draws one function's durations to this file.")
    ] = None,
) -> None:
    """Show invocations, errors, throttles, durations and memory: of all functions, or minute by minute of one."""
    from botocore.exceptions import BotoCoreError, ClientError

    if page is not None and not function:
        fail("--page draws one function: name it")
    url = locate(data)
    now = ask(url, "/_undercast/status")["clock"]["now"]
    end = datetime.fromtimestamp(now - now % 60 + 60, tz=UTC)
    start = end - timedelta(minutes=since)
    client = aws(url, "cloudwatch")
    try:
        if function:
            by_minute = _by_time(client, function, start, end, 60)
            found = {f"{at:%Y-%m-%d %H:%M}": row for at, row in by_minute.items()}
            if page is not None and found:
                write_page(page, metrics_page.page(function, by_minute))
        else:
            found = _of_all(client, start, end, since * 60)
        if function and not found:
            aws(url, "lambda").get_function_configuration(FunctionName=function)
    except (ClientError, BotoCoreError) as error:
        refused(url, error, whereabouts.of_error(url, error))
    if as_json:
        show(found, True)
        return
    rows = [(name, *_cells(figures)) for name, figures in found.items()]
    if rows:
        print(f"the last {since} minutes until {end - timedelta(minutes=1):%Y-%m-%d %H:%M} UTC on the platform's clock")
    table(("minute" if function else "function", *_HEAD), rows, f"nothing has run in the last {since} minutes")


def _of_all(client: Any, start: datetime, end: datetime, period_s: int) -> dict[str, Figures]:
    pages = client.get_paginator("list_metrics").paginate(Namespace=_NAMESPACE, Dimensions=[{"Name": "FunctionName"}])
    names = {one["Dimensions"][0]["Value"] for page in pages for one in page["Metrics"] if len(one["Dimensions"]) == 1}
    found: dict[str, Figures] = {}
    for name in sorted(names):
        for figures in _by_time(client, name, start, end, period_s).values():
            found[name] = figures
    return found


def _by_time(client: Any, function: str, start: datetime, end: datetime, period_s: int) -> dict[datetime, Figures]:
    """Begin of a period -> what was measured in it."""
    dimensions = [{"Name": "FunctionName", "Value": function.partition(":")[0]}]
    if ":" in function:
        dimensions.append({"Name": "Resource", "Value": function})
    found: dict[datetime, Figures] = {}

    def points_of(metric: str, namespace: str, of: Any, **statistics: Sequence[str]) -> Any:
        return client.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=of,
            StartTime=start,
            EndTime=end,
            Period=period_s,
            **statistics,
        )["Datapoints"]

    def add(metric: str, **statistics: Sequence[str]) -> None:
        for point in points_of(metric, _NAMESPACE, dimensions, **statistics):
            values = {name: point[name] for name in (*_SIMPLE, "Sum") if name in point}
            values |= point.get("ExtendedStatistics", {})
            if "Sum" in values:
                values = {metric: values["Sum"]}
            found.setdefault(point["Timestamp"].astimezone(UTC), {}).update(values)

    for metric in _COUNTS:
        add(metric, Statistics=["Sum"])
    add("Duration", Statistics=_SIMPLE)
    add("Duration", ExtendedStatistics=_RANKS)
    if ":" not in function:  # memory is told of functions and their versions, not of aliases
        of_function = [{"Name": "function_name", "Value": function}]
        for point in points_of(_MEMORY, "LambdaInsights", of_function, Statistics=["Maximum"]):
            found.setdefault(point["Timestamp"].astimezone(UTC), {})[_MEMORY] = point["Maximum"]
    return dict(sorted(found.items()))


def _cells(figures: Mapping[str, float]) -> list[str]:
    counts = [f"{figures.get(name, 0):.0f}" for name in _COUNTS]
    times = [f"{figures[name]:.2f}" if name in figures else "-" for name in (*_SIMPLE, *_RANKS)]
    return [*counts, *times, f"{figures[_MEMORY]:.0f}" if _MEMORY in figures else "-"]
