"""A batch of a queue's messages in a pipe.

AWS: EventBridge User Guide, "Amazon Simple Queue Service as a source".
"""

import json
from collections.abc import Hashable
from typing import Any

from undercast.core.errors import ServiceError
from undercast.events.poller import Processed
from undercast.services.event_sources.queue_source import Batch, Done
from undercast.services.pipes.execution import Execution
from undercast.services.pipes.troubles import told


class QueueWork:
    """Of one pipe. See `event_sources.queue_source.Work`."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def crowded(self) -> bool:
        """See `Work`. Functions queue their invocations themselves."""
        return False

    def alike(self, trace_header: str) -> Hashable:
        """See `Work`. Any messages may be together."""
        return None

    def close(self) -> None:
        """See `Work`. Nothing waits here: what has failed comes back by its visibility timeout."""

    async def process(self, batch: Batch) -> Done:
        """See `Work`."""
        events: list[dict[str, Any]] = [json.loads(taken.record) for taken in batch.messages.values()]
        try:
            failed = await self._execution.run(events, "message")
        except ServiceError as error:
            return Done((), Processed(result=f"PROBLEM: {told(error)}", backs_off=True))
        return Done(batch.messages.keys() - set(failed), Processed(backs_off=bool(failed)))
