"""Replays: start, cancel, show.

AWS: EventBridge API Reference, the operations of these names.
"""

from dataclasses import replace
from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.events import archives, replays
from undercast.services.events.errors import exists, invalid
from undercast.services.events.instance import Events
from undercast.services.events.models import BusName, rule_of_arn
from undercast.services.events.pages import page
from undercast.services.events.replays import CANCELLING, LIVE, STARTING, Replay
from undercast.store.database import Tx


@operation("StartReplay")
async def start_replay(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """To the archive's own bus only."""
    replay = Replay(
        scope=ctx.scope,
        name=params["ReplayName"],
        description=params.get("Description"),
        archive_arn=params["EventSourceArn"],
        destination=params["Destination"],
        begins_at=params["EventStartTime"].timestamp(),
        ends_at=params["EventEndTime"].timestamp(),
        state=STARTING,
        reason="",
        started_at=ctx.clock.now(),
        ended_at=None,
        last_at=None,
        last_id=0,
    )
    if replay.begins_at >= replay.ends_at:
        raise invalid("Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.")

    def write(tx: Tx) -> None:
        _check(tx, replay)
        if replays.find(tx, ctx.scope, replay.name) is not None:
            raise exists(f"Replay {replay.name} already exists.")
        replays.put(tx, replay)

    await events.database.write(write)
    events.tasks.spawn(replays.run(events, ctx.scope, replay.name))
    return {"ReplayArn": replay.arn, "State": STARTING, "ReplayStartTime": moment(replay.started_at)}


def _check(tx: Tx, replay: Replay) -> None:
    archive = archives.find(tx, replay.scope, replay.archive)
    if archive is None or archive.arn != replay.archive_arn:
        raise invalid(f"Parameter EventSourceArn is not valid. Reason: Archive {replay.archive} does not exist.")
    bus = BusName(replay.scope, archive.bus)
    if replay.destination["Arn"] != bus.arn:
        raise invalid("Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
    for arn in replay.destination.get("FilterArns") or ():
        rule = rule_of_arn(arn)
        if rule is None or rule.bus != bus:
            raise invalid("Parameter Destination.FilterArns is not valid. Reason: Must contain rules of the event bus.")


@operation("CancelReplay")
async def cancel_replay(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What has been sent is not taken back."""

    def write(tx: Tx) -> Replay:
        replay = replays.existing(tx, ctx.scope, params["ReplayName"])
        if replay.state not in LIVE or replay.state == CANCELLING:
            raise ServiceError(
                "IllegalStatusException", f"Replay {replay.name} is not in a valid state for this operation."
            )
        replays.put(tx, replace(replay, state=CANCELLING))
        return replay

    replay = await events.database.write(write)
    return {"ReplayArn": replay.arn, "State": CANCELLING}


def _listed(replay: Replay) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ReplayName": replay.name,
        "EventSourceArn": replay.archive_arn,
        "State": replay.state,
        "EventStartTime": moment(replay.begins_at),
        "EventEndTime": moment(replay.ends_at),
        "ReplayStartTime": moment(replay.started_at),
    }
    if replay.reason:
        found["StateReason"] = replay.reason
    if replay.last_at is not None:
        found["EventLastReplayedTime"] = moment(replay.last_at)
    if replay.ended_at is not None:
        found["ReplayEndTime"] = moment(replay.ended_at)
    return found


@operation("DescribeReplay")
async def describe_replay(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One of them."""
    replay = await events.database.read(lambda tx: replays.existing(tx, ctx.scope, params["ReplayName"]))
    found = {**_listed(replay), "ReplayArn": replay.arn, "Destination": dict(replay.destination)}
    return {**found, **({"Description": replay.description} if replay.description else {})}


@operation("ListReplays")
async def list_replays(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name, state and archive."""
    prefix, state, archive = params.get("NamePrefix") or "", params.get("State"), params.get("EventSourceArn")
    every = await events.database.read(lambda tx: replays.every(tx, ctx.scope))
    matching = [
        replay
        for replay in every
        if replay.name.startswith(prefix) and state in (None, replay.state) and archive in (None, replay.archive_arn)
    ]
    found, token = page(matching, lambda replay: replay.name, params)
    return {"Replays": [_listed(replay) for replay in found], **token}
