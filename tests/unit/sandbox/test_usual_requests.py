"""Requests that a runtime makes again and again mean what the parser would read, and are not read by it."""

import asyncio
import random
from typing import NoReturn

import httptools
import pytest

from tests.unit.sandbox.test_runtime_api_limits import Seen, Wire, connected
from undercast.sandbox.runtime_api import RuntimeApi, RuntimeEvent
from undercast.sandbox.runtime_connection import Connection
from undercast.sandbox.usual_requests import MOST_BYTES

NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: a/1\r\n\r\n"
IF_ACCEPTED = NEXT.replace(b"User-Agent: a/1\r\n", b"User-Agent: a/1\r\nUndercast-If-Accepted: 1\r\n")
"""As our own client asks, which has not read yet whether its answer was accepted."""
HEAD = (
    b"POST /2018-06-01/runtime/invocation/%b/response HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\nUser-Agent: a/1\r\n\r\n"
)
FIRST, SECOND = b"10000000-0000-4000-8000-00000000000a", b"20000000-0000-4000-8000-00000000000b"


class Silent(httptools.HttpRequestParser):
    """In the place of a parser that is not to be asked."""

    def feed_data(self, data: object) -> NoReturn:
        """It was asked."""
        raise AssertionError(data)


def answer(request_id: bytes, payload: bytes) -> bytes:
    """As awslambdaric posts it."""
    return HEAD % (request_id, len(payload)) + payload


def offer(api: RuntimeApi, request_id: bytes) -> None:
    """Hand over an event."""
    api.offer(RuntimeEvent(request_id=request_id.decode(), payload=b"1", deadline_ms=1, invoked_arn="a"))


async def acquainted(asks: bytes = NEXT) -> tuple[Seen, RuntimeApi, asyncio.Protocol, Wire]:
    """A runtime that has had one event and runs another one."""
    seen = Seen()
    api = RuntimeApi(seen)
    connection, wire = connected(api)
    connection.data_received(asks)
    offer(api, FIRST)
    connection.data_received(answer(FIRST, b'"first"'))
    await asyncio.sleep(0)
    connection.data_received(asks)
    offer(api, SECOND)
    wire.written.clear()
    return seen, api, connection, wire


async def test_what_a_runtime_asks_again_is_not_parsed_again() -> None:
    """The same bytes ask the same; of an answer the request id, the length and the payload are new."""
    seen, api, connection, wire = await acquainted()
    assert isinstance(connection, Connection)
    connection._parser = Silent(connection)
    connection.data_received(answer(SECOND, b'{"a": "a longer payload"}'))
    connection.data_received(NEXT)
    offer(api, FIRST)
    connection.data_received(answer(FIRST, b""))
    await asyncio.sleep(0)
    assert [one.payload for one in seen.answers] == [b'"first"', b'{"a": "a longer payload"}', b""]
    assert (seen.nexts, wire.written.count(b"202 Accepted"), wire.closed) == (3, 2, False)


@pytest.mark.parametrize(
    "first",
    [
        HEAD.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked\r\nX: %d") % (FIRST, 3) + b"0\r\n\r\n",
        HEAD.replace(b"User-Agent: a/1", b"Connection: close") % (FIRST, 3) + b"abc",
        HEAD.replace(b"User-Agent", b"Lambda-Runtime-Function-Error-Type: E\r\nX") % (FIRST, 3) + b"abc",
        HEAD.replace(b"/response", b"/error") % (FIRST, 3) + b"abc",
        HEAD.replace(b"a/1", b"a" * MOST_BYTES) % (FIRST, 3) + b"abc",
        HEAD % (FIRST, 3) + b"abc" + NEXT,
    ],
    ids=["chunked", "ends its connection", "of an error", "error", "long head", "two requests"],
)
async def test_nothing_is_learned_from_an_unusual_answer(first: bytes) -> None:
    """What says more than an answer does is always the parser's."""
    api = RuntimeApi(Seen())
    connection, _ = connected(api)
    assert isinstance(connection, Connection)
    offer(api, FIRST)
    connection.data_received(first)
    offer(api, SECOND)
    assert connection._usual.read(answer(SECOND, b"abc"), api.answer_path) is None


async def test_answer_that_comes_in_two_reads_is_the_parsers() -> None:
    """The second part alone looks like nothing, and like no beginning."""
    seen, _, connection, wire = await acquainted()
    whole = answer(SECOND, b'"in two reads"')
    connection.data_received(whole[:-5])
    connection.data_received(whole[-5:])
    await asyncio.sleep(0)
    assert [one.payload for one in seen.answers] == [b'"first"', b'"in two reads"']
    assert (wire.written.count(b"202 Accepted"), wire.closed) == (1, False)


@pytest.mark.parametrize("behind", [b"", IF_ACCEPTED], ids=["alone", "with the next request"])
async def test_damaged_bytes_mean_the_same_to_whom_they_remind_of_a_usual_answer(behind: bytes) -> None:
    """Whatever is sent, a connection that has learned answers as one that has not."""
    chance = random.Random(68)
    whole = answer(SECOND, b'{"n": 12}') + behind
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data))
            piece = chance.choice((b"", b"\r", b"\n", b"0", b"9", b":", b" ", b"A", b"\r\n\r\n", data[at : at + 1] * 2))
            data[at : at + chance.randint(0, 2)] = piece
        told = []
        for learned in (True, False):
            seen, api, connection, wire = await acquainted(IF_ACCEPTED)
            if not learned:
                connection, wire = connected(api)
            connection.data_received(bytes(data))
            await asyncio.sleep(0)
            if seen.nexts == 3:
                offer(api, FIRST)
            told.append((seen.answers, seen.nexts, wire.closed, bytes(wire.written)))
        assert told[0] == told[1], bytes(data)


async def test_acceptance_comes_with_the_event_that_is_asked_for_in_its_packet() -> None:
    """Our client waits for both: one packet wakes it once. The caller's task is before both."""
    seen, api, connection, wire = await acquainted(IF_ACCEPTED)
    connection.data_received(answer(SECOND, b'"second"') + IF_ACCEPTED)
    assert ([one.payload for one in seen.answers], seen.nexts) == ([b'"first"', b'"second"'], 2)
    await asyncio.sleep(0)
    assert (seen.nexts, bytes(wire.written)) == (3, b"")
    offer(api, FIRST)
    assert (wire.written.count(b"202 Accepted"), wire.written.count(FIRST)) == (1, 1)
    assert wire.written.index(b"202 Accepted") < wire.written.index(FIRST)


async def test_runtime_that_always_asks_in_the_packet_of_its_answer_is_learned_all_the_same() -> None:
    """Where the platform is slower than the runtime, it never reads an answer alone."""
    seen = Seen()
    api = RuntimeApi(seen)
    connection, _ = connected(api)
    assert isinstance(connection, Connection)
    connection.data_received(IF_ACCEPTED)
    for request_id in (FIRST, SECOND):
        offer(api, request_id)
        connection.data_received(answer(request_id, b"1") + IF_ACCEPTED)
        await asyncio.sleep(0)
        connection._parser = Silent(connection)
    assert (len(seen.answers), seen.nexts) == (2, 3)


async def test_next_of_a_refused_answer_is_none() -> None:
    """Its runtime ends, and an event that it had got would fail; one that asks when it knows is served."""
    seen, _, connection, wire = await acquainted(IF_ACCEPTED)
    connection.data_received(answer(FIRST, b'"again"') + IF_ACCEPTED)
    await asyncio.sleep(0)
    assert (len(seen.answers), seen.nexts) == (1, 2)
    assert (wire.written.count(b"400 Bad Request"), wire.written.count(b"403 Forbidden")) == (1, 1)
    connection.data_received(answer(SECOND, b'"second"'))
    connection.data_received(IF_ACCEPTED)
    assert (len(seen.answers), seen.nexts) == (2, 3)


async def test_next_of_a_connection_that_has_ended_is_none() -> None:
    """It would be given the next event, which nobody answers."""
    seen, _, connection, _ = await acquainted(IF_ACCEPTED)
    connection.data_received(answer(SECOND, b'"second"') + IF_ACCEPTED)
    connection.connection_lost(None)
    await asyncio.sleep(0)
    assert (len(seen.answers), seen.nexts) == (2, 2)


async def test_payload_that_ends_like_a_request_is_a_payload() -> None:
    """Also where the read ends there."""
    seen, _, connection, _ = await acquainted(IF_ACCEPTED)
    payload = b"a" + IF_ACCEPTED
    connection.data_received(answer(SECOND, payload + b"b")[:-1])
    await asyncio.sleep(0)
    assert (len(seen.answers), seen.nexts) == (1, 2)
    connection.data_received(b"b")
    assert ([one.payload for one in seen.answers[1:]], seen.nexts) == ([payload + b"b"], 2)


async def asked_during_a_run() -> tuple[Seen, RuntimeApi, Connection, Wire]:
    """A second connection that has learned `next` while an event ran, which the first one has answered since."""
    seen, api, first, _ = await acquainted(IF_ACCEPTED)
    connection, wire = connected(api)
    assert isinstance(connection, Connection)
    connection.data_received(IF_ACCEPTED)
    first.data_received(answer(SECOND, b'"second"'))
    await asyncio.sleep(0)
    wire.written.clear()
    return seen, api, connection, wire


async def test_two_nexts_in_one_read_are_no_answer_with_its_next() -> None:
    """Who asks again before it was answered is cut off; no event goes where nobody is."""
    _, api, connection, wire = await asked_during_a_run()
    connection.data_received(IF_ACCEPTED * 2)
    await asyncio.sleep(0)
    assert wire.closed
    connection.connection_lost(None)
    another, other_wire = connected(api)
    another.data_received(IF_ACCEPTED)
    offer(api, FIRST)
    assert (wire.written.count(FIRST), other_wire.written.count(FIRST)) == (0, 1)


@pytest.mark.parametrize("behind", [IF_ACCEPTED, IF_ACCEPTED * 2], ids=["one", "two"])
@pytest.mark.parametrize(
    "before",
    [
        b"POST /2020-01-01/extension/register HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
        answer(FIRST, b'"refused"'),
        IF_ACCEPTED,
        NEXT,
        answer(SECOND, b'"second"') + IF_ACCEPTED,
    ],
    ids=["extension", "refused", "next", "another next", "answer and next"],
)
async def test_next_behind_anything_but_an_answer_means_what_the_parser_reads(before: bytes, behind: bytes) -> None:
    """A connection that has learned `next` does as one that has not."""
    told = []
    for learned in (True, False):
        seen, api, connection, wire = await asked_during_a_run()
        if not learned:
            connection, wire = connected(api)  # type: ignore[assignment]
        connection.data_received(before + behind)
        await asyncio.sleep(0)
        offer(api, FIRST)
        told.append((seen.answers, seen.nexts, wire.closed, bytes(wire.written), len(api._waiting)))
    assert told[0] == told[1]
