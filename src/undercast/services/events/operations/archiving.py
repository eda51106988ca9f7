"""Archives: make, change, show, delete.

AWS: EventBridge API Reference, the operations of these names.
"""

from dataclasses import replace
from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.events import archives, store
from undercast.services.events.errors import exists, invalid, no_bus
from undercast.services.events.instance import Events
from undercast.services.events.models import Archive, BusName, bus_of_arn, given_pattern
from undercast.services.events.pages import page
from undercast.store.database import Tx

_ENABLED = "ENABLED"


def _answer(archive: Archive) -> dict[str, Any]:
    return {"ArchiveArn": archive.arn, "State": _ENABLED, "CreationTime": moment(archive.created_at)}


@operation("CreateArchive")
async def create_archive(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """From now on the events of a bus are kept."""
    bus = bus_of_arn(params["EventSourceArn"])
    if bus is None or bus.scope != ctx.scope:
        raise invalid("Parameter EventSourceArn is not valid. Reason: Must contain an event bus ARN.")
    pattern = params.get("EventPattern") or ""
    archive = Archive(
        scope=ctx.scope,
        name=params["ArchiveName"],
        bus=bus.name,
        pattern=pattern,
        compiled=given_pattern(pattern) if pattern else None,
        description=params.get("Description"),
        retention_days=params.get("RetentionDays") or 0,
        kms_key_id=params.get("KmsKeyIdentifier") or "",
        created_at=ctx.clock.now(),
    )

    def write(tx: Tx) -> None:
        if store.find(tx, bus) is None:
            raise no_bus(bus.name)
        if archives.find(tx, ctx.scope, archive.name) is not None:
            raise exists(f"Archive {archive.name} already exists.")
        archives.put(tx, archive)
        events.buses.changed(tx, bus)

    await events.database.write(write)
    return _answer(archive)


@operation("UpdateArchive")
async def update_archive(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is given replaces what was there."""
    pattern = params.get("EventPattern")
    if pattern:
        given_pattern(pattern)

    def write(tx: Tx) -> Archive:
        old = archives.existing(tx, ctx.scope, params["ArchiveName"])
        changed = replace(
            old,
            pattern=old.pattern if pattern is None else pattern,
            description=params.get("Description", old.description),
            retention_days=params.get("RetentionDays", old.retention_days),
            kms_key_id=params.get("KmsKeyIdentifier", old.kms_key_id),
        )
        archives.put(tx, changed)
        events.buses.changed(tx, BusName(ctx.scope, old.bus))
        return changed

    return _answer(await events.database.write(write))


@operation("DeleteArchive")
async def delete_archive(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """With the events in it."""

    def write(tx: Tx) -> None:
        archive = archives.existing(tx, ctx.scope, params["ArchiveName"])
        archives.remove(tx, archive)
        events.buses.changed(tx, BusName(ctx.scope, archive.bus))

    await events.database.write(write, long=True)
    return {}


def _listed(tx: Tx, archive: Archive) -> dict[str, Any]:
    contents = archives.contents(tx, archive)
    return {
        "ArchiveName": archive.name,
        "EventSourceArn": BusName(archive.scope, archive.bus).arn,
        "State": _ENABLED,
        "RetentionDays": archive.retention_days,
        "SizeBytes": contents.size_bytes,
        "EventCount": contents.events,
        "CreationTime": moment(archive.created_at),
    }


@operation("DescribeArchive")
async def describe_archive(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One of them."""

    def read(tx: Tx) -> dict[str, Any]:
        archive = archives.existing(tx, ctx.scope, params["ArchiveName"])
        more = (("Description", archive.description), ("EventPattern", archive.pattern))
        found = {**_listed(tx, archive), "ArchiveArn": archive.arn}
        if archive.kms_key_id:
            found["KmsKeyIdentifier"] = archive.kms_key_id
        return {**found, **{name: value for name, value in more if value}}

    return await events.database.read(read, long=True)


@operation("ListArchives")
async def list_archives(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name, bus and state."""

    def read(tx: Tx) -> dict[str, Any]:
        prefix, bus = params.get("NamePrefix") or "", params.get("EventSourceArn")
        matching = [
            archive
            for archive in archives.every(tx, ctx.scope)
            if archive.name.startswith(prefix) and bus in (None, BusName(ctx.scope, archive.bus).arn)
        ]
        found, token = page(matching if params.get("State") in (None, _ENABLED) else [], lambda one: one.name, params)
        return {"Archives": [_listed(tx, archive) for archive in found], **token}

    return await events.database.read(read, long=True)
