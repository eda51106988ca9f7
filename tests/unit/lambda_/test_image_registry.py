"""Images that are pulled: anonymous tokens, redirects, digests, and where nobody is asked at all."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import images
from tests.images import ARCHITECTURE, TestImage
from tests.registry import TOKEN, Registry, serving
from tests.unit.lambda_.conftest import ROLE, World
from tests.unit.lambda_.test_images import create, state
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.services.lambda_.images import library, pulling
from undercast.services.lambda_.images.faults import ImageDenied, ImageMissing
from undercast.services.lambda_.images.pulling import Pull, Steady
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
    return TestImage(layers=[images.files({"main": b"x"})], process={"Cmd": ["/main"]}, compression="gzip", **settings)


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
        RegistrySource(reference, Pull(), loopback=False)


# Registries that are slow

PATIENCE_S = 20.0


class Silent:
    """Takes connections and requests, and never answers."""

    host = ""

    def __init__(self) -> None:
        self.taken, self.left = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.callers: list[asyncio.StreamWriter] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers.append(writer)
        self.taken.release()
        while await reader.read(65_536):
            pass
        writer.close()
        self.left.release()


@pytest.fixture
async def silent() -> AsyncIterator[Silent]:
    """On this machine."""
    found = Silent()
    server = await asyncio.start_server(found.take, "127.0.0.1", 0)
    found.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield found
    server.close()
    for caller in found.callers:
        caller.close()


async def test_a_lookup_has_a_limit(world: World, silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all its requests together."""
    monkeypatch.setattr(library, "LOOKUP_LIMIT_S", 0.1)
    with pytest.raises(ServiceError, match=r"the registry takes longer than 0\.1 s"):
        await create(world, f"{silent.host}/app:1")


async def test_slow_registries_hold_up_nobody_else(world: World, silent: Silent) -> None:
    """Two are asked at once, in threads of their own; one that hangs up makes room for the next."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    waiting = [asyncio.create_task(create(world, f"{silent.host}/app:{number}", f"f{number}")) for number in range(3)]
    async with asyncio.timeout(PATIENCE_S):
        await silent.taken.acquire()
        await silent.taken.acquire()
        assert await asyncio.to_thread(int) == 0
        assert len(silent.callers) == 2
        silent.callers[0].close()
        await silent.taken.acquire()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for _ in waiting:
            await silent.left.acquire()


async def test_stopping_ends_a_pull(world: World, registry: Registry, silent: Silent) -> None:
    """A layer that does not come keeps no platform from ending; the function stays Pending for the next start."""
    uri = registry.push("app", "1", image())
    registry.moved = {images.sha256(one): f"http://{silent.host}/layer" for one in stored_layers()}
    params = {"Role": ROLE, "PackageType": "Image", "Architectures": [ARCHITECTURE], "Code": {"ImageUri": uri}}
    await world.call("CreateFunction", FunctionName="f", **params)
    async with asyncio.timeout(PATIENCE_S):
        await silent.taken.acquire()
        await world.functions.deployments.stop()
        await silent.left.acquire()
    assert await state(world) == ("Pending", "Creating")


class Dripping:
    """A body of one byte in ten seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def read1(self, n: int = -1, /) -> bytes:
        self.now += 10.0
        return b"x"

    def close(self) -> None:
        """Nothing."""


def test_a_layer_that_drips_is_given_up() -> None:
    """Each wait alone is short; what is waited in all counts, and what came in it."""
    answer = Dripping()
    steady = Steady(answer, Pull(), now=lambda: answer.now)
    with pytest.raises(ImageMissing, match="fewer than 16384 bytes per second"):
        for _ in range(10):
            steady.read(65_536)
    assert answer.now == pulling.SPAN_S


def test_a_pull_that_was_ended_begins_nothing_more() -> None:
    """Also where no connection was open just then."""
    pull = Pull()
    pull.end()
    with pytest.raises(ImageMissing, match="given up"):
        Steady(Dripping(), pull).read(1)
