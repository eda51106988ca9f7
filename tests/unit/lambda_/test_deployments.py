"""The end of Pending and InProgress when the disk or the store fails."""

import asyncio
import errno
import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from tests.unit.lambda_.conftest import CODE, OTHER_CODE, ROLE, SCOPE, World
from undercast.sandbox.model import FunctionVersion
from undercast.services.lambda_ import code, deployments, store
from undercast.services.lambda_.package import UnsafePackage
from undercast.services.lambda_.service import MANIFEST
from undercast.store.database import Tx

Unpack = Callable[..., None]


def failing(times: int, error: Exception) -> Unpack:
    """Unpacking that fails so often."""
    left, whole = [times], code._unpack

    def unpack(archive: IO[bytes], scratch: Path, destination: Path, *, synced: bool) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        whole(archive, scratch, destination, synced=synced)

    return unpack


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between the attempts."""
    monkeypatch.setattr(deployments, "RETRY_DELAYS_S", (0.0, 0.0))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
async def test_disk_that_fails_for_a_moment_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The function becomes Active without a restart."""
    monkeypatch.setattr(code, "_unpack", failing(2, OSError(number, os.strerror(number))))
    await world.create()
    assert (await world.call("GetFunctionConfiguration", FunctionName="f"))["State"] == "Active"


async def test_disk_that_goes_on_failing_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed, with a StateReason that does not blame the package."""
    monkeypatch.setattr(code, "_unpack", failing(99, OSError(errno.ENOSPC, "No space left on device")))
    await world.create()
    found = await world.call("GetFunctionConfiguration", FunctionName="f")
    assert found["State"] == "Failed"
    assert found["StateReason"] == (
        "The platform could not keep the function's code on its disk: No space left on device."
    )


async def test_function_can_be_mended_once_there_is_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update of the code deploys again."""
    whole = code._unpack
    monkeypatch.setattr(code, "_unpack", failing(99, OSError(errno.ENOSPC, "No space left on device")))
    await world.create()
    monkeypatch.setattr(code, "_unpack", whole)
    await world.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER_CODE)
    await world.functions.deployments.idle()
    assert (await world.call("GetFunctionConfiguration", FunctionName="f"))["State"] == "Active"


async def test_write_of_the_state_is_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is full for a while leaves no function Pending."""
    whole, left = store.settle, [5]
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    def settle(*args: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise full
        whole(*args)

    monkeypatch.setattr(store, "settle", settle)
    await world.create()
    assert (await world.call("GetFunctionConfiguration", FunctionName="f"))["State"] == "Active"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
async def test_full_disk_inside_unpacking_is_not_the_packages_fault(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    """Only what the archive itself causes is UnsafePackage."""

    def refuse(*args: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(code, "_create", refuse)
    with (tmp_path / "f.zip").open("w+b") as archive:
        archive.write(CODE)
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            code._unpack(archive, tmp_path / "scratch", tmp_path / "code")
        assert not isinstance(caught.value, UnsafePackage)
        assert not (tmp_path / "scratch").exists()


async def test_name_too_long_for_a_file_is_the_packages_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The archive asks for what no disk can do."""

    def refuse(*args: Any) -> None:
        raise OSError(errno.ENAMETOOLONG, "File name too long")

    monkeypatch.setattr(code, "_create", refuse)
    with (tmp_path / "f.zip").open("w+b") as archive:
        archive.write(CODE)
        with pytest.raises(UnsafePackage):
            code._unpack(archive, tmp_path / "scratch", tmp_path / "code")


async def test_leftovers_of_a_killed_platform_are_deployed_at_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a new one is: Pending, then Active."""
    await left_over(world, monkeypatch)
    await world.functions.deployments.resume()
    await world.functions.deployments.idle()
    assert (await world.call("GetFunctionConfiguration", FunctionName="f"))["State"] == "Active"


@pytest.mark.parametrize("needs_lambda", ["prepare", "snapshot"])
async def test_a_start_does_not_wait_for_leftovers_that_need_lambda(
    world: World, monkeypatch: pytest.MonkeyPatch, needs_lambda: str
) -> None:
    """An INIT may call Lambda's API, which answers once the start is over. Until then the version is Pending."""
    await left_over(world, monkeypatch, Publish=True, SnapStart={"ApplyOn": "PublishedVersions"})
    lambda_answers = asyncio.Event()
    whole = getattr(world.environments, needs_lambda)

    async def wait(function: FunctionVersion) -> Any:
        await lambda_answers.wait()
        return await whole(function)

    monkeypatch.setattr(world.environments, needs_lambda, wait)
    async with asyncio.timeout(15):
        await world.functions.deployments.resume()
    found = await world.call("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert (found["State"], found["StateReasonCode"]) == ("Pending", "Creating")
    lambda_answers.set()
    await world.functions.deployments.idle()
    assert (await world.call("GetFunctionConfiguration", FunctionName="f", Qualifier="1"))["State"] == "Active"


async def left_over(world: World, monkeypatch: pytest.MonkeyPatch, **members: Any) -> None:
    """A function whose platform was killed before it was deployed."""
    with monkeypatch.context() as killed:
        killed.setattr(world.functions.deployments, "begin", lambda versions, superseded="": None)
        params = {"Runtime": "python3.12", "Role": ROLE, "Handler": "a.h", "Code": {"ZipFile": CODE}}
        await world.call("CreateFunction", FunctionName="f", **params, **members)


async def test_code_that_an_update_replaced_goes_also_when_the_function_is_deleted_before_it_is_deployed(
    world: World,
) -> None:
    """The new code is gone by then; the old one is nobody's."""
    await world.create()
    version = world.functions.database.read_now(lambda tx: store.version(tx, SCOPE, "f", 0))
    assert version is not None
    await world.call("DeleteFunction", FunctionName="f")
    await world.functions.deployments.idle()
    world.functions.code.folder("replaced").mkdir()
    world.functions.deployments.begin((version,), ("replaced",))
    await world.functions.deployments.idle()
    assert not world.functions.code.present("replaced")


def reset(world: World) -> None:
    """As `POST /_undercast/reset` does."""

    def wipe(tx: Tx) -> None:
        for table in ("blob", "lambda_version", "lambda_function_layer", "lambda_function"):
            tx.execute(f"DELETE FROM {table}")

    world.database.write_now(wipe)
    assert MANIFEST.reset is not None
    MANIFEST.reset(world.functions)


def unpacked(world: World) -> list[str]:
    """What is on disk of code, and of the layers of images."""
    folders = (world.folder / "code", world.folder / "images")
    return [path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.name != ".work"]


async def test_reset_leaves_no_unpacked_code(world: World) -> None:
    """A platform that a test suite resets all day may run for weeks; its disk must not fill."""
    await world.create()
    await world.create("g", OTHER_CODE)
    (world.folder / "images" / "layer").mkdir(parents=True)
    assert len(unpacked(world)) == 3
    reset(world)
    await world.functions.deployments.idle()
    assert unpacked(world) == []


async def test_reset_keeps_code_that_a_new_function_has(world: World) -> None:
    """It is made while the leftovers go."""
    await world.create()
    await world.create("g", OTHER_CODE)
    reset(world)
    await world.create("new")
    await world.functions.deployments.idle()
    assert unpacked(world) == [hashlib.sha256(CODE).hexdigest()]


async def test_code_that_was_being_unpacked_at_a_reset_goes_at_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reset cannot see it yet."""
    whole, begun, goes_on = code._unpack, threading.Event(), threading.Event()

    def unpack(archive: IO[bytes], scratch: Path, destination: Path, *, synced: bool) -> None:
        begun.set()
        assert goes_on.wait(10)
        whole(archive, scratch, destination, synced=synced)

    monkeypatch.setattr(code, "_unpack", unpack)
    creating = asyncio.create_task(world.create())
    assert await asyncio.to_thread(begun.wait, 10)
    reset(world)
    goes_on.set()
    await creating
    await world.functions.deployments.idle()
    assert unpacked(world) == []


async def test_runtime_that_this_machine_lacks_is_told_at_the_creation(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The function is Active, as on AWS; the platform's log says what to do, once, until it is there."""
    world.environments.missing = {"python3.12": "install it"}
    await world.create()
    assert (await world.call("GetFunctionConfiguration", FunctionName="f"))["State"] == "Active"
    assert [record.getMessage().partition(" ")[2] for record in caplog.records] == ["cannot be run: install it"]
    (shown,) = world.functions.unable.shown()
    assert (shown["runtime"], shown["version"], shown["reason"]) == ("python3.12", "$LATEST", "install it")
    world.environments.missing = {}
    await world.functions.deployments.look_again()
    assert world.functions.unable.shown() == []


async def test_runtime_that_is_missing_since_the_last_start_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """An interpreter may be uninstalled while the platform is stopped."""
    await world.create()
    world.environments.missing = {"python3.12": "install it"}
    await world.functions.deployments.resume()
    await world.functions.deployments.idle()
    assert [one["reason"] for one in world.functions.unable.shown()] == ["install it"]
    await world.call("DeleteFunction", FunctionName="f")
    assert world.functions.unable.shown() == []


async def test_missing_runtimes_are_looked_for_once_each(world: World) -> None:
    """`undercast status` asks each time, and so does `logs --tail`; a look is a search of the disk in a thread."""
    world.environments.missing = {"python3.12": "install it", "python3.13": "install that"}
    for number in range(3):
        await world.create(f"f{number}")
        await world.create(f"g{number}", Runtime="python3.13")
    world.environments.missing = {"python3.12": "install it"}
    world.environments.looks.clear()
    await world.functions.deployments.look_again()
    assert sorted(world.environments.looks) == ["python3.12", "python3.13"]
    assert {one["runtime"] for one in world.functions.unable.shown()} == {"python3.12"}
    assert len(world.functions.unable.shown()) == 3
