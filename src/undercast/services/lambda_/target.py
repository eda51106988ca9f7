"""Functions as targets of deliveries: asynchronous invokes, S3 events, and whatever else is delivered to a function.

One attempt per call; when the next one is, AWS's rules say, on the platform clock: function errors count (again after
1 and 2 minutes), throttles and faults do not (1 s growing to 5 minutes), nothing lives longer than its maximum age.
AWS: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation", "Capturing records of
Lambda asynchronous invocations".
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple
from zlib import crc32

from undercast.core import json_text
from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.backoff import Backoff
from undercast.core.clock import PlatformClock, iso_millis
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.core.identity import service_principal
from undercast.events.delivery import FORGIVEN, Delivery, Outcome, Refusal, refused
from undercast.sandbox.model import FunctionVersion, Invocation, InvocationResult, Queued
from undercast.services.lambda_ import destinations, store
from undercast.services.lambda_.catalog import DEFAULT_MAX_AGE_S, Resolved
from undercast.services.lambda_.execution import RECURSIVE, parent_of, recursive, run, version_to_run
from undercast.services.lambda_.instance import PRINCIPAL, Lambda
from undercast.services.lambda_.lineage import Chain, attributes_of, carried_by, merged, of_header, with_chain
from undercast.services.lambda_.measures import MILLISECONDS
from undercast.services.lambda_.names import number_of, parse_function_arn, qualified
from undercast.services.lambda_.operations.invoke import KIND
from undercast.services.lambda_.roles import may_invoke
from undercast.services.lambda_.tracing import event_header

log = logging.getLogger(__name__)

RETRY_DELAYS_S = (60.0, 120.0)
BACKOFF = Backoff(longest_s=300.0)
"""AWS: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation" (1 s to 5 min)."""
PASSING = frozenset({"ResourceConflictException", "TooManyRequestsException"})
"""Errors of ours to the caller that end by themselves: the function is Pending, or throttled."""
SUCCESS, EXHAUSTED, TOO_OLD, ZERO = "Success", "RetriesExhausted", "EventAgeExceeded", "ZeroReservedConcurrency"
"""Conditions of a record. The last one stands in records of AWS's; its documentation has no list of them."""
NOT_INVOKED = "Function not invoked. Function isconfigured with zero reserved concurrent executions"
"""ErrorMessage of a dead letter, as AWS spells it."""


class Ran(NamedTuple):
    """The version that ran and its answer."""

    function: FunctionVersion
    result: InvocationResult


Ended = Ran | ServiceError | None
"""How the last attempt did: it ran, it was refused, or there was none. With status 200 it ran once, and nothing more is
known of it than its error's text."""
CODE, MESSAGE = "ended_code", "ended_message"
"""Attributes of a delivery that is tried again: ErrorCode and ErrorMessage of its last attempt."""


class Age:
    """How old an event is at an attempt: of a retry without what the clock has jumped since it was due.

    Else a clock that is advanced by hours would take the retries away that those hours have, as too old. Time that
    passed counts, that of a stopped platform, too. One for each attempt, made at its begin.
    """

    def __init__(self, delivery: Delivery, clock: PlatformClock) -> None:
        self._delivery, self._clock = delivery, clock
        now = clock.now()
        is_retry = delivery.attempts or delivery.throttles
        self._came_at = now - clock.jumped_s(delivery.due_at or now) if is_retry else now
        self._began_s = clock.host_s()
        self._forgiven_s = float(delivery.attributes.get(FORGIVEN, 0.0)) if is_retry else 0.0

    def moment(self) -> float:
        """Now, on a clock that has not jumped since the event was due."""
        return self._came_at + self._clock.host_s() - self._began_s

    def now_s(self) -> float:
        """How old it is."""
        return max(0.0, self.moment() - self._delivery.created_at - self._forgiven_s)

    def forgiven(self) -> dict[str, str]:
        """The attribute with which an attempt that is due behind the jumps counts as if there had been none."""
        seconds = self._clock.now() - self._delivery.created_at - self.now_s()
        return {FORGIVEN: repr(seconds)} if seconds - self._forgiven_s >= 1.0 else {}


class FunctionTarget:
    """See `events.delivery.Target`."""

    def __init__(self, functions: Lambda) -> None:
        self._functions = functions

    def at_once(self, delivery: Delivery) -> int:
        """As many as the function's concurrency lets run and this machine has room for.

        AWS: Lambda Developer Guide, "Understanding Lambda function scaling": the account's or the reserved concurrency
        is the only bound.
        """
        resolved = self._functions.catalog.peek(delivery.scope, delivery.target_arn, None)
        if resolved is None:
            return 0
        lanes = {id(lane): lane.limit for of_version in resolved.lanes.values() for lane in of_version}
        return min(sum(lanes.values()), self._functions.environments.room_for(resolved.function))

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. While it is not known what runs, the default maximum age holds."""
        age = Age(delivery, self._functions.clock)
        age_s = age.now_s()
        try:
            resolved = await self._functions.catalog.resolve(delivery.scope, delivery.target_arn)
            permitted = await self._permitted(delivery)
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":
                return self._discarded(delivery, error.message, "missing")
            if error.fault == "client" and error.code not in PASSING:
                return self._discarded(delivery, error.message)
            later = self._later(delivery, DEFAULT_MAX_AGE_S, error, age)
            return later or self._discarded(delivery, f"{TOO_OLD}: {error.message}")
        if not permitted:
            return self._discarded(delivery, f"{delivery.source_arn} may not invoke the function", "forbidden")
        if not delivery.attempts and not delivery.throttles:
            self._functions.measures.note(resolved.invoked_arn, "AsyncEventsReceived", 1.0)
        self._functions.measures.note(resolved.invoked_arn, "AsyncEventAge", 1000 * age_s, MILLISECONDS)
        if age_s > resolved.max_age_s:
            return await self._failed(delivery, resolved, TOO_OLD, _noted(delivery))
        if resolved.reserved == 0:
            return await self._failed(delivery, resolved, ZERO, None)
        try:
            ran = await self._run(delivery, resolved)
        except ServiceError as error:
            if error.code == RECURSIVE:
                return await self._failed(delivery, resolved, error.code, None)
            later = self._later(delivery, resolved.max_age_s, error, age)
            return later or await self._failed(delivery, resolved, TOO_OLD, error)
        return await self._judged(delivery, resolved, ran, age)

    async def _permitted(self, delivery: Delivery) -> bool:
        """Whether the service, or the function whose record it is, may invoke the function; a caller of ours may.

        Asked before the first attempt only: an event that Lambda has taken is its own.
        AWS: Lambda Developer Guide, "Granting Lambda function access to AWS services", "Capturing records of Lambda
        asynchronous invocations" (the execution role needs lambda:InvokeFunction).
        """
        if delivery.attempts or delivery.throttles:
            return True
        attributes = delivery.attributes
        if "role_arn" in attributes:
            lambda_itself = service_principal(PRINCIPAL, delivery.scope.account_id)
            ctx = self._functions.internal(delivery.scope, lambda_itself)
            sender = attributes["function_arn"].split(":")[6]
            return await may_invoke(ctx, attributes["role_arn"], sender, delivery.target_arn)
        account = attributes.get("source_account")
        if account is None:
            return True
        service = service_principal(f"{Arn.parse(delivery.source_arn).service}.amazonaws.com", AccountId(account))
        conditions = {"aws:SourceArn": delivery.source_arn, "aws:SourceAccount": account}
        ctx = self._functions.internal(delivery.scope, service)
        return await ctx.permits(service, "lambda:InvokeFunction", delivery.target_arn, conditions)

    async def _run(self, delivery: Delivery, resolved: Resolved) -> Ran:
        function, attributes = version_to_run(self._functions, resolved), delivery.attributes
        invocation = Invocation(
            request_id=delivery.id,
            function=function,
            payload=delivery.payload,
            invoked_arn=resolved.invoked_arn,
            cause=Cause(kind="delivery", id=delivery.id),
            client_context=attributes.get("client_context", ""),
            trace_header=event_header(
                attributes.get("trace_header", ""), delivery.id, delivery.created_at, active=function.traces_actively
            ),
            queued=Queued(delivery.created_at, delivery.attempts + 1),
            synchronous=False,
        )
        parent, chain = parent_of(delivery.cause), carried_by(attributes)
        return Ran(function, await run(self._functions, resolved, invocation, parent, chain))

    async def _judged(self, delivery: Delivery, resolved: Resolved, ran: Ran, age: Age) -> Outcome:
        if ran.result.function_error is None:
            return Outcome(kind="done", follow_ups=await self._records(delivery, resolved, SUCCESS, ran))
        failures = delivery.attempts + 1
        if failures > resolved.retries:
            return await self._failed(delivery, resolved, EXHAUSTED, ran)
        delay_s = RETRY_DELAYS_S[min(failures, len(RETRY_DELAYS_S)) - 1]
        if age.now_s() + delay_s > resolved.max_age_s:  # as AWS: not when the retry would come
            return await self._failed(delivery, resolved, TOO_OLD, ran)
        noted = _note(delivery, "200", destinations.message_of(ran.result.payload))
        return Outcome(kind="retry", due_at=age.moment() + delay_s, counted=True, reason="function error", noted=noted)

    def _later(self, delivery: Delivery, max_age_s: int, error: ServiceError, age: Age) -> Outcome | None:
        """Throttled, or a fault of ours: back to the queue without counting. None: it would be too old by then.

        Recorded from AWS: an event with 60 s, throttled each time, is given up after 31 (1 + 2 + 4 + 8 + 16), as the
        next attempt would come behind the 60th.

        Events that were throttled together are spread over half the delay: coming back together, all but the reserved
        concurrency would be throttled again.
        """
        delay_s = BACKOFF.wait_s(delivery.throttles)
        delay_s *= 1 - crc32(delivery.id.encode()) / 2**33
        if age.now_s() + delay_s > max_age_s:
            return None
        noted = {**_note(delivery, str(error.status), error.message), **age.forgiven()}
        due_at = self._functions.clock.now() + delay_s
        return Outcome(kind="retry", due_at=due_at, counted=False, reason=error.message, noted=noted)

    async def _failed(self, delivery: Delivery, resolved: Resolved, condition: str, ended: Ended) -> Outcome:
        unable = self._functions.unable.reason(resolved.function)
        why = f"{condition} ({unable})" if unable else condition
        log.warning("event %s for %s is given up: %s", delivery.id, delivery.target_arn, why)
        self._functions.measures.note(resolved.invoked_arn, "AsyncEventsDropped", 1.0)
        records = await self._records(delivery, resolved, condition, ended)
        told = unable or _error_of(ended) or ("its reserved concurrency is 0" if condition == ZERO else "")
        return Outcome(
            kind="dead",
            reason=f"{condition}: {told}" if told else condition,
            follow_ups=(*records, *self._dead_letters(delivery, resolved, condition, ended)),
        )

    def _discarded(self, delivery: Delivery, reason: str, why: Refusal = "") -> Outcome:
        log.warning("event %s is discarded: %s", delivery.id, reason)
        if "role_arn" in delivery.attributes:  # a record of another function
            self._functions.measures.note(delivery.attributes["function_arn"], "DestinationDeliveryFailures", 1.0)
        return refused(delivery, reason, self._functions.clock.now(), why)

    async def _records(
        self, delivery: Delivery, resolved: Resolved, condition: str, ended: Ended
    ) -> tuple[Delivery, ...]:
        """The invocation record for the destination that the outcome has, committed together with the outcome."""
        arn = resolved.destinations.get("OnSuccess" if condition == SUCCESS else "OnFailure")
        if arn is None:
            return ()
        payload = await _record(delivery, resolved, condition, ended, self._functions.clock.now())
        function = parse_function_arn(arn)
        if function is None:
            return (self._sent(delivery, resolved, arn, payload, {"condition": condition}),)
        sent = self._sent(delivery, resolved, arn, payload, attributes_of(self._chain(delivery)))
        return (replace(sent, kind=KIND, scope=function.scope),)

    def _chain(self, delivery: Delivery) -> Chain:
        """Of what the event causes: of its last run, or of what led to it where it did not run."""
        attributes = delivery.attributes
        known = self._functions.lineages.of(delivery.id) or self._functions.lineages.of(parent_of(delivery.cause))
        return known or merged(carried_by(attributes), of_header(attributes.get("trace_header", "")))

    def _dead_letters(
        self, delivery: Delivery, resolved: Resolved, condition: str, ended: Ended
    ) -> tuple[Delivery, ...]:
        """The event itself, for the queue or topic of DeadLetterConfig. Read from the store: failures are few."""
        function = ended.function if isinstance(ended, Ran) else resolved.function
        number = number_of(function.version) or 0
        version = self._functions.database.read_now(lambda tx: store.version(tx, resolved.scope, function.name, number))
        arn = version.configuration.get("DeadLetterConfig", {}).get("TargetArn") if version is not None else None
        if not arn:
            return ()
        if condition == ZERO:  # nobody was asked to run it, and so there is no ErrorCode
            attributes = {"RequestID": delivery.id, "ErrorMessage": NOT_INVOKED}
        elif ended is None and condition == TOO_OLD and not self._functions.unable.reason(resolved.function):
            attributes = {"RequestID": delivery.id}  # too old before anybody was asked
        else:
            answer = ended.result.payload if isinstance(ended, Ran) else self._refusal(resolved, condition, ended)
            attributes = destinations.dead_letter(delivery, answer)
        return (self._sent(delivery, resolved, arn, delivery.payload, attributes),)

    def _refusal(self, resolved: Resolved, condition: str, ended: ServiceError | None) -> ServiceError | bytes:
        """What Invoke would say of an event that is given up and did not run; b"" where nobody was asked to run it."""
        if condition == RECURSIVE:
            return recursive()
        if unable := self._functions.unable.reason(resolved.function):
            return ServiceError("ServiceException", unable, 500)
        return ended or b""

    def _sent(
        self, event: Delivery, resolved: Resolved, arn: str, payload: bytes, attributes: Mapping[str, str]
    ) -> Delivery:
        """What Lambda sends because of an event, committed together with the event's outcome."""
        target, now = Arn.parse(arn), self._functions.clock.now()
        function, given = resolved.function, event.attributes.get("trace_header", "")
        header = event_header(given, event.id, event.created_at, active=function.traces_actively)
        return Delivery(
            id=self._functions.ids.uuid(),
            kind=destinations.KIND,
            target_arn=arn,
            payload=payload,
            scope=Scope(AccountId(target.account_id or function.account_id), Region(target.region or function.region)),
            created_at=now,
            cause=Cause(kind="invocation", id=event.id),
            source_arn=function.arn,
            attributes={
                "trace_header": with_chain(header, self._chain(event)),
                "role_arn": function.role_arn,
                "function_arn": qualified(function.arn, function.version),
                **attributes,
            },
        )


def _note(delivery: Delivery, code: str, message: str) -> dict[str, str]:
    """How its last attempt ended, where that is not known yet: it may be too old when its next one comes."""
    told = {CODE: code, MESSAGE: message[: destinations.MESSAGE_MAX]}
    return {} if told.items() <= delivery.attributes.items() else told


def _noted(delivery: Delivery) -> ServiceError | None:
    """What `_note` has written, in this life of the delivery."""
    if not (delivery.attempts or delivery.throttles) or CODE not in delivery.attributes:
        return None
    return ServiceError("", delivery.attributes[MESSAGE], int(delivery.attributes[CODE]))


async def _record(delivery: Delivery, resolved: Resolved, condition: str, ended: Ended, now: float) -> bytes:
    """Version 1.0 of the record; only an attempt that ran has a response. Payloads go in as they are, unparsed.

    Recorded from AWS: of an event that was throttled until it was too old the response is a status alone.
    """
    ran = ended if isinstance(ended, Ran) else None
    version = ran.function.version if ran is not None else resolved.function.version
    record = {
        "version": "1.0",
        "timestamp": iso_millis(now),
        "requestContext": {
            "requestId": delivery.id,
            "functionArn": qualified(resolved.function.arn, version),
            "condition": condition,
            "approximateInvokeCount": delivery.attempts + (ran is not None),
        },
    }
    text = f'{json.dumps(record)[:-1]}, "requestPayload": {await _value(delivery.payload)}'
    if ran is not None:
        error = ran.result.function_error
        context = {
            "statusCode": 200,
            "executedVersion": version,
            **({"functionError": error} if error else {}),
        }
        text += f', "responseContext": {json.dumps(context)}, "responsePayload": {await _value(ran.result.payload)}'
    elif isinstance(ended, ServiceError) and ended.status != 200:
        text += f', "responseContext": {json.dumps({"statusCode": ended.status})}'
    return f"{text}}}".encode()


def _error_of(ended: Ended) -> str:
    """What the function answered, in words: "ValueError: no such key"; or why it did not run."""
    if isinstance(ended, ServiceError):
        return ended.message
    return ": ".join(destinations.error_of(ended.result.payload).values()) if ended is not None else ""


async def _value(payload: bytes) -> str:
    """JSON as it is; what a custom runtime answered besides JSON as text."""
    text = payload.decode(errors="replace")
    try:
        await json_text.check(text)
    except ValueError:
        return json.dumps(text) if text else "null"
    return text
