"""Runtimes that close their connection behind each answer."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator

import pytest

from tests.unit.sandbox.test_runtime_api_limits import Seen
from undercast.sandbox.runtime_api import RuntimeApi, RuntimeEvent

PATH = "/2018-06-01/runtime/invocation/r-1"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a Runtime API with an invocation that runs."""
    api = RuntimeApi(Seen())
    api.offer(RuntimeEvent(request_id="r-1", payload=b"1", deadline_ms=1, invoked_arn="a"))
    server = await asyncio.get_running_loop().create_server(api.connection, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await api.closed(5)


@pytest.mark.parametrize("kind", ["response", "error"])
async def test_urllib_is_told_that_its_answer_was_accepted(port: int, kind: str) -> None:
    """It sends `Connection: close`; 202 and {"status":"OK"} come all the same."""

    def post() -> tuple[int, bytes]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{PATH}/{kind}", data=b"{}", timeout=10) as answer:
            return answer.status, answer.read()

    assert await asyncio.to_thread(post) == (202, b'{"status":"OK"}\n')


@pytest.mark.parametrize(
    ("version", "header", "half_closes"),
    [
        ("1.1", "Connection: close\r\n", False),
        ("1.0", "", False),
        ("1.0", "Lambda-Runtime-Function-Response-Mode: streaming\r\n", False),
        ("1.1", "", True),
    ],
    ids=["close", "http/1.0", "streamed", "half closed"],
)
async def test_answer_is_accepted_before_its_connection_ends(
    port: int, version: str, header: str, half_closes: bool
) -> None:
    """Whatever it is that ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {PATH}/response HTTP/{version}\r\n{header}Content-Length: 2\r\n\r\nok".encode())
    if half_closes:
        writer.write_eof()
    async with asyncio.timeout(10):
        told = await reader.read()
    writer.close()
    assert told.count(b"HTTP/1.1 202 Accepted\r\n") == 1
    assert told.endswith(b'\r\n\r\n{"status":"OK"}\n')
