"""What layers leave behind: references to archives, unpacked folders, versions that keep what they had."""

import dataclasses
from typing import Any

import pytest

from tests.unit.lambda_.conftest import CODE, OTHER_CODE, World, zip_of
from undercast.core.errors import ServiceError


async def publish(world: World, name: str) -> str:
    """The ARN of a new layer version whose archive is this layer's own."""
    made = await world.call("PublishLayerVersion", LayerName=name, Content={"ZipFile": zip_of({f"{name}.txt": name})})
    return str(made["LayerVersionArn"])


async def settled(world: World) -> set[str]:
    """The unpacked folders once nothing is in progress; every reference is right."""
    await world.functions.deployments.idle()
    assert await world.functions.blobs.audit() == ()
    folder = world.folder / "code"
    return {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")} if folder.is_dir() else set()


def references(world: World) -> dict[str, int]:
    """Archive -> how many rows refer to it."""
    rows = world.database.read_now(lambda tx: tx.all("SELECT id, refs FROM blob"))
    return {row["id"]: row["refs"] for row in rows}


async def change(world: World, operation: str, **params: Any) -> set[str]:
    """Change the function; what is unpacked afterwards."""
    await world.call(operation, FunctionName="f", **params)
    return await settled(world)


async def test_every_reference_to_an_archive_ends(world: World) -> None:
    """A function version counts its layers itself; with the last reference archive and folder are gone."""
    one, two = await publish(world, "one"), await publish(world, "two")
    assert sorted(references(world).values()) == [1, 1]
    await world.create(Layers=[one, two], Publish=True)
    assert len(await settled(world)) == 3
    assert sorted(references(world).values()) == [2, 3, 3]
    assert len(await change(world, "UpdateFunctionCode", ZipFile=OTHER_CODE)) == 4
    assert len(await change(world, "UpdateFunctionConfiguration", Layers=[two])) == 4
    await world.call("DeleteLayerVersion", LayerName="one", VersionNumber=1)
    assert len(await settled(world)) == 4, "version 1 still has it"
    assert len(await change(world, "DeleteFunction", Qualifier="1")) == 2, "the first code and layer one are gone"
    assert sorted(references(world).values()) == [1, 2]
    await world.call("DeleteLayerVersion", LayerName="two", VersionNumber=1)
    assert await change(world, "DeleteFunction") == set()
    assert references(world) == {}


async def test_refused_function_leaves_no_reference(world: World) -> None:
    """A layer that is missing undoes the whole commit."""
    one = await publish(world, "one")
    before = references(world)
    for layers in ([one, one.replace(":one:", ":none:")], [one, one]):
        with pytest.raises(ServiceError):
            await world.create(Layers=layers)
    await settled(world)
    assert references(world) == before
    assert (await world.call("ListFunctions"))["Functions"] == []


async def test_layers_are_in_the_functions_order(world: World) -> None:
    """The sandbox gets the folders in the function's order; publishing again changes nothing, other layers do."""
    one, two = await publish(world, "one"), await publish(world, "two")
    await world.create(Layers=[two, one], code=CODE)
    resolved = await world.functions.catalog.resolve(world.context().scope, "f")
    names = [sorted(entry.name for entry in folder.iterdir()) for folder in resolved.function.layers]
    assert names == [["two.txt"], ["one.txt"]]
    first = await world.call("PublishVersion", FunctionName="f")
    assert (await world.call("PublishVersion", FunctionName="f"))["Version"] == first["Version"] == "1"
    await change(world, "UpdateFunctionConfiguration", Layers=[one, two])
    assert (await world.call("PublishVersion", FunctionName="f"))["Version"] == "2"
    assert [layer["Arn"] for layer in first["Layers"]] == [two, one]
    kept = await world.functions.catalog.resolve(world.context().scope, "f", "1")
    assert dataclasses.replace(kept.function).layers == resolved.function.layers


async def test_code_storage_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """CodeStorageExceededException: versions of functions and layers count together; the refused one leaves nothing."""
    monkeypatch.setattr("undercast.services.lambda_.operations.functions.MAX_CODE_BYTES", 2 * len(CODE))
    await world.create()
    await world.call("PublishLayerVersion", LayerName="l", Content={"ZipFile": CODE})
    before = references(world)
    for operation, params in (
        ("PublishVersion", {"FunctionName": "f"}),
        ("PublishLayerVersion", {"LayerName": "l", "Content": {"ZipFile": CODE}}),
        ("UpdateFunctionCode", {"FunctionName": "f", "ZipFile": OTHER_CODE, "Publish": True}),
    ):
        with pytest.raises(ServiceError) as caught:
            await world.call(operation, **params)
        assert caught.value.code == "CodeStorageExceededException"
    await settled(world)
    assert references(world) == before
    assert (await world.call("GetAccountSettings"))["AccountUsage"]["TotalCodeSize"] == 2 * len(CODE)
