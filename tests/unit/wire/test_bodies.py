"""What is held of bodies is bounded: of one request, of one sender, of all."""

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from tests.unit.wire.requests import request
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.wire import bodies
from undercast.wire.bodies import GUEST_BYTES, GUESTS_BYTES, HELD_BYTES, MIB, OPERATION_BYTES, UNSIGNED_BYTES, Bodies
from undercast.wire.decode import Reading, decode, parse


async def allowed(service: str, operation: str) -> int:
    """Any operation's."""
    return OPERATION_BYTES


async def endless(size: int, taken: list[int]) -> AsyncIterator[bytes]:
    """So many bytes in parts, which are counted as they are asked for."""
    for _ in range(size // 65_536):
        taken[0] += 65_536
        yield b" " * 65_536


@pytest.mark.parametrize(("signed", "limit"), [(True, OPERATION_BYTES), (False, UNSIGNED_BYTES)])
async def test_a_body_is_read_no_further_than_its_operation_needs(signed: bool, limit: int) -> None:
    """The rest is not asked for."""
    sent = request("POST", "/", service="dynamodb" if signed else None, x_amz_target=TARGET)
    taken, body_size = [0], limit + 4 * MIB
    holds = Bodies()
    with pytest.raises(ServiceError) as caught:
        await parse(decode(sent), BodyStream(endless(body_size, taken), body_size), Reading(bodies=holds))
    assert (caught.value.code, caught.value.status) == ("RequestEntityTooLargeException", 413)
    assert taken[0] <= limit + 65_536
    assert holds.held_bytes == 0


TARGET = "DynamoDB_20120810.ListTables"


@pytest.mark.parametrize(("sender", "most"), [("environment", GUEST_BYTES), (None, HELD_BYTES)])
def test_all_of_one_sender_are_bounded_together(sender: str | None, most: int) -> None:
    """A guest that holds its part is refused; others are not, and it has it back when a request ends."""
    holds = Bodies()
    with holds.claim(sender) as first:
        first.grow(most)
        with holds.claim(sender) as second, pytest.raises(ServiceError) as caught:
            second.grow(1)
        assert (caught.value.code, caught.value.status) == ("ServiceUnavailable", 503)
        if sender is not None:
            with holds.claim(None) as other:
                other.grow(HELD_BYTES - GUEST_BYTES)
    assert holds.held_bytes == 0


def test_guests_together_leave_room_for_the_user() -> None:
    """However many environments hold what one may."""
    holds = Bodies()
    with ExitStack() as held:
        for number in range(GUESTS_BYTES // GUEST_BYTES):
            held.enter_context(holds.claim(f"environment {number}")).grow(GUEST_BYTES)
        with pytest.raises(ServiceError):
            held.enter_context(holds.claim("one more")).grow(GUEST_BYTES)
        held.enter_context(holds.claim(None)).grow(HELD_BYTES - GUESTS_BYTES)
    assert holds.held_bytes == 0


def test_what_is_given_back_can_be_held_again() -> None:
    """A guest's part, and that of all guests."""
    holds = Bodies()
    for number in range(9):
        with holds.claim(f"environment {number % 2}") as claim:
            claim.grow(GUEST_BYTES)
    assert holds.held_bytes == 0


async def test_one_large_body_of_a_sender_is_parsed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another sender's does not wait for it."""
    under_way: dict[str | None, int] = {}
    most: dict[str | None, int] = {}
    holds = Bodies()

    async def work(sender: str | None) -> None:
        async with holds.turn(sender):
            under_way[sender] = under_way.get(sender, 0) + 1
            most[sender] = max(most.get(sender, 0), under_way[sender])
            most["all"] = max(most.get("all", 0), sum(under_way.values()))
            for _ in range(3):
                await asyncio.sleep(0)
            under_way[sender] -= 1

    await asyncio.gather(*(work(sender) for sender in ("a", None, "b") for _ in range(4)))
    assert most == {"a": 1, "b": 1, None: 1, "all": 3}
    assert not holds._turns


@pytest.mark.parametrize("collects", [True, False])
async def test_the_collector_rests_until_the_first_large_body_is_parsed(collects: bool) -> None:
    """However many overlap, garbage is looked for again and again; who has it off, as the start does, keeps it so."""
    holds, before = Bodies(), gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        async with holds.turn("a"):
            assert not gc.isenabled()
            async with holds.turn("b"):
                assert not gc.isenabled()
            assert gc.isenabled() == collects
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()


async def test_the_loop_goes_on_while_a_large_document_is_parsed() -> None:
    """The interpreter's lock is given away between two pieces: a thread that asks for it has it many times."""
    document = json.dumps({"Limit": 1, "x": [[[1]]] * 300_000}).encode()
    sent = request("POST", "/", service="dynamodb", x_amz_target=TARGET, body=document)
    turns, done = [0], threading.Event()

    async def count() -> None:
        while not done.is_set():
            turns[0] += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    _, params = await parse(decode(sent), sent.body, Reading(bodies=Bodies()))
    done.set()
    await counting
    assert params == {"Limit": 1}
    assert turns[0] >= 20


def test_the_largest_request_of_a_guest_fits() -> None:
    """A function that deploys another one."""
    assert 70_167_211 < bodies.GUEST_BYTES < bodies.HELD_BYTES
