"""PutEvents and TestEventPattern.

AWS: EventBridge API Reference, the operations of these names.
"""

from typing import Any

from undercast.core import json_values
from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.events import dispatch
from undercast.services.events.errors import invalid
from undercast.services.events.event import MAX_BYTES, Event, Refused, checked, entry_bytes, envelope, event_of
from undercast.services.events.instance import Events
from undercast.services.events.models import BusName, bus_named, given_pattern
from undercast.store.database import Tx

_MEMBERS = ("id", "account", "source", "time", "region", "resources", "detail-type")


@operation("PutEvents")
async def put_events(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Each entry by itself; all that are events in one commit. An event for a bus that is not there is dropped."""
    entries = params["Entries"]
    if sum(entry_bytes(entry) for entry in entries) > MAX_BYTES[events.profile]:
        raise invalid("Total size of the entries in the request is over the limit.")
    results: list[dict[str, str]] = []
    arrivals: list[tuple[BusName, dispatch.Arrival]] = []
    for entry in entries:
        name = bus_named(entry.get("EventBusName"), ctx.scope)
        try:
            event = _event(ctx, entry)
        except Refused as refused:
            results.append({"ErrorCode": refused.code, "ErrorMessage": refused.text})
            continue
        results.append({"EventId": event.id})
        bus = events.buses.find(name)
        if bus is not None:
            arrivals.append((name, dispatch.arrival(bus, event, ctx.cause)))

    def write(tx: Tx) -> None:
        for name, one in arrivals:
            dispatch.note_call(events, tx, ctx, one, name)
            dispatch.store(events, tx, one)

    if arrivals:
        await events.database.write(write, long=dispatch.is_long(one for _, one in arrivals))
    return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}


def _event(ctx: RequestContext, entry: Params) -> Event:
    detail = checked(entry)
    at = entry["Time"].timestamp() if entry.get("Time") else ctx.clock.now()
    what = {
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "resources": entry.get("Resources") or (),
        "detail": detail,
    }
    trace_header = entry.get("TraceHeader") or ctx.headers.get("x-amzn-trace-id", "")
    return event_of(envelope(ctx.scope, at, ctx.ids.uuid(), what), trace_header)


@operation("TestEventPattern")
async def test_event_pattern(events: Events, ctx: RequestContext, params: Params) -> dict[str, bool]:
    """Whether a pattern matches an event, which must have the members that every event has."""
    pattern = given_pattern(params["EventPattern"])
    try:
        event = json_values.parse(params["Event"])
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise invalid("Parameter Event is not valid.")
    for name in _MEMBERS:
        if name not in event:
            raise invalid("Parameter Event is not valid.")
    return {"Result": pattern.matches(event)}
