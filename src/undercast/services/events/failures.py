"""Deliveries that did not succeed: tried again as the target's RetryPolicy says, then to its dead-letter queue.

What no retry mends (permissions, a target that is gone) goes to the queue at once, with what happened as message
attributes. AWS: EventBridge User Guide, "How EventBridge retries delivering events", "Using
dead-letter queues to process undelivered events in EventBridge" (attributes, error codes). Recorded from AWS: the body
is what the target would have got, and what was not tried again has no RETRY_ATTEMPTS.
"""

import json
import logging
from dataclasses import replace

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.events.delivery import Delivery, Outcome, refused
from undercast.services.events.measures import FAILED, LOST, SENT, Measures
from undercast.services.target_calls import BACKOFF, is_throttle, is_transient

log = logging.getLogger(__name__)

_CODES = {"missing": "NO_RESOURCE", "forbidden": "NO_PERMISSIONS"}
"""Of what a function, queue or topic refused (`events.delivery.Refusal`)."""


def give_up(delivery: Delivery, code: str, reason: str, now: float, condition: str = "") -> Outcome:
    """No further attempt."""
    log.warning("the event of %s for %s is given up: %s", delivery.source_arn, delivery.target_arn, reason)
    told = {"error_code": code}
    if delivery.attempts:
        told["retries"] = str(delivery.attempts)
    if condition:
        told["condition"] = condition
    return refused(replace(delivery, attributes={**delivery.attributes, **told}), reason, now)


def no_role(delivery: Delivery, now: float) -> Outcome:
    """Of a target that needs one and had its rule's, which a later PutRule has left out."""
    return give_up(delivery, "FAILED_TO_ASSUME_ROLE", "Neither the target nor its rule has a role.", now)


def again(delivery: Delivery, code: str, reason: str, now: float, at_least_s: float = 0.0) -> Outcome:
    """Another attempt, unless the RetryPolicy has no more."""
    attributes = delivery.attributes
    if delivery.attempts >= int(attributes["max_attempts"]):
        return give_up(delivery, code, reason, now, "MaximumRetryAttempts")
    delay_s = max(at_least_s, BACKOFF.wait_s(delivery.attempts))
    if now + delay_s - delivery.created_at > int(attributes["max_age_s"]):
        return give_up(delivery, code, reason, now, "MaximumEventAgeInSeconds")
    return Outcome(kind="retry", due_at=now + delay_s, counted=True, reason=reason)


def judged(delivery: Delivery, error: ServiceError, now: float) -> Outcome:
    """What a service's error means for a delivery."""
    if is_transient(error):
        return again(delivery, "THROTTLING" if is_throttle(error) else "INTERNAL_ERROR", error.message, now)
    if error.status == 403 or error.code.startswith("AccessDenied"):
        return give_up(delivery, "NO_PERMISSIONS", error.message, now)
    missing = error.status == 404 or "NotFound" in error.code or "NonExistent" in error.code
    return give_up(delivery, "NO_RESOURCE" if missing else "ERROR_FROM_TARGET", error.message, now)


class DeadLetterTarget:
    """Takes what a target refused to the queue of DeadLetterConfig, whose policy must let EventBridge in.

    Without a queue it is only counted. See `events.delivery.Target`.
    """

    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Hand it on."""
        attributes = delivery.attributes
        if "lost" in attributes:
            self._measures.note(delivery.source_arn, LOST)
            return Outcome(kind="done")
        self._measures.note(delivery.source_arn, FAILED)
        if "dead_letter" not in attributes:
            return Outcome(kind="done")
        self._measures.note(delivery.source_arn, SENT)
        return Outcome(kind="done", follow_ups=(_letter(delivery),))


def _letter(delivery: Delivery) -> Delivery:
    """To the queue; what the queue refuses comes back here, to be counted."""
    attributes = delivery.attributes
    arn = Arn.parse(attributes["dead_letter"])
    return replace(
        delivery,
        id=f"{delivery.id}-queue",
        kind="sqs",
        scope=Scope(AccountId(arn.account_id), Region(arn.region)),
        cause=Cause(kind="delivery", id=delivery.id),
        attributes={
            "source_account": attributes["source_account"],
            "message_attributes": json.dumps(_message_attributes(delivery)),
            "failure_kind": delivery.kind,
            "failure_arn": delivery.source_arn,
            "lost": "true",
        },
        due_at=0.0,
        attempts=0,
        throttles=0,
    )


def _message_attributes(delivery: Delivery) -> dict[str, dict[str, str]]:
    attributes = delivery.attributes
    reason = attributes.get("reason", "")
    told = {
        "RULE_ARN": delivery.source_arn,
        "TARGET_ARN": attributes["target"],
        "ERROR_CODE": attributes.get("error_code") or _CODES.get(attributes.get("refusal", ""), "ERROR_FROM_TARGET"),
        "ERROR_MESSAGE": reason,
        "RETRY_ATTEMPTS": attributes.get("retries", ""),
        "EXHAUSTED_RETRY_CONDITION": attributes.get("condition", ""),
    }
    return {
        name: {"DataType": "Number" if name == "RETRY_ATTEMPTS" else "String", "StringValue": value}
        for name, value in told.items()
        if value
    }
