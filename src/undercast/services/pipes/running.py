"""Pipes at work: which are read, and what their states become once that has begun or ended.

AWS: EventBridge Pipes API Reference, DescribePipe (CurrentState).
"""

from dataclasses import replace

from undercast.core.clock import PlatformClock
from undercast.services.event_sources.following import Following, Rows
from undercast.services.pipes import store
from undercast.services.pipes.models import DELETING, RUNNING, STOPPED, UNDER_WAY, Pipe
from undercast.store.database import Database, Tx

Running = Following[Pipe]


def running(database: Database, clock: PlatformClock) -> Running:
    """Those of one platform, from their rows."""
    rows = Rows(
        every=store.every,
        is_read=lambda pipe: pipe.desired == RUNNING and pipe.state != DELETING,
        is_under_way=lambda pipe: pipe.state in UNDER_WAY,
        settle=_settle,
    )
    return Following(database, clock, rows)


def _settle(tx: Tx, pipe: Pipe) -> None:
    current = store.by_id(tx, pipe.id)
    if current is None or current.state != pipe.state:
        return
    if current.state == DELETING:
        store.remove(tx, current)
    else:
        store.put(tx, replace(current, state=RUNNING if current.desired == RUNNING else STOPPED))
