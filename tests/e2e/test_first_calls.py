"""Calls that come while a platform is being loaded: each waits for its own service, and none for another."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.platform import RunningPlatform, start
from undercast.app.behind import Behind
from undercast.app.door import Door, open_door
from undercast.app.ending import Ending
from undercast.app.platform import Platform
from undercast.core.arn import DEFAULT_ACCOUNT, Region, Scope
from undercast.core.body import BodyStream
from undercast.core.config import Config
from undercast.core.http import HttpRequest
from undercast.core.identity import platform_principal
from undercast.services import catalogue

FIRST: dict[str, Callable[[Any], Any]] = {
    "cloudwatch": lambda client: client.list_metrics()["Metrics"],
    "dynamodb": lambda client: client.list_tables()["TableNames"],
    "dynamodbstreams": lambda client: client.list_streams()["Streams"],
    "events": lambda client: client.list_rules()["Rules"],
    "iam": lambda client: client.list_users()["Users"],
    "kinesis": lambda client: client.list_streams()["StreamNames"],
    "kms": lambda client: client.list_keys()["Keys"],
    "lambda": lambda client: client.list_functions()["Functions"],
    "logs": lambda client: client.describe_log_groups()["logGroups"],
    "pipes": lambda client: client.list_pipes()["Pipes"],
    "s3": lambda client: client.list_buckets()["Buckets"],
    "scheduler": lambda client: client.list_schedules()["Schedules"],
    "secretsmanager": lambda client: client.list_secrets()["SecretList"],
    "sns": lambda client: client.list_topics()["Topics"],
    "sqs": lambda client: client.list_queues().get("QueueUrls", []),
    "ssm": lambda client: client.describe_parameters()["Parameters"],
    "sts": lambda client: client.get_caller_identity()["Account"],
    "xray": lambda client: client.get_groups()["Groups"],
}
SANDBOXES = "undercast.app.sandboxes"
MODULES = catalogue.modules()
WAIT_S = 60.0


def test_a_call_to_each_service_right_behind_the_ready_line_is_answered() -> None:
    """All at once; whichever comes first."""
    assert sorted(FIRST) == sorted(catalogue.names())
    platform: RunningPlatform = start()
    try:
        clients = {name: platform.client(name) for name in FIRST}
        with ThreadPoolExecutor(len(FIRST)) as threads:
            asked = {name: threads.submit(FIRST[name], clients[name]) for name in FIRST}
            found = {name: answer.result() for name, answer in asked.items()}
        assert found == {name: "000000000000" if name == "sts" else [] for name in FIRST} | {"xray": found["xray"]}
        assert platform.ask("/_undercast/status")["deliveries"]["waiting"] == 0
    finally:
        platform.process.terminate()
        assert platform.process.wait(WAIT_S) == 0


class Held:
    """Loads modules, but not those of sandboxes before they are let go."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.asked, self.let_go = threading.Event(), threading.Event()

    def __call__(self, name: str) -> ModuleType:
        self.taken.append(name)
        if name == SANDBOXES:
            self.asked.set()
            assert self.let_go.wait(WAIT_S)
        return import_module(name)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Door]:
    """A door that answers, with tables behind it."""
    door = open_door(Config(data_dir=folder, port=0, driver="process"))
    door.listen()
    door.migrate()
    try:
        yield door
    finally:
        ending = Ending()
        await door.close(ending)
        assert ending.failed == []


def begun(door: Door, load: Callable[[str], ModuleType]) -> tuple[Behind, "asyncio.Task[Platform]"]:
    """What is behind the door begins to come."""
    root_is_made = asyncio.ensure_future(door.authority.prepare(door.folder.ca / "bundle.pem"))
    behind = Behind(door, root_is_made, load)
    return behind, asyncio.create_task(behind.start(Ending()))


async def ended(platform: Platform) -> None:
    """Stopped, every part of it."""
    ending = Ending()
    await platform.stop(ending)
    assert ending.failed == []


async def asked(door: Door, target: str, method: str = "GET", **headers: str) -> bytes:
    """What is answered."""
    headers = {"host": "localhost", **headers}
    request = HttpRequest(method=method, target=target, headers=headers, body=BodyStream.of(b""), peer="127.0.0.1")
    body = (await door.entrance.handle(request)).body
    assert isinstance(body, bytes)
    return body


async def answer_of(door: Door, target: str, signed_for: str = "") -> bytes:
    """What is answered to a GET."""
    scope = f"Credential=test/20261121/us-east-1/{signed_for}/aws4_request"
    signature = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature={'0' * 64}"
    signed = {"authorization": signature, "x-amz-date": "20261121T000000Z"} if signed_for else {}
    return await asked(door, target, **signed)


async def test_a_call_waits_for_its_service_and_not_for_sandboxes(tmp_path: Path) -> None:
    """S3 is asked before anything is there; the platform's own endpoints are there last."""
    held = Held()
    async with opened(tmp_path) as door:
        early = asyncio.create_task(answer_of(door, "/", "s3"))
        status = asyncio.create_task(answer_of(door, "/_undercast/status"))
        await asyncio.sleep(0)  # both have come
        _, starting = begun(door, held)
        assert b"ListAllMyBucketsResult" in await early
        await asyncio.to_thread(held.asked.wait, WAIT_S)
        assert held.taken == [MODULES["s3"], SANDBOXES]
        who = await answer_of(door, "/?Action=GetCallerIdentity&Version=2011-06-15", "sts")
        assert b"GetCallerIdentityResult" in who
        assert not status.done()
        held.let_go.set()
        platform = await starting
        assert b'"driver": "process"' in await status
        await ended(platform)


def presigned(path: str) -> str:
    """By a key that nobody issued, and valid for a minute."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    fields = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"test/{now[:8]}/us-east-1/s3/aws4_request",
        "X-Amz-Date": now,
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    }
    return f"{path}?{urlencode(fields)}"


async def test_a_request_that_is_no_signed_call_waits_for_its_service_and_not_for_sandboxes(tmp_path: Path) -> None:
    """Presigned, unsigned, of a page, to a bucket's host name and to a website: S3's. A certificate: SNS's."""
    held = Held()
    preflight = {"origin": "http://page.example", "access-control-request-method": "GET"}
    async with opened(tmp_path) as door:
        of_s3 = (
            asked(door, presigned("/photos/cat")),
            asked(door, "/photos/cat"),
            asked(door, "/photos/cat", origin="http://page.example"),
            asked(door, "/photos/cat", "OPTIONS", **preflight),
            asked(door, "/cat", host="photos.s3.us-east-1.amazonaws.com"),
            asked(door, "/_undercast/health", host="photos.localhost"),
            asked(door, "/cat", host="photos.s3-website.localhost"),
        )
        early = [asyncio.ensure_future(answer) for answer in of_s3]
        certificate = asyncio.ensure_future(asked(door, "/SimpleNotificationService-0.pem"))
        url = asyncio.ensure_future(asked(door, "/", host="abc.lambda-url.us-east-1.localhost"))
        await asyncio.sleep(0)  # all have come
        _, starting = begun(door, held)
        for answer in early:
            assert b"NoSuchBucket" in await answer
        assert b"no such certificate" in await certificate
        await asyncio.to_thread(held.asked.wait, WAIT_S)
        assert held.taken == [MODULES["s3"], MODULES["sns"], SANDBOXES]
        assert not url.done()
        held.let_go.set()
        platform = await starting
        assert b"Forbidden" in await url
        await ended(platform)


async def test_services_that_are_called_come_first_in_the_order_of_their_calls(tmp_path: Path) -> None:
    """Calls of services to each other wait as those from outside do. Lambda comes with what runs functions."""
    held = Held()
    async with opened(tmp_path) as door:
        behind, starting = begun(door, held)
        await asyncio.to_thread(held.asked.wait, WAIT_S)
        ctx = behind.base.parts.internal(
            Scope(DEFAULT_ACCOUNT, Region("us-east-1")), platform_principal(DEFAULT_ACCOUNT)
        )
        calls = (("kms", "ListKeys"), ("lambda", "ListFunctions"), ("sqs", "ListQueues"), ("kms", "ListKeys"))
        waiting = [asyncio.ensure_future(ctx.call(service, operation, {})) for service, operation in calls]
        await asyncio.sleep(0)  # each has begun to wait
        held.let_go.set()
        keys, functions, *_ = [await answer for answer in waiting]
        assert (keys["Keys"], functions["Functions"]) == ([], [])
        platform = await starting
        lambda_ = ["undercast.app.platform", *(MODULES[name] for name in ("logs", "xray", "lambda"))]
        first = [SANDBOXES, MODULES["kms"], *lambda_, MODULES["sqs"]]
        assert held.taken[: len(first)] == first
        assert sorted({*held.taken, MODULES["iam"], MODULES["sts"]}) == sorted({*first, *MODULES.values()})
        await ended(platform)


async def test_a_service_that_fails_ends_the_start_with_what_it_raised(tmp_path: Path) -> None:
    """Who waits for it is told, sandboxes that had begun end, and the folder can be used again."""

    def load(name: str) -> ModuleType:
        if name == MODULES["sqs"]:
            raise RuntimeError("sqs is broken")
        return import_module(name)

    async with opened(tmp_path) as door:
        call = asyncio.create_task(answer_of(door, "/?Action=ListQueues&Version=2012-11-05", "sqs"))
        status = asyncio.create_task(answer_of(door, "/_undercast/status"))
        await asyncio.sleep(0)  # both have come
        _, starting = begun(door, load)
        with pytest.raises(RuntimeError, match="sqs is broken"):
            await starting
        for answer in (call, status):
            assert b"ServiceUnavailable" in await answer
            assert b"the platform could not start: sqs is broken" in await answer
    async with opened(tmp_path) as door:
        _, starting = begun(door, import_module)
        await ended(await starting)
