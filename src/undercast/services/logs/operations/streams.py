"""Log streams: create, describe, delete.

AWS: CloudWatch Logs API Reference, CreateLogStream, DescribeLogStreams, DeleteLogStream.
"""

import base64
import json
from typing import Any

from undercast.core import json_values
from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.logs import store
from undercast.services.logs.errors import exists, invalid
from undercast.services.logs.followers import StreamName
from undercast.services.logs.instance import Logs, existing_group, existing_stream
from undercast.services.logs.models import Stream, group_name
from undercast.store.database import Tx

PAGE_ITEMS = 50


@operation("CreateLogStream")
async def create_log_stream(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Make an empty stream."""
    name = StreamName(ctx.scope, params["logGroupName"], params["logStreamName"])
    stream = logs.intake.new_stream(name, logs.now_ms())

    def create(tx: Tx) -> None:
        existing_group(tx, ctx.scope, name.group)
        if not tx.execute(store.ADD_STREAM, store.stream_row(stream)):
            raise exists("stream")
        tx.after_commit(lambda: logs.intake.learn(name, stream.key))

    await logs.journal.write(create)


@operation("DeleteLogStream")
async def delete_log_stream(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Remove a stream at once; its events go in the background."""
    group, name = params["logGroupName"], params["logStreamName"]
    logs.intake.save_sizes()

    def delete(tx: Tx) -> None:
        stream = existing_stream(tx, ctx.scope, group, name)
        store.delete_stream(tx, stream)
        tx.after_commit(lambda: logs.intake.forget((stream.key,)))

    await logs.journal.write(delete)
    logs.housekeeping.purge_soon()


@operation("DescribeLogStreams")
async def describe_log_streams(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A group's streams, by name or by the time of their last event."""
    group = group_name(ctx.scope, params.get("logGroupName"), params.get("logGroupIdentifier"))
    prefix = params.get("logStreamNamePrefix", "")
    by_time = params.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    descending = bool(params.get("descending"))
    limit = params.get("limit") or PAGE_ITEMS
    after = _decoded(params.get("nextToken"))

    def read(tx: Tx) -> list[Stream]:
        existing_group(tx, ctx.scope, group)
        return [stream for stream in store.streams(tx, ctx.scope, group) if stream.name.startswith(prefix)]

    ordered = sorted(await logs.journal.read(read), key=lambda stream: _rank(stream, by_time), reverse=descending)
    if after is not None:
        ordered = [one for one in ordered if _is_behind(_rank(one, by_time), after, descending)]
    result: dict[str, Any] = {"logStreams": [stream.output() for stream in ordered[:limit]]}
    if len(ordered) > limit:
        result["nextToken"] = _encoded(_rank(ordered[limit - 1], by_time))
    return result


def _rank(stream: Stream, by_time: bool) -> tuple[int, str]:
    return ((stream.last_ms if stream.last_ms is not None else stream.created_ms) if by_time else 0, stream.name)


def _is_behind(rank: tuple[int, str], after: tuple[int, str], descending: bool) -> bool:
    return rank < after if descending else rank > after


def _encoded(rank: tuple[int, str]) -> str:
    return base64.b64encode(json.dumps(rank).encode()).decode()


def _decoded(token: str | None) -> tuple[int, str] | None:
    if token is None:
        return None
    try:
        moment, name = json_values.parse(base64.b64decode(token, validate=True))
        return int(moment), str(name)
    except (ValueError, TypeError) as error:
        raise invalid("The specified nextToken is invalid.") from error
