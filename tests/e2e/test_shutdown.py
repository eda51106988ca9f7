"""SIGTERM while there is work in hand: what was accepted is answered, then the platform ends."""

import asyncio
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import platform as platforms
from tests.e2e.functions import RUNTIME, create_function, package
from tests.e2e.test_reset import within
from undercast.app.platform import Platform
from undercast.core.arn import DEFAULT_ACCOUNT, Region, Scope
from undercast.core.context import RequestContext
from undercast.core.identity import root_principal

SLOW = "import time\n\ndef handler(event, context):\n    time.sleep(2)\n    return 'finished'\n"


def test_a_running_invoke_is_answered_after_sigterm(tmp_path: Path) -> None:
    """Graceful: the request in hand ends, the exit status is 0, and the next start finds the function."""
    platform = platforms.start(tmp_path / "data")
    try:
        create_function(platform, "000000000000", "slow", SLOW, Timeout=10)
        answers: list[Any] = []
        invoking = threading.Thread(
            target=lambda: answers.append(json.load(platform.client("lambda").invoke(FunctionName="slow")["Payload"]))
        )
        invoking.start()
        until_running(platform)
        platform.process.send_signal(signal.SIGTERM)
        invoking.join(30)
        assert answers == ["finished"]
        assert platform.process.wait(30) == 0
    finally:
        platforms.stop(platform)
    with platforms.running(tmp_path / "data") as again:
        assert again.client("lambda").get_function(FunctionName="slow")["Configuration"]["State"] == "Active"


def until_running(platform: platforms.RunningPlatform) -> None:
    """Wait until the function's log says START: its environment is at work."""
    end = time.monotonic() + 30
    logs = platform.client("logs")
    while time.monotonic() < end:
        if logs.describe_log_groups()["logGroups"]:
            found = logs.filter_log_events(logGroupName="/aws/lambda/slow", filterPattern="START")["events"]
            if any(event["message"].startswith("START ") for event in found):
                return
        time.sleep(0.05)
    raise AssertionError("the function did not start")


GATED = """
import base64
import json
import socket

def handler(event, context):
    for one in event.get("Records", ()) if isinstance(event, dict) else event:
        event = json.loads(one["body"] if "body" in one else base64.b64decode(one["kinesis"]["data"]))
    with socket.create_connection(("127.0.0.1", event["port"])) as gate:
        gate.recv(1)
    return "done"
"""
ROLE = f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/unknown"
FUNCTION = f"arn:aws:lambda:us-east-1:{DEFAULT_ACCOUNT}:function:f"
STREAM = f"arn:aws:kinesis:us-east-1:{DEFAULT_ACCOUNT}:stream/s"
QUEUE = f"arn:aws:sqs:us-east-1:{DEFAULT_ACCOUNT}:q"


async def gated(platform: Platform) -> RequestContext:
    """A function whose runs wait at a gate of the test; who calls."""
    ctx = platform.base.dispatcher.internal(
        Scope(DEFAULT_ACCOUNT, Region("us-east-1")), root_principal(DEFAULT_ACCOUNT)
    )
    made = {"FunctionName": "f", "Runtime": RUNTIME, "Handler": "app.handler", "Code": {"ZipFile": package(GATED)}}
    await ctx.call("lambda", "CreateFunction", {**made, "Role": ROLE, "Timeout": 30})
    while (await ctx.call("lambda", "GetFunctionConfiguration", {"FunctionName": "f"}))["State"] != "Active":
        await asyncio.sleep(0.01)
    return ctx


async def read_by(ctx: RequestContext, consumer: str) -> str:
    """A queue, read by an event source mapping or a pipe to the function; its URL."""
    url: str = (await ctx.call("sqs", "CreateQueue", {"QueueName": "q", "Attributes": {"VisibilityTimeout": "300"}}))[
        "QueueUrl"
    ]
    if consumer == "mapping":
        await ctx.call("lambda", "CreateEventSourceMapping", {"FunctionName": "f", "EventSourceArn": QUEUE})
    else:
        wish = {"Name": "p", "Source": QUEUE, "Target": FUNCTION, "RoleArn": ROLE}
        await ctx.call("pipes", "CreatePipe", wish)
    return url


async def unread(ctx: RequestContext, url: str) -> int:
    """Messages that are still in the queue, hidden or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = await ctx.call("sqs", "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": names})
    return sum(int(answer["Attributes"][name]) for name in names)


@contextmanager
def a_gate() -> Iterator[socket.socket]:
    """Where runs wait."""
    with socket.create_server(("127.0.0.1", 0)) as gate:
        gate.settimeout(60)
        yield gate


def accepted(gate: socket.socket) -> socket.socket:
    """A run that has begun."""
    run = gate.accept()[0]
    run.settimeout(60)
    return run


async def test_an_event_that_is_left_to_the_next_start_does_not_run_on(tmp_path: Path) -> None:
    """It could end well while other requests still have time, and would run again all the same."""
    async with within(tmp_path / "data") as platform:
        ctx = await gated(platform)
        with a_gate() as gate:
            call = {"FunctionName": "f", "Payload": json.dumps({"port": gate.getsockname()[1]}).encode()}
            await ctx.call("lambda", "Invoke", {**call, "InvocationType": "Event"})
            event = await asyncio.to_thread(accepted, gate)
            invoking = asyncio.ensure_future(ctx.call("lambda", "Invoke", call))
            request = await asyncio.to_thread(accepted, gate)
            with event, request:
                platform.pool.end_abandoned()
                await platform.router.stop()
                assert await asyncio.to_thread(event.recv, 1) == b""
                request.sendall(b"x")
                assert "FunctionError" not in (answer := await invoking), answer
        assert platform.router.status()["waiting"] == 1


@pytest.mark.parametrize(
    ("consumer", "service"), [("mapping", "lambda"), ("pipe", "pipes"), ("mapping of a stream", "lambda")]
)
async def test_a_batch_that_is_left_to_the_next_start_does_not_run_on(
    consumer: str, service: str, tmp_path: Path
) -> None:
    """It comes again behind that start, messages after their visibility timeout; no retry was taken from it."""
    with a_gate() as gate:
        body = json.dumps({"port": gate.getsockname()[1]})
        async with within(tmp_path / "data") as platform:
            ctx = await gated(platform)
            await (put if "stream" in consumer else send)(ctx, consumer, body)
            with await asyncio.to_thread(accepted, gate) as run:
                platform.pool.end_abandoned()
                mounted = platform.services[service]
                assert mounted.manifest.quiesce is not None
                await mounted.manifest.quiesce(mounted.instance)
                assert await asyncio.to_thread(run.recv, 1) == b""
        async with within(tmp_path / "data") as platform:
            platform.base.parts.platform_clock.advance(301)
            (await asyncio.to_thread(accepted, gate)).close()


async def send(ctx: RequestContext, consumer: str, body: str) -> None:
    """A message to a queue that is read."""
    url = await read_by(ctx, consumer)
    await ctx.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": body})


async def put(ctx: RequestContext, consumer: str, body: str) -> None:
    """A record into a stream, whose mapping gives up what has failed once."""
    await ctx.call("kinesis", "CreateStream", {"StreamName": "s", "ShardCount": 1})
    source = {"EventSourceArn": STREAM, "StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 0}
    await ctx.call("lambda", "CreateEventSourceMapping", {"FunctionName": "f", **source})
    await ctx.call("kinesis", "PutRecord", {"StreamName": "s", "Data": body.encode(), "PartitionKey": "k"})


@pytest.mark.parametrize("consumer", ["mapping", "pipe"])
async def test_a_batch_that_can_end_within_the_stop_does(consumer: str, tmp_path: Path) -> None:
    """The end of deliveries, of which there are none, does not cut it off."""
    async with within(tmp_path / "data") as platform:
        ctx = await gated(platform)
        url = await read_by(ctx, consumer)
        with a_gate() as gate:
            body = json.dumps({"port": gate.getsockname()[1]})
            await ctx.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": body})
            with await asyncio.to_thread(accepted, gate) as run:
                platform.pool.end_abandoned()
                await platform.router.stop()
                run.sendall(b"x")
                async with asyncio.timeout(15):
                    while await unread(ctx, url):
                        await asyncio.sleep(0.01)
