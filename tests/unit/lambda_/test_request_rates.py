"""Rates of the control plane's requests.

AWS: Lambda Developer Guide, "Lambda quotas".
"""

from dataclasses import replace

import pytest

from tests.fakes import FakeClock
from tests.unit.lambda_.conftest import SCOPE, World
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.errors import ServiceError
from undercast.services.lambda_.request_rates import RequestRates


def passed(rates: RequestRates, operation: str, times: int, scope: Scope = SCOPE) -> int:
    """How many of so many requests at one moment are not refused."""
    done = 0
    for _ in range(times):
        try:
            rates.count(scope, operation)
        except ServiceError as error:
            assert (error.code, error.status) == ("TooManyRequestsException", 429)
            continue
        done += 1
    return done


def test_a_second_has_its_requests() -> None:
    """100 GetFunction, 15 GetPolicy, 15 of all others together; a fifth of a second is worth three more."""
    clock = FakeClock()
    rates = RequestRates(clock, enabled=True)
    assert passed(rates, "GetFunction", 120) == 100
    assert passed(rates, "GetPolicy", 20) == 15
    assert [passed(rates, name, 9) for name in ("ListFunctions", "UpdateFunctionCode")] == [9, 6]
    clock.advance(0.21)
    assert (passed(rates, "TagResource", 9), passed(rates, "GetFunction", 120)) == (3, 21)
    clock.advance(3600)
    assert passed(rates, "TagResource", 90) == 15


def test_a_clock_that_is_set_back_takes_no_requests() -> None:
    """An hour back would have been 54,000 requests to make up for."""
    clock = FakeClock()
    rates = RequestRates(clock, enabled=True)
    assert passed(rates, "ListFunctions", 5) == 5
    clock.tick(-3600)
    assert passed(rates, "ListFunctions", 20) == 10
    clock.advance(1)
    assert passed(rates, "ListFunctions", 20) == 15


def test_accounts_and_regions_have_rates_of_their_own() -> None:
    """The quotas are a region's."""
    rates = RequestRates(FakeClock(), enabled=True)
    for scope in (SCOPE, Scope(SCOPE.account_id, Region("eu-west-1")), Scope(AccountId("444455556666"), SCOPE.region)):
        assert passed(rates, "ListFunctions", 20, scope) == 15


def test_without_the_option_nothing_is_counted() -> None:
    """`--throttle-requests` is off by default."""
    assert passed(RequestRates(FakeClock(), enabled=False), "ListFunctions", 1000) == 1000


async def test_invocations_are_not_counted(world: World) -> None:
    """Their rate is their concurrency's. What is refused has done nothing."""
    await world.create()
    world.functions = replace(world.functions, rates=RequestRates(world.clock, enabled=True))
    for _ in range(30):
        await world.call("Invoke", FunctionName="f")
    for _ in range(15):
        await world.call("GetFunctionConfiguration", FunctionName="f")
    with pytest.raises(ServiceError) as caught:
        await world.call("DeleteFunction", FunctionName="f")
    assert (caught.value.message, caught.value.members["Reason"]) == ("Rate exceeded", "CallerRateLimitExceeded")
    world.clock.advance(1)
    assert (await world.call("ListFunctions"))["Functions"]
