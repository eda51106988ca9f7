"""The rate of an API destination and the Retry-After of its endpoint, counted on a clock of the test's own.

AWS: EventBridge User Guide, "API destinations as targets in Amazon EventBridge" (Retry-After: the longer of that and of
the retry policy's own delay; invocation rate limit per second).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.services.sns.web import Endpoint, listening
from tests.state import State
from tests.unit.eventbridge.test_connections import SCOPE, Caller, state
from undercast.core.context import Cause
from undercast.events.delivery import Delivery
from undercast.services.events.http_target import DEFAULT_RATE, HttpTarget
from undercast.services.target_calls import BACKOFF

__all__ = ("state",)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A server of somebody else."""
    with listening() as made:
        yield made


class Hook:
    """An account's API destination."""

    def __init__(self, caller: Caller, arn: str) -> None:
        self.clock = caller.clock
        self.target = HttpTarget(caller.events, Path("none"))
        self._arn = arn

    def event(self, number: int) -> Delivery:
        """One that is to be delivered for the first time."""
        return Delivery(
            id=f"{number}", kind="events-http", target_arn=self._arn, payload=b"{}", scope=SCOPE,
            created_at=self.clock.now(), cause=Cause(kind="internal"), source_arn="rule",
            attributes={
                "source_account": SCOPE.account_id, "role_arn": f"arn:aws:iam::{SCOPE.account_id}:role/r",
                "max_attempts": "5", "max_age_s": "86400", "failure_kind": "none", "failure_arn": "rule",
                "target": self._arn,
            },
        )  # fmt: skip


async def hook(state: State, endpoint: Endpoint, **params: Any) -> Hook:
    """Made as dispatch makes it."""
    caller = Caller(state)
    at = {"ConnectionArn": (await caller.make())["ConnectionArn"], "InvocationEndpoint": endpoint.url}
    made = await caller.call("CreateApiDestination", Name="d", HttpMethod="POST", **at, **params)
    return Hook(caller, made["ApiDestinationArn"])


async def test_the_next_attempt_waits_as_the_endpoint_asks(state: State, endpoint: Endpoint) -> None:
    """A number of seconds; what is none leaves the delay of the retry policy."""
    hooked = await hook(state, endpoint)
    asked = {"600": 600.0, "0": 0.0, "": 0.0, "Wed, 21 Oct 2015 07:28:00 GMT": 0.0, "-5": 0.0, "1" * 9: 0.0}
    for status in (409, 429, 500, 503):
        for retry_after, asked_s in asked.items():
            hooked.clock.advance(1)
            endpoint.statuses.append(status)
            endpoint.headers = {"Retry-After": retry_after} if retry_after else {}
            outcome = await hooked.target.deliver(hooked.event(1))
            assert (outcome.kind, outcome.counted) == ("retry", True)
            waits_s = outcome.due_at - hooked.clock.now()
            assert waits_s == asked_s if asked_s else 0 < waits_s <= BACKOFF.wait_s(0)


async def test_what_asks_for_more_time_than_an_event_has_gives_it_up(state: State, endpoint: Endpoint) -> None:
    """MaximumEventAgeInSeconds, which the wait counts into."""
    hooked = await hook(state, endpoint)
    endpoint.statuses.append(503)
    endpoint.headers = {"Retry-After": "86401"}
    assert (await hooked.target.deliver(hooked.event(1))).kind == "dead"


@pytest.mark.parametrize(("given", "rate"), [({"InvocationRateLimitPerSecond": 2}, 2), ({}, DEFAULT_RATE)])
async def test_each_invocation_has_its_turn(state: State, endpoint: Endpoint, given: dict[str, int], rate: int) -> None:
    """The first goes at once, and each other one waits for its own part of the second, once."""
    hooked = await hook(state, endpoint, **given)
    begun = hooked.clock.now()
    outcomes = [await hooked.target.deliver(hooked.event(number)) for number in range(4)]
    assert [(one.kind, one.counted) for one in outcomes] == [("done", True)] + [("retry", False)] * 3
    assert [one.due_at - begun for one in outcomes[1:]] == pytest.approx([1 / rate, 2 / rate, 3 / rate], abs=1e-5)
    assert endpoint.came.qsize() == 1
    for number, outcome in enumerate(outcomes[1:], 1):
        hooked.clock.advance(outcome.due_at - hooked.clock.now())
        assert (await hooked.target.deliver(replace(hooked.event(number), throttles=1))).kind == "done"
    assert endpoint.came.qsize() == 4
    hooked.clock.advance(60)
    assert (await hooked.target.deliver(hooked.event(9))).kind == "done"
