"""Where records and dead letters of asynchronous invokes go besides functions: buckets, queues, topics, event buses.

One table of kinds. Each is reached through the other service's own API, as the function's role; whether that service is
here, its answer says: a destination of a service that is missing is refused by name when it is configured.
AWS: Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations" (permissions, formats), "Dead-letter
queues" (message attributes).
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from undercast.core import json_values
from undercast.core.arn import AccountId, Arn, Region, Scope, is_fifo
from undercast.core.backoff import Backoff
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.identity import Principal, root_principal, service_principal
from undercast.core.record import record
from undercast.events.delivery import Delivery, Outcome
from undercast.services.lambda_.errors import invalid
from undercast.services.lambda_.instance import PRINCIPAL, Lambda
from undercast.services.lambda_.mapping_measures import count
from undercast.services.lambda_.roles import allows, session_of
from undercast.services.lambda_.tracing import HEADER
from undercast.services.target_calls import queue_url

log = logging.getLogger(__name__)

KIND = "lambda-destination"
BACKOFF = Backoff(longest_s=300.0)
MESSAGE_MAX = 1024
"""Of ErrorMessage. AWS: Lambda Developer Guide, "Dead-letter queues"."""
LONGEST_S = 21_600.0
"""How long a destination that fails with a fault of its own is tried. AWS does not say how long it tries."""

Call = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
Probe = Callable[[Call, Arn], Awaitable[object]]
Send = Callable[[Call, Delivery], Awaitable[object]]


@record
class Kind:
    """One service that can be a destination."""

    service: str
    """As `ctx.call` names it."""
    noun: str
    action: str
    """What the function's role needs."""
    sub_resource: str = ""
    """Behind the destination's ARN, where the action is on what is in it."""
    also: str = ""
    """A second action, on the destination itself, which AWS asks for when it is configured."""
    probe: Probe
    """Raises when the destination is not there."""
    send: Send

    def needs(self, arn: str) -> tuple[tuple[str, str], ...]:
        """The actions, each with its resource."""
        return ((self.action, f"{arn}{self.sub_resource}"), *(((self.also, arn),) if self.also else ()))


async def _send_message(call: Call, delivery: Delivery) -> object:
    url, text = queue_url(delivery.target_arn), delivery.payload.decode()
    return await call("SendMessage", {"QueueUrl": url, "MessageBody": text, "MessageAttributes": _attributes(delivery)})


async def _publish(call: Call, delivery: Delivery) -> object:
    text = delivery.payload.decode()
    attributes = _attributes(delivery)
    return await call("Publish", {"TopicArn": delivery.target_arn, "Message": text, "MessageAttributes": attributes})


async def _put_events(call: Call, delivery: Delivery) -> object:
    outcome = "Success" if delivery.attributes["condition"] == "Success" else "Failure"
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {outcome}",
        "Detail": delivery.payload.decode(),
        "Resources": [delivery.target_arn, delivery.attributes["function_arn"]],
        "EventBusName": delivery.target_arn,
    }
    answer = await call("PutEvents", {"Entries": [entry]})
    (result,) = answer["Entries"]
    if "ErrorCode" in result:
        raise ServiceError(result["ErrorCode"], result["ErrorMessage"])
    return answer


async def _put_object(call: Call, delivery: Delivery) -> object:
    """The name is the delivery's: an attempt that is repeated writes the same object again."""
    folder = delivery.attributes.get("folder") or f"async/{delivery.attributes['function_arn'].split(':')[6]}"
    at = datetime.fromtimestamp(delivery.created_at, UTC)
    key = f"aws/lambda/{folder}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{delivery.id}"
    bucket = Arn.parse(delivery.target_arn).resource
    body = {"Body": delivery.payload, "ContentType": "application/json"}
    return await call("PutObject", {"Bucket": bucket, "Key": key, **body})


def _attributes(delivery: Delivery) -> dict[str, Any]:
    """Of a dead letter; a record has none."""
    types = (("RequestID", "String"), ("ErrorCode", "Number"), ("ErrorMessage", "String"))
    return {
        name: {"DataType": data_type, "StringValue": delivery.attributes[name]}
        for name, data_type in types
        if delivery.attributes.get(name)
    }


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "s3": Kind(
            service="s3",
            noun="buckets",
            action="s3:PutObject",
            sub_resource="/*",
            also="s3:ListBucket",
            probe=lambda call, arn: call("HeadBucket", {"Bucket": arn.resource}),
            send=_put_object,
        ),
        "sqs": Kind(
            service="sqs",
            noun="queues",
            action="sqs:SendMessage",
            probe=lambda call, arn: call(
                "GetQueueUrl", {"QueueName": arn.resource, "QueueOwnerAWSAccountId": arn.account_id}
            ),
            send=_send_message,
        ),
        "sns": Kind(
            service="sns",
            noun="topics",
            action="sns:Publish",
            probe=lambda call, arn: call("GetTopicAttributes", {"TopicArn": str(arn)}),
            send=_publish,
        ),
        "events": Kind(
            service="events",
            noun="event buses",
            action="events:PutEvents",
            probe=lambda call, arn: call("DescribeEventBus", {"Name": str(arn)}),
            send=_put_events,
        ),
    }
)
DEAD_LETTER_KINDS = frozenset({"sqs", "sns"})
STREAM_KINDS = frozenset({"sqs", "sns", "s3"})
"""Where the records of a stream's batches may go."""


def kind_of(arn: str) -> Kind | None:
    """The kind of a destination's ARN; None for what can be none here, functions included."""
    parts = arn.split(":")
    return KINDS.get(parts[2]) if len(parts) > 5 else None


async def check(ctx: RequestContext, arn: str, role_arn: str, member: str) -> None:
    """Whether records can go there. Raises AWS's errors, or names `member` where the service is missing here."""
    kind = kind_of(arn)
    if kind is None or is_fifo(arn):
        raise invalid(f"The destination ARN {arn} is invalid.")
    await _check_exists(ctx, kind, arn, member)
    for action, resource in kind.needs(arn):
        if await allows(ctx, role_arn, action, resource) is False:
            role = await session_of(ctx, role_arn, "lambda")
            if not await ctx.permits(role, action, resource, {}):
                called = action.partition(":")[2]
                raise invalid(f"The function's execution role does not have permissions to call {called} on {arn}")


async def check_stream(ctx: RequestContext, arn: str, role_arn: str) -> None:
    """The same for DestinationConfig.OnFailure of a stream's mapping: a queue, a topic or a bucket."""
    member = f"DestinationConfig.OnFailure.Destination={arn}"
    if arn.startswith("kafka:"):
        raise refused_member(ctx.operation, member, "there is no Kafka here")
    kind = kind_of(arn)
    if kind is None or kind.service not in STREAM_KINDS:
        raise invalid(f"The destination ARN {arn} is invalid.")
    await check(ctx, arn, role_arn, member)


async def check_dead_letter(ctx: RequestContext, operation: str, arn: str, role_arn: str) -> None:
    """The same for DeadLetterConfig: a queue or a topic."""
    kind = kind_of(arn)
    if kind is None or kind.service not in DEAD_LETTER_KINDS or is_fifo(arn):
        raise invalid(f"The provided target ARN is invalid: {arn}")
    await _check_exists(ctx, kind, arn, f"DeadLetterConfig.TargetArn={arn} of {operation}")
    if await allows(ctx, role_arn, kind.action, arn) is False:
        service, called = kind.service.upper(), kind.action.partition(":")[2]
        raise invalid(f"The provided execution role does not have permissions to call {called} on {service}")


async def _check_exists(ctx: RequestContext, kind: Kind, arn: str, member: str) -> None:
    parsed = Arn.parse(arn)
    owner = AccountId(parsed.account_id or ctx.account_id)
    scope = Scope(owner, Region(parsed.region or ctx.region))
    try:
        await kind.probe(_caller(ctx, kind, scope, root_principal(owner)), parsed)
    except ServiceError as error:
        if error.code == "NotImplemented":
            operation = ctx.operation or "this operation"
            raise refused_member(operation, member, f"{kind.noun} do not exist here yet") from error
        if error.status != 403:
            raise invalid(f"The destination ARN {arn} is invalid.") from error


def _caller(ctx: RequestContext, kind: Kind, scope: Scope, principal: Principal) -> Call:
    def call(operation: str, params: Mapping[str, Any]) -> Awaitable[Mapping[str, Any]]:
        return ctx.call(kind.service, operation, params, principal=principal, scope=scope)

    return call


class DestinationTarget:
    """See `events.delivery.Target`. Sends what Lambda has to say, as the function's role."""

    def __init__(self, functions: Lambda) -> None:
        self._functions = functions

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. A refusal ends it, as on AWS (metric DestinationDeliveryFailures); a fault is tried again."""
        kind = kind_of(delivery.target_arn)
        assert kind is not None, "checked when it was configured"
        lambda_itself = service_principal(PRINCIPAL, delivery.scope.account_id)
        attributes = delivery.attributes
        ctx = self._functions.internal(delivery.scope, lambda_itself, Cause(kind="delivery", id=delivery.id))
        ctx = replace(ctx, headers={HEADER: attributes.get("trace_header", "")})
        role = await session_of(ctx, attributes["role_arn"], attributes["function_arn"].split(":")[6])
        try:
            await kind.send(_caller(ctx, kind, delivery.scope, role), delivery)
        except ServiceError as error:
            now = self._functions.clock.now()
            if (error.status < 500 and error.status != 429) or now - delivery.created_at > LONGEST_S:
                log.warning("%s cannot be delivered to %s: %s", delivery.id, delivery.target_arn, error)
                failure = "DestinationDeliveryFailures" if "condition" in attributes else "DeadLetterErrors"
                self._functions.measures.note(attributes["function_arn"], failure, 1.0)
                self._count(delivery, "DroppedEventCount", "dropped")
                return Outcome(kind="dead", reason=error.message)
            due_at = now + BACKOFF.wait_s(delivery.throttles)
            return Outcome(kind="retry", due_at=due_at, counted=False, reason=error.message)
        self._count(delivery, "OnFailureDestinationDeliveredEventCount", "sent")
        return Outcome(kind="done")

    def _count(self, delivery: Delivery, name: str, which: str) -> None:
        """Of a mapping that counts its events, as the delivery says."""
        if mapping_id := delivery.attributes.get("mapping"):
            parts = delivery.attributes["function_arn"].split(":")
            scope = Scope(AccountId(parts[4]), Region(parts[3]))
            count(self._functions.measures, scope, mapping_id, name, int(delivery.attributes[which]))


def dead_letter(event: Delivery, ended: ServiceError | bytes) -> dict[str, str]:
    """The attributes of a dead letter: `ended` is what the function answered last, or why it did not run then.

    AWS: Lambda Developer Guide, "Dead-letter queues": ErrorCode is the "3-digit HTTP error code", ErrorMessage the
    first 1 KB of the error. Recorded from AWS: 200 for a function's error, 429 and "Rate Exceeded." where the last
    attempts were throttled. What else Invoke can answer, it answers here, too.
    """
    code, message = (ended.status, ended.message) if isinstance(ended, ServiceError) else (200, message_of(ended))
    return {"RequestID": event.id, "ErrorCode": str(code), "ErrorMessage": message[:MESSAGE_MAX]}


def message_of(payload: bytes) -> str:
    """The errorMessage of a function's answer; the whole answer where it has none."""
    return error_of(payload).get("errorMessage") or payload.decode(errors="replace")


def error_of(payload: bytes) -> dict[str, str]:
    """The errorType and errorMessage that a function's answer has, as text that can be stored; {} if it is no JSON.

    A runtime may post any text as its error. Half of a surrogate pair is "?", as Java writes it.
    """
    try:
        answer = json_values.parse(payload or b"{}")
        found = answer if isinstance(answer, dict) else {}
        told = {name: str(found[name]) for name in ("errorType", "errorMessage") if found.get(name)}
    except (ValueError, RecursionError):  # writing a value down may go deeper than reading it did
        return {}
    return {name: text.encode(errors="replace").decode() for name, text in told.items()}
