"""Live tail sessions."""

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fakes import FakeHostClock
from tests.unit.logs.conftest import SCOPE, World
from tests.unit.logs.test_logs import refused
from undercast.core.context import EXTERNAL
from undercast.core.errors import ServiceError
from undercast.services.logs import live_tail
from undercast.services.logs.followers import Followers, Heard, StreamName

ARN = f"arn:aws:logs:us-west-2:{SCOPE.account_id}:log-group:g"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update every millisecond."""
    monkeypatch.setattr(live_tail, "UPDATE_S", 0.001)


async def begun(world: World, **params: Any) -> AsyncIterator[dict[str, Any]]:
    """A session whose start has been read."""
    output = await world.call("StartLiveTail", logGroupIdentifiers=[ARN], **params)
    events: AsyncIterator[dict[str, Any]] = output["responseStream"]
    start = (await anext(events))["sessionStart"]
    assert start["logGroupIdentifiers"] == [ARN]
    return events


async def shown(events: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    """The next update that has events."""
    while True:
        update: dict[str, Any] = (await anext(events))["sessionUpdate"]
        if update["sessionResults"]:
            return update


async def test_events_are_shown_as_they_come(world: World) -> None:
    """Those of the streams and of the pattern that were asked for; nothing is left behind when the reader goes."""
    await world.stream("g", "s-1", "t-1")
    events = await begun(world, logStreamNamePrefixes=["s-"], logEventFilterPattern="wanted")
    await world.put("g", "t-1", (0, "wanted elsewhere"))
    await world.put("g", "s-1", (0, "wanted"), (1, "other"))
    update = await shown(events)
    assert update == {
        "sessionMetadata": {"sampled": False},
        "sessionResults": [{
            "logStreamName": "s-1", "logGroupIdentifier": ARN, "message": "wanted", "timestamp": world.now_ms,
            "ingestionTime": world.now_ms,
        }],
    }  # fmt: skip
    await events.aclose()  # type: ignore[attr-defined]
    assert world.logs.intake.followers.by_group == {}


async def test_more_than_500_events_are_sampled(world: World) -> None:
    """From the whole second, and the update says so."""
    await world.stream("g", "s")
    events = await begun(world)
    await world.put("g", "s", *((number, str(number)) for number in range(2000)))
    update = await shown(events)
    assert (update["sessionMetadata"]["sampled"], len(update["sessionResults"])) == (True, 500)
    assert update["sessionResults"][-1]["message"] == "1996"
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_session_ends_after_three_hours_and_with_the_platform(world: World) -> None:
    """SessionTimeoutException; a stop ends the stream."""
    await world.stream("g", "s")
    events = await begun(world)
    world.clock.host.tick(3 * 3600 + 1)
    with pytest.raises(ServiceError) as caught:
        await shown(events)
    assert caught.value.code == "SessionTimeoutException"
    events = await begun(world)
    world.logs.live_tails.end()
    assert [event async for event in events] == []


async def test_requests_are_checked(world: World) -> None:
    """Groups by ARN that exist; names or prefixes of streams, of one group."""
    await world.stream("g")
    for params, code in (
        ({"logGroupIdentifiers": ["g"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [f"{ARN}:*"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [f"{ARN}x"]}, "ResourceNotFoundException"),
        ({"logStreamNames": ["a"], "logStreamNamePrefixes": ["a"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [ARN, ARN], "logStreamNames": ["a"]}, "InvalidParameterException"),
        ({"logEventFilterPattern": "{"}, "InvalidParameterException"),
    ):
        error = await refused(world, "StartLiveTail", **{"logGroupIdentifiers": [ARN], **params})
        assert error.code == code


@pytest.mark.parametrize(("events", "on_the_loop"), [(10, True), (1000, False)])
async def test_the_writer_of_events_matches_none(events: int, on_the_loop: bool) -> None:
    """Hearing puts aside; a flood is matched beside the event loop when the update is made."""
    asked: list[int] = []

    def matches(text: str) -> bool:
        asked.append(threading.get_ident())
        return text.startswith("7 ")

    tail = live_tail.LiveTail(
        live_tail.Wanted(groups=(), matches=matches, stream_matches=lambda name: True), Followers(), FakeHostClock()
    )
    tail.hear(heard(*(f"{number} {'x' * 100}" for number in range(events))))
    assert asked == []
    session = tail.events({})
    await anext(session)
    update = await shown(session)
    assert len(update["sessionResults"]) == 1
    assert (len(asked), set(asked) == {threading.get_ident()}) == (events, on_the_loop)
    await session.aclose()


async def test_what_is_kept_of_a_flood_is_bounded() -> None:
    """By its size, before anything is matched; the update says that something was left out."""
    wanted = live_tail.Wanted(groups=(), matches=lambda text: True, stream_matches=lambda name: True)
    tail = live_tail.LiveTail(wanted, Followers(), FakeHostClock())
    for _ in range(20):
        tail.hear(heard("x" * 1024 * 1024))
    session = tail.events({})
    await anext(session)
    update = await shown(session)
    assert (len(update["sessionResults"]), update["sessionMetadata"]["sampled"]) == (16, True)
    await session.aclose()


def heard(*messages: str) -> Heard:
    return Heard(StreamName(SCOPE, "g", "s"), [(0, 0, 0, 0, message) for message in messages], EXTERNAL)
