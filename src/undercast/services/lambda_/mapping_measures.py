"""What CloudWatch is told of one event source mapping: namespace AWS/Lambda, dimension EventSourceMappingUUID.

The counts of events are asked for with MetricsConfig EventCount; ProvisionedPollers is told in provisioned mode.
AWS: Lambda Developer Guide, "Types of metrics for Lambda functions" (event source mapping metrics).
"""

from undercast.core.arn import Scope
from undercast.services.event_sources.pollers import provisioned
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.services.lambda_.measures import Measures

EVENT_COUNT = "EventCount"


def count(measures: Measures, scope: Scope, mapping_id: str, name: str, events: int) -> None:
    """One metric of a mapping, in the scope of its function."""
    measures.put(scope, name, (("EventSourceMappingUUID", mapping_id),), float(events))


class MappingMeasures:
    """Of one mapping. See `event_sources.reading.Watch` and `event_sources.queue_source.QueueWatch`."""

    def __init__(self, measures: Measures, mapping: EventSourceMapping) -> None:
        self._measures = measures
        self._mapping = mapping
        self._pollers = provisioned(mapping.configuration)
        self.counts = EVENT_COUNT in mapping.configuration.get("MetricsConfig", {}).get("Metrics", ())

    def polled(self, events: int) -> None:
        """Read from the source; 0 when there were none."""
        self._count("PolledEventCount", events)

    def filtered_out(self, events: int) -> None:
        """The filters want none of these."""
        self._count("FilteredOutEventCount", events)

    def invoked(self, events: int) -> None:
        """The function is invoked with them, each time it is."""
        self._count("InvokedEventCount", events)

    def failed(self, events: int) -> None:
        """An invocation with them failed, or the function reported them as failed."""
        self._count("FailedInvokeEventCount", events)

    def dropped(self, events: int) -> None:
        """Of a stream: too old for the mapping or tried too often, and nobody is told of them."""
        self._count("DroppedEventCount", events)

    def deleted(self, events: int) -> None:
        """Deleted behind a success."""
        self._count("DeletedEventCount", events)

    def polling(self, batches: int) -> None:
        """The source is asked while so many batches are being processed."""
        if self._pollers is not None:
            self._put("ProvisionedPollers", self._pollers.at_work(batches))

    def _count(self, name: str, events: int) -> None:
        if self.counts:
            self._put(name, events)

    def _put(self, name: str, value: int) -> None:
        count(self._measures, self._mapping.scope, self._mapping.id, name, value)
