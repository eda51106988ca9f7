"""What SNS tells CloudWatch of its topics: namespace AWS/SNS, dimension TopicName.

A notification is delivered when its endpoint has taken it; a function has when its invocation has ended.
AWS: SNS Developer Guide, "Monitoring Amazon SNS topics using CloudWatch".
"""

from undercast.core.clock import Clock
from undercast.core.metrics import Meter, Metrics
from undercast.events.delivery import Delivery, Outcome
from undercast.services.sns.envelope import NOTIFICATION
from undercast.services.sns.models import QUEUES, TopicName, topic_named


class Measures:
    """One per platform."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._meter = Meter(metrics, clock, "AWS/SNS")

    def published(self, topic: TopicName, size_bytes: int, filtered_out: int) -> None:
        """A message; so many subscriptions do not want it."""
        self._put(topic, "NumberOfMessagesPublished", 1)
        self._put(topic, "PublishSize", size_bytes, "Bytes")
        if filtered_out:
            self._put(topic, "NumberOfNotificationsFilteredOut", filtered_out)

    def delivered(self, topic: TopicName, notifications: int) -> None:
        """Into the local outbox."""
        if notifications:
            self._put(topic, "NumberOfNotificationsDelivered", notifications)

    def ended(self, delivery: Delivery, outcome: Outcome) -> None:
        """A delivery from a topic: a notification, or one that failed at its dead-letter queue."""
        attributes = delivery.attributes
        if attributes.get("message_type", NOTIFICATION) != NOTIFICATION:
            return
        if "failed_kind" not in attributes:
            name = "NumberOfNotificationsFailed" if outcome.is_refused else "NumberOfNotificationsDelivered"
        elif delivery.kind == QUEUES:
            failed = "NumberOfNotificationsFailedToRedriveToDlq"
            name = failed if outcome.is_refused else "NumberOfNotificationsRedrivenToDlq"
        else:  # on its way there
            return
        self._put(topic_named(delivery.source_arn), name, 1)

    def _put(self, topic: TopicName, name: str, value: float, unit: str = "Count") -> None:
        self._meter.put(topic.scope, name, (("TopicName", topic.name),), float(value), unit)
