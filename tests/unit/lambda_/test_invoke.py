"""Invoke, concurrency and recursion, with a sandbox that answers what the test tells it."""

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.unit.lambda_.conftest import World, echo, fail
from undercast.core.body import BodyStream
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.sandbox.model import Invocation, InvocationResult
from undercast.services.lambda_.lineage import mark

ARN = "arn:aws:lambda:us-west-2:111122223333:function:f"


async def refused(world: World, **params: Any) -> ServiceError:
    """The error of an invoke that must fail."""
    with pytest.raises(ServiceError) as caught:
        await world.call("Invoke", FunctionName="f", **params)
    return caught.value


async def test_answer_has_version_payload_and_log(world: World) -> None:
    """ExecutedVersion, LogResult with LogType Tail; the function sees the request's own id."""
    await world.create()
    world.request_id = "11111111-2222-3333-4444-555555555555"
    reply = await world.reply("Invoke", FunctionName="f", Payload=b'{"a": 1}', LogType="Tail")
    assert reply.output == {
        "StatusCode": 200,
        "ExecutedVersion": "$LATEST",
        "Payload": b'{"a": 1}',
        "LogResult": base64.b64encode(b"START\nEND\n").decode(),
    }
    assert reply.headers["content-type"] == "application/json"
    assert world.environments.invocations[0].request_id == world.request_id


async def test_function_error_is_a_200(world: World) -> None:
    """X-Amz-Function-Error: Unhandled."""
    await world.create()
    world.environments.answer = fail
    found = await world.call("Invoke", FunctionName="f")
    assert (found["StatusCode"], found["FunctionError"]) == (200, "Unhandled")


async def test_dry_run_runs_nothing(world: World) -> None:
    """204, for a function that exists."""
    await world.create()
    reply = await world.reply("Invoke", FunctionName="f", InvocationType="DryRun")
    assert (reply.status, world.environments.invocations) == (204, [])
    with pytest.raises(ServiceError, match=f"Function not found: {ARN[:-1]}g"):
        await world.call("Invoke", FunctionName="g", InvocationType="DryRun")


async def test_missing_payload_is_an_empty_object(world: World) -> None:
    """An invoke without payload."""
    await world.create()
    await world.call("Invoke", FunctionName="f")
    assert world.environments.invocations[0].payload == b"{}"


@pytest.mark.parametrize("payload", [b"{", b"'a'", b"\xff", b"NaN", b"[" * 100_000, b"{} {}"])
async def test_payload_must_be_json(world: World, payload: bytes) -> None:
    """InvalidRequestContentException."""
    await world.create()
    error = await refused(world, Payload=payload)
    assert error.code == "InvalidRequestContentException"
    assert error.message.startswith("Could not parse request body into json: Could not parse payload into json: ")


VALUE = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"Hello World", f"Unrecognized token 'Hello': was expecting {VALUE}"),
        (b"'test'", f"Unexpected character (''' (code 39)): expected a valid value {VALUE}"),
        (b"\xc2\xb7", f"Unexpected character ('\u00b7' (code 183)): expected a valid value {VALUE}"),
        (b"{cle: 1}", "Unexpected character ('c' (code 99)): was expecting double-quote to start field name"),
        (b'{"a" 1}', "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value"),
        (b'{"a": 1 2}', "Unexpected character ('2' (code 50))"),
        (b'{"a": }', "Unexpected character ('}' (code 125))"),
        (b'{"a": "b', "Unexpected end-of-input"),
        (b'{"a": ', "Unexpected end-of-input"),
        (b"\x87", "Invalid UTF-8 start byte 0x87"),
        (b'"\xc3(', "Invalid UTF-8 middle byte 0x28"),
        (b'"\xe2\x82', "Unexpected end-of-input"),
        (b'"' + b" " * 70_000 + b'" x', "Unexpected character ('x' (code 120))"),
    ],
)
async def test_what_is_said_of_a_payload_is_jacksons(world: World, payload: bytes, reason: str) -> None:
    """Texts that callers of AWS have met; nothing of Python's parser."""
    await world.create()
    error = await refused(world, Payload=payload)
    prefix = "Could not parse request body into json: Could not parse payload into json: "
    assert error.message == prefix + reason


async def test_payload_limits(world: World) -> None:
    """6 MB synchronous, 1 MB asynchronous, 256 KB for InvokeAsync."""
    await world.create()
    largest = b'"' + b"x" * (6_291_456 - 2) + b'"'
    assert (await world.call("Invoke", FunctionName="f", Payload=largest))["Payload"] == largest
    sync = await refused(world, Payload=largest + b" ")
    assert (sync.code, sync.status) == ("RequestEntityTooLargeException", 413)
    assert sync.message == "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    event = b'"' + b"x" * (1_048_576 - 2) + b'"'
    await world.call("Invoke", FunctionName="f", Payload=event, InvocationType="Event")
    asynchronous = await refused(world, Payload=event + b" ", InvocationType="Event")
    assert asynchronous.message == (
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    )
    with pytest.raises(ServiceError, match=r"limit 262144 bytes"):
        await world.call("InvokeAsync", FunctionName="f", InvokeArgs=BodyStream.of(event))


async def test_client_context_reaches_the_function(world: World) -> None:
    """Base64 of a JSON object; anything else is refused."""
    await world.create()
    context = base64.b64encode(b'{"custom": {"a":\n "b"}}').decode()
    await world.call("Invoke", FunctionName="f", ClientContext=context)
    assert world.environments.invocations[0].client_context == '{"custom":{"a":"b"}}'
    error = await refused(world, ClientContext="%%%")
    assert error.message == "Client context must be a valid Base64-encoded JSON object."


async def test_warm_invoke_neither_reads_nor_writes_a_row(world: World) -> None:
    """A RequestResponse invoke makes no synchronous store write, and once resolved no read."""
    await world.create()
    await world.call("Invoke", FunctionName="f")
    statements: list[str] = []
    world.database._inline.set_trace_callback(statements.append)
    world.database._threaded.set_trace_callback(statements.append)
    await world.call("Invoke", FunctionName="f")
    assert statements == []


async def test_change_is_seen_by_the_next_invoke(world: World) -> None:
    """What is kept in memory is forgotten when the change commits."""
    await world.create()
    await world.call("Invoke", FunctionName="f")
    await world.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=7)
    await world.functions.deployments.idle()
    await world.call("Invoke", FunctionName="f")
    assert [one.function.timeout_s for one in world.environments.invocations] == [3, 7]
    await world.call("DeleteFunction", FunctionName="f")
    assert (await refused(world)).status == 404


async def test_reserved_concurrency_is_enforced(world: World) -> None:
    """429 TooManyRequestsException with its Reason; free again when an invocation ends; 0 stops the function."""
    await world.create()
    await world.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=1)
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow(invocation: Invocation) -> InvocationResult:
        begun.set()
        await finish.wait()
        return await echo(invocation)

    world.environments.answer = slow
    running = asyncio.create_task(world.call("Invoke", FunctionName="f"))
    await begun.wait()
    error = await refused(world)
    assert (error.code, error.status, error.message) == ("TooManyRequestsException", 429, "Rate Exceeded.")
    assert error.members["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    finish.set()
    await running
    await world.call("Invoke", FunctionName="f")
    await world.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
    assert (await refused(world)).status == 429
    await world.call("DeleteFunctionConcurrency", FunctionName="f")
    assert await world.call("GetFunctionConcurrency", FunctionName="f") == {}
    await world.call("Invoke", FunctionName="f")


async def test_account_limit_is_a_thousand(world: World) -> None:
    """Reason ConcurrentInvocationLimitExceeded, less what other functions have reserved."""
    await world.create()
    await world.create("other")
    await world.call("PutFunctionConcurrency", FunctionName="other", ReservedConcurrentExecutions=900)
    finish = asyncio.Event()

    async def slow(invocation: Invocation) -> InvocationResult:
        await finish.wait()
        return await echo(invocation)

    world.environments.answer = slow
    running = [asyncio.create_task(world.call("Invoke", FunctionName="f")) for _ in range(100)]
    while len(world.environments.invocations) < 100:
        await asyncio.sleep(0)
    error = await refused(world)
    assert error.members["Reason"] == "ConcurrentInvocationLimitExceeded"
    finish.set()
    await asyncio.gather(*running)


async def test_seventeenth_call_of_a_loop_is_stopped(world: World) -> None:
    """Recursive loop detection: a function that calls itself runs 16 times; with Allow it goes on."""
    await world.create()
    ran: list[str] = []
    errors: list[str] = []

    async def call_again(invocation: Invocation) -> InvocationResult:
        ran.append(invocation.request_id)
        world.cause = Cause(kind="invocation", id=invocation.request_id)
        if len(ran) < 40:
            try:
                await world.call("Invoke", FunctionName="f")
            except ServiceError as error:
                errors.append(error.code)
        return await echo(invocation)

    world.environments.answer = call_again
    await world.call("Invoke", FunctionName="f")
    assert (len(ran), errors) == (16, ["RecursiveInvocationException"])
    await world.call("PutFunctionRecursionConfig", FunctionName="f", RecursiveLoop="Allow")
    world.cause = Cause(kind="external")
    ran.clear()
    await world.call("Invoke", FunctionName="f")
    assert len(ran) == 40


async def test_event_is_committed_before_the_202(world: World) -> None:
    """One delivery whose id is the request id of the answer."""
    await world.create(Publish=True)
    world.request_id = "event-1"
    reply = await world.reply("Invoke", FunctionName="f", Qualifier="1", Payload=b"[1]", InvocationType="Event")
    assert (reply.status, world.environments.invocations) == (202, [])
    (delivery,) = world.deliveries()
    assert (delivery.id, delivery.kind, delivery.target_arn) == ("event-1", "lambda", f"{ARN}:1")
    assert json.loads(delivery.payload) == [1]


async def test_every_invocation_has_a_trace_header(world: World) -> None:
    """The caller's when it names a trace, a new unsampled root otherwise; a queued event keeps its own.

    Behind it Lineage, the chain of the invocation.
    """
    first, again = (f";Lineage={mark(ARN)}:{count}" for count in (1, 8))
    await world.create()
    await world.call("Invoke", FunctionName="f")
    own = world.environments.invocations[0].trace_header
    assert own.startswith("Root=1-6553f100-")
    assert own.endswith(f";Sampled=0{first}")
    world.headers = {"x-amzn-trace-id": "Root=1-5-6;Parent=7;Sampled=1"}
    await world.call("Invoke", FunctionName="f")
    assert world.environments.invocations[1].trace_header == f"Root=1-5-6;Parent=7;Sampled=1{first}"
    await world.call("Invoke", FunctionName="f", InvocationType="Event")
    assert world.deliveries()[0].attributes["trace_header"] == "Root=1-5-6;Parent=7;Sampled=1"
    world.headers = {"x-amzn-trace-id": f"Root=1-5-6;Lineage={mark(ARN)}:7;Sampled=1"}
    await world.call("Invoke", FunctionName="f")
    assert world.environments.invocations[2].trace_header == f"Root=1-5-6;Sampled=1{again}"


@pytest.mark.parametrize(
    ("incoming", "header"),
    [
        ("", "Sampled=1"),
        ("Root=1-5-6;Parent=7", "Root=1-5-6;Parent=7;Sampled=1"),
        ("Root=1-5-6;Parent=7;Sampled=?", "Root=1-5-6;Parent=7;Sampled=1"),
        ("Root=1-5-6;Parent=7;Sampled=0", "Root=1-5-6;Parent=7;Sampled=0"),
    ],
)
async def test_active_tracing_samples_what_nobody_decided(world: World, incoming: str, header: str) -> None:
    """TracingConfig.Mode Active; an upstream decision is kept, as AWS keeps it. Events are decided when queued."""
    await world.create(TracingConfig={"Mode": "Active"})
    world.headers = {"x-amzn-trace-id": incoming} if incoming else {}
    await world.call("Invoke", FunctionName="f")
    assert world.environments.invocations[0].trace_header.endswith(f"{header};Lineage={mark(ARN)}:1")
    await world.call("Invoke", FunctionName="f", InvocationType="Event")
    assert world.deliveries()[0].attributes["trace_header"].endswith(header)


async def test_a_function_for_another_processor_is_accepted_and_runs_what_is_interpreted(world: World) -> None:
    """arm64 functions are developed on x86 machines; only a native program depends on it, and says so at INIT."""
    made = await world.create(Architectures=["arm64"])
    assert made["Architectures"] == ["arm64"]
    await world.call("Invoke", FunctionName="f")
    assert len(world.environments.invocations) == 1


async def test_large_payload_is_checked_while_others_have_their_turn(world: World) -> None:
    """The platform's one loop answers other requests between the windows of a payload of megabytes."""
    await world.create()
    turns, done = 0, asyncio.Event()

    async def other() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    payload = b"[" + b"1," * 1_000_000 + b"1]"
    answer = await world.call("Invoke", FunctionName="f", Payload=payload)
    done.set()
    await beside
    assert answer["Payload"] == payload
    assert turns > 30
