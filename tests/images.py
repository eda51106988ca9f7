"""Builds container images for tests from files in memory: OCI layouts, their archives, and what `docker save` writes.

No registry, no Docker. Sources: OCI image-spec 1.1; Docker Engine API ("Export an image").
"""

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from undercast.services.lambda_.images.compression import Compression, zstd_module

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
"""This machine's architecture as images name it."""
ARCHITECTURE = {"amd64": "x86_64"}.get(HERE, HERE)
"""As Lambda names it."""


def sha256(content: bytes) -> str:
    """Hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def zstd(content: bytes, **options: int) -> bytes:
    """One frame. `options`: names of the library's compression parameters."""
    module = zstd_module()
    named = {getattr(module.CompressionParameter, name): value for name, value in options.items()}
    compressor = module.ZstdCompressor(options=named)
    return bytes(compressor.compress(content) + compressor.flush())


def entry(name: str, content: bytes = b"", **members: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A file unless `type` says otherwise."""
    made = tarfile.TarInfo(name)
    made.size, made.mode, made.mtime = len(content), 0o755, 1_700_000_000
    for member, value in members.items():
        setattr(made, member, value)
    return made, content


def layer(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """An uncompressed layer."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for made, content in entries:
            archive.addfile(made, io.BytesIO(content))
    return packed.getvalue()


def files(contents: Mapping[str, bytes]) -> bytes:
    """A layer of files that anybody may run."""
    return layer(*(entry(name, content) for name, content in contents.items()))


@dataclass(frozen=True, kw_only=True)
class TestImage:
    """An image: uncompressed layers, and the process of its config."""

    __test__ = False
    layers: Sequence[bytes]
    process: Mapping[str, Any] = field(default_factory=dict)
    architecture: str = HERE
    compression: Compression = ""

    @property
    def blobs(self) -> dict[str, bytes]:
        """Everything but the index, by digest."""
        stored = [self._stored(one) for one in self.layers]
        return {sha256(content): content for content in (*stored, self.config, self.manifest)}

    @property
    def config(self) -> bytes:
        """The config's bytes."""
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{sha256(one)}" for one in self.layers]}
        made = {"architecture": self.architecture, "os": "linux", "config": dict(self.process), "rootfs": rootfs}
        return json.dumps(made).encode()

    @property
    def manifest(self) -> bytes:
        """The manifest's bytes."""
        kind = f"{LAYER}+{self.compression}" if self.compression else LAYER
        layers = [descriptor(kind, self._stored(one)) for one in self.layers]
        made = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, self.config), "layers": layers}
        return json.dumps(made).encode()

    @property
    def digest(self) -> str:
        """Of the manifest."""
        return sha256(self.manifest)

    def _stored(self, content: bytes) -> bytes:
        if self.compression == "zstd":
            return zstd(content)
        return gzip.compress(content, 1, mtime=0) if self.compression else content


def descriptor(kind: str, content: bytes, **members: Any) -> dict[str, Any]:
    """What refers to a blob."""
    return {"mediaType": kind, "digest": f"sha256:{sha256(content)}", "size": len(content), **members}


def layout_files(*images: TestImage, tags: Sequence[str] = ()) -> dict[str, bytes]:
    """The files of an OCI layout; one index entry per image, with its platform and its tag."""
    entries = []
    for position, image in enumerate(images):
        platform_of = {"architecture": image.architecture, "os": "linux"}
        more = {"annotations": {"org.opencontainers.image.ref.name": tags[position]}} if tags else {}
        entries.append(descriptor(MANIFEST, image.manifest, platform=platform_of, **more))
    blobs = {digest: content for image in images for digest, content in image.blobs.items()}
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(),
        **{f"blobs/sha256/{digest}": content for digest, content in blobs.items()},
    }


def write_layout(folder: Path, *images: TestImage, tags: Sequence[str] = ()) -> Path:
    """An OCI layout as a folder."""
    for name, content in layout_files(*images, tags=tags).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_archive(path: Path, contents: Mapping[str, bytes]) -> Path:
    """Files as a tar archive."""
    path.write_bytes(files(contents))
    return path


def docker_files(image: TestImage, *names: str) -> dict[str, bytes]:
    """What `docker save` wrote before version 25."""
    layers = {f"{sha256(one)}/layer.tar": one for one in image.layers}
    config = f"{sha256(image.config)}.json"
    listed = [{"Config": config, "RepoTags": list(names), "Layers": list(layers)}]
    return {**layers, config: image.config, "manifest.json": json.dumps(listed).encode()}
