"""A stop, of a whole platform or of a start that failed: what has begun ends in the opposite order."""

import contextlib
import sqlite3
from collections.abc import Mapping
from functools import partial

from undercast.app.base import Base
from undercast.app.ending import REST_S, SANDBOXES_S, WORK_S, Ending, Left, Work
from undercast.core.record import record
from undercast.services.registry import Mounted
from undercast.store.journal import Journal

GRACE_S = 5.0
"""How long requests in flight may take after SIGTERM,"""
LEAST_GRACE_S = 2.0
"""and how long at least behind the end of the platform's own work, which has so long,"""
QUIESCE_S = 6.0
RELEASE_S = 3.0
"""and behind answers without an end, which have so long: together they are within `ending.WORK_S`."""
PART_S = 10.0
"""How long any other part of a stop may take; each says less of itself. Sandboxes may take it from one to the next.
All of them share what `ending` gives the whole."""


@record
class Begun:
    """What has begun, by the names for the log."""

    base: Base
    services: Mapping[str, Mounted]
    deliveries: Mapping[str, Work]
    """What begins work by itself, beside services."""
    sandboxes: Mapping[str, Work]
    """What ends, in this order, before the listeners that sandboxes call."""
    left: Left | None = None
    """How many sandboxes there still are, where there can be many."""


async def stop(begun: Begun, ending: Ending) -> None:
    """End it. The door is left: `Door.close` follows.

    Attempts end, or are left to the next start, while the door is open: functions of the process driver call
    through it, and one whose call was refused has failed an attempt of its event, maybe the last.
    """
    ending.begin(WORK_S)
    base, door, services = begun.base, begun.base.door, dict(sorted(begun.services.items()))
    grace_ends = door.host_clock.monotonic() + GRACE_S
    works = {
        name: partial(mounted.manifest.quiesce, mounted.instance)
        for name, mounted in services.items()
        if mounted.manifest.quiesce is not None
    }
    await ending.together({**begun.deliveries, **works}, QUIESCE_S)
    releases = {
        f"the answers of {name}": partial(mounted.manifest.release, mounted.instance)
        for name, mounted in services.items()
        if mounted.manifest.release is not None
    }
    await ending.together({**releases, "the rows of the journal": partial(_written, door.journal)}, RELEASE_S)
    grace_s = ending.within(max(LEAST_GRACE_S, grace_ends - door.host_clock.monotonic()))
    await ending.part("the front door", partial(door.front_door.stop_accepting, grace_s), grace_s + PART_S)
    ending.stage(SANDBOXES_S)
    for name, work in begun.sandboxes.items():
        await ending.part(name, work, PART_S, begun.left)
    ending.stage(REST_S)
    await ending.part("the listeners of sandboxes", door.front_door.close, PART_S)
    stops = {
        name: partial(mounted.manifest.stop, mounted.instance)
        for name, mounted in services.items()
        if mounted.manifest.stop is not None
    }
    await ending.together(stops, PART_S)
    await ending.part("the request log", base.request_log.stop, PART_S)
    await ending.part("the causal log", base.parts.causality.close, PART_S)
    await ending.part("the blobs", base.parts.blobs.close, PART_S)


async def _written(journal: Journal) -> None:
    """What was acknowledged is in the file before the rest ends: a supervisor's SIGKILL may come before that has.

    `Door.close` writes what comes behind it. What cannot be written the journal tells itself.
    """
    with contextlib.suppress(sqlite3.OperationalError):
        await journal.flush()
