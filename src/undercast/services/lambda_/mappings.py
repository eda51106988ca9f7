"""Event source mappings at work: which are read, and how fast their batches become more.

AWS: Lambda API Reference, EventSourceMappingConfiguration (State).
"""

from undercast.core.clock import PlatformClock
from undercast.events.poller import MORE_PER_S
from undercast.services.event_sources import pollers
from undercast.services.event_sources.following import Following, Rows
from undercast.services.lambda_ import mapping_store
from undercast.services.lambda_.mapping_store import DELETING, SETTLED, EventSourceMapping
from undercast.store.database import Database

Mappings = Following[EventSourceMapping]


def mappings(database: Database, clock: PlatformClock) -> Mappings:
    """Those of one platform, from their rows."""
    rows = Rows(
        every=mapping_store.every,
        is_read=lambda mapping: mapping.enabled and mapping.state != DELETING,
        is_under_way=lambda mapping: mapping.state not in SETTLED,
        settle=mapping_store.settle,
        more_per_s=_more_per_s,
    )
    return Following(database, clock, rows)


def _more_per_s(mapping: EventSourceMapping) -> float:
    return pollers.MORE_PER_S if pollers.provisioned(mapping.configuration) else MORE_PER_S
