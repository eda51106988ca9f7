"""A function that is deleted and made anew under its name while something of the old one is still under way.

AWS: Lambda Developer Guide, "Lambda function states".
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from tests.images import ARCHITECTURE
from tests.unit.lambda_.conftest import CODE, OTHER_CODE, ROLE, World
from tests.unit.lambda_.test_images import layout
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.sandbox.model import FunctionVersion

PACKAGE = {"S3Bucket": "code", "S3Key": "code.zip"}


class Gates:
    """Holds deployments: one for each turn, None where it goes through."""

    def __init__(self, *gates: asyncio.Event | None) -> None:
        self._gates = list(gates)

    async def prepare(self, function: FunctionVersion) -> None:
        """See `deployments.Environments`."""
        gate = self._gates.pop(0) if self._gates else None
        if gate is not None:
            await gate.wait()


async def until(world: World, **members: str) -> None:
    """Return when f has these members."""
    async with asyncio.timeout(20):
        while not members.items() <= (await world.call("GetFunctionConfiguration", FunctionName="f")).items():
            await asyncio.sleep(0.001)


async def ran(world: World) -> tuple[str, float]:
    """Handler and timeout of what an Invoke runs."""
    await world.call("Invoke", FunctionName="f", Payload=b"{}")
    function = world.environments.invocations[-1].function
    return function.handler, function.timeout_s


async def test_the_end_of_a_deleted_functions_update_does_not_end_that_of_the_next_of_its_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an update is in progress the version before it runs."""
    first, second = asyncio.Event(), asyncio.Event()
    await world.create()
    monkeypatch.setattr(world.environments, "prepare", Gates(first, None, second).prepare)
    await world.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER_CODE)
    unpacked = world.folder / "code" / hashlib.sha256(OTHER_CODE).hexdigest()
    while not unpacked.exists():
        await asyncio.sleep(0.001)
    await world.call("DeleteFunction", FunctionName="f")
    await world.call("CreateFunction", FunctionName="f", Runtime="python3.12", Role=ROLE, Handler="new.handler",
                     Code={"ZipFile": CODE})  # fmt: skip
    await until(world, State="Active")
    await world.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    assert await ran(world) == ("new.handler", 3.0)
    first.set()
    for _ in range(200):
        await asyncio.sleep(0)  # the old deployment ends
    assert await ran(world) == ("new.handler", 3.0)
    second.set()
    await until(world, LastUpdateStatus="Successful")
    assert await ran(world) == ("new.handler", 9.0)
    await world.functions.deployments.idle()


def meanwhile(change: Callable[[], Awaitable[object]]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """An S3 that has a package, and while it is read something else happens."""

    async def pieces() -> AsyncIterator[bytes]:
        await change()
        yield OTHER_CODE

    return lambda _: {"Body": BodyStream(pieces(), len(OTHER_CODE))}


async def test_a_package_is_not_given_to_a_function_that_is_an_image_by_now(world: World) -> None:
    """The request was looked at as one of a function of packageType Zip."""
    await world.create()

    async def change() -> None:
        await world.call("DeleteFunction", FunctionName="f")
        await world.call("CreateFunction", FunctionName="f", Role=ROLE, PackageType="Image",
                         Architectures=[ARCHITECTURE], Code={"ImageUri": layout(world, "one")})  # fmt: skip
        await until(world, State="Active")

    world.services["s3:GetObject"] = meanwhile(change)
    with pytest.raises(ServiceError, match="ResourceConflictException"):
        await world.call("UpdateFunctionCode", FunctionName="f", **PACKAGE)
    found = await world.call("GetFunction", FunctionName="f")
    assert (found["Configuration"]["PackageType"], "ImageUri" in found["Code"]) == ("Image", True)
    await world.functions.deployments.idle()


async def test_two_changes_at_once_are_one_and_a_refusal(world: World) -> None:
    """ResourceConflictException: neither is lost."""
    await world.create()
    results = await asyncio.gather(
        world.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9),
        world.call("UpdateFunctionConfiguration", FunctionName="f", MemorySize=512),
        return_exceptions=True,
    )
    assert [isinstance(one, ServiceError) and one.code for one in results] == [False, "ResourceConflictException"]
    await world.functions.deployments.idle()
    found = await world.call("GetFunctionConfiguration", FunctionName="f")
    assert (found["Timeout"], found["MemorySize"]) == (9, 128)
