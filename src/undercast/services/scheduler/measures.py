"""What Scheduler tells CloudWatch of its invocations: namespace AWS/Scheduler, by ScheduleGroup and of all together.

AWS: EventBridge Scheduler User Guide, "Monitoring Amazon EventBridge Scheduler with Amazon CloudWatch".
"""

from undercast.core.clock import Clock
from undercast.core.metrics import Dimensions, Meter, Metrics
from undercast.events.delivery import Delivery

ATTEMPT, TARGET_ERROR, THROTTLED = "InvocationAttemptCount", "TargetErrorCount", "TargetErrorThrottledCount"
DROPPED = "InvocationDroppedCount"
SENT, LOST = "InvocationsSentToDeadLetterCount", "InvocationsFailedToBeSentToDeadLetterCount"
CUT = f"{SENT}_Truncated_MessageSizeExceeded"


class Measures:
    """One per platform."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._meter = Meter(metrics, clock, "AWS/Scheduler")

    def note(self, delivery: Delivery, name: str) -> None:
        """One more, of the schedule that a delivery comes from."""
        group = delivery.source_arn.split("/")[1]
        of_group: Dimensions = (("ScheduleGroup", group),)
        for dimensions in (of_group, ()):
            self._meter.put(delivery.scope, name, dimensions)
