"""What a target gets: its Input with the words that stand for the invocation, or AWS's own event.

Pure. AWS: EventBridge Scheduler User Guide, "Adding context attributes", "Using templated targets" (default event).
"""

from datetime import UTC, datetime

from undercast.events.delivery import Delivery
from undercast.events.inputs import compact


def iso_seconds(at: float) -> str:
    """2026-11-29T14:10:00Z."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def text_of(delivery: Delivery) -> str:
    """The text of one attempt."""
    attributes = delivery.attributes
    if "has_input" not in attributes:
        return compact(
            {
                "version": "0",
                "id": delivery.id,
                "detail-type": "Scheduled Event",
                "source": "aws.scheduler",
                "account": delivery.scope.account_id,
                "time": attributes["scheduled_time"],
                "region": delivery.scope.region,
                "resources": [delivery.source_arn],
                "detail": "{}",
            }
        )
    text = delivery.payload.decode()
    for word, value in (
        ("schedule-arn", delivery.source_arn),
        ("scheduled-time", attributes["scheduled_time"]),
        ("execution-id", delivery.id),
        ("attempt-number", str(delivery.attempts + 1)),
    ):
        text = text.replace(f"<aws.scheduler.{word}>", value)
    return text
