"""Asynchronous invokes: when they are tried again, given up, and recorded."""

import json
from dataclasses import replace
from uuid import NAMESPACE_OID, uuid5

import pytest

from tests.unit.lambda_.conftest import World, echo, fail
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.events.delivery import Delivery, Outcome
from undercast.sandbox.model import Invocation, InvocationResult
from undercast.sandbox.runtimes.plan import invalid_runtime
from undercast.services.lambda_.target import FunctionTarget

ARN = "arn:aws:lambda:us-west-2:111122223333:function:f"


async def event(world: World) -> Delivery:
    """A function and an event for it."""
    await world.create()
    await world.call("Invoke", FunctionName="f", Payload=b'{"a": 1}', InvocationType="Event")
    return world.deliveries()[0]


async def deliver(world: World, delivery: Delivery) -> Outcome:
    """One attempt."""
    return await FunctionTarget(world.functions).deliver(delivery)


def again(delivery: Delivery, outcome: Outcome) -> Delivery:
    """What the router makes of a retry."""
    assert outcome.kind == "retry"
    counted = int(outcome.counted)
    return replace(
        delivery,
        due_at=outcome.due_at,
        attempts=delivery.attempts + counted,
        throttles=delivery.throttles + 1 - counted,
        attributes={**delivery.attributes, **outcome.noted},
    )


async def test_success_is_done(world: World) -> None:
    """The request id is the delivery's on every attempt; its cause is the delivery."""
    delivery = await event(world)
    assert await deliver(world, delivery) == Outcome(kind="done")
    (invocation,) = world.environments.invocations
    assert (invocation.request_id, invocation.synchronous) == (delivery.id, False)
    assert invocation.cause == Cause(kind="delivery", id=delivery.id)


async def test_as_many_events_at_once_as_concurrency_and_machine_admit(world: World) -> None:
    """AWS: the account's or the reserved concurrency bounds them; here the machine's room does, too."""
    delivery = await event(world)
    target = FunctionTarget(world.functions)
    await target.deliver(delivery)
    assert target.at_once(delivery) == 500
    await world.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=100)
    await target.deliver(delivery)
    assert target.at_once(delivery) == 100


async def test_function_error_is_retried_after_one_and_two_minutes(world: World) -> None:
    """Three attempts in all; each failure counts."""
    delivery = await event(world)
    world.environments.answer = fail
    now = world.clock.now()
    first = await deliver(world, delivery)
    second = await deliver(world, replace(delivery, attempts=1))
    third = await deliver(world, replace(delivery, attempts=2))
    assert [(one.kind, one.counted, one.due_at - now) for one in (first, second)] == [
        ("retry", True, 60.0),
        ("retry", True, 120.0),
    ]
    assert (third.kind, third.reason) == ("dead", "RetriesExhausted: E")


async def test_the_minutes_before_a_retry_begin_with_the_failure(world: World) -> None:
    """Neither when the event came nor when its run began."""
    delivery = await event(world)

    async def fail_late(invocation: Invocation) -> InvocationResult:
        world.clock.tick(30)
        return await fail(invocation)

    world.environments.answer = fail_late
    world.clock.tick(600)
    outcome = await deliver(world, delivery)
    assert (outcome.counted, outcome.due_at) == (True, world.clock.now() + 60.0)


@pytest.mark.parametrize("attempts", [0, 1])
async def test_retries_can_be_fewer(world: World, attempts: int) -> None:
    """MaximumRetryAttempts 0 to 2."""
    delivery = await event(world)
    await world.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=attempts)
    world.environments.answer = fail
    assert (await deliver(world, replace(delivery, attempts=attempts))).kind == "dead"


async def test_throttle_does_not_count(world: World) -> None:
    """1 s growing to 5 minutes."""
    delivery = await event(world)

    async def throttle(invocation: Invocation) -> InvocationResult:
        raise ServiceError("TooManyRequestsException", "Rate Exceeded.", 429)

    world.environments.answer = throttle
    now = world.clock.now()
    for throttles, longest_s in ((0, 1), (1, 2), (5, 32), (20, 300)):
        outcome = await deliver(world, replace(delivery, throttles=throttles))
        assert (outcome.kind, outcome.counted) == ("retry", False)
        assert longest_s / 2 <= outcome.due_at - now <= longest_s
    # What was throttled together does not come back together: reserved concurrency lets only so many in at once.
    ids = [str(uuid5(NAMESPACE_OID, str(number))) for number in range(16)]
    burst = [await deliver(world, replace(delivery, id=one, throttles=5)) for one in ids]
    assert len({int(outcome.due_at - now) for outcome in burst}) > 5


async def test_event_that_is_too_old_is_given_up(world: World) -> None:
    """MaximumEventAgeInSeconds, on the platform clock; six hours by default."""
    delivery = await event(world)
    world.clock.advance(21_600)
    assert (await deliver(world, delivery)).kind == "done"
    world.clock.advance(1)
    assert (await deliver(world, delivery)).reason == "EventAgeExceeded"
    await world.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumEventAgeInSeconds=60)
    young = replace(delivery, created_at=world.clock.now() - 61)
    assert (await deliver(world, young)).reason == "EventAgeExceeded"


async def test_moved_clock_passes_the_retries_of_its_hours(world: World) -> None:
    """An event is as old as it was when its retry came due: all three attempts are made, however far the clock went."""
    delivery = await event(world)
    world.environments.answer = fail
    began = world.clock.now()
    for attempts in (0, 1, 2):
        outcome = await deliver(world, replace(delivery, attempts=attempts))
        world.clock.advance(6 * 3600)
        delivery = replace(delivery, due_at=outcome.due_at)
    assert outcome.reason == "RetriesExhausted: E"
    assert delivery.created_at <= began
    throttled = replace(delivery, throttles=9, due_at=began + 21_601)
    assert (await deliver(world, throttled)).reason == "EventAgeExceeded"


async def test_waiting_makes_a_retry_too_old(world: World) -> None:
    """MaximumEventAgeInSeconds: a platform that was stopped for a week tries nothing then; jumps are forgiven alone."""
    delivery = await event(world)
    await world.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumEventAgeInSeconds=210)
    world.environments.answer = fail
    first = await deliver(world, delivery)
    retry = replace(delivery, attempts=1, due_at=first.due_at)
    world.clock.advance(3600)
    assert (await deliver(world, retry)).kind == "retry"
    world.clock.tick(30)
    assert (await deliver(world, retry)).kind == "retry"
    world.clock.tick(1)
    assert (await deliver(world, retry)).reason == "EventAgeExceeded: E"  # the next one would come too late
    world.clock.tick(120)
    assert (await deliver(world, retry)).reason == "EventAgeExceeded"
    later = replace(retry, created_at=world.clock.now(), due_at=world.clock.now() + 60)
    world.clock.tick(7 * 86_400)
    assert (await deliver(world, later)).reason == "EventAgeExceeded"


@pytest.mark.parametrize("retries", [0, 1, 2])
@pytest.mark.parametrize("jumps", [(), ("fail",), ("throttle",), ("fail", "throttle")])
async def test_a_moved_clock_takes_no_retry_and_gives_none(jumps: tuple[str, ...], retries: int, world: World) -> None:
    """MaximumRetryAttempts and one: however the clock is moved behind failures and throttles between them.

    A throttle waits behind the jump: no clock that is moved ends it, and nobody wants 80 attempts at once.
    """
    delivery = await event(world)
    await world.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=retries)
    script = ["throttle", "fail", "throttle", "throttle"] * 4
    ran = attempts = 0

    async def answer(invocation: Invocation) -> InvocationResult:
        nonlocal ran
        if script[attempts] == "throttle":
            raise ServiceError("TooManyRequestsException", "Rate Exceeded.", 429)
        ran += 1
        return await fail(invocation)

    world.environments.answer = answer
    while (outcome := await deliver(world, delivery)).kind == "retry":
        if script[attempts] in jumps:
            world.clock.advance(7 * 3600)
        attempts += 1
        delivery = again(delivery, outcome)
        world.clock.tick(max(0.0, outcome.due_at - world.clock.now()))
    assert (outcome.reason, ran) == ("RetriesExhausted: E", retries + 1)


async def test_time_that_passes_between_jumps_counts(world: World) -> None:
    """Six hours, of a throttled event whose clock is moved by days; what a jump has of a delay was waited for."""
    delivery = await event(world)

    async def throttle(invocation: Invocation) -> InvocationResult:
        raise ServiceError("TooManyRequestsException", "Rate Exceeded.", 429)

    world.environments.answer = throttle
    began_s = world.clock.host_s()
    while (outcome := await deliver(world, delivery)).kind == "retry":
        world.clock.advance(86_400)
        delivery = again(delivery, outcome)
        world.clock.tick(1000)
    assert outcome.reason == "EventAgeExceeded: Rate Exceeded."
    assert 15_000 <= world.clock.host_s() - began_s <= 21_600


async def test_event_whose_target_names_no_function_is_refused(world: World) -> None:
    """What can never be resolved ends at the first attempt, and goes where its sender says."""
    delivery = await event(world)
    nowhere = replace(
        delivery,
        target_arn=f"{ARN}:bad$alias",
        attributes={"failure_kind": "sqs", "failure_arn": "arn:aws:sqs:us-west-2:111122223333:dead"},
    )
    outcome = await deliver(world, nowhere)
    assert outcome.kind == "dead" and "failed to satisfy constraint" in outcome.reason
    assert [one.kind for one in outcome.follow_ups] == ["sqs"]


async def test_event_for_a_function_that_stays_pending_has_the_default_age(world: World) -> None:
    """A fault or a state that may pass is waited for, as long as an event may live."""
    delivery = await event(world)

    async def faulty(*_: object) -> None:
        raise ServiceError("ServiceException", "disk", 500)

    world.functions.catalog.resolve = faulty  # type: ignore[assignment, method-assign]
    assert (await deliver(world, delivery)).kind == "retry"
    world.clock.advance(21_601)
    outcome = await deliver(world, delivery)
    assert (outcome.kind, outcome.reason) == ("dead", "EventAgeExceeded: disk")


async def test_runtime_that_is_missing_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """At the first attempt, once, and when the event is given up; not any more when the function has run."""
    delivery = await event(world)

    async def missing(invocation: Invocation) -> InvocationResult:
        raise invalid_runtime("undercast runtimes install x")

    answer, world.environments.answer = world.environments.answer, missing
    late = replace(delivery, created_at=world.clock.now() - 21_601)
    for _ in range(2):
        assert (await deliver(world, delivery)).kind == "retry"
    assert (await deliver(world, late)).kind == "dead"
    told = [record.getMessage() for record in caplog.records]
    assert told[0].endswith(":function:f cannot be run: undercast runtimes install x")
    assert told[1].endswith("is given up: EventAgeExceeded (undercast runtimes install x)")
    world.environments.answer = answer
    assert (await deliver(world, delivery)).kind == "done"
    assert (await deliver(world, late)).kind == "dead"
    assert caplog.records[2].getMessage().endswith("is given up: EventAgeExceeded")
    assert len(caplog.records) == 3


async def test_function_with_no_concurrency_fails_at_once(world: World) -> None:
    """Reserved concurrency 0 sends the event straight to failure handling."""
    delivery = await event(world)
    await world.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
    outcome = await deliver(world, delivery)
    assert (outcome.kind, outcome.reason) == ("dead", "ZeroReservedConcurrency: its reserved concurrency is 0")
    assert world.environments.invocations == []


async def test_event_of_a_service_needs_the_functions_permission(world: World) -> None:
    """S3 may have been allowed when the notification was made; what counts is now. A retry is Lambda's own."""
    delivery = replace(await event(world), source_arn="arn:aws:s3:::b", attributes={"source_account": "444455556666"})
    world.permitted = False
    assert (await deliver(world, delivery)).kind == "dead"
    assert world.environments.invocations == []
    conditions = {"aws:SourceArn": "arn:aws:s3:::b", "aws:SourceAccount": "444455556666"}
    assert world.asked == [("s3.amazonaws.com", "lambda:InvokeFunction", delivery.target_arn, conditions)]
    assert (await deliver(world, replace(delivery, attempts=1))).kind == "done"
    assert (await deliver(world, replace(delivery, throttles=1))).kind == "done"
    world.permitted = True
    assert (await deliver(world, delivery)).kind == "done"


async def test_event_for_a_deleted_function_is_discarded(world: World) -> None:
    """There is nobody to invoke."""
    delivery = await event(world)
    await world.call("DeleteFunction", FunctionName="f")
    assert (await deliver(world, delivery)).kind == "dead"


async def test_loop_through_events_is_stopped(world: World) -> None:
    """A function whose events cause events for itself, as a bucket that triggers its own function: 16 times."""
    delivery = await event(world)
    reasons = []
    for number in range(17):
        outcome = await deliver(world, delivery)
        reasons.append(outcome.reason or outcome.kind)
        cause = Cause(kind="invocation", id=delivery.id)
        delivery = replace(delivery, id=f"event-{number}", cause=cause, attributes={})
    assert reasons == ["done"] * 16 + ["RecursiveInvocationException"]


async def test_destination_gets_the_record(world: World) -> None:
    """Record version 1.0, committed together with the outcome."""
    delivery = await event(world)
    await world.create("log")
    target = "arn:aws:lambda:us-west-2:111122223333:function:log"
    destinations = {"OnFailure": {"Destination": target}}
    await world.call("PutFunctionEventInvokeConfig", FunctionName="f", DestinationConfig=destinations)
    world.environments.answer = echo
    assert (await deliver(world, delivery)).follow_ups == ()
    world.environments.answer = fail
    outcome = await deliver(world, replace(delivery, attempts=2))
    (record,) = outcome.follow_ups
    assert (record.target_arn, record.kind) == (target, "lambda")
    assert json.loads(record.payload) == {
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "requestContext": {
            "requestId": delivery.id,
            "functionArn": f"{ARN}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "E"},
    }


async def test_record_reaches_a_function_that_the_role_may_invoke(world: World) -> None:
    """The execution role needs lambda:InvokeFunction; a function that is gone or full is none or tried again."""
    delivery = await event(world)
    await world.create("log")
    target = "arn:aws:lambda:us-west-2:111122223333:function:log"
    destinations = {"OnSuccess": {"Destination": target}}
    await world.call("PutFunctionEventInvokeConfig", FunctionName="f", DestinationConfig=destinations)
    (record,) = (await deliver(world, delivery)).follow_ups
    before = len(world.environments.invocations)
    world.permitted = False
    assert (await deliver(world, record)).kind == "dead"
    assert len(world.environments.invocations) == before
    assert (await deliver(world, replace(record, throttles=1))).kind == "done"  # taken before
    world.permitted = True
    assert (await deliver(world, record)).kind == "done"
    await world.call("DeleteFunction", FunctionName="log")
    assert (await deliver(world, record)).kind == "dead"


async def test_settings_of_asynchronous_invokes(world: World) -> None:
    """Put replaces, Update merges, List shows, Delete removes; a queue as destination is refused by name."""
    await world.create()
    empty: dict[str, dict[str, str]] = {"OnSuccess": {}, "OnFailure": {}}
    put = await world.call("PutFunctionEventInvokeConfig", FunctionName="f", MaximumRetryAttempts=1)
    assert (put["FunctionArn"], put["MaximumRetryAttempts"], put["DestinationConfig"]) == (f"{ARN}:$LATEST", 1, empty)
    await world.call("UpdateFunctionEventInvokeConfig", FunctionName="f", MaximumEventAgeInSeconds=90)
    found = await world.call("GetFunctionEventInvokeConfig", FunctionName="f")
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (1, 90)
    listed = await world.call("ListFunctionEventInvokeConfigs", FunctionName="f")
    assert [one["FunctionArn"] for one in listed["FunctionEventInvokeConfigs"]] == [f"{ARN}:$LATEST"]
    with pytest.raises(ServiceError, match="queues do not exist here yet"):
        queue = {"OnFailure": {"Destination": "arn:aws:sqs:us-west-2:111122223333:dead"}}
        await world.call("PutFunctionEventInvokeConfig", FunctionName="f", DestinationConfig=queue)
    with pytest.raises(ServiceError, match="at least one of error handling or destination"):
        await world.call("PutFunctionEventInvokeConfig", FunctionName="f")
    await world.call("DeleteFunctionEventInvokeConfig", FunctionName="f")
    with pytest.raises(ServiceError, match=r"doesn't have an EventInvokeConfig"):
        await world.call("GetFunctionEventInvokeConfig", FunctionName="f")


@pytest.mark.parametrize(
    "payload", ["[" * 3000, '{"errorMessage":' + "[" * 3000, '{"errorMessage":"\\ud800"}', '{"errorType":"\\ud800"}']
)
async def test_an_error_that_cannot_be_read_counts_as_one(world: World, payload: str) -> None:
    """Runtime API: what is posted to /invocation/ID/error may be any text. Three attempts are made."""
    delivery = await event(world)

    async def answer(invocation: Invocation) -> InvocationResult:
        return InvocationResult(payload=payload.encode(), function_error="Unhandled")

    world.environments.answer = answer
    first = await deliver(world, delivery)
    assert (first.kind, first.counted) == ("retry", True)
    last = await deliver(world, replace(delivery, attempts=2))
    assert (last.kind, last.reason[:16]) == ("dead", "RetriesExhausted")
    last.reason.encode()
