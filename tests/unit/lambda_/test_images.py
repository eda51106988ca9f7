"""Images as code: where they may come from, what of them is on disk, and for how long."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.images import ARCHITECTURE, TestImage
from tests.unit.lambda_.conftest import ROLE, World
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.services.lambda_.images import unpack
from undercast.services.lambda_.images.faults import InvalidImage
from undercast.services.lambda_.images.manifest import Image
from undercast.services.lambda_.images.reference import LocalImage, NamedImage, parse_name, parse_uri
from undercast.services.lambda_.images.sources import archive_source, folder_source, name_in, read_image

BASE = images.files({"base": b"base"})


# A function's own call, and what comes back of a schedule or a rule that a function may have made.
INSIDE = (Cause(kind="invocation", id="1", environment_id="e"), Cause(kind="delivery", id="1"))


def image(name: str) -> TestImage:
    """Two layers, of which all have the first."""
    return TestImage(layers=[BASE, images.files({name: name.encode()})], process={"Cmd": [f"/{name}"]})


def layout(world: World, name: str) -> str:
    """The ImageUri of an image below the root that is opened."""
    return f"oci:{images.write_layout(world.folder / 'opened' / name, image(name))}"


async def create(world: World, uri: str, name: str = "f", **members: Any) -> dict[str, Any]:
    """Create a function of an image and wait for the end of its deployment."""
    params = {"Role": ROLE, "PackageType": "Image", "Architectures": [ARCHITECTURE], "Code": {"ImageUri": uri}}
    made = await world.call("CreateFunction", FunctionName=name, **{**params, **members})
    await world.functions.deployments.idle()
    return made


async def state(world: World, name: str = "f") -> tuple[str, str | None]:
    """State and StateReasonCode."""
    found = await world.call("GetFunctionConfiguration", FunctionName=name)
    return found["State"], found.get("StateReasonCode")


def layers_on_disk(world: World) -> int:
    """How many layers there are."""
    folder = world.folder / "images"
    return len([path for path in folder.iterdir() if not path.name.startswith(".")]) if folder.is_dir() else 0


async def test_layers_are_shared_and_removed_with_their_last_user(world: World) -> None:
    """The layer that both have stays until both are gone; so do the roots."""
    await create(world, layout(world, "one"), "one")
    await create(world, layout(world, "two"), "two")
    assert layers_on_disk(world) == 3
    await world.call("DeleteFunction", FunctionName="one")
    await world.functions.deployments.idle()
    assert layers_on_disk(world) == 2
    assert [path.name for path in (world.folder / "code").iterdir() if path.name != ".work"] == [image("two").digest]
    await world.call("DeleteFunction", FunctionName="two")
    await world.functions.deployments.idle()
    assert layers_on_disk(world) == 0


async def test_deployment_goes_on_after_a_crash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that was acknowledged becomes Active at the next start; what was half unpacked is gone."""
    with monkeypatch.context() as killed:
        killed.setattr(world.functions.deployments, "begin", lambda *versions: None)
        await create(world, layout(world, "one"))
    assert await state(world) == ("Pending", "Creating")
    leftover = world.folder / "images" / ("0" * 64)
    (leftover / "tree").mkdir(parents=True)
    (world.folder / "images/.work/x").mkdir(parents=True)
    await world.functions.deployments.resume()
    await world.functions.deployments.idle()
    assert await state(world) == ("Active", None)
    assert not leftover.exists()
    assert not (world.folder / "images/.work/x").exists()


async def test_source_that_is_gone_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """StateReasonCode ImageDeleted."""
    with monkeypatch.context() as killed:
        killed.setattr(world.functions.deployments, "begin", lambda *versions: None)
        await create(world, layout(world, "one"))
    shutil.rmtree(world.folder / "opened")
    await world.functions.deployments.resume()
    await world.functions.deployments.idle()
    assert await state(world) == ("Failed", "ImageDeleted")


async def test_image_that_cannot_be_loaded_leaves_nothing(world: World) -> None:
    """Layers in front of the broken one are gone again; a name that is given anew keeps the newer image's only."""
    library = world.functions.images
    broken = images.layout_files(image("one"))
    top = next(name for name, content in broken.items() if content == image("one").layers[1])
    archive = images.write_archive(world.folder / "a.tar", {**broken, top: b"x"})
    with pytest.raises(InvalidImage):
        await library.load("app:1", archive, images.HERE)
    assert layers_on_disk(world) == 0
    for name in ("one", "two"):
        images.write_archive(archive, images.layout_files(image(name)))
        await library.load("app:1", archive, images.HERE)
    assert [(loaded.name, loaded.image.digest) for loaded in library.listed()] == [("app:1", image("two").digest)]
    assert layers_on_disk(world) == 2
    await create(world, "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1")
    await library.unload("app:1")
    assert layers_on_disk(world) == 2
    assert await world.functions.blobs.audit() == ()


async def test_layers_of_a_version_that_failed_are_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in front of the one that is too much; also where a function has an older image. Shared ones stay."""
    await create(world, layout(world, "one"), "one")
    monkeypatch.setattr(unpack, "MAX_ENTRIES", 2)
    parts = [BASE, images.files({"x": b"x"}), images.files({"y": b"y"})]
    uri = f"oci:{images.write_layout(world.folder / 'opened/many', TestImage(layers=parts, process={'Cmd': ['/x']}))}"
    await create(world, uri, "many")
    assert await state(world, "many") == ("Failed", "InvalidImage")
    assert layers_on_disk(world) == 2
    await world.call("UpdateFunctionCode", FunctionName="one", ImageUri=uri)
    await world.functions.deployments.idle()
    assert layers_on_disk(world) == 0


async def test_root_that_was_deleted_by_hand_is_made_again(world: World) -> None:
    """From the layers, whatever became of the source."""
    await create(world, layout(world, "one"))
    root = world.folder / "code" / image("one").digest
    shutil.rmtree(root)
    shutil.rmtree(world.folder / "opened")
    await world.call("Invoke", FunctionName="f", Payload=b"{}")
    assert (root / "one").read_bytes() == b"one"
    container = world.environments.invocations[0].function.container
    assert container is not None
    assert (container.command, container.working_dir) == (("/one",), "/")


async def test_platform_without_root_file_systems_says_what_to_do(world: World) -> None:
    """The process driver."""
    world.environments.no_images = "use the other driver"
    with pytest.raises(ServiceError, match=r"PackageType Image cannot run here: use the other driver\."):
        await create(world, layout(world, "one"))


@pytest.mark.parametrize("cause", INSIDE, ids=["call", "schedule"])
async def test_function_may_not_name_files(world: World, cause: Cause) -> None:
    """Only a user's own tools: a caller inside a sandbox would read what the platform may read."""
    uri = layout(world, "one")
    world.cause = cause
    with pytest.raises(ServiceError, match="may not name files of this machine") as refused:
        await create(world, uri)
    assert refused.value.code == "AccessDeniedException"


@pytest.mark.parametrize("path", ["opened/../secret", "opened/link", "secret"])
async def test_nothing_outside_the_root_is_read(world: World, path: str) -> None:
    """By its name, by "..", by a link."""
    images.write_layout(world.folder / "secret", image("one"))
    (world.folder / "opened").mkdir()
    (world.folder / "opened/link").symlink_to(world.folder / "secret")
    with pytest.raises(ServiceError, match="Images lie below"):
        await create(world, f"oci:{world.folder / path}")


async def test_links_in_a_layout_are_not_followed(world: World) -> None:
    """A blob that is a link could be any file."""
    uri = layout(world, "one")
    manifest = world.folder / "opened/one/blobs/sha256" / image("one").digest
    manifest.rename(world.folder / "manifest")
    manifest.symlink_to(world.folder / "manifest")
    with pytest.raises(ServiceError, match="does not exist"):
        await create(world, uri)


# What an image is


def read(folder: Path, *made: TestImage, tag: str = "", architecture: str = "amd64") -> Image:
    """The image that is chosen in a layout."""
    return read_image(
        folder_source(images.write_layout(folder, *made, tags=("a", "b")[: len(made)]), tag), architecture
    )[0]


def test_an_index_has_an_image_per_architecture(tmp_path: Path) -> None:
    """The function's Architectures choose; without a fit nothing is taken."""
    one = TestImage(layers=[BASE], architecture="amd64")
    two = TestImage(layers=[BASE], architecture="arm64")
    assert read(tmp_path, one, two, architecture="arm64").digest == two.digest
    with pytest.raises(Exception, match="nothing for linux/riscv64"):
        read(tmp_path, one, two, architecture="riscv64")


def test_several_images_need_a_tag(tmp_path: Path) -> None:
    """PATH:TAG, by the layout's annotations."""
    one = TestImage(layers=[BASE], architecture="amd64", process={"Cmd": ["1"]})
    two = TestImage(layers=[BASE], architecture="amd64", process={"Cmd": ["2"]})
    assert read(tmp_path, one, two, tag="b").command == ("2",)
    with pytest.raises(Exception, match="several images"):
        read(tmp_path, one, two)


def test_an_archive_has_a_name(tmp_path: Path) -> None:
    """RepoTags, else the layout's annotations with a tag; podman's localhost/ is left out; only one name is a name."""
    one, path = TestImage(layers=[BASE]), tmp_path / "a.tar"
    for names in (("app:1",), ("localhost/app:1",), ("docker.io/library/app:1", "app:1")):
        assert name_in(images.write_archive(path, images.docker_files(one, *names))) == "app:1"
    assert name_in(images.write_archive(path, images.layout_files(one, tags=["me/app:2"]))) == "me/app:2"
    for nothing in (images.docker_files(one), images.layout_files(one), images.layout_files(one, tags=["1"])):
        with pytest.raises(InvalidImage, match="no name of its own, so say which it gets: --name"):
            name_in(images.write_archive(path, nothing))
    with pytest.raises(InvalidImage, match="app:1, app:2"):
        name_in(images.write_archive(path, images.docker_files(one, "app:1", "app:2")))
    path.write_bytes(b"x" * 2000)
    with pytest.raises(InvalidImage, match="not a whole tar archive"):
        name_in(path)


def test_docker_save_with_a_layer_that_is_there_already(tmp_path: Path) -> None:
    """Older versions write a link to it; every layer is found by its digest."""
    twice = TestImage(layers=[BASE, images.files({"x": b"x"})])
    contents = images.docker_files(twice, "app:1")
    listed = json.loads(contents["manifest.json"])
    _, second = listed[0]["Layers"]
    moved = {"other/layer.tar": contents.pop(second)}
    entries = [images.entry(name, content) for name, content in {**contents, **moved}.items()]
    entries.append(images.entry(second, type=b"2", linkname="../other/layer.tar"))
    path = tmp_path / "a.tar"
    path.write_bytes(images.layer(*entries))
    with path.open("rb") as file, archive_source(file, "app:1") as source:
        found, _ = read_image(source, images.HERE)
        assert [source.layer(one).read() for one in found.layers] == list(twice.layers)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"config": {"mediaType": "application/x", "digest": "sha256:" + "0" * 64}}, "config application/x"),
        ({"mediaType": "application/vnd.x"}, "manifest application/vnd.x"),
        ({"layers": []}, "do not have the same layers"),
        ({"layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+xz"}]}, "layer application/vnd.oci"),
        ({"layers": [{"mediaType": images.LAYER, "digest": "sha256:../../etc/passwd"}]}, "is not a SHA-256 digest"),
        ({"layers": None}, "lacks a list"),
    ],
)
def test_manifest_of_another_kind_is_named(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    """Whatever a stranger writes into it."""
    made = TestImage(layers=[BASE])
    changed = json.dumps({**json.loads(made.manifest), **change}).encode()
    folder = images.write_layout(tmp_path, made)
    (folder / "blobs/sha256" / images.sha256(changed)).write_bytes(changed)
    index = {"manifests": [images.descriptor(images.MANIFEST, changed)]}
    (folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(Exception, match=text):
        read_image(folder_source(folder, ""), images.HERE)


@pytest.mark.parametrize(
    ("process", "text"),
    [
        ({"Env": ["A=" + "x" * 70_000]}, "are larger than 65536 bytes"),
        ({"Cmd": ["a\0b"]}, "where a text belongs"),
        ({"Cmd": ["\ud800"]}, "where a text belongs"),
        ({"Entrypoint": "sh -c"}, "lacks a list"),
        ({"WorkingDir": 1}, "where a text belongs"),
    ],
)
def test_process_that_nobody_could_start_is_refused(tmp_path: Path, process: dict[str, Any], text: str) -> None:
    """What goes to the sandbox fits into its message, and is what execve takes."""
    with pytest.raises(InvalidImage, match=text):
        read(tmp_path, TestImage(layers=[BASE], process=process), architecture=images.HERE)


def test_variables_without_a_name_are_left_out(tmp_path: Path) -> None:
    """No process can be given one."""
    made = TestImage(layers=[BASE], process={"Env": ["=x", "A", "B=1=2"]})
    assert read(tmp_path, made, architecture=images.HERE).environment == {"A": "", "B": "1=2"}


REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("oci:/a/b", LocalImage(kind="folder", scheme="oci", path="/a/b", tag="")),
        ("oci-archive:/a.tar:v1", LocalImage(kind="archive", scheme="oci-archive", path="/a.tar", tag="v1")),
        ("docker-archive:/a:o/app:1", LocalImage(kind="archive", scheme="docker-archive", path="/a", tag="o/app:1")),
        (f"{REGISTRY}/app", NamedImage(host=REGISTRY, repository="app", tag="latest")),
        (f"{REGISTRY}/a/b:1", NamedImage(host=REGISTRY, repository="a/b", tag="1")),
        (f"{REGISTRY}/a@sha256:{'0' * 64}", NamedImage(host=REGISTRY, repository="a", tag="latest", digest="0" * 64)),
        ("localhost:5000/a:1", NamedImage(host="localhost:5000", repository="a", tag="1")),
        ("app:1", None),
        ("https://example.com/a:1", None),
        (f"{REGISTRY}/A:1", None),
        (f"{REGISTRY}/a:1@sha256:0", None),
        (f"{REGISTRY}/../a", None),
        ("", None),
    ],
)  # fmt: skip
def test_image_uri(uri: str, found: LocalImage | NamedImage | None) -> None:
    """What it names."""
    assert parse_uri(uri) == found


def test_names_that_are_loaded() -> None:
    """A name without a registry stands for that of any account and region of ECR."""
    short, whole = parse_name("app:1"), parse_name(f"{REGISTRY}/app:1")
    assert short is not None
    assert whole is not None
    assert (short.names, whole.names) == (("app:1",), (f"{REGISTRY}/app:1", "app:1"))
    elsewhere = parse_name("ghcr.io/app:1")
    assert elsewhere is not None
    assert elsewhere.names == ("ghcr.io/app:1",)


def test_rows_from_before_zstd_are_read() -> None:
    """They say of each layer only whether it is in gzip."""
    row = {
        "digest": "d",
        "architecture": "amd64",
        "entrypoint": [],
        "command": [],
        "environment": {},
        "working_dir": "/",
    }
    image = Image.from_json({**row, "layers": [["a", "b", True], ["c", "d", False], ["e", "f", "zstd"]]})
    assert [layer.compression for layer in image.layers] == ["gzip", "", "zstd"]
    assert Image.from_json(image.as_json()) == image
