"""The Runtime API as a runtime meets it: states, wrong ids, limits, odd clients."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fakes_sandbox import FakeRuntime
from tests.unit.sandbox.conftest import StartBench

Seen = dict[str, Any]
Script = Callable[[FakeRuntime, Seen], Awaitable[None]]

ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"


async def collect(start: StartBench, script: Script) -> Seen:
    """Run one invocation with the script, which returns what it saw; give that and the result."""
    seen: Seen = {}
    done = asyncio.Event()

    async def run(runtime: FakeRuntime) -> None:
        await script(runtime, seen)
        done.set()
        await runtime.next()

    made = await start(run)
    seen["result"] = await made.pool.invoke(made.invocation(b'"event"', request_id="r-1"))
    async with asyncio.timeout(5):
        await done.wait()
    return seen


async def test_answers_of_the_api(start: StartBench) -> None:
    """202 with {"status":"OK"}, for a response as for an error."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        request_id, _, headers = await runtime.next()
        seen["type"] = headers["content-type"]
        seen["answer"] = await runtime.request("POST", f"invocation/{request_id}/response", b"1")

    seen = await collect(start, script)
    assert seen["type"] == "application/json"
    assert seen["answer"][0] == 202
    assert json.loads(seen["answer"][2]) == {"status": "OK"}


async def test_wrong_request_id(start: StartBench) -> None:
    """400 InvalidRequestID; the invocation can still be answered."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        request_id, _, _ = await runtime.next()
        seen["wrong"] = await runtime.request("POST", "invocation/other/response", b"1")
        await runtime.respond(request_id, b"2")

    seen = await collect(start, script)
    status, _, body = seen["wrong"]
    assert status == 400
    assert json.loads(body) == {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}
    assert seen["result"].payload == b"2"


async def test_second_answer_is_a_wrong_state(start: StartBench) -> None:
    """403 InvalidStateTransition with the emulator's text."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        request_id, _, _ = await runtime.next()
        await runtime.respond(request_id, b"1")
        seen["again"] = await runtime.request("POST", f"invocation/{request_id}/error", b"{}")
        seen["init"] = await runtime.request("POST", "init/error", b"{}")

    seen = await collect(start, script)
    status, _, body = seen["again"]
    assert status == 403
    assert json.loads(body) == {
        "errorMessage": "State transition from RuntimeResponseSentState to InvocationErrorResponse failed for runtime. "
        "Error: State transition is not allowed",
        "errorType": "InvalidStateTransition",
    }
    assert seen["init"][0] == 403


async def test_next_while_running_gives_the_same_event(start: StartBench) -> None:
    """The emulator answers a second `next` with the running invocation."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        await runtime.next()
        request_id, body, _ = await runtime.next()
        seen["second"] = (request_id, body)
        await runtime.respond(request_id, b"1")

    assert (await collect(start, script))["second"] == ("r-1", b'"event"')


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 404),
        ("POST", "invocation/r-1/other", 404),
        ("POST", "invocation/next", 405),
        ("GET", "invocation/r-1/response", 405),
        ("GET", "init/error", 405),
        ("POST", "../../2020-01-01/extension/register", 404),
    ],
)
async def test_what_does_not_exist(start: StartBench, method: str, path: str, status: int) -> None:
    """404 and 405 in the API's error shape; the connection goes on."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        request_id, _, _ = await runtime.next()
        seen["odd"] = await runtime.request(method, path)
        await runtime.respond(request_id, b"1")

    got, _, body = (await collect(start, script))["odd"]
    assert got == status
    assert set(json.loads(body)) == {"errorMessage", "errorType"}


async def test_chunked_and_streamed_responses_are_collected(start: StartBench) -> None:
    """A streaming runtime's chunks make one payload for Invoke."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        request_id, _, _ = await runtime.next()
        head = (
            f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        await runtime.write(head.encode() + b"3\r\nabc\r\n")
        await runtime.write(b"2\r\nde\r\n0\r\n\r\n")
        await runtime.receive()

    result = (await collect(start, script))["result"]
    assert (result.payload, result.function_error) == (b"abcde", None)


async def test_error_in_the_trailers_of_a_stream(start: StartBench) -> None:
    """Lambda-Runtime-Function-Error-Type and -Body (base64) behind the chunks: the invocation failed."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        request_id, _, _ = await runtime.next()
        head = f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        trailers = f"{ERROR_TYPE}: Late\r\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n\r\n"
        await runtime.write(head.encode() + b"\r\n3\r\nabc\r\n0\r\n" + trailers.encode())
        await runtime.receive()

    result = (await collect(start, script))["result"]
    assert (result.payload, result.function_error) == (b'{"a":1}', "Unhandled")


async def test_expect_continue(start: StartBench) -> None:
    """curl-based runtimes (awslambdaric's native client) ask before they send more than a megabyte."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        request_id, _, _ = await runtime.next()
        head = (
            f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\n"
            "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        await runtime.write(head.encode())
        seen["first"] = (await runtime.receive())[0]
        await runtime.write(b"42")
        seen["second"] = (await runtime.receive())[0]

    seen = await collect(start, script)
    assert (seen["first"], seen["second"]) == (100, 202)
    assert seen["result"].payload == b"42"


@pytest.mark.parametrize(
    "noise",
    [b"\x16\x03\x01 not http\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST x HTTP/1.1\r\nContent-Length: -1\r\n\r\n"],
)
async def test_noise_closes_its_connection_only(start: StartBench, noise: bytes) -> None:
    """A function may send anything to 127.0.0.1:9001."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        request_id, _, _ = await runtime.next()
        host, port = runtime.environment["AWS_LAMBDA_RUNTIME_API"].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(noise)
        await reader.read()
        writer.close()
        await runtime.respond(request_id, b"1")

    assert (await collect(start, script))["result"].payload == b"1"


async def test_huge_head_is_cut_off(start: StartBench) -> None:
    """Two megabytes of headers are allowed for X-Ray causes; not more."""

    async def script(runtime: FakeRuntime, seen: Seen) -> None:
        request_id, _, _ = await runtime.next()
        host, port = runtime.environment["AWS_LAMBDA_RUNTIME_API"].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        line = b"X-A: " + b"a" * 8000 + b"\r\n"
        try:
            writer.write(b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\n" + line * 400)
            seen["rest"] = await reader.read()
        except ConnectionError:
            seen["rest"] = b""
        writer.close()
        await runtime.respond(request_id, b"1")

    seen = await collect(start, script)
    assert seen["rest"] == b""
    assert seen["result"].payload == b"1"
