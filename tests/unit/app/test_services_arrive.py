"""The services of a platform, while they come one after the other."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from undercast.core.errors import ServiceError
from undercast.core.service import Manifest
from undercast.services.registry import Services


def manifest(name: str) -> Manifest:
    """Of a service without operations, whose instance is its name."""
    return Manifest(name=name, build=lambda parts: name, operations={})


PARTS: Any = None
"""A service that needs nothing of the platform's."""


async def test_who_asks_for_a_service_waits_for_it_alone() -> None:
    """Others that come do not wake them."""
    wanted: list[str] = []
    services = Services(("s3", "sqs"), wanted.append)
    asked = asyncio.ensure_future(services.get("s3"))
    await asyncio.sleep(0)
    await services.mount(manifest("sqs"), PARTS)
    await asyncio.sleep(0)
    assert not asked.done()
    await services.mount(manifest("s3"), PARTS)
    found = await asked
    assert found is not None
    assert found.instance == "s3"
    assert wanted == ["s3"]


async def test_what_is_there_or_nowhere_is_answered_at_once() -> None:
    """No one is told that it is wanted."""
    wanted: list[str] = []
    services = Services(("s3",), wanted.append)
    await services.mount(manifest("s3"), PARTS)
    assert _now(services.get("s3")) is services.mounted["s3"]
    assert _now(services.get("ec2")) is None
    assert wanted == []


async def test_a_service_is_there_once_it_has_begun() -> None:
    """One that fails is known for the stop, and nobody is given it."""

    async def start(_: object) -> None:
        assert (list(services.begun), list(services.mounted)) == (["s3"], [])
        raise OSError("disk full")

    services = Services(("s3",), lambda _: None)
    asked = asyncio.ensure_future(services.get("s3"))
    with pytest.raises(OSError, match="disk full"):
        await services.mount(replace(manifest("s3"), start=start), PARTS)
    assert not asked.done()
    services.fail(OSError("disk full"))
    with pytest.raises(ServiceError, match="could not start: disk full"):
        await asked


async def test_who_waits_for_a_service_that_does_not_come_is_told() -> None:
    """And whoever asks later; a service that is there is still given. AWS: "Common errors", ServiceUnavailable, 503."""
    services = Services(("s3", "sqs"), lambda _: None)
    await services.mount(manifest("sqs"), PARTS)
    waiting = [asyncio.ensure_future(services.get("s3")) for _ in range(2)]
    await asyncio.sleep(0)
    services.fail(RuntimeError("the disk is full"))
    for asked in (*waiting, services.get("s3")):
        with pytest.raises(ServiceError) as told:
            await asked
        assert (told.value.code, told.value.status) == ("ServiceUnavailable", 503)
        assert told.value.message == "the platform could not start: the disk is full"
    assert await services.get("sqs") is services.mounted["sqs"]


async def test_one_who_hangs_up_keeps_no_other_from_the_service() -> None:
    """Both wait for the same one."""
    services = Services(("s3",), lambda _: None)
    gone, stays = asyncio.ensure_future(services.get("s3")), asyncio.ensure_future(services.get("s3"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    await services.mount(manifest("s3"), PARTS)
    assert await stays is services.mounted["s3"]


def _now(coroutine: Any) -> object:
    try:
        coroutine.send(None)
    except StopIteration as ended:
        found: object = ended.value
        return found
    raise AssertionError("it waits")
