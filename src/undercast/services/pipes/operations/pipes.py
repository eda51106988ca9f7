"""Pipes: make, change, start, stop, show, delete, tag.

AWS: EventBridge Pipes API Reference, the operations of these names.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import refused_member
from undercast.core.page_tokens import page_of
from undercast.core.service import Params, operation
from undercast.services import roles
from undercast.services.event_sources.progress import START, Progress
from undercast.services.pipes import store
from undercast.services.pipes.checks import check
from undercast.services.pipes.errors import conflict, invalid, no_pipe
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.models import (
    CREATING,
    DELETING,
    PRINCIPAL,
    RUNNING,
    SOURCE_PARAMETERS,
    STARTING,
    STOPPED,
    STOPPING,
    UNDER_WAY,
    UPDATING,
    Pipe,
    pipe_arn,
)
from undercast.services.pipes.targets import MOST
from undercast.store.database import Tx

PER_PAGE = 100
_GIVEN = ("Description", "Source", "SourceParameters", "Enrichment", "EnrichmentParameters", "Target",
          "TargetParameters", "RoleArn", "KmsKeyIdentifier")  # fmt: skip
_CHANGEABLE = tuple(name for name in _GIVEN if name != "Source")
_ARN = re.compile(r"arn:aws[\w-]*:pipes:([a-z0-9-]+):(\d{12}):pipe/([.\w-]+)", re.ASCII)


@operation("CreatePipe")
async def create_pipe(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A pipe; it runs soon, unless it is to be stopped."""
    given = _plain({name: params[name] for name in _GIVEN if params.get(name) not in (None, "")})
    await _check(ctx, given, params)
    now, desired = ctx.clock.now(), params.get("DesiredState") or RUNNING
    made = Pipe(
        id=ctx.ids.uuid(),
        scope=ctx.scope,
        name=params["Name"],
        given=_with_batch(given),
        tags=params.get("Tags") or {},
        desired=desired,
        state=CREATING,
        created_at=now,
        changed_at=now,
    )
    begin = _begin(made, now)

    def write(tx: Tx) -> None:
        if store.find(tx, ctx.scope, made.name) is not None:
            raise conflict(f"Pipe {made.name} already exists.")
        store.put(tx, made)
        if begin is not None:
            made.progress.put(tx, {START: begin})
        pipes.running.follow(tx, made)

    await pipes.database.write(write)
    return made.summary()


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Times as numbers: the rest is JSON."""
    found = dict(given)
    own = (given.get("SourceParameters") or {}).get("KinesisStreamParameters") or {}
    if "StartingPositionTimestamp" in own:
        at = own["StartingPositionTimestamp"].timestamp()
        kinesis = {**own, "StartingPositionTimestamp": at}
        found["SourceParameters"] = {**given["SourceParameters"], "KinesisStreamParameters": kinesis}
    return found


def _with_batch(given: Mapping[str, Any]) -> dict[str, Any]:
    """Without a BatchSize a batch is never larger than what the target takes."""
    source, target = given["Source"].split(":")[2], given["Target"].split(":")[2]
    member = SOURCE_PARAMETERS[source]
    parameters = given.get("SourceParameters") or {}
    own = {"BatchSize": min(10 if source == "sqs" else 100, MOST.get(target, 100)), **(parameters.get(member) or {})}
    return {**given, "SourceParameters": {**parameters, member: own}}


def _begin(pipe: Pipe, now: float) -> Progress | None:
    """Where a stream is read from."""
    if pipe.source_service == "sqs":
        return None
    own = pipe.reading()
    if own["StartingPosition"] == "AT_TIMESTAMP":
        return Progress(since=own["StartingPositionTimestamp"])
    return Progress(since=now if own["StartingPosition"] == "LATEST" else 0.0)


async def _check(ctx: RequestContext, given: Mapping[str, Any], params: Params) -> None:
    level = (params.get("LogConfiguration") or {}).get("Level", "OFF")
    if level != "OFF":
        raise refused_member(ctx.operation, f"LogConfiguration.Level={level}", "pipes write no logs of their own")
    check(ctx, given)
    conditions = {"aws:SourceArn": pipe_arn(ctx.scope, params["Name"]), "aws:SourceAccount": str(ctx.account_id)}
    if not await roles.trusts(ctx, PRINCIPAL, given["RoleArn"], conditions):
        raise invalid(f"Pipes may not assume the role {given['RoleArn']}.")


@operation("UpdatePipe")
async def update_pipe(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is given replaces what was there; the source stays."""
    changed = None
    while changed is None:  # each turn but the last is another update's
        changed = await _update(pipes, ctx, params)
    return changed.summary()


async def _update(pipes: Pipes, ctx: RequestContext, params: Params) -> Pipe | None:
    """None when another update was committed while this one was checked: it may have made another pipe of it."""
    old = await pipes.database.read(lambda tx: store.existing(tx, ctx.scope, params["Name"]))
    given = {**old.given, **{name: params[name] for name in _CHANGEABLE if name in params}}
    if params.get("SourceParameters"):
        given["SourceParameters"] = _merged(old, params["SourceParameters"])
    given = {name: value for name, value in given.items() if value not in (None, "")}
    await _check(ctx, given, params)

    def write(tx: Tx) -> Pipe | None:
        pipe = _free(tx, ctx, params["Name"])
        if pipe.given != old.given:
            return None
        desired = params.get("DesiredState") or pipe.desired
        return _put(pipes, ctx, tx, replace(pipe, given=given, desired=desired, state=UPDATING))

    return await pipes.database.write(write)


def _merged(old: Pipe, given: Mapping[str, Any]) -> dict[str, Any]:
    """Where a stream is read from is not changed."""
    member = SOURCE_PARAMETERS[old.source_service]
    before = old.given.get("SourceParameters") or {}
    return {**before, **given, member: {**(before.get(member) or {}), **(given.get(member) or {})}}


async def _change(pipes: Pipes, ctx: RequestContext, name: str, change: Callable[[Pipe], Pipe]) -> Pipe:
    return await pipes.database.write(lambda tx: _put(pipes, ctx, tx, change(_free(tx, ctx, name))))


def _free(tx: Tx, ctx: RequestContext, name: str) -> Pipe:
    """One that no other change is under way on. Raises ConflictException."""
    pipe = store.existing(tx, ctx.scope, name)
    if pipe.state in UNDER_WAY:
        raise conflict(f"Pipe {name} is in state {pipe.state}.")
    return pipe


def _put(pipes: Pipes, ctx: RequestContext, tx: Tx, pipe: Pipe) -> Pipe:
    changed = replace(pipe, changed_at=ctx.clock.now())
    store.put(tx, changed)
    pipes.running.follow(tx, changed)
    return changed


@operation("StartPipe")
async def start_pipe(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """It goes on where it was stopped."""
    changed = await _change(pipes, ctx, params["Name"], lambda pipe: replace(pipe, desired=RUNNING, state=STARTING))
    return changed.summary()


@operation("StopPipe")
async def stop_pipe(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is being processed ends first."""
    changed = await _change(pipes, ctx, params["Name"], lambda pipe: replace(pipe, desired=STOPPED, state=STOPPING))
    return changed.summary()


@operation("DeletePipe")
async def delete_pipe(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is being processed ends first."""
    changed = await _change(pipes, ctx, params["Name"], lambda pipe: replace(pipe, desired=STOPPED, state=DELETING))
    return {**changed.summary(), "DesiredState": "DELETED"}


@operation("DescribePipe")
async def describe_pipe(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One of them."""
    pipe = await pipes.database.read(lambda tx: store.existing(tx, ctx.scope, params["Name"]))
    found = {**_shown(pipes, pipe), **pipe.given, "Tags": dict(pipe.tags)}
    own = (pipe.given.get("SourceParameters") or {}).get("KinesisStreamParameters") or {}
    if "StartingPositionTimestamp" in own:
        kinesis = {**own, "StartingPositionTimestamp": moment(own["StartingPositionTimestamp"])}
        found["SourceParameters"] = {**pipe.given["SourceParameters"], "KinesisStreamParameters": kinesis}
    return found


@operation("ListPipes")
async def list_pipes(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name, states, source and target."""
    every = await pipes.database.read(lambda tx: store.of_scope(tx, ctx.scope))
    wanted = (pipe for pipe in every if _is_wanted(pipe, params))
    limit = params.get("Limit") or PER_PAGE
    try:
        found, token = page_of(wanted, lambda pipe: pipe.name, params.get("NextToken"), limit)
    except ValueError:
        raise invalid("Invalid NextToken.") from None
    return {"Pipes": [_listed(pipes, pipe) for pipe in found], **token}


def _is_wanted(pipe: Pipe, params: Params) -> bool:
    return (
        pipe.name.startswith(params.get("NamePrefix") or "")
        and pipe.source.startswith(params.get("SourcePrefix") or "")
        and pipe.target.startswith(params.get("TargetPrefix") or "")
        and params.get("DesiredState") in (None, pipe.desired)
        and params.get("CurrentState") in (None, pipe.state)
    )


def _shown(pipes: Pipes, pipe: Pipe) -> dict[str, Any]:
    reason = pipes.troubles.reason(pipe)
    return {**pipe.summary(), **({"StateReason": reason} if reason else {})}


def _listed(pipes: Pipes, pipe: Pipe) -> dict[str, Any]:
    found = {**_shown(pipes, pipe), "Source": pipe.source, "Target": pipe.target}
    return {**found, **({"Enrichment": pipe.given["Enrichment"]} if pipe.given.get("Enrichment") else {})}


def _named(ctx: RequestContext, arn: str) -> str:
    """The name of a pipe of this account and region. Raises NotFoundException."""
    found = _ARN.fullmatch(arn)
    if found is None or (found[2], found[1]) != ctx.scope:
        raise no_pipe(arn)
    return found[3]


@operation("TagResource")
async def tag_resource(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Add tags, or give them other values."""
    await _retag(pipes, ctx, params["resourceArn"], lambda tags: {**tags, **params["tags"]})
    return {}


@operation("UntagResource")
async def untag_resource(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Tags that are not there are no error."""
    gone = set(params["tagKeys"])
    await _retag(
        pipes, ctx, params["resourceArn"], lambda tags: {name: tags[name] for name in tags if name not in gone}
    )
    return {}


async def _retag(
    pipes: Pipes, ctx: RequestContext, arn: str, change: Callable[[Mapping[str, str]], Mapping[str, str]]
) -> None:
    def write(tx: Tx) -> None:
        pipe = store.existing(tx, ctx.scope, _named(ctx, arn))
        store.put(tx, replace(pipe, tags=change(pipe.tags)))

    await pipes.database.write(write)


@operation("ListTagsForResource")
async def list_tags_for_resource(pipes: Pipes, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All of them."""
    pipe = await pipes.database.read(lambda tx: store.existing(tx, ctx.scope, _named(ctx, params["resourceArn"])))
    return {"tags": dict(pipe.tags)}
