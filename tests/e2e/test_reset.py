"""`POST /_undercast/reset`: what test suites call between two tests."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config as BotocoreConfig
from botocore.exceptions import ClientError

from tests.e2e.functions import RUNTIME, create_function, package
from tests.platform import START_TIMEOUT_S, running
from tests.services.lambda_.queues import until
from undercast.app.behind import start_behind
from undercast.app.door import open_door
from undercast.app.ending import Ending
from undercast.app.platform import Platform
from undercast.core.arn import DEFAULT_ACCOUNT, Region, Scope
from undercast.core.config import Config
from undercast.core.identity import root_principal
from undercast.services.logs.followers import StreamName

ACCOUNT = "000000000000"
ECHO = """
import time
def handler(event, context):
    if event == "sleep":
        time.sleep(1)
    print("ran")
    return event
"""


def test_a_reset_leaves_an_empty_platform_that_works() -> None:
    """Buckets, objects, functions, roles, logs and queued events are gone; the same names can be made again."""
    with running() as platform:
        s3, functions, iam = platform.client("s3"), platform.client("lambda"), platform.client("iam")
        logs = platform.client("logs")
        for _ in range(2):
            s3.create_bucket(Bucket="reset-bucket")
            s3.put_object(Bucket="reset-bucket", Key="k", Body=os.urandom(100_000))
            iam.create_user(UserName="u")
            create_function(platform, ACCOUNT, "f", ECHO)
            assert functions.invoke(FunctionName="f", Payload=b"1")["Payload"].read() == b"1"
            functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"2")
            functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'"sleep"')
            time.sleep(0.2)
            platform.ask("/_undercast/reset", {})
            assert s3.list_buckets()["Buckets"] == []
            assert functions.list_functions()["Functions"] == []
            assert iam.list_users()["Users"] == []
            time.sleep(1)  # for the one that slept, had it been left
            assert logs.describe_log_groups()["logGroups"] == []
            with pytest.raises(ClientError) as caught:
                functions.invoke(FunctionName="f")
            assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
            assert list((platform.data / "blobs").glob("??/*")) == []
            until(lambda: {path.name for path in (platform.data / "code").iterdir()} <= {".work"})
            assert platform.ask("/_undercast/status")["deliveries"]["waiting"] == 0


NAP = """
import time
def handler(event, context):
    time.sleep(0.05)
    print("ran")
"""


def test_a_reset_under_traffic_leaves_nothing() -> None:
    """Invokes that come meanwhile are refused, and then find no function: none begins anything of before."""
    with running() as platform:
        functions, logs, metrics = platform.client("lambda"), platform.client("logs"), platform.client("cloudwatch")
        over, codes, answered = threading.Event(), set[str](), threading.Semaphore(0)

        def loop() -> None:
            mine = platform.client("lambda")
            while not over.is_set():
                try:
                    mine.invoke(FunctionName="st")["Payload"].read()
                    answered.release()
                except ClientError as error:
                    codes.add(error.response["Error"]["Code"])

        threads = [threading.Thread(target=loop) for _ in range(3)]
        try:
            for place in range(3):
                create_function(platform, ACCOUNT, "st", NAP)
                if not place:
                    for thread in threads:
                        thread.start()
                for _ in range(10):
                    answered.acquire(timeout=START_TIMEOUT_S)
                platform.ask("/_undercast/reset", {})
                assert platform.ask("/_undercast/status")["sandboxes"]["functions"] == []
                assert logs.describe_log_groups()["logGroups"] == []
                assert metrics.list_metrics()["Metrics"] == []
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert codes <= {"ResourceNotFoundException", "ServiceException", "ResourceConflictException"}
        with pytest.raises(ClientError) as caught:
            functions.invoke(FunctionName="st")
        assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
        assert platform.ask("/_undercast/status")["sandboxes"]["functions"] == []
        assert logs.describe_log_groups()["logGroups"] == []
        assert metrics.list_metrics()["Metrics"] == []


def test_the_command_asks_before_it_empties_the_platform() -> None:
    """A script says --yes; without it nobody loses anything by a slip."""
    with running() as platform:
        s3 = platform.client("s3")
        s3.create_bucket(Bucket="reset-bucket")
        command = [sys.executable, "-m", "undercast", "reset", "--data", str(platform.data)]
        refused = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert (refused.returncode, f"undercast reset --yes --data {platform.data}\n" in refused.stderr) == (1, True)
        assert len(s3.list_buckets()["Buckets"]) == 1
        done = subprocess.run([*command, "--yes"], capture_output=True, text=True, check=True)
        assert done.stdout == f"{platform.url} is empty\n"
        assert s3.list_buckets()["Buckets"] == []


@asynccontextmanager
async def within(data: Path) -> AsyncIterator[Platform]:
    """A platform in this process, for what only its own parts can hold up."""
    search_path = tuple(os.environ["PATH"].split(os.pathsep))
    door = open_door(Config(data_dir=data, port=0, driver="process", search_path=search_path))
    root_is_made, ending = asyncio.ensure_future(door.authority.prepare(door.folder.ca / "bundle.pem")), Ending()
    door.migrate()
    platform = await start_behind(door, root_is_made, ending)
    door.listen()
    try:
        yield platform
    finally:
        await platform.stop(ending)
        await door.close(ending)


async def seen(condition: Callable[[], Any]) -> None:
    """However busy the machine is."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while not condition():
            await asyncio.sleep(0.01)


def long_poll(platform: Platform, url: str) -> "asyncio.Task[Any]":
    """One over HTTP, as a user's."""
    settings: Any = {
        "endpoint_url": platform.base.door.url,
        "region_name": "us-east-1",
        "aws_access_key_id": ACCOUNT,
        "aws_secret_access_key": "secret",
        "config": BotocoreConfig(retries={"max_attempts": 0}),
    }
    client: Any = boto3.client("sqs", **settings)
    poll = asyncio.to_thread(client.receive_message, QueueUrl=url, WaitTimeSeconds=20)
    return asyncio.create_task(poll)


async def test_a_reset_ends_long_polls_as_a_deleted_queue_does_and_a_stop_answers_them(tmp_path: Path) -> None:
    """Neither is cut off, and neither waits for its 20 s."""
    async with within(tmp_path / "data") as platform:
        ctx = platform.base.dispatcher.internal(
            Scope(DEFAULT_ACCOUNT, Region("us-east-1")), root_principal(DEFAULT_ACCOUNT)
        )
        waiting = platform.services["sqs"].instance.waiting
        url = (await ctx.call("sqs", "CreateQueue", {"QueueName": "q"}))["QueueUrl"]
        poll = long_poll(platform, url)
        await seen(lambda: waiting.polls)
        await platform.reset()
        with pytest.raises(ClientError) as caught:
            await poll
        assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
        url = (await ctx.call("sqs", "CreateQueue", {"QueueName": "q"}))["QueueUrl"]
        poll = long_poll(platform, url)
        await seen(lambda: waiting.polls)
    answer = await poll
    assert "Messages" not in answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


async def test_what_is_made_while_a_reset_ends_is_known_behind_it(tmp_path: Path) -> None:
    """An event source mapping that is made when the rows are gone, and the journal is not yet empty, is read."""
    async with within(tmp_path / "data") as platform:
        ctx = platform.base.dispatcher.internal(
            Scope(DEFAULT_ACCOUNT, Region("us-east-1")), root_principal(DEFAULT_ACCOUNT)
        )
        database, journal_goes_on = platform.base.door.database, threading.Event()

        def queues() -> int:
            return len(database.read_now(lambda tx: tx.all("SELECT id FROM sqs_queue")))

        def messages() -> int:
            return len(database.read_now(lambda tx: tx.all("SELECT id FROM sqs_message")))

        await ctx.call("sqs", "CreateQueue", {"QueueName": "before"})
        held = asyncio.create_task(
            platform.base.door.journal.database.read(lambda tx: journal_goes_on.wait(), long=True)
        )
        resets = asyncio.create_task(platform.reset())
        try:
            await seen(lambda: not queues())
            url = (await ctx.call("sqs", "CreateQueue", {"QueueName": "q"}))["QueueUrl"]
            code = {"ZipFile": package("def handler(event, context):\n    return None\n")}
            role = f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/unknown"
            made = {"FunctionName": "f", "Runtime": RUNTIME, "Role": role, "Handler": "app.handler", "Code": code}
            await ctx.call("lambda", "CreateFunction", made)
            source = f"arn:aws:sqs:us-east-1:{DEFAULT_ACCOUNT}:q"
            await ctx.call("lambda", "CreateEventSourceMapping", {"FunctionName": "f", "EventSourceArn": source})
        finally:
            journal_goes_on.set()
        await held
        await resets
        await ctx.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": "m"})
        await seen(lambda: not messages())  # the function has had it


async def test_what_is_logged_while_a_reset_ends_is_there_behind_it(tmp_path: Path) -> None:
    """A log group that is made when the rows of state.db are gone, and the journal is not yet empty."""
    async with within(tmp_path / "data") as platform:
        ctx = platform.base.dispatcher.internal(
            Scope(DEFAULT_ACCOUNT, Region("us-east-1")), root_principal(DEFAULT_ACCOUNT)
        )
        intake, journal = platform.services["logs"].instance.intake, platform.base.door.journal
        goes_on = threading.Event()

        def log(group: str, line: str) -> None:
            """As the platform does for a function."""
            name = StreamName(ctx.scope, group, "stream")
            key = intake.known(name)
            intake.append(name, intake.create(name) if key is None else key, [(int(ctx.clock.now() * 1000), line)])

        def queues() -> int:
            return len(platform.base.door.database.read_now(lambda tx: tx.all("SELECT id FROM sqs_queue")))

        log("before", "line")
        await journal.flush()
        await ctx.call("sqs", "CreateQueue", {"QueueName": "before"})
        held = asyncio.create_task(journal.database.read(lambda tx: goes_on.wait(), long=True))
        log("before", "that waits in memory")
        resets = asyncio.create_task(platform.reset())
        try:
            await seen(lambda: not queues())
            log("new", "one")
        finally:
            goes_on.set()
        await asyncio.gather(held, resets)
        log("new", "two")
        groups: Any = await ctx.call("logs", "DescribeLogGroups", {})
        assert [one["logGroupName"] for one in groups["logGroups"]] == ["new"]
        told: Any = await ctx.call("logs", "GetLogEvents", {"logGroupName": "new", "logStreamName": "stream"})
        assert [one["message"] for one in told["events"]] == ["one", "two"]
        assert journal.database.read_now(lambda tx: tx.all("SELECT COUNT(*) FROM logs_event")[0][0]) == 2
