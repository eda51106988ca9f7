"""Whatever bytes arrive, in whatever pieces: valid requests are all answered in order, and nothing breaks."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.http.serving import PATIENCE_S, connected, serving, until
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.http.limits import HttpLimits
from undercast.http.options import ServeOptions

TOKENS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /x HTTP/1.1\r\n",
        b"HEAD / HTTP/1.0\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 70000\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
        b"Connection: close\r\n",
        b"Host: x\r\n",
        b"\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"hello",
        b"\x00\xff",
        b"X" * 1500,
    ]
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request in its own framing."""

    body: bytes
    chunked: bool

    def encoded(self, number: int) -> bytes:
        """Its bytes."""
        head = b"POST /%d HTTP/1.1\r\nHost: x\r\n" % number
        if not self.chunked:
            return head + b"Content-Length: %d\r\n\r\n" % len(self.body) + self.body
        pieces = [self.body[at : at + 7] for at in range(0, len(self.body), 7)]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


async def echo(request: HttpRequest) -> HttpResponse:
    try:
        data = await request.body.read()
    except ServiceError as error:
        return HttpResponse(status=error.status)
    return HttpResponse(status=200, body=request.target.encode("latin-1") + data)


@given(
    requests=st.lists(st.builds(Sent, st.binary(max_size=300), st.booleans()), min_size=1, max_size=8),
    cuts=st.lists(st.integers(min_value=1, max_value=400), min_size=1, max_size=10),
    eager=st.booleans(),
)
@settings(max_examples=40)
def test_every_cut_of_valid_requests_gives_the_same_answers(requests: list[Sent], cuts: list[int], eager: bool) -> None:
    """Pipelined or not, gathered or streamed: one answer for each, in order."""
    data = b"".join(request.encoded(number) for number, request in enumerate(requests))

    async def run() -> list[bytes]:
        async with serving(echo, gathered_body_bytes=64 if eager else 0) as listener, connected(listener) as client:
            at = 0
            for turn in range(len(data)):
                size = cuts[turn % len(cuts)]
                client.writer.write(data[at : at + size])
                await asyncio.sleep(0)
                at += size
                if at >= len(data):
                    break
            return [(await client.response())[2] for _ in requests]

    assert uvloop.run(run()) == [b"/%d" % number + request.body for number, request in enumerate(requests)]


class Failures(logging.Handler):
    """Keeps what was logged as an error."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self.records.append(record)


@given(parts=st.lists(st.one_of(TOKENS, st.binary(max_size=60)), max_size=12), close=st.booleans())
@settings(max_examples=80)
def test_no_bytes_break_the_server(parts: list[bytes], close: bool) -> None:
    """After any client the next one is served, no connection is left, and no handler has failed."""
    failures = Failures(logging.ERROR)

    async def run() -> bytes:
        limits = HttpLimits(
            max_head_bytes=2000,
            max_body_bytes=50_000,
            linger_s=0.01,
            head_timeout_s=0.05,
            body_timeout_s=0.05,
            keep_alive_timeout_s=0.05,
        )
        async with serving(echo, options=ServeOptions(limits=limits)) as listener:
            async with connected(listener) as client:
                for part in parts:
                    if client.writer.is_closing():
                        break
                    client.writer.write(part)
                    await asyncio.sleep(0)
                if close and not client.writer.is_closing():
                    client.writer.write_eof()
                with suppress(ConnectionError):  # closed while we still wrote
                    await client.rest()
            listener._options = ServeOptions()  # whoever comes now is not to be late on a machine that is slow
            async with connected(listener) as client:
                body = (await (await client.send(b"GET /next HTTP/1.1\r\n\r\n")).response())[2]
                async with asyncio.timeout(PATIENCE_S):
                    await until(lambda: listener.connections == 1)
                return body

    logging.getLogger("undercast.http").addHandler(failures)
    try:
        assert uvloop.run(run()) == b"/next"
    finally:
        logging.getLogger("undercast.http").removeHandler(failures)
    assert failures.records == []
