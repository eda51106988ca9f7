"""The port answers before everything behind it is loaded: health at once, all others when who answers them is there."""

import asyncio
import json

from tests.fakes import CountingIds
from undercast.core.body import BodyStream
from undercast.core.http import HttpRequest, HttpResponse
from undercast.gateway.entrance import Entrance
from undercast.gateway.health import Health
from undercast.gateway.hosts import HostNames

OWN_PATHS = ("/_undercast/health", "/_undercast/reset", "/_localstack/init")
ELSEWHERE = ("photos.s3.amazonaws.com", "photos.localhost:4566", "abc.lambda-url.us-east-1.on.aws")


def request(target: str, method: str = "GET", host: str = "localhost", **headers: str) -> HttpRequest:
    """One without a body."""
    return HttpRequest(method=method, target=target, headers={"host": host, **headers}, body=BodyStream.of(b""))


def entrance() -> Entrance:
    """Before anything is loaded."""
    return Entrance(Health(HostNames(), ("lambda", "s3")))


def is_elsewhere(host: str) -> bool:
    """Whether a Host name is a bucket's or a function URL's."""
    return host in ELSEWHERE


async def aws(_: HttpRequest) -> HttpResponse:
    """Answers for AWS."""
    return HttpResponse(status=200, body=b"aws")


async def own(_: HttpRequest) -> HttpResponse:
    """Answers for the platform."""
    return HttpResponse(status=200, body=b"own")


async def test_health_answers_at_once_and_says_what_is_loaded() -> None:
    """LocalStack's words for services, available, then running; the platform is loading, then running."""
    early = entrance()
    for path in ("/_undercast/health", "/_localstack/health", "/_undercast/health/?x=1"):
        answer = json.loads(_bytes(await early.handle(request(path))))
        assert answer["status"] == "loading"
        assert answer["services"] == {"lambda": "available", "s3": "available"}
        assert answer["driver"] is None
    early.complete(own, "process")
    answer = json.loads(_bytes(await early.handle(request("/_undercast/health"))))
    assert (answer["status"], answer["services"]["s3"], answer["driver"]) == ("running", "running", "process")


async def test_health_is_not_told_to_a_foreign_host_name() -> None:
    """A page that has bound its own name to loopback."""
    assert (await entrance().handle(request("/_undercast/health", host="evil.example"))).status == 403


async def test_who_comes_early_waits_for_no_more_than_who_answers() -> None:
    """Nobody is turned away. The gateway finds out whose a request is; the platform's own endpoints are there last."""
    door = entrance()
    waiting = [asyncio.ensure_future(door.handle(request(path))) for path in ("/bucket", "/_undercast/status")]
    await asyncio.sleep(0)
    assert not any(answer.done() for answer in waiting)
    door.open(aws, is_elsewhere)
    call, status = waiting
    assert _bytes(await call) == b"aws"
    assert _bytes(await door.handle(request("/bucket"))) == b"aws"
    assert not status.done()
    door.complete(own, "process")
    assert _bytes(await status) == b"own"
    assert _bytes(await door.handle(request("/_undercast/status"))) == b"own"


async def test_who_waits_for_a_start_that_fails_is_told() -> None:
    """In the protocol of the call, and in the platform's own form; so is whoever comes before the port is closed."""
    door = entrance()
    sts = {"authorization": "AWS4-HMAC-SHA256 Credential=a/20261121/us-east-1/sts/aws4_request, x"}
    asked = [request("/", "POST", **sts), request("/bucket/key"), request("/_undercast/status")]
    waiting = [asyncio.ensure_future(door.handle(one)) for one in asked]
    await asyncio.sleep(0)
    door.fail(OSError("the disk is full"), CountingIds())
    answers = [await answer for answer in (*waiting, *map(door.handle, asked))]
    assert [answer.status for answer in answers] == [503] * 6
    for answer in answers:
        assert b"the platform could not start: the disk is full" in _bytes(answer)
    for call, s3, own_ in (answers[:3], answers[3:]):
        assert b"<Code>ServiceUnavailable</Code>" in _bytes(call)
        assert b"<Code>ServiceUnavailable</Code>" in _bytes(s3)
        assert json.loads(_bytes(own_))["error"] == "ServiceUnavailable"


async def test_a_platform_of_which_everything_is_there_answers_until_it_is_stopped() -> None:
    """What fails then is the last step of a start."""
    door = entrance()
    door.open(aws, is_elsewhere)
    door.complete(own, "process")
    door.fail(OSError("the disk is full"), CountingIds())
    assert _bytes(await door.handle(request("/"))) == b"aws"
    assert _bytes(await door.handle(request("/_undercast/status"))) == b"own"


async def test_paths_of_buckets_and_function_urls_are_theirs() -> None:
    """S3 User Guide, "Naming Amazon S3 objects": any key. A function URL passes on any path."""
    door = entrance()
    early = [asyncio.ensure_future(door.handle(request(path, host=host))) for host in ELSEWHERE for path in OWN_PATHS]
    endpoint = asyncio.ensure_future(door.handle(request("/_undercast/code/1", host="lambda.us-east-1.amazonaws.com")))
    await asyncio.sleep(0)
    assert not any(answer.done() for answer in (*early, endpoint))
    door.open(aws, is_elsewhere)
    assert {_bytes(await answer) for answer in early} == {b"aws"}
    assert not endpoint.done()
    door.complete(own, "process")
    assert _bytes(await endpoint) == b"own"
    for host in ("localhost:4566", "127.0.0.1:4566", "lambda.us-east-1.amazonaws.com", "localhost.localstack.cloud"):
        assert _bytes(await door.handle(request("/_undercast/status", host=host))) == b"own"


async def test_init_says_what_is_done() -> None:
    """LocalStack's stages: READY comes with the services."""
    door = entrance()
    stages = json.loads(_bytes(await door.handle(request("/_localstack/init"))))["completed"]
    assert stages == {"BOOT": True, "START": False, "READY": False, "SHUTDOWN": False}
    door.complete(own, "process")
    stages = json.loads(_bytes(await door.handle(request("/_localstack/init"))))["completed"]
    assert stages == {"BOOT": True, "START": True, "READY": True, "SHUTDOWN": False}


def _bytes(response: HttpResponse) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body
