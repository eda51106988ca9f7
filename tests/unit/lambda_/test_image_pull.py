"""Pulling as from registries of the internet: over TLS, with names of their own, and with what goes wrong on the way.

The registry is on this machine; names that end in example.test lead to it, certified by an authority of its own.
Sources: OCI distribution-spec 1.1 ("Pull"), Docker Registry "Token Authentication", RFC 9110 (ranges).
"""

import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.images import TestImage
from tests.registry import TOKEN, Registry, serving
from tests.unit.lambda_.conftest import World
from tests.unit.lambda_.test_images import create, state
from undercast.core.clock import HostClock
from undercast.core.errors import ServiceError
from undercast.http.tls import CertificateAuthority
from undercast.services.lambda_.images import download
from undercast.services.lambda_.images.faults import ImageDenied
from undercast.services.lambda_.images.pulling import Pull
from undercast.services.lambda_.images.reference import NamedImage, parse_name
from undercast.services.lambda_.images.registry import RegistrySource

CONTENT = random.Random(7).randbytes(300_000)
IMAGE = TestImage(layers=[images.files({"main": CONTENT})], process={"Cmd": ["/main"]}, compression="gzip")
LAYER = next(one for digest, one in IMAGE.blobs.items() if one not in (IMAGE.config, IMAGE.manifest))
NAMES = "example.test"


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    """One that this machine does not know."""
    made = CertificateAuthority(tmp_path / "authority", HostClock())
    made.ensure()
    return made


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a resolver would say."""
    asked = socket.getaddrinfo

    def found(host: Any, *arguments: Any, **options: Any) -> Any:
        return asked("127.0.0.1" if str(host).endswith(NAMES) else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.fixture
def registry(authority: CertificateAuthority, names: None) -> Iterator[Registry]:
    """At registry.example.test, which has its tokens and layers elsewhere."""
    with serving(authority.ssl_context()) as found:
        port = found.host.rpartition(":")[2]
        found.host = f"registry.{NAMES}:{port}"
        found.realm = f"https://auth.{NAMES}:{port}/token"
        found.layers_at = f"https://blobs.{NAMES}:{port}/stored/PATH"
        yield found


@pytest.fixture
def trusted(authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL's own variable adds roots to a platform's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate_path))


async def test_an_image_is_pulled_over_https(world: World, registry: Registry, trusted: None) -> None:
    """Each host has its part; the token is shown to the registry alone."""
    uri = registry.push("app", "1", IMAGE)
    await create(world, uri)
    assert await state(world) == ("Active", None)
    assert (world.folder / "code" / IMAGE.digest / "main").read_bytes() == CONTENT
    port = registry.host.rpartition(":")[2]
    assert registry.hosts == {
        (registry.host, "v2"), (f"auth.{NAMES}:{port}", "token"), (f"blobs.{NAMES}:{port}", "stored"),
    }  # fmt: skip
    assert {given for path, given in registry.asked if not path.startswith("/v2/")} == {""}


async def test_a_registry_that_nobody_knows_is_not_trusted(world: World, registry: Registry) -> None:
    """Neither is anything of it kept."""
    with pytest.raises(ServiceError, match="certificate verify failed"):
        await create(world, registry.push("app", "1", IMAGE))
    assert registry.asked == []


async def test_a_certificate_is_for_its_name(
    world: World, registry: Registry, trusted: None, monkeypatch: pytest.MonkeyPatch, authority: CertificateAuthority
) -> None:
    """Whoever issued it."""
    monkeypatch.setattr(authority.ssl_context(), "sni_callback", None)
    with pytest.raises(ServiceError, match="certificate is not valid for"):
        await create(world, registry.push("app", "1", IMAGE))


@pytest.mark.parametrize("where", ["realm", "layers_at"])
async def test_https_never_leads_to_http(world: World, registry: Registry, trusted: None, where: str) -> None:
    """Not even on this machine, if the registry is not its own."""
    uri = registry.push("app", "1", IMAGE)
    vars(registry)[where] = f"http://127.0.0.1:{registry.host.rpartition(':')[2]}/token"
    with pytest.raises(ServiceError, match="where nothing is encrypted"):
        await create(world, uri)


async def test_a_download_goes_on_where_it_broke_off(world: World, registry: Registry, trusted: None) -> None:
    """A large layer outlives its connections."""
    uri = registry.push("app", "1", IMAGE)
    registry.pieces = 100_000
    await create(world, uri)
    assert await state(world) == ("Active", None)
    assert [one for one in registry.ranges if one] == ["bytes=100000-", "bytes=200000-", "bytes=300000-"]
    assert (world.folder / "code" / IMAGE.digest / "main").read_bytes() == CONTENT


async def test_a_download_that_always_breaks_off_ends(
    world: World, registry: Registry, trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ImageDeleted is what AWS says of layers that cannot be had; the text says what happened."""
    monkeypatch.setattr(download, "MAX_BREAKS", 3)
    uri = registry.push("app", "1", IMAGE)
    registry.pieces = 10_000
    await create(world, uri)
    assert await state(world) == ("Failed", "ImageDeleted")
    reason = (await world.call("GetFunctionConfiguration", FunctionName="f"))["StateReason"]
    assert f"broken off at byte 40000 of {len(LAYER)}" in reason


async def test_a_registry_without_ranges_is_not_asked_again(world: World, registry: Registry, trusted: None) -> None:
    """What was received is unpacked already."""
    uri = registry.push("app", "1", IMAGE)
    registry.pieces, registry.gives_ranges = 100_000, False
    await create(world, uri)
    assert await state(world) == ("Failed", "ImageDeleted")
    reason = (await world.call("GetFunctionConfiguration", FunctionName="f"))["StateReason"]
    assert "does not go on from there" in reason


async def test_what_does_not_have_its_digest_is_refused(world: World, registry: Registry, trusted: None) -> None:
    """A layer fails the function, a config its creation."""
    uri = registry.push("app", "1", IMAGE)
    for name, (kind, content) in list(registry.documents.items()):
        if content == LAYER:
            registry.documents[name] = (kind, content[:-4] + b"fake")
    await create(world, uri)
    assert await state(world) == ("Failed", "InvalidImage")
    for name, (kind, content) in list(registry.documents.items()):
        if content == IMAGE.config:
            registry.documents[name] = (kind, content + b" ")
    with pytest.raises(ServiceError, match="config does not have the digest"):
        await create(world, uri, "g")


async def test_a_token_that_has_grown_old_is_replaced(world: World, registry: Registry, trusted: None) -> None:
    """They live for minutes, and a pull for an hour."""
    uri = registry.push("app", "1", IMAGE)
    registry.token_lives = 1
    await create(world, uri)
    assert await state(world) == ("Active", None)
    assert registry.tokens >= 4  # manifests, config, layer
    assert ("/v2/app/manifests/1", f"Bearer {TOKEN}1") in registry.asked


async def test_a_name_that_leads_to_this_machine_is_as_its_address(registry: Registry, trusted: None) -> None:
    """Where others reach the platform, too: 0.0.0.0 and any name would look into its ports."""
    for host in (registry.host, f"0.0.0.0:{registry.host.rpartition(':')[2]}"):
        reference = parse_name(f"{host}/app:1")
        assert isinstance(reference, NamedImage)
        with pytest.raises(ImageDenied, match="bound to loopback"):
            RegistrySource(reference, Pull(), loopback=False).manifest(images.HERE)
    assert registry.asked == []
