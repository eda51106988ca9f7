"""What is sent to a web endpoint, and answers that are no answers."""

import asyncio
import socket
import ssl

import pytest

from undercast.events.web import Answer, Connect, WebError, WebRequest, connect_anywhere, send


async def no_tls() -> ssl.SSLContext:
    raise AssertionError("not asked for")


async def sent(
    answer: bytes, url: str = "/a?b=c", *, timeout_s: float = 5.0, answer_bytes: int = 0
) -> tuple[Answer, bytes]:
    """Post to a server that answers so, and what it got."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n"))
        got.append(await reader.readexactly(4))
        writer.write(answer)
        await writer.drain()
        if answer:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        target = f"http://user:pw@127.0.0.1:{port}{url}"
        request = WebRequest(url=target, headers={"X-A": "b"}, body=b"body", answer_bytes=answer_bytes)
        return await send(request, connect=connect_anywhere, tls=no_tls, timeout_s=timeout_s), b"".join(got)
    finally:
        server.close()


async def test_a_post_has_its_target_and_headers() -> None:
    """The URL's user stays here; the head of the answer comes back, its body is not read."""
    answer, got = await sent(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nA: b\r\n\r\nbody")
    assert answer == Answer(status=201, headers={"a": "b"})
    head = got.decode()
    assert head.startswith("POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert head.endswith("\r\nConnection: close\r\nX-A: b\r\nContent-Length: 4\r\n\r\nbody")


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 7\r\n\r\n0123456",
        b"\r\n0123456",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n3\r\n456\r\n0\r\n\r\n",
    ],
)
async def test_a_body_is_read_as_far_as_it_is_wanted(rest: bytes) -> None:
    """By its length, to the end of the connection, in chunks."""
    for most, expected in ((100, b"0123456"), (5, b"01234")):
        answer, _ = await sent(b"HTTP/1.1 200 OK\r\n" + rest, answer_bytes=most)
        assert answer.body == expected


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
     b"HTTP/1.1 200 " + b"x" * 100_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 20],
)  # fmt: skip
async def test_what_is_no_answer_is_an_error(answer: bytes) -> None:
    """No HTTP, no status, endless heads."""
    with pytest.raises(WebError):
        await sent(answer)


async def test_silence_ends() -> None:
    """Bounded in time."""
    with pytest.raises(WebError, match="no answer within 0 s"):
        await sent(b"", timeout_s=0.2)


async def test_nobody_listens() -> None:
    """A closed port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(WebError):
        request = WebRequest(url=f"http://any.localhost:{port}/", headers={}, body=b"")
        await send(request, connect=connect_anywhere, tls=no_tls, timeout_s=5.0)


async def refusing(name: str, port: int) -> socket.socket:
    """Whatever its words are."""
    raise OSError(f"no answer from {name}")


async def never(name: str, port: int) -> socket.socket:
    """The host is not reached."""
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(("connect", "kind"), [(refusing, "connection"), (never, "timeout")])
async def test_a_failure_has_a_kind(connect: Connect, kind: str) -> None:
    """EventBridge's dead-letter queues tell a timeout from a failed connection."""
    request = WebRequest(url="http://host.example/", headers={}, body=b"")
    with pytest.raises(WebError) as failed:
        await send(request, connect=connect, tls=no_tls, timeout_s=0.01)
    assert failed.value.kind == kind
