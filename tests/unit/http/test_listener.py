"""Listeners: TLS and plain HTTP on one port, clients that would hold it, and closing in good order."""

import asyncio
import contextlib
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import FakeHostClock
from tests.unit.http.serving import Client, address_of, connected, serving, until
from undercast.core.clock import HostClock
from undercast.core.http import HttpRequest, HttpResponse
from undercast.http import listener as listener_module
from undercast.http.listener import Listener
from undercast.http.tls import CertificateAuthority, covering_name, is_host_name

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path / "ca", HostClock())


def trusting(authority: CertificateAuthority) -> ssl.SSLContext:
    authority.ensure()
    return ssl.create_default_context(cafile=str(authority.certificate_path))


async def secured(listener: Listener, context: ssl.SSLContext, name: str) -> Client:
    host, port = address_of(listener)
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    return Client(reader, writer)


async def secure_or_not(request: HttpRequest) -> HttpResponse:
    await request.body.read()
    return HttpResponse(status=200, body=b"secure" if request.secure else b"plain")


async def test_http_and_https_share_a_port(authority: CertificateAuthority) -> None:
    """The first byte tells: 0x16 begins a TLS handshake."""
    async with serving(secure_or_not, tls=authority.ssl_context) as listener:
        for _ in range(2):
            client = await secured(listener, trusting(authority), "localhost")
            for _ in range(2):
                assert (await (await client.send(GET)).response())[2] == b"secure"
            client.writer.transport.abort()
        async with connected(listener) as plain:
            assert (await (await plain.send(GET)).response())[2] == b"plain"
        async with connected(listener) as late:
            await asyncio.sleep(0.02)
            assert (await (await late.send(GET)).response())[2] == b"plain"


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "s3.amazonaws.com",
        "my-bucket.s3.eu-west-1.amazonaws.com",
        "a.b.s3.amazonaws.com",
        "sts.us-east-1.amazonaws.com",
        "bucket.s3.localhost.localstack.cloud",
    ],
)
async def test_every_name_gets_a_certificate_of_the_local_authority(authority: CertificateAuthority, name: str) -> None:
    """An unmodified SDK verifies the chain and the host name against the bundle."""
    async with serving(secure_or_not, tls=authority.ssl_context, tls_mode="always") as listener:
        client = await secured(listener, trusting(authority), name)
        assert (await (await client.send(GET)).response())[2] == b"secure"
        client.writer.transport.abort()


async def test_a_large_body_goes_through_tls(authority: CertificateAuthority) -> None:
    """Both ways, with an answer of its size."""

    async def echo(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=await request.body.read())

    body = bytes(range(256)) * 8192
    async with serving(echo, tls=authority.ssl_context) as listener:
        client = await secured(listener, trusting(authority), "localhost")
        sending = asyncio.create_task(client.send(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
        assert (await client.response())[2] == body
        await sending
        client.writer.transport.abort()


async def test_tls_can_be_forced(authority: CertificateAuthority) -> None:
    """Port 443 inside a sandbox speaks TLS only, port 80 never does."""
    always = serving(secure_or_not, tls=authority.ssl_context, tls_mode="always")
    async with contextlib.AsyncExitStack() as stack:
        listener = await stack.enter_async_context(always)
        client = await stack.enter_async_context(connected(listener))
        assert b"200" not in await (await client.send(GET)).rest()
    async with serving(secure_or_not, tls=authority.ssl_context, tls_mode="never") as listener:
        with pytest.raises((ssl.SSLError, OSError)):
            await secured(listener, trusting(authority), "localhost")


async def test_a_broken_handshake_costs_nothing(authority: CertificateAuthority) -> None:
    """Garbage behind the first byte of a handshake."""
    async with serving(secure_or_not, tls=authority.ssl_context) as listener:
        async with connected(listener) as client:
            await client.send(b"\x16\x03\x01\x00\x05hello")
            await client.rest()
        await until(lambda: listener.connections == 0)


async def test_a_connection_that_was_accepted_elsewhere_is_served() -> None:
    """The relay of a sandbox hands over what is meant for the platform."""
    async with serving(secure_or_not) as listener:
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            reader, writer = await asyncio.open_connection(*elsewhere.getsockname())
            listener.serve(elsewhere.accept()[0])
        assert (await (await Client(reader, writer).send(GET)).response())[2] == b"plain"
        writer.transport.abort()


async def test_idle_clients_make_room_for_new_ones() -> None:
    """Whoever says nothing longest goes first; a client in the middle of a request stays."""
    go = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.target == "/slow":
            await go.wait()
        return HttpResponse(status=200, body=b"ok")

    async with serving(handler, max_connections=3) as listener, contextlib.AsyncExitStack() as stack:
        busy = await stack.enter_async_context(connected(listener))
        await busy.send(b"GET /slow HTTP/1.1\r\n\r\n")
        await until(lambda: listener.connections == 1)
        for _ in range(20):
            client = await stack.enter_async_context(connected(listener))
            assert (await (await client.send(GET)).response())[0] == 200
            silent = await stack.enter_async_context(connected(listener))
            del silent
        await until(lambda: listener.connections <= 3)  # one that is just opening counts twice
        go.set()
        assert (await busy.response())[2] == b"ok"


async def test_handshakes_that_do_not_go_on_make_room(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any number of clients may begin with TLS and say no more: a new one takes the place of the oldest."""
    monkeypatch.setattr(listener_module, "_TLS_HANDSHAKE_TIMEOUT_S", 300.0)
    async with serving(tls=authority.ssl_context, max_connections=3) as listener, contextlib.AsyncExitStack() as stack:
        for _ in range(8):
            silent = await stack.enter_async_context(connected(listener))
            await silent.send(b"\x16\x03\x01")
        client = await stack.enter_async_context(connected(listener))
        assert (await (await client.send(GET)).response())[0] == 200


async def test_busy_clients_make_new_ones_wait() -> None:
    """Nobody in the middle of a request is cut off for another; the new one is served when one is done."""
    go, started = asyncio.Event(), 0

    async def handler(request: HttpRequest) -> HttpResponse:
        nonlocal started
        started += 1
        await go.wait()
        return HttpResponse(status=200, close=True)

    async with serving(handler, max_connections=2) as listener, contextlib.AsyncExitStack() as stack:
        clients = []
        for expected in (1, 2, 2):
            clients.append(await stack.enter_async_context(connected(listener)))
            await clients[-1].send(GET)
            await until(partial(lambda count: started == count, expected))
        assert listener.connections == 2
        go.set()
        assert [(await client.response())[0] for client in clients] == [200] * 3


async def test_of_those_idle_since_the_same_moment_the_oldest_makes_room() -> None:
    """A loop's clock may count milliseconds: who has just come and not yet spoken would have to go instead."""
    async with serving(max_connections=20) as listener, contextlib.AsyncExitStack() as stack:
        clients = []
        for number in range(20):
            clients.append(await stack.enter_async_context(connected(listener)))
            assert (await (await clients[number].send(GET)).response())[0] == 200
        for one in listener._connections:
            one.idle_since = 0.0
        newest = await stack.enter_async_context(connected(listener))
        assert (await (await newest.send(GET)).response())[0] == 200
        assert await clients[0].rest() == b""
        assert [(await (await client.send(GET)).response())[0] for client in clients[2:]] == [200] * 18


async def test_connections_that_were_accepted_elsewhere_are_limited_too() -> None:
    """Idle ones make room; where all are busy the new one is closed, for its sender has no queue to wait in."""
    go = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.target == "/slow":
            await go.wait()
        return HttpResponse(status=200, body=b"ok")

    async with serving(handler, max_connections=2) as listener, contextlib.AsyncExitStack() as stack:
        elsewhere = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        async def another() -> Client:
            reader, writer = await asyncio.open_connection(*elsewhere.getsockname())
            stack.callback(writer.transport.abort)
            listener.serve(elsewhere.accept()[0])
            return Client(reader, writer)

        first = await another()
        assert (await (await first.send(GET)).response())[0] == 200
        busy = [await (await another()).send(b"GET /slow HTTP/1.1\r\n\r\n") for _ in range(2)]
        assert await first.rest() == b""
        await until(lambda: listener.connections == 2 and not any(one.idle for one in listener._connections))
        assert await (await another()).rest() == b""
        assert listener.connections == 2
        go.set()
        assert [(await client.response())[2] for client in busy] == [b"ok"] * 2


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_running_out_of_descriptors_is_survived(few_descriptors: None) -> None:
    """EMFILE on accept: idle connections are closed, the listener goes on."""
    async with serving(secure_or_not) as listener:
        loop = asyncio.get_running_loop()
        hoard = []
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                client = socket.socket()
                hoard.append(client)
                client.setblocking(False)
                await loop.sock_connect(client, address_of(listener))
        for client in hoard[10:]:
            client.close()
        async with connected(listener) as served:
            assert (await (await served.send(GET)).response())[2] == b"plain"
        for client in hoard:
            client.close()


async def test_closing_finishes_what_is_in_hand() -> None:
    """SIGTERM: no new connections, idle ones end at once, a request in hand gets its response."""
    started, go = asyncio.Event(), asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        started.set()
        await go.wait()
        return HttpResponse(status=200, body=b"done")

    async with serving(handler) as listener, connected(listener) as busy, connected(listener) as idle:
        host, port = address_of(listener)
        await busy.send(GET)
        await started.wait()
        closing = asyncio.create_task(listener.close(10))
        assert await idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, port)
        assert not closing.done()
        go.set()
        status, headers, body = await busy.response()
        assert (status, headers["connection"], body) == (200, "close", b"done")
        await asyncio.wait_for(closing, 5)


async def test_closing_waits_for_a_stream_and_then_ends_its_connection() -> None:
    """Its head had promised to keep the connection."""
    go = asyncio.Event()

    async def iterate() -> AsyncIterator[bytes]:
        yield b"first "
        await go.wait()
        yield b"last"

    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, body=iterate(), length=10)

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(GET)
        await client.reader.readuntil(b"first ")
        closing = asyncio.create_task(listener.close(10))
        await asyncio.sleep(0)
        go.set()
        assert await client.rest() == b"last"
        await asyncio.wait_for(closing, 5)


async def test_closing_cuts_off_what_does_not_end() -> None:
    """The handler is cancelled when the time is over."""
    events: list[str] = []
    started = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            events.append("ended")
        return HttpResponse(status=200)

    async with serving(handler) as listener, connected(listener) as client:
        await client.send(GET)
        await started.wait()
        await listener.close(0.05)
        assert (events, listener.connections) == (["ended"], 0)


@pytest.mark.parametrize("turns", range(5))
async def test_closing_ends_a_connection_that_is_just_opening(turns: int) -> None:
    """A request that has begun is answered, else the connection closes; neither waits for the rest of the time."""
    begun = 0

    async def handler(request: HttpRequest) -> HttpResponse:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0.01)
        return HttpResponse(status=200)

    async with serving(handler) as listener:
        with socket.create_server(("127.0.0.1", 0)) as server:
            ours = socket.create_connection(server.getsockname())
            ours.sendall(GET)
            listener.serve(server.accept()[0])
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(listener.close(60), 10)
        assert listener.connections == 0
        with ours, contextlib.suppress(ConnectionResetError):
            ours.settimeout(10)
            assert ours.recv(1000).startswith(b"HTTP/1.1 200 ") == bool(begun)
            return
        assert begun == 0


# The authority.


def test_a_client_begins_no_second_handshake(authority: CertificateAuthority) -> None:
    """TLS 1.2 lets a client ask for one at any time, which costs the server far more than the client."""
    assert authority.ssl_context().options & ssl.OP_NO_RENEGOTIATION


def test_the_key_is_private_and_made_once(authority: CertificateAuthority) -> None:
    """0600, and the same after a restart."""
    authority.ensure()
    key = authority.certificate_path.with_name("ca.key")
    assert key.stat().st_mode & 0o777 == 0o600
    before = (key.read_bytes(), authority.certificate_path.read_bytes())
    CertificateAuthority(key.parent, HostClock()).ensure()
    assert (key.read_bytes(), authority.certificate_path.read_bytes()) == before


def test_the_bundle_is_the_roots_and_ours(authority: CertificateAuthority, tmp_path: Path) -> None:
    """AWS_CA_BUNDLE replaces the system's roots, so the bundle has to contain them."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(b"# another root\n")
    authority.write_bundle(tmp_path / "bundle.pem", [roots])
    assert (tmp_path / "bundle.pem").read_bytes() == b"# another root\n" + authority.certificate_path.read_bytes()
    authority.write_bundle(tmp_path / "bundle.pem")
    assert (tmp_path / "bundle.pem").read_bytes().endswith(authority.certificate_path.read_bytes())


def test_a_certificate_begins_before_now(tmp_path: Path) -> None:
    """A client whose clock is a little behind accepts it."""
    authority = CertificateAuthority(tmp_path, FakeHostClock())
    context = authority.ssl_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("b.s3.eu-west-1.amazonaws.com", "*.s3.eu-west-1.amazonaws.com"),
        ("s3.amazonaws.com", "s3.amazonaws.com"),
        ("example.com", "example.com"),
        ("api.example.com.", "api.example.com"),
        ("amazonaws.com", "amazonaws.com"),
    ],
)
def test_one_certificate_covers_all_resources_of_an_endpoint(host: str, name: str) -> None:
    """A thousand buckets are one certificate."""
    assert covering_name(host) == name


@pytest.mark.parametrize("name", ["", ".", "a..b", "*.a", "a/b", "a b", "ü.de", "x" * 64, "a." * 130])
def test_a_name_that_is_none_gets_no_certificate(name: str) -> None:
    """SNI is what a client sends; only host names go into certificates."""
    assert not is_host_name(name)
