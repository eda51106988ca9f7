"""Destinations and dead letters that other services take, with services that the test plays."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.lambda_.conftest import World, fail
from tests.unit.lambda_.test_target import ARN, again, deliver, event
from undercast.core.errors import ServiceError
from undercast.events.delivery import Delivery, Outcome
from undercast.sandbox.model import Invocation, InvocationResult
from undercast.sandbox.runtimes.plan import invalid_runtime
from undercast.services.lambda_.destinations import DestinationTarget
from undercast.services.lambda_.errors import throttled
from undercast.services.lambda_.lineage import MAX_LOOPS, attributes_of, mark

QUEUE = "arn:aws:sqs:us-west-2:111122223333:dead"
TOPIC = "arn:aws:sns:us-west-2:111122223333:news"
BUS = "arn:aws:events:us-west-2:111122223333:event-bus/default"
BUCKET = "arn:aws:s3:::records"


def play(world: World) -> list[tuple[str, Mapping[str, Any]]]:
    """Services that accept everything; what they were asked to keep."""
    kept: list[tuple[str, Mapping[str, Any]]] = []

    def keep(name: str) -> None:
        def answer(params: Mapping[str, Any]) -> Mapping[str, Any]:
            kept.append((name, params))
            return {"Entries": [{"EventId": "e-1"}]} if name == "events:PutEvents" else {}

        world.services[name] = answer

    for name in ("sqs:SendMessage", "sns:Publish", "events:PutEvents", "s3:PutObject"):
        keep(name)
    for name in ("sns:GetTopicAttributes", "events:DescribeEventBus", "s3:HeadBucket"):
        world.services[name] = lambda params: {}
    world.services["sqs:GetQueueUrl"] = lambda params: {"QueueUrl": f"http://queue/{params['QueueName']}"}
    return kept


def decide(world: World, decision: str) -> None:
    """What IAM says of the role."""
    answer = {"EvaluationResults": [{"EvalDecision": decision}]}
    world.services["iam:SimulatePrincipalPolicy"] = lambda params: answer


async def configure(world: World, arn: str, name: str = "OnFailure") -> None:
    """Put a destination."""
    await world.call("PutFunctionEventInvokeConfig", FunctionName="f", DestinationConfig={name: {"Destination": arn}})


async def send(world: World, delivery: Delivery) -> Outcome:
    """One attempt."""
    return await DestinationTarget(world.functions).deliver(delivery)


async def failed(world: World) -> tuple[Delivery, ...]:
    """What follows an event that has failed for the last time."""
    world.environments.answer = fail
    (delivery,) = world.deliveries()
    return (await deliver(world, replace(delivery, attempts=2))).follow_ups


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, BUS, BUCKET])
async def test_record_is_sent_by_the_other_services_api(world: World, arn: str) -> None:
    """A queue's or topic's Message, an event's detail, an object: each is the record."""
    await event(world)
    kept = play(world)
    await configure(world, arn)
    (delivery,) = await failed(world)
    del world.services["sqs:GetQueueUrl"]  # a role needs no more than sqs:SendMessage
    assert (delivery.kind, delivery.target_arn) == ("lambda-destination", arn)
    assert await send(world, delivery) == Outcome(kind="done")
    ((name, params),) = kept
    record = json.loads(delivery.payload)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    if name == "sqs:SendMessage":
        assert (params["QueueUrl"], json.loads(params["MessageBody"])) == (
            "https://sqs.us-west-2.amazonaws.com/111122223333/dead", record,
        )  # fmt: skip
    elif name == "sns:Publish":
        assert (params["TopicArn"], json.loads(params["Message"])) == (TOPIC, record)
    elif name == "events:PutEvents":
        (entry,) = params["Entries"]
        assert (entry["Source"], entry["DetailType"]) == ("lambda", "Lambda Function Invocation Result - Failure")
        assert (entry["Resources"], json.loads(entry["Detail"])) == ([BUS, f"{ARN}:$LATEST"], record)
    else:
        key = f"aws/lambda/async/f/2023/11/14/2023-11-14T22.13.20-{delivery.id}"
        assert (params["Bucket"], params["Key"], json.loads(params["Body"])) == ("records", key, record)


async def test_dead_letter_is_the_event_itself(world: World) -> None:
    """Dead-letter queue: the event's body; RequestID, ErrorCode, ErrorMessage as attributes."""
    kept = play(world)
    await world.create(DeadLetterConfig={"TargetArn": QUEUE})
    found = await world.call("GetFunctionConfiguration", FunctionName="f")
    assert found["DeadLetterConfig"] == {"TargetArn": QUEUE}
    await world.call("Invoke", FunctionName="f", Payload=b'{"a": 1}', InvocationType="Event")
    (letter,) = await failed(world)
    assert (await send(world, letter)).kind == "done"
    ((_, params),) = kept
    assert params["MessageBody"] == '{"a": 1}'
    attributes = {name: value["StringValue"] for name, value in params["MessageAttributes"].items()}
    event_id = world.deliveries()[0].id
    assert attributes == {"RequestID": event_id, "ErrorCode": "200", "ErrorMessage": '{"errorType":"E"}'}
    await world.call("UpdateFunctionConfiguration", FunctionName="f", DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in await world.call("GetFunctionConfiguration", FunctionName="f")


@pytest.mark.parametrize(
    ("of", "code", "message"),
    [
        ("reserved", None, "Function not invoked. Function isconfigured with zero reserved concurrent executions"),
        ("unable", "500", "undercast runtimes install x"),
        ("recursive", "400", "Lambda has detected your function being invoked in a recursive loop"),
    ],
)
async def test_dead_letter_of_an_event_that_never_ran_has_invokes_error(
    of: str, code: str | None, message: str, world: World
) -> None:
    """ErrorCode is the 3-digit HTTP error code: here what Invoke answers then, and none at reserved concurrency 0."""
    kept = play(world)
    await world.create(DeadLetterConfig={"TargetArn": QUEUE})
    await world.call("Invoke", FunctionName="f", Payload=b"1", InvocationType="Event")
    (delivery,) = world.deliveries()
    if of == "reserved":
        await world.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
    elif of == "unable":
        world.environments.answer = lacks_runtime
        assert (await deliver(world, delivery)).kind == "retry"
        world.clock.tick(21_601)
        delivery = replace(delivery, throttles=80, due_at=world.clock.now())
    else:
        chain = attributes_of({mark(ARN): MAX_LOOPS})
        delivery = replace(delivery, attributes={**delivery.attributes, **chain})
    (letter,) = (await deliver(world, delivery)).follow_ups
    assert (await send(world, letter)).kind == "done"
    attributes = {name: value["StringValue"] for name, value in kept[0][1]["MessageAttributes"].items()}
    assert (attributes["RequestID"], attributes.get("ErrorCode")) == (delivery.id, code)
    assert attributes["ErrorMessage"].startswith(message)


async def throttle(invocation: Invocation) -> InvocationResult:
    """Answers as a function whose concurrency is taken."""
    raise throttled("ConcurrentInvocationLimitExceeded")


async def with_both(world: World, max_age_s: int) -> Delivery:
    """An event of a function with a dead-letter queue and an on-failure destination."""
    play(world)
    await world.create(DeadLetterConfig={"TargetArn": QUEUE})
    destinations = {"OnFailure": {"Destination": BUS}}
    settings = {"MaximumEventAgeInSeconds": max_age_s, "DestinationConfig": destinations}
    await world.call("PutFunctionEventInvokeConfig", FunctionName="f", **settings)
    await world.call("Invoke", FunctionName="f", Payload=b'{"a": 1}', InvocationType="Event")
    (delivery,) = world.deliveries()
    return delivery


def told(outcome: Outcome) -> tuple[Any, ...]:
    """Of an event that was given up: condition, count and response of its record; code and text of its dead letter."""
    record, letter = outcome.follow_ups
    body, attributes = json.loads(record.payload), letter.attributes
    context = body["requestContext"]
    response = (body.get("responseContext"), body.get("responsePayload"))
    about = (context["condition"], context["approximateInvokeCount"])
    return (*about, *response, attributes.get("ErrorCode"), attributes.get("ErrorMessage"))


THROTTLED = ({"statusCode": 429}, None, "429", "Rate Exceeded.")


async def test_an_event_that_was_throttled_until_it_was_too_old_tells_so(world: World) -> None:
    """As recorded from AWS: the record has a response without a payload. It is given up when its next attempt would
    come too late, after 31 of its 60 s at the latest."""
    delivery = await with_both(world, 60)
    world.environments.answer = throttle
    began = world.clock.now()
    for _ in range(10):
        outcome = await deliver(world, delivery)
        if outcome.kind == "dead":
            break
        delivery = again(delivery, outcome)
        world.clock.tick(outcome.due_at - world.clock.now())
    assert told(outcome) == ("EventAgeExceeded", 0, *THROTTLED)
    assert outcome.reason == "EventAgeExceeded: Rate Exceeded."
    assert world.clock.now() - began <= 60


@pytest.mark.parametrize("late_s", [0, 400])
async def test_an_event_that_ran_and_was_throttled_then_tells_of_its_last_attempt(late_s: float, world: World) -> None:
    """ErrorCode and ErrorMessage are of one attempt: not 200 without a text, of a run that is long over.

    Also where it is found to be too old before another attempt, by a platform that was stopped meanwhile.
    """
    delivery = await with_both(world, 300)
    world.environments.answer = fail
    delivery = again(delivery, await deliver(world, delivery))
    assert (delivery.attributes["ended_code"], delivery.attributes["ended_message"]) == ("200", '{"errorType":"E"}')
    world.clock.tick(60)
    world.environments.answer = throttle
    delivery = again(delivery, await deliver(world, replace(delivery, throttles=7)))
    world.clock.tick(late_s)
    assert told(await deliver(world, replace(delivery, throttles=9))) == ("EventAgeExceeded", 1, *THROTTLED)


async def test_an_event_whose_retry_would_come_too_late_is_given_up_with_its_answer(world: World) -> None:
    """As recorded from AWS: EventAgeExceeded at the end of the attempt, with the function's response."""
    delivery = await with_both(world, 60)
    world.environments.answer = fail
    first = await deliver(world, delivery)
    assert first.kind == "retry"  # due when it is 60 s old, and no older
    world.clock.tick(1)
    ran = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    answer = ({"errorType": "E"}, "200", '{"errorType":"E"}')
    assert told(await deliver(world, delivery)) == ("EventAgeExceeded", 1, ran, *answer)


async def test_an_event_that_failed_and_was_late_then_tells_of_its_failure(world: World) -> None:
    """The platform was stopped: its answer is gone, but for its text. One that was never tried has not even that."""
    delivery = await with_both(world, 300)
    late = replace(delivery, due_at=world.clock.now() + 60)
    world.environments.answer = fail
    failed_once = again(delivery, await deliver(world, delivery))
    world.clock.tick(400)
    assert told(await deliver(world, failed_once)) == ("EventAgeExceeded", 1, None, None, "200", '{"errorType":"E"}')
    assert told(await deliver(world, late)) == ("EventAgeExceeded", 0, None, None, None, None)


async def lacks_runtime(invocation: Invocation) -> InvocationResult:
    """Answers as a sandbox that has no runtime for the function."""
    raise invalid_runtime("undercast runtimes install x")


async def test_missing_service_is_named(world: World) -> None:
    """Until a service exists, configuring a destination there is refused by name; then nothing here changes."""
    await world.create()
    with pytest.raises(ServiceError, match="topics do not exist here yet") as caught:
        await configure(world, TOPIC)
    assert (caught.value.code, caught.value.status) == ("NotImplemented", 501)
    with pytest.raises(ServiceError, match=r"DeadLetterConfig.TargetArn=.* queues do not exist here yet"):
        await world.call("UpdateFunctionConfiguration", FunctionName="f", DeadLetterConfig={"TargetArn": QUEUE})
    play(world)
    await configure(world, TOPIC)


async def test_destination_must_exist_and_the_role_must_be_allowed(world: World) -> None:
    """InvalidParameterValueException; buckets are for failures only, FIFO queues are none."""
    await world.create()
    await world.create("other")
    play(world)
    for arn, name in ((BUCKET, "OnSuccess"), (f"{QUEUE}.fifo", "OnFailure"), ("arn:aws:kinesis:::x", "OnFailure")):
        with pytest.raises(ServiceError, match=r"The destination ARN .* is invalid"):
            await configure(world, arn, name)
    decide(world, "implicitDeny")
    world.permitted = False
    with pytest.raises(ServiceError, match="execution role does not have permissions to call SendMessage on arn:aws:s"):
        await configure(world, QUEUE)
    with pytest.raises(ServiceError, match="does not have permissions to call InvokeFunction on"):
        await configure(world, f"{ARN[:-1]}other")
    with pytest.raises(ServiceError, match="provided execution role does not have permissions to call Publish on SNS"):
        await world.call("UpdateFunctionConfiguration", FunctionName="f", DeadLetterConfig={"TargetArn": TOPIC})
    decide(world, "allowed")
    await configure(world, QUEUE)


@pytest.mark.parametrize(
    ("status", "kind"), [(403, "dead"), (400, "dead"), (500, "retry"), (503, "retry"), (429, "retry")]
)
async def test_refusal_ends_a_record_and_a_fault_does_not(world: World, status: int, kind: str) -> None:
    """A permission that is missing loses the record (DestinationDeliveryFailures); a fault is tried again."""
    await event(world)
    play(world)
    await configure(world, QUEUE)
    (delivery,) = await failed(world)

    def refuse(params: Mapping[str, Any]) -> Mapping[str, Any]:
        raise ServiceError("Refused", "no", status)

    world.services["sqs:SendMessage"] = refuse
    outcome = await send(world, delivery)
    assert (outcome.kind, outcome.counted) == (kind, kind == "dead")
    world.clock.advance(21_601)
    assert (await send(world, delivery)).kind == "dead"


async def test_record_and_dead_letter_of_an_error_that_is_nested_deeply(world: World) -> None:
    """Both are made: a runtime may post any text as its error, which the record has as it is."""
    kept = play(world)
    text = '{"errorMessage":' + "[" * 3000
    await world.create(DeadLetterConfig={"TargetArn": QUEUE})
    await configure(world, BUS)
    await world.call("Invoke", FunctionName="f", Payload=b'{"a": 1}', InvocationType="Event")
    (delivery,) = world.deliveries()

    async def answer(invocation: Invocation) -> InvocationResult:
        return InvocationResult(payload=text.encode(), function_error="Unhandled")

    world.environments.answer = answer
    sent, letter = (await deliver(world, replace(delivery, attempts=2))).follow_ups
    assert json.loads(sent.payload)["responsePayload"] == text
    assert (await send(world, letter)).kind == "done"
    assert kept[0][1]["MessageAttributes"]["ErrorMessage"]["StringValue"] == text[:1024]
