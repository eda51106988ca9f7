"""GetMetricData: many metrics and expressions at once.

AWS: CloudWatch API Reference, GetMetricData.
"""

import math
from collections.abc import Sequence
from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.page_tokens import number_of, token_of
from undercast.core.record import record
from undercast.core.service import Params, operation
from undercast.services.cloudwatch.errors import bad_token, invalid
from undercast.services.cloudwatch.expressions import Evaluation, Query
from undercast.services.cloudwatch.insights import is_select, parse
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.services.cloudwatch.labels import label_of
from undercast.services.cloudwatch.lines import Line
from undercast.services.cloudwatch.queries import Source, queries_of
from undercast.store.database import Tx

MAX_QUERIES = 500
MAX_DATAPOINTS = 100_800


@record(kw_only=False)
class _Result:
    id: str
    label: str
    points: Sequence[tuple[int, float]]


@operation("GetMetricData")
async def get_metric_data(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The series of each query that returns data; those that are too long for one page go on in the next."""
    given = params["MetricDataQueries"]
    if len(given) > MAX_QUERIES:
        raise invalid(f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}.")
    queries = queries_of(ctx.scope, given, "MetricDataQueries")
    start, end = params["StartTime"], params["EndTime"]
    if start >= end:
        raise invalid("The parameter StartTime must be less than the parameter EndTime.")
    try:
        skipped = number_of(params.get("NextToken"))
    except ValueError:
        raise bad_token() from None
    newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    span = (int(start.timestamp()), math.ceil(end.timestamp()))

    def read(tx: Tx) -> list[_Result]:
        source = Source(tx, ctx.scope, span, cloudwatch.clock.now())
        evaluation = Evaluation(queries, source.reader(), source.budget)
        return [one for query in queries if query.returns for one in _results(evaluation, query, newest_first)]

    results = await cloudwatch.read(read)
    return _page(results, skipped, min(params.get("MaxDatapoints") or MAX_DATAPOINTS, MAX_DATAPOINTS))


def _results(evaluation: Evaluation, query: Query, newest_first: bool) -> list[_Result]:
    lines: list[Line] = evaluation.result(query)
    grouped = is_select(query.expression) and bool(parse(query.expression).groups)
    array = len(lines) != 1 or grouped or query.expression.lstrip().startswith("SEARCH")
    return [
        _Result(
            query.id,
            label_of(line, query, is_array=array),
            sorted(line.values.items(), reverse=newest_first),
        )
        for line in lines
    ]


def _page(results: Sequence[_Result], skipped: int, limit: int) -> dict[str, Any]:
    """So many data points from a place on, counted over all series. Each page names every series."""
    shown: list[dict[str, Any]] = []
    before, end = 0, skipped + limit
    for one in results:
        first, last = max(skipped - before, 0), max(end - before, 0)
        points = one.points[first:last]
        before += len(one.points)
        shown.append(
            {
                "Id": one.id,
                "Label": one.label,
                "Timestamps": [moment(at_s) for at_s, _ in points],
                "Values": [value for _, value in points],
                "StatusCode": "Complete" if last >= len(one.points) else "PartialData",
            }
        )
    result: dict[str, Any] = {"MetricDataResults": shown, "Messages": []}
    if before > end:
        result["NextToken"] = token_of(str(end))
    return result
