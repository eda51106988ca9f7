"""Invocations of schedules: the target is called as the schedule's role, again while its RetryPolicy has attempts left.

AWS: EventBridge Scheduler User Guide, "Using templated targets", "Using universal targets", "Configuring a dead-letter
queue" (message attributes; the queue is sent to as the role, too).
"""

import logging
from dataclasses import replace
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Arn
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, service_principal
from undercast.events.delivery import Delivery, Outcome
from undercast.services import roles, target_calls
from undercast.services.scheduler import measures
from undercast.services.scheduler.inputs import text_of
from undercast.services.scheduler.instance import Scheduler
from undercast.services.scheduler.models import PRINCIPAL
from undercast.services.scheduler.universal import is_universal, named
from undercast.services.target_calls import BACKOFF, Letter, is_throttle, is_transient, queue_url, scope_of

log = logging.getLogger(__name__)

DEAD_LETTERS = "scheduler-dead-letter"
_MAX_LETTER = 200_000
"""IS_PAYLOAD_TRUNCATED: an input that is longer is cut in the dead-letter queue."""


class ScheduleTarget:
    """See `events.delivery.Target`. The attributes of a delivery are what `rounds` gives it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once."""
        ctx = _context(self._scheduler, delivery)
        self._scheduler.measures.note(delivery, measures.ATTEMPT)
        try:
            role = await _role(ctx, delivery)
            await self._call(ctx, role, delivery)
        except ServiceError as error:
            return self._failed(delivery, error)
        return Outcome(kind="done")

    async def _call(self, ctx: RequestContext, role: Principal, delivery: Delivery) -> None:
        arn, text = delivery.attributes["arn"], text_of(delivery)
        if is_universal(arn):
            await self._call_operation(ctx, role, arn, text)
        elif Arn.parse(arn).service == "events":
            await _put_event(ctx, role, delivery, text)
        else:
            letter = Letter(
                arn=arn,
                text=text,
                group_id=delivery.attributes.get("group_id", ""),
                partition_key=delivery.attributes.get("partition_key", ""),
                name=delivery.id,
            )
            await target_calls.send(ctx, target_calls.KINDS[Arn.parse(arn).service], role, letter)

    async def _call_operation(self, ctx: RequestContext, role: Principal, arn: str, text: str) -> None:
        found = named(self._scheduler.sdk, arn)
        assert found is not None, "checked when the schedule was made"
        try:
            document = json_values.parse(text)
        except ValueError:
            raise ServiceError("ValidationException", "The input must be a JSON object.") from None
        params = self._scheduler.sdk.parameters_of(found.service, found.operation, document)
        await ctx.call(found.service, found.operation, params, principal=role)

    def _failed(self, delivery: Delivery, error: ServiceError) -> Outcome:
        attributes, now = delivery.attributes, self._scheduler.clock.now()
        throttled = is_throttle(error)
        self._scheduler.measures.note(delivery, measures.THROTTLED if throttled else measures.TARGET_ERROR)
        if not is_transient(error):
            return self._given_up(delivery, error, "")
        if delivery.attempts >= int(attributes["max_attempts"]):
            return self._given_up(delivery, error, "MaximumRetryAttempts")
        due_at = now + BACKOFF.wait_s(delivery.attempts)
        if due_at - delivery.created_at > int(attributes["max_age_s"]):
            return self._given_up(delivery, error, "MaximumEventAgeInSeconds")
        return Outcome(kind="retry", due_at=due_at, counted=True, reason=error.message)

    def _given_up(self, delivery: Delivery, error: ServiceError, condition: str) -> Outcome:
        log.warning("the invocation of %s is given up: %s", delivery.source_arn, error)
        self._scheduler.measures.note(delivery, measures.DROPPED)
        queue = delivery.attributes.get("dead_letter_arn")
        if not queue:
            return Outcome(kind="dead", reason=error.message)
        letter = replace(
            delivery,
            id=f"{delivery.id}-dead-letter",
            kind=DEAD_LETTERS,
            target_arn=queue,
            payload=text_of(delivery).encode(),
            created_at=self._scheduler.clock.now(),
            cause=Cause(kind="delivery", id=delivery.id),
            attributes={
                **delivery.attributes,
                "error_code": error.code,
                "error_message": error.message[:1024] or error.code,
                "condition": condition,
                "retries": str(delivery.attempts),
            },
            due_at=0.0,
            attempts=0,
            throttles=0,
        )
        return Outcome(kind="dead", reason=error.message, follow_ups=(letter,))


class DeadLetterTarget:
    """Sends what failed to the schedule's queue, as its role. See `events.delivery.Target`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once; a refusal ends it."""
        ctx = _context(self._scheduler, delivery)
        scope = scope_of(delivery.target_arn, delivery.scope)
        text = delivery.payload.decode()
        try:
            role = await _role(ctx, delivery)
            message = {
                "QueueUrl": queue_url(delivery.target_arn),
                "MessageBody": text[:_MAX_LETTER] or " ",
                "MessageAttributes": _told(delivery),
            }
            await ctx.call("sqs", "SendMessage", message, principal=role, scope=scope)
        except ServiceError as error:
            if is_transient(error) and delivery.attempts < int(delivery.attributes["max_attempts"]):
                due_at = self._scheduler.clock.now() + BACKOFF.wait_s(delivery.attempts)
                return Outcome(kind="retry", due_at=due_at, counted=True, reason=error.message)
            log.warning("%s cannot be sent to %s: %s", delivery.id, delivery.target_arn, error)
            for name in (measures.LOST, f"{measures.LOST}_{error.code}"):
                self._scheduler.measures.note(delivery, name)
            return Outcome(kind="dead", reason=error.message)
        for name in (measures.SENT, *((measures.CUT,) if len(text) > _MAX_LETTER else ())):
            self._scheduler.measures.note(delivery, name)
        return Outcome(kind="done")


def _told(delivery: Delivery) -> dict[str, Any]:
    attributes = delivery.attributes
    told = {
        "ERROR_CODE": attributes["error_code"],
        "ERROR_MESSAGE": attributes["error_message"],
        "EXHAUSTED_RETRY_CONDITION": attributes["condition"],
        "IS_PAYLOAD_TRUNCATED": "true" if len(delivery.payload.decode()) > _MAX_LETTER else "false",
        "RETRY_ATTEMPTS": attributes["retries"],
        "SCHEDULED_TIME": attributes["scheduled_time"],
        "SCHEDULE_ARN": delivery.source_arn,
        "TARGET_ARN": attributes["arn"],
    }
    return {name: {"DataType": "String", "StringValue": value} for name, value in told.items() if value}


def _context(scheduler: Scheduler, delivery: Delivery) -> RequestContext:
    principal = service_principal(PRINCIPAL, delivery.scope.account_id)
    return scheduler.internal(delivery.scope, principal, Cause(kind="delivery", id=delivery.id))


async def _role(ctx: RequestContext, delivery: Delivery) -> Principal:
    """The role as Scheduler assumes it. Raises AccessDeniedException."""
    role_arn = delivery.attributes["role_arn"]
    conditions = {"aws:SourceArn": delivery.source_arn, "aws:SourceAccount": str(delivery.scope.account_id)}
    if not await roles.trusts(ctx, PRINCIPAL, role_arn, conditions):
        raise ServiceError("AccessDeniedException", f"EventBridge Scheduler may not assume {role_arn}", 403)
    return await roles.session_of(ctx, PRINCIPAL, role_arn, delivery.source_arn.rpartition("/")[2])


async def _put_event(ctx: RequestContext, role: Principal, delivery: Delivery, text: str) -> None:
    """EventBridgeParameters: the input is the detail."""
    attributes = delivery.attributes
    entry = {
        "EventBusName": attributes["arn"],
        "DetailType": attributes["detail_type"],
        "Source": attributes["source"],
        "Detail": text,
        "Resources": [delivery.source_arn],
    }
    scope = scope_of(attributes["arn"], ctx.scope)
    answer = await ctx.call("events", "PutEvents", {"Entries": [entry]}, principal=role, scope=scope)
    (result,) = answer["Entries"]
    if "ErrorCode" in result:
        raise ServiceError(result["ErrorCode"], result["ErrorMessage"])
