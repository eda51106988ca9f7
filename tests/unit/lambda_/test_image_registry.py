"""Images that are pulled: anonymous tokens, redirects, digests, and where nobody is asked at all."""

from collections.abc import Iterator

import pytest

from tests import images
from tests.images import TestImage
from tests.registry import TOKEN, Registry, serving
from tests.unit.lambda_.conftest import World
from tests.unit.lambda_.test_images import create, state
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.services.lambda_.images.faults import ImageDenied
from undercast.services.lambda_.images.reference import NamedImage, parse_name
from undercast.services.lambda_.images.registry import RegistrySource

# A function's own call, and what comes back of a schedule or a rule that a function may have made.
INSIDE = (Cause(kind="invocation", id="1", environment_id="e"), Cause(kind="delivery", id="1"))


@pytest.fixture
def registry() -> Iterator[Registry]:
    """On this machine."""
    with serving() as found:
        yield found


def image(**members: str) -> TestImage:
    """For this machine unless said otherwise."""
    settings = {"architecture": images.HERE, **members}
    return TestImage(layers=[images.files({"main": b"x"})], process={"Cmd": ["/main"]}, compressed=True, **settings)


async def test_image_is_pulled_with_an_anonymous_token(world: World, registry: Registry) -> None:
    """The token is for the registry; where a layer lies elsewhere, that place does not get it."""
    uri = registry.push("app", "1", image(architecture="riscv64"), image())
    await create(world, uri)
    assert await state(world) == ("Active", None)
    assert (world.folder / "code" / image().digest / "main").read_bytes() == b"x"
    code = (await world.call("GetFunction", FunctionName="f"))["Code"]
    assert code["ResolvedImageUri"] == f"{registry.host}/app@sha256:{image().digest}"
    assert ("/v2/app/manifests/1", f"Bearer {TOKEN}") in registry.asked
    await create(world, code["ResolvedImageUri"], "g")
    assert await state(world, "g") == ("Active", None)


async def test_what_is_not_there_is_told(world: World, registry: Registry) -> None:
    """A tag that does not exist; a registry that nobody runs."""
    with pytest.raises(ServiceError, match="does not exist"):
        await create(world, f"{registry.host}/app:none")
    with pytest.raises(ServiceError, match="cannot be asked"):
        await create(world, "127.0.0.1:1/app:1")
    registry.realm = f"https://{registry.host}/token"
    with pytest.raises(ServiceError, match=r"cannot be asked: .*SSL"):
        await create(world, f"{registry.host}/app:none")


async def test_layer_that_is_gone_or_another_fails_the_function(world: World, registry: Registry) -> None:
    """While the function is Pending: ImageDeleted, InvalidImage."""
    uri = registry.push("app", "1", image())
    name = next(name for name, (_, content) in registry.documents.items() if content in stored_layers())
    kept = registry.documents.pop(name)
    await create(world, uri)
    assert await state(world) == ("Failed", "ImageDeleted")
    registry.documents[name] = (kept[0], kept[1][:-4] + b"fake")
    await create(world, uri, "g")
    assert await state(world, "g") == ("Failed", "InvalidImage")


def stored_layers() -> list[bytes]:
    """The layers of `image()` as a registry has them."""
    made = image()
    return [content for content in made.blobs.values() if content not in (made.config, made.manifest)]


@pytest.mark.parametrize(
    "changed",
    [
        {"realm": "http://192.0.2.1/token"},
        {"realm": "file:///etc/passwd"},
        {"challenge": "Basic"},
        {"layers_at": "http://192.0.2.1/layer"},
        {"layers_at": "file:///etc/passwd"},
    ],
)
async def test_nothing_but_https_and_loopback_is_asked(
    world: World, registry: Registry, changed: dict[str, str]
) -> None:
    """Neither where tokens are issued, nor where a layer is said to be; and no credentials are sent."""
    uri = registry.push("app", "1", image())
    vars(registry).update(changed)
    with pytest.raises(ServiceError, match="Lambda does not have permission to access the ECR image") as refused:
        await create(world, uri)
    assert refused.value.code == "AccessDeniedException"


async def test_redirects_end(world: World, registry: Registry) -> None:
    """A registry that leads in circles."""
    uri = registry.push("app", "1", image())
    registry.layers_at = f"http://{registry.host}/v2/app/blobs/sha256:{images.sha256(image().config)}"
    with pytest.raises(ServiceError, match="answers 307"):
        await create(world, uri)


async def test_ecr_is_never_asked(world: World) -> None:
    """There is no AWS account here: what is not loaded does not exist."""
    with pytest.raises(ServiceError, match="undercast images load ARCHIVE --name app:1"):
        await create(world, "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1")


@pytest.mark.parametrize("cause", INSIDE, ids=["call", "schedule"])
async def test_function_may_not_have_images_pulled(world: World, registry: Registry, cause: Cause) -> None:
    """The platform would ask in its place what its sandbox keeps it from."""
    uri = registry.push("app", "1", image())
    world.cause = cause
    with pytest.raises(ServiceError, match="may not have the platform pull an image"):
        await create(world, uri)
    assert registry.asked == []


@pytest.mark.parametrize("name", ["127.0.0.1:1/a", "localhost:5000/a", "127.1.2.3:1/a"])
def test_registries_of_this_machine_are_its_own_users(name: str) -> None:
    """Where others reach the platform, too, they would look into its ports."""
    reference = parse_name(name)
    assert isinstance(reference, NamedImage)
    with pytest.raises(ImageDenied, match="bound to loopback"):
        RegistrySource(reference, loopback=False)
