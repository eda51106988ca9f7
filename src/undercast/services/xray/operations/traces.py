"""GetTraceSummaries, BatchGetTraces, GetTraceGraph, GetServiceGraph, statistics over time: what traces tell.

AWS: X-Ray API Reference of each; Developer Guide, "Using the X-Ray API".
"""

import asyncio
import json
from datetime import datetime
from typing import Any, cast

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.page_tokens import number_of, token_of
from undercast.core.service import Params, operation
from undercast.services.xray import filters, graph, reading, series, store
from undercast.services.xray.assembly import Trace
from undercast.services.xray.documents import TRACE_ID
from undercast.services.xray.errors import invalid, only_page
from undercast.services.xray.instance import XRay
from undercast.services.xray.operations.groups import group_of
from undercast.services.xray.summaries import summary

MAX_RANGE_S = 86400.0
_GRAPH_S = MAX_RANGE_S / 4
PERIOD_S = 60
"""Ours: of a window whose Period is not said. The API Reference names no default."""
_PAGE = 100
MOST_PROCESSED = 2000
"""Ours: traces that one answer has looked at; its NextToken leads to the others."""
_MOST_TRACES = 5
"""In one BatchGetTraces."""


@operation("GetTraceSummaries")
async def get_trace_summaries(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The traces of at most 24 hours that match, the newest first."""
    start, end = _range(params["StartTime"], params["EndTime"], longest_s=MAX_RANGE_S)
    kind = cast(store.TimeRange, params.get("TimeRangeType", "TraceId"))
    wanted = _filter(params.get("FilterExpression", ""))
    first = _position(params.get("NextToken"))
    part = (first, MOST_PROCESSED + 1)
    ids = await xray.journal.read(lambda tx: store.traces_between(tx, ctx.scope, kind, (start, end), part))

    def tell(trace: Trace) -> dict[str, Any] | None:
        return summary(trace, ctx.account_id) if wanted.matches(trace) else None

    summaries: list[dict[str, Any]] = []
    processed = 0
    async for page in reading.pages(xray, ctx.scope, ids[:MOST_PROCESSED]):
        for told in await reading.understood(page, tell):
            if len(summaries) == _PAGE:
                break
            processed += 1
            summaries += [told] if told is not None else []
        if len(summaries) == _PAGE:
            break
    answer: dict[str, Any] = {
        "TraceSummaries": summaries,
        "ApproximateTime": moment(ctx.clock.now()),
        "TracesProcessedCount": processed,
    }
    if processed < len(ids):
        answer["NextToken"] = token_of(str(first + processed))
    return answer


@operation("BatchGetTraces")
async def batch_get_traces(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Whole traces: segments with their subsegments, and inferred segments."""
    only_page(params)
    ids = list(dict.fromkeys(params["TraceIds"]))
    if len(ids) > _MOST_TRACES:
        raise invalid(f"A request can name at most {_MOST_TRACES} traces.")
    found = {trace.id: trace for trace in await reading.traces(xray, ctx.scope, ids, _any)}
    return {
        "Traces": [_told(found[one]) for one in ids if one in found],
        "UnprocessedTraceIds": [one for one in ids if TRACE_ID.fullmatch(one) is None],
    }


@operation("GetTraceGraph")
async def get_trace_graph(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The service graph of some traces."""
    only_page(params)
    traces = await reading.traces(xray, ctx.scope, list(dict.fromkeys(params["TraceIds"])), _any)
    return {"Services": await asyncio.to_thread(graph.services, traces, ctx.account_id)}


@operation("GetServiceGraph")
async def get_service_graph(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The service graph of at most six hours, of all traces or those of a group; of very many the newest."""
    only_page(params)
    traces = await _traces_of(xray, ctx, params, _range(params["StartTime"], params["EndTime"], longest_s=_GRAPH_S))
    return {
        "StartTime": params["StartTime"],
        "EndTime": params["EndTime"],
        "Services": await asyncio.to_thread(graph.services, traces, ctx.account_id),
        "ContainsOldGroupVersions": False,
    }


@operation("GetTimeSeriesServiceStatistics")
async def get_time_series_service_statistics(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Statistics of the same traces, window by window: of what the selector picks, else of all edges."""
    only_page(params)
    start, end = _range(params["StartTime"], params["EndTime"], longest_s=_GRAPH_S)
    period_s = params.get("Period", PERIOD_S)
    if period_s < 1:
        raise invalid("Period must be greater than 0.")
    try:
        selector = filters.selector(params.get("EntitySelectorExpression", ""))
    except filters.Invalid as error:
        raise invalid(f"Invalid entity selector expression: {error}") from None
    traces = await _traces_of(xray, ctx, params, (start, end))
    windows = series.Windows(start, end, period_s)
    return {
        "TimeSeriesServiceStatistics": await asyncio.to_thread(series.statistics, traces, selector, windows),
        "ContainsOldGroupVersions": False,
    }


async def _traces_of(xray: XRay, ctx: RequestContext, params: Params, span: tuple[float, float]) -> list[Trace]:
    """All of a span or those of the group that is named; of very many the newest."""
    wanted = filters.parse("")
    if "GroupName" in params or "GroupARN" in params:
        wanted = _filter((await group_of(xray, ctx, params)).filter)
    part = (0, reading.MAX_TRACES)
    ids = await xray.journal.read(lambda tx: store.traces_between(tx, ctx.scope, "TraceId", span, part))
    return await reading.traces(xray, ctx.scope, ids, wanted.matches)


def _range(start: datetime, end: datetime, *, longest_s: float) -> tuple[float, float]:
    if end < start:
        raise invalid("EndTime must be after StartTime.")
    if (end - start).total_seconds() > longest_s:
        raise invalid(f"The time range cannot be longer than {longest_s / 3600:.0f} hours.")
    return start.timestamp(), end.timestamp()


def _filter(text: str) -> filters.Filter:
    try:
        return filters.parse(text)
    except filters.Invalid as error:
        raise invalid(f"Invalid filter expression: {error}") from None


def _position(token: str | None) -> int:
    try:
        return number_of(token)
    except ValueError:
        raise invalid("The NextToken is invalid.") from None


def _any(trace: Trace) -> bool:
    return True


def _told(trace: Trace) -> dict[str, Any]:
    segments = [
        {"Id": one["id"], "Document": json.dumps(one, separators=(",", ":"))} for one in trace.segments
    ]  # fmt: skip
    return {
        "Id": trace.id,
        "Duration": round(trace.end - trace.start, 3),
        "LimitExceeded": trace.limit_exceeded,
        "Segments": segments,
    }
