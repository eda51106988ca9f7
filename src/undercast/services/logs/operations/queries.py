"""Logs Insights: start, results, stop, list; single records and the fields of a group.

AWS: CloudWatch Logs API Reference, StartQuery, GetQueryResults, StopQuery, DescribeQueries, GetLogRecord,
GetLogGroupFields.
"""

import asyncio
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import Params, operation
from undercast.services.logs import store
from undercast.services.logs.errors import invalid
from undercast.services.logs.events_of import events_of
from undercast.services.logs.insights.run import Query
from undercast.services.logs.insights.tokens import Missing, QueryError
from undercast.services.logs.insights.values import text_of
from undercast.services.logs.instance import Logs, existing_group, offering_group
from undercast.services.logs.models import Group, Position, group_name
from undercast.services.logs.operations.pages import slice_of
from undercast.services.logs.queries import MAX_RUNNING, Started, fields_of, percentages, pointed
from undercast.store.database import Row, Tx

MAX_GROUPS = 50
_SAMPLE_EVENTS = 2000
_MINUTE_MS = 60_000


@operation("StartQuery")
async def start_query(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Begin a query over groups and a span of time."""
    _check_language(params, "StartQuery")
    groups = _groups(ctx, params)
    if params["startTime"] > params["endTime"]:
        raise invalid("The start time of a query cannot be after its end time.")
    query = _compiled(params["queryString"], params.get("limit"), logs.now_ms() // 1000)

    def check(tx: Tx) -> None:
        for name in groups:
            offering_group(tx, ctx, name)

    await logs.journal.read(check)
    if logs.queries.running(ctx.scope) >= MAX_RUNNING:
        raise ServiceError("LimitExceededException", "Account maximum query concurrency limit of 30 reached.")
    started = Started(
        id=ctx.ids.uuid(),
        scope=ctx.scope,
        text=params["queryString"],
        query=query,
        groups=groups,
        start_ms=params["startTime"] * 1000,
        end_ms=params["endTime"] * 1000 + 999,
        created_ms=logs.now_ms(),
        began=asyncio.get_running_loop().time(),
        principal=ctx.principal.arn,
    )
    logs.queries.start(started, logs.now_ms())
    return {"queryId": started.id}


@operation("GetQueryResults")
async def get_query_results(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """How far a query is, and its rows when it is complete; page by page where maxItems says so."""
    started = _existing(logs, ctx, params["queryId"])
    rows, token = slice_of(started.results, params, params.get("maxItems") or len(started.results))
    return {
        "queryLanguage": "CWLI",
        "results": rows,
        "statistics": started.statistics(),
        "status": started.status,
        **token,
    }


@operation("StopQuery")
async def stop_query(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """End a query that runs."""
    started = _existing(logs, ctx, params["queryId"])
    if not logs.queries.cancel(started):
        text = f"Query {started.id} has already ended with status {started.status} and cannot be stopped."
        raise invalid(text)
    return {"success": True}


@operation("DescribeQueries")
async def describe_queries(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The queries of late, newest first; of a group or a status where one is named."""
    _check_language(params, "DescribeQueries")
    name, status = params.get("logGroupName"), params.get("status")
    found = [
        one
        for one in logs.queries.of(ctx.scope)
        if (name is None or name in one.groups) and status in (None, one.status)
    ]
    page, token = slice_of(found, params, params.get("maxResults") or 1000)
    return {"queries": [_info(one) for one in page], **token}


@operation("GetLogRecord")
async def get_log_record(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All fields of the event that a @ptr means."""
    place = pointed(params["logRecordPointer"])
    if place is None:
        raise invalid("The specified logRecordPointer is invalid.")
    name, stream_name, position = place

    def read(tx: Tx) -> tuple[Group, Row] | None:
        group = store.group(tx, ctx.scope, name)
        stream = store.stream(tx, ctx.scope, name, stream_name)
        if group is None or stream is None or position.timestamp_ms < group.oldest_ms(logs.now_ms()):
            return None
        after, before = (
            Position(position.timestamp_ms, position.id - 1),
            Position(position.timestamp_ms, position.id + 1),
        )
        row = next(store.events(tx, stream.key, after, before), None)
        return (group, row) if row is not None else None

    found = await logs.journal.read(read)
    if found is None:
        raise ServiceError("ResourceNotFoundException", "The specified log record does not exist.")
    fields = fields_of(found[0], stream_name, found[1], discover=True)
    shown = {key: text_of(value) for key, value in fields.items() if key != "@ptr"}
    millis = {"@timestamp": str(int(fields["@timestamp"])), "@ingestionTime": str(int(fields["@ingestionTime"]))}
    return {"logRecord": {**shown, **millis}}


@operation("GetLogGroupFields")
async def get_log_group_fields(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The fields of the events around a moment, or of the last 15 minutes, with how many events have them."""
    name = group_name(ctx.scope, params.get("logGroupName"), params.get("logGroupIdentifier"))
    now_ms = logs.now_ms()
    around = params.get("time")
    begin, end = (now_ms - 15 * _MINUTE_MS, now_ms + 1)
    if around is not None:
        begin, end = around * 1000 - 8 * _MINUTE_MS, around * 1000 + 8 * _MINUTE_MS

    def read(tx: Tx) -> list[dict[str, Any]]:
        group = existing_group(tx, ctx.scope, name)
        found: list[dict[str, Any]] = []
        for _, stream, row in events_of(tx, [group], Position(begin, -1), Position(end, 0), now_ms):
            found.append(fields_of(group, stream, row, discover=True))
            if len(found) == _SAMPLE_EVENTS:
                break
        return found

    rows = [{key: value for key, value in row.items() if key != "@ptr"} for row in await logs.journal.read(read)]
    return {"logGroupFields": [{"name": key, "percent": percent} for key, percent in percentages(rows)]}


def _groups(ctx: RequestContext, params: Params) -> tuple[str, ...]:
    given = [member for member in ("logGroupName", "logGroupNames", "logGroupIdentifiers") if params.get(member)]
    if len(given) != 1:
        raise invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers is required.")
    names = [params["logGroupName"]] if given == ["logGroupName"] else params[given[0]]
    if len(names) > MAX_GROUPS:
        raise invalid(f"A query can name at most {MAX_GROUPS} log groups.")
    return tuple(dict.fromkeys(group_name(ctx.scope, None, name) for name in names))


def _compiled(text: str, limit: int | None, now_s: int) -> Query:
    try:
        return Query(text, limit, now_s)
    except Missing as missing:
        raise refused_member("StartQuery", "queryString", f"{missing} of the query language is missing here") from None
    except QueryError as error:
        location = {"startCharOffset": error.start, "endCharOffset": error.end}
        members = {"queryCompileError": {"location": location, "message": error.message}}
        raise ServiceError("MalformedQueryException", error.message, members=members) from None


def _check_language(params: Params, name: str) -> None:
    language = params.get("queryLanguage", "CWLI")
    if language != "CWLI":
        raise refused_member(name, f"queryLanguage={language}", "only CWLI, the Logs Insights query language, is here")


def _existing(logs: Logs, ctx: RequestContext, query_id: str) -> Started:
    started = logs.queries.find(ctx.scope, query_id)
    if started is None:
        raise ServiceError("ResourceNotFoundException", f"Query {query_id} does not exist.")
    return started


def _info(one: Started) -> dict[str, Any]:
    info: dict[str, Any] = {
        "queryLanguage": "CWLI",
        "queryId": one.id,
        "queryString": one.text,
        "status": one.status,
        "createTime": one.created_ms,
        "queryDuration": int(one.took_s * 1000),
        "bytesScanned": float(one.scanned_bytes),
        "userIdentity": one.principal,
    }
    if len(one.groups) == 1:
        info["logGroupName"] = one.groups[0]
    return info
