"""What the trace says of messages that change queues.

Pure. AWS: SQS Developer Guide, "Using dead-letter queues", "Configure a dead-letter queue redrive".
"""

from undercast.events.causality import Edge
from undercast.services.sqs.models import Queue
from undercast.store.database import Row


def moved(row: Row, target: Queue, now: float) -> Edge:
    """Into the dead-letter queue, where the message keeps its id: a node of its own, as of a failed attempt."""
    receives = row["receives"]
    times = "1 receive" if receives == 1 else f"{receives} receives"
    return _edge(row, ("moved", f"{row['id']}#{receives}"), target, f"moved to {target.arn} after {times}", now)


def redriven(row: Row, new_id: str, target: Queue, now: float) -> Edge:
    """Out of it, as a new message."""
    return _edge(row, ("message", new_id), target, f"message redriven to {target.arn}", now)


def _edge(row: Row, end: tuple[str, str], target: Queue, label: str, now: float) -> Edge:
    return Edge(
        from_kind="message",
        from_id=row["id"],
        to_kind=end[0],
        to_id=end[1],
        label=label,
        at=now,
        scope=target.scope,
    )
