"""GetTraceSummaries, BatchGetTraces, GetTraceGraph, GetServiceGraph: what traces tell.

AWS: X-Ray API Reference of each; Developer Guide, "Using the X-Ray API".
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from undercast.core.arn import Scope
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.page_tokens import number_of, token_of
from undercast.core.service import Params, operation
from undercast.services.xray import filters, graph, store
from undercast.services.xray.assembly import Trace, assemble
from undercast.services.xray.documents import TRACE_ID
from undercast.services.xray.errors import invalid, only_page
from undercast.services.xray.instance import XRay
from undercast.services.xray.operations.groups import group_of
from undercast.services.xray.summaries import summary
from undercast.services.xray.upkeep import RETENTION_S
from undercast.store.database import Tx

MAX_RANGE_S = 86400.0
_PAGE = 100
_MOST_TRACES = 5
"""In one BatchGetTraces."""


@operation("GetTraceSummaries")
async def get_trace_summaries(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The traces of at most 24 hours that match, the newest first."""
    start, end = _range(params["StartTime"], params["EndTime"], longest_s=MAX_RANGE_S)
    kind = cast(store.TimeRange, params.get("TimeRangeType", "TraceId"))
    wanted = _filter(params.get("FilterExpression", ""))
    found = await _between(xray, ctx.scope, kind, (start, end))
    at = _position(params.get("NextToken"))
    matching = [trace for trace in found if wanted.matches(trace)]
    page = matching[at : at + _PAGE]
    answer: dict[str, Any] = {
        "TraceSummaries": [summary(trace, ctx.account_id) for trace in page],
        "ApproximateTime": moment(ctx.clock.now()),
        "TracesProcessedCount": len(found),
    }
    if at + _PAGE < len(matching):
        answer["NextToken"] = token_of(str(at + _PAGE))
    return answer


@operation("BatchGetTraces")
async def batch_get_traces(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Whole traces: segments with their subsegments, and inferred segments."""
    only_page(params)
    ids = list(dict.fromkeys(params["TraceIds"]))
    if len(ids) > _MOST_TRACES:
        raise invalid(f"A request can name at most {_MOST_TRACES} traces.")
    found = {trace.id: trace for trace in await _named(xray, ctx.scope, ids)}
    return {
        "Traces": [_told(found[one]) for one in ids if one in found],
        "UnprocessedTraceIds": [one for one in ids if TRACE_ID.fullmatch(one) is None],
    }


@operation("GetTraceGraph")
async def get_trace_graph(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The service graph of some traces."""
    only_page(params)
    traces = await _named(xray, ctx.scope, list(dict.fromkeys(params["TraceIds"])))
    return {"Services": graph.services(traces, ctx.account_id)}


@operation("GetServiceGraph")
async def get_service_graph(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The service graph of at most six hours, of all traces or those of a group."""
    only_page(params)
    start, end = _range(params["StartTime"], params["EndTime"], longest_s=MAX_RANGE_S / 4)
    wanted = filters.parse("")
    if "GroupName" in params or "GroupARN" in params:
        wanted = _filter((await group_of(xray, ctx, params)).filter)
    traces = [one for one in await _between(xray, ctx.scope, "TraceId", (start, end)) if wanted.matches(one)]
    return {
        "StartTime": params["StartTime"],
        "EndTime": params["EndTime"],
        "Services": graph.services(traces, ctx.account_id),
        "ContainsOldGroupVersions": False,
    }


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


async def _between(xray: XRay, scope: Scope, kind: store.TimeRange, times: tuple[float, float]) -> list[Trace]:
    since = xray.clock.now() - RETENTION_S

    def read(tx: Tx) -> list[Trace]:
        ids = store.traces_between(tx, scope, kind, *times)
        return _assembled(ids, store.documents(tx, scope, ids, since))

    return await xray.journal.read(read)


async def _named(xray: XRay, scope: Scope, ids: Sequence[str]) -> list[Trace]:
    since = xray.clock.now() - RETENTION_S
    return await xray.journal.read(lambda tx: _assembled(ids, store.documents(tx, scope, ids, since)))


def _assembled(ids: Sequence[str], documents: dict[str, list[str]]) -> list[Trace]:
    """In the store thread: a thousand traces take longer than the loop has."""
    return [assemble(one, documents[one]) for one in ids if one in documents]


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
