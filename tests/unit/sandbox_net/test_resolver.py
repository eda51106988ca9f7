"""The resolver inside a sandbox, asked by hand-made packets and by dnslib."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undercast.sandbox.resolver import HOST_ADDRESS, NameTable, Resolver, answer, is_platform_name

A, AAAA, TXT, HTTPS, ANY = 1, 28, 16, 65, 255


def query(name: str, kind: int = A, query_id: int = 4711, flags: int = 0x0100) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split(".") if label)
    return struct.pack(">HHHHHH", query_id, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def asked(packet: bytes, names: NameTable | None = None) -> tuple[int, str | None]:
    """Response code and the address in the answer."""
    response = answer(packet, names or NameTable())
    assert response is not None
    query_id, flags, _, answers, _, _ = struct.unpack_from(">HHHHHH", response)
    assert query_id == struct.unpack_from(">H", packet)[0]
    assert flags & 0x8000
    return flags & 15, socket.inet_ntoa(response[-4:]) if answers else None


@pytest.mark.parametrize(
    "name",
    [
        "s3.amazonaws.com",
        "my-bucket.s3.eu-west-1.amazonaws.com",
        "S3.AmazonAWS.com",
        "sts.amazonaws.com.cn",
        "lambda.us-east-1.api.aws",
        "x.lambda-url.us-east-1.on.aws",
        "localhost",
        "streaming-localhost",
        "b.localhost",
        "s3.localhost.localstack.cloud",
        "sandbox.localdomain",
    ],
)
def test_names_of_aws_are_the_platform(name: str) -> None:
    """Unmodified SDKs find the platform by AWS's own host names."""
    assert asked(query(name)) == (0, "127.0.0.1")


@pytest.mark.parametrize("name", ["notamazonaws.com", "amazonaws.com.example.org", "aws.amazon.com"])
def test_names_that_only_look_like_aws_are_not(name: str) -> None:
    """A suffix begins at a label."""
    assert not is_platform_name(name)


def test_any_other_name_has_an_address_of_its_own() -> None:
    """The address tells the relay which host was meant; it stays the same."""
    names = NameTable()
    first, second = asked(query("example.com"), names)[1], asked(query("db.internal"), names)[1]
    assert (first, second) == ("127.64.0.1", "127.64.0.2")
    assert asked(query("EXAMPLE.com"), names) == (0, first)
    assert (names.name_of("127.64.0.1"), names.name_of("127.64.0.9")) == ("example.com", None)


def test_the_machine_has_a_name() -> None:
    """host.undercast.internal leads to the machine's loopback."""
    names = NameTable()
    assert asked(query("host.undercast.internal"), names) == (0, HOST_ADDRESS)
    assert names.name_of(HOST_ADDRESS) == "host.undercast.internal"


def test_the_table_is_bounded_and_forgets_what_was_asked_longest_ago() -> None:
    """A function that asks for endless names costs no memory; a name in use keeps its address."""
    names = NameTable(max_names=3)
    used = names.address_of("used")
    for number in range(100):
        names.address_of(f"n{number}")
        assert names.name_of(used) == "used"
    assert sum(names.name_of(f"127.64.0.{last}") is not None for last in range(256)) == 3


@pytest.mark.parametrize("kind", [AAAA, TXT, HTTPS, ANY])
def test_other_types_are_empty_but_no_error(kind: int) -> None:
    """NXDOMAIN for AAAA would make a resolver give up before it asks for A."""
    assert asked(query("example.com", kind)) == (0, None)


def test_reverse_names_do_not_exist() -> None:
    """No reverse names here, and none are handed to the relay."""
    assert asked(query("1.0.64.127.in-addr.arpa", 12)) == (3, None)


def test_what_is_no_query_gets_an_error_or_nothing() -> None:
    """NOTIMP for another opcode, FORMERR for no single question, silence for responses and scraps."""
    assert asked(query("a.b", flags=0x2800)) == (4, None)
    assert asked(struct.pack(">HHHHHH", 1, 0, 2, 0, 0, 0)) == (1, None)
    assert asked(query("a.b")[:-3]) == (1, None)
    assert asked(struct.pack(">HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1") == (1, None)
    assert answer(query("a.b", flags=0x8000), NameTable()) is None
    assert answer(b"\0" * 11, NameTable()) is None
    assert answer(b"\0" * 5000, NameTable()) is None


@given(data=st.binary(max_size=80))
@settings(max_examples=300)
def test_no_packet_crashes_the_resolver(data: bytes) -> None:
    """Whatever arrives is answered or ignored."""
    for packet in (data, query("x")[:12] + data):
        response = answer(packet, NameTable())
        assert response is None or response[:2] == packet[:2]


async def test_the_resolver_answers_on_a_socket() -> None:
    """Over UDP, next to packets that are none."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    resolver = Resolver(NameTable())
    resolver.start(listening)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(listening.getsockname())
        await loop.sock_sendall(client, b"nonsense")
        await loop.sock_sendall(client, query("example.com"))
        response = await asyncio.wait_for(loop.sock_recv(client, 512), 5)
    resolver.close()
    assert socket.inet_ntoa(response[-4:]) == "127.64.0.1"


async def test_more_questions_than_a_second_allows_are_answered_in_the_next() -> None:
    """Nothing is read meanwhile: a flood costs the platform what its quota costs."""
    loop = asyncio.get_running_loop()
    with asking(most=3, span_s=3600.0) as (client, listening):
        for number in range(5):
            client.send(query("example.com", query_id=number))
        for number in range(3):
            assert await query_id(client) == number
        await asyncio.sleep(0)  # the turn in which it has seen that three were the last
        assert not loop.remove_reader(listening)
        with pytest.raises(BlockingIOError):
            client.recv(512)
        assert listening.recv(512, socket.MSG_PEEK) == query("example.com", query_id=3)
    with asking(most=3, span_s=0.01) as (client, _):
        for number in range(20):
            client.send(query("example.com", query_id=number))
        assert [await query_id(client) for _ in range(20)] == list(range(20))


async def test_a_resolver_that_ends_while_it_rests_does_not_hear_again() -> None:
    """Its socket is closed: the end of the second finds nobody who would read it."""
    loop = asyncio.get_running_loop()
    problems: list[object] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    with asking(most=1, span_s=0.2) as (client, _):
        client.send(query("example.com", query_id=1))
        assert await query_id(client) == 1
    over = loop.create_future()
    loop.call_later(0.3, over.set_result, None)  # timers come in their order
    await over
    assert problems == []


@contextmanager
def asking(*, most: int, span_s: float) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client, and the socket on which a resolver with such a quota answers it."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    resolver = Resolver(NameTable(), most, span_s)
    resolver.start(listening)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(listening.getsockname())
            yield client, listening
    finally:
        resolver.close()


async def query_id(client: socket.socket) -> int:
    """Of the next response."""
    response = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 512), 15)
    return int.from_bytes(response[:2], "big")
