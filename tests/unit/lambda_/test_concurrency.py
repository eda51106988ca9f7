"""Lanes of concurrency, and what is asked for of provisioned concurrency, with a sandbox that notes it."""

import asyncio
import shutil
from typing import Any

import pytest

from tests.fakes import FakeHostClock
from tests.unit.lambda_.conftest import World
from undercast.core.errors import ServiceError
from undercast.sandbox.model import Invocation, InvocationResult
from undercast.sandbox.provision import INIT_FAILURE, Provisioned
from undercast.services.lambda_.concurrency import Concurrency

PROVISIONED = "ProvisionedConcurrentExecutions"


async def refused(world: World, operation: str, **params: Any) -> ServiceError:
    """The error that an operation raises."""
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **params)
    return caught.value


async def settled(world: World) -> None:
    """Let the tasks behind the commits run."""
    for _ in range(20):
        await asyncio.sleep(0)
    await world.functions.deployments.idle()


async def provision(world: World, qualifier: str, count: int, name: str = "f") -> dict[str, Any]:
    """Put a configuration."""
    params = {"FunctionName": name, "Qualifier": qualifier, PROVISIONED: count}
    answer = await world.call("PutProvisionedConcurrencyConfig", **params)
    await settled(world)
    return answer


@pytest.mark.parametrize(
    ("reserved", "running", "reason"),
    [
        (True, 0, "ReservedFunctionInvocationRateLimitExceeded"),
        (True, 1, "ReservedFunctionConcurrentInvocationLimitExceeded"),
        (False, 0, "FunctionInvocationRateLimitExceeded"),
        (False, 1, "ConcurrentInvocationLimitExceeded"),
    ],
)
def test_reason_of_a_throttle(reserved: bool, running: int, reason: str) -> None:
    """The four reasons of the model that concern invokes: too many at once, or too many in a second."""
    concurrency = Concurrency(FakeHostClock())
    lane = concurrency.lane("key", 1, is_reserved=reserved)
    for _ in range(10):
        concurrency.leave(concurrency.enter((lane,), synchronous=True))
    lane.running = running
    with pytest.raises(ServiceError) as caught:
        concurrency.enter((lane,), synchronous=True)
    assert (caught.value.members["Reason"], caught.value.members["retryAfterSeconds"]) == (reason, "1")


def test_ten_synchronous_requests_per_second_for_each_concurrency() -> None:
    """AWS: the limit of requests per second is ten times the concurrency; asynchronous ones have none."""
    clock = FakeHostClock()
    concurrency = Concurrency(clock)
    lane = concurrency.lane("key", 2, is_reserved=True)

    def fits() -> bool:
        try:
            concurrency.leave(concurrency.enter((lane,), synchronous=True))
        except ServiceError:
            return False
        return True

    assert [fits() for _ in range(21)] == [True] * 20 + [False]
    for _ in range(50):
        concurrency.leave(concurrency.enter((lane,), synchronous=False))
    clock.tick(1)
    assert fits()


async def test_provisioned_lane_is_filled_first_and_then_the_accounts(world: World) -> None:
    """Provisioned concurrency is taken out of the account's: what overflows counts there."""
    await world.create()
    await world.call("PublishVersion", FunctionName="f")
    await provision(world, "1", 2)
    gate = asyncio.Event()

    async def wait(invocation: Invocation) -> InvocationResult:
        await gate.wait()
        return InvocationResult(payload=b"1")

    world.environments.answer = wait
    tasks = [asyncio.ensure_future(world.call("Invoke", FunctionName="f", Qualifier="1")) for _ in range(3)]
    await asyncio.sleep(0)
    resolved = await world.functions.catalog.resolve(world.context().scope, "f", "1")
    assert [(lane.running, lane.limit) for lane in resolved.lanes["1"]] == [(2, 2), (1, 998)]
    latest = await world.functions.catalog.resolve(world.context().scope, "f")
    assert [(lane.running, lane.limit) for lane in latest.lanes["$LATEST"]] == [(1, 998)]
    gate.set()
    await asyncio.gather(*tasks)
    assert [lane.running for lane in resolved.lanes["1"]] == [0, 0]


async def test_configuration_is_told_to_the_pool_and_read_back(world: World) -> None:
    """IN_PROGRESS, then READY when the environments are there; deleting gives them up."""
    await world.create()
    await world.call("PublishVersion", FunctionName="f")
    answer = await provision(world, "1", 3)
    assert (answer["Status"], answer["AllocatedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 0)
    assert world.environments.provisions == [("1", 3)]
    world.environments.there = Provisioned(allocated=2)
    where = {"FunctionName": "f", "Qualifier": "1"}
    found = await world.call("GetProvisionedConcurrencyConfig", **where)
    assert (found["Status"], found["AllocatedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)
    world.environments.there = Provisioned(allocated=3, ready=True)
    found = await world.call("GetProvisionedConcurrencyConfig", **where)
    assert (found["Status"], found["AvailableProvisionedConcurrentExecutions"]) == ("READY", 3)
    world.environments.there = Provisioned(failure=INIT_FAILURE)
    found = await world.call("GetProvisionedConcurrencyConfig", **where)
    assert (found["Status"], found["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")
    await world.call("DeleteProvisionedConcurrencyConfig", **where)
    await settled(world)
    assert world.environments.provisions == [("1", 3), ("1", 0)]
    error = await refused(world, "GetProvisionedConcurrencyConfig", **where)
    assert (error.code, error.status) == ("ProvisionedConcurrencyConfigNotFoundException", 404)


async def test_alias_moves_its_environments_with_it(world: World) -> None:
    """UpdateAlias: environments of the old version are given up, those of the new one are made; by weight with two."""
    await world.create()
    await world.call("PublishVersion", FunctionName="f")
    await world.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await settled(world)
    await world.call("PublishVersion", FunctionName="f")
    await world.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    await provision(world, "live", 4)
    await world.call("UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    await settled(world)
    assert world.environments.provisions == [("1", 4), ("1", 0), ("2", 4)]
    weights = {"AdditionalVersionWeights": {"1": 0.25}}
    await world.call("UpdateAlias", FunctionName="f", Name="live", RoutingConfig=weights)
    await settled(world)
    assert sorted(world.environments.provisions[3:]) == [("1", 1), ("2", 3)]
    await world.call("DeleteAlias", FunctionName="f", Name="live")
    await settled(world)
    assert sorted(world.environments.provisions[5:]) == [("1", 0), ("2", 0)]


async def test_a_reset_ends_what_was_being_provisioned(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Two versions whose code has to be unpacked first: a reset comes meanwhile. Nothing is kept ready, and no error is
    told, for functions that are gone."""
    await world.create()
    await world.call("PublishVersion", FunctionName="f")
    await world.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await settled(world)
    await world.call("PublishVersion", FunctionName="f")
    await provision(world, "1", 1)
    shutil.rmtree(world.folder / "code")
    world.functions.catalog.clear()
    before = asyncio.all_tasks()
    await world.call("PutProvisionedConcurrencyConfig", FunctionName="f", Qualifier="2", **{PROVISIONED: 3})
    following = asyncio.all_tasks() - before
    await asyncio.sleep(0)
    assert world.environments.provisions == [("1", 1)]
    world.functions.provisioning.clear()
    await asyncio.wait(following)
    assert world.environments.provisions == [("1", 1), ("1", 0)]
    assert [record.getMessage() for record in caplog.records] == []


async def test_provisioned_concurrency_is_checked(world: World) -> None:
    """Only published versions and aliases without routing, each version once, within what is reserved."""
    await world.create()
    for timeout in (5, 6):
        await world.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=timeout)
        await settled(world)
        await world.call("PublishVersion", FunctionName="f")
    for name, version in (("live", "1"), ("latest", "$LATEST"), ("two", "2")):
        await world.call("CreateAlias", FunctionName="f", Name=name, FunctionVersion=version)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    await world.call("CreateAlias", FunctionName="f", Name="both", FunctionVersion="1", RoutingConfig=weights)

    async def text(qualifier: str, count: int = 1) -> str:
        params = {"FunctionName": "f", "Qualifier": qualifier, PROVISIONED: count}
        return (await refused(world, "PutProvisionedConcurrencyConfig", **params)).message

    unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    assert [await text("$LATEST"), await text("latest")] == [unpublished] * 2
    assert await text("both") == "Alias with weights can not be used with Provisioned Concurrency"
    await provision(world, "live", 5)
    assert await text("1") == "Version is pointed to by a Provisioned Concurrency alias"
    await provision(world, "2", 5)
    assert await text("two") == (
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
    )
    assert (await text("2", 896)).endswith("below its minimum value of [100].")
    await world.call("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=12)
    assert (await text("2", 8)).startswith("Requested Provisioned Concurrency should not be greater than")
    lower = await refused(world, "PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=9)
    assert lower.message == (
        "ReservedConcurrentExecutions 9 should not be lower than function's total provisioned concurrency [10]."
    )
    listed = (await world.call("ListProvisionedConcurrencyConfigs", FunctionName="f"))["ProvisionedConcurrencyConfigs"]
    assert [one["FunctionArn"].rpartition(":")[2] for one in listed] == ["2", "live"]
