"""Manifests, indexes and configs of images.

Pure: bytes in, frozen data out. Everything in them is a stranger's, and may be anything.
Sources: OCI image-spec 1.1 (manifest.md, image-index.md, config.md), Docker image manifest version 2, schema 2.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.record import record
from undercast.services.lambda_.images.compression import Compression
from undercast.services.lambda_.images.faults import ImageMissing, InvalidImage, UnsupportedImage

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_LIST)
_CONFIG_TYPES = (OCI_CONFIG, "application/vnd.docker.container.image.v1+json")
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_LAYER_TYPES: Mapping[str, Compression] = {
    OCI_LAYER: "",
    f"{OCI_LAYER}+gzip": "gzip",
    f"{OCI_LAYER}+zstd": "zstd",
    _DOCKER_LAYER: "",
    f"{_DOCKER_LAYER}.gzip": "gzip",
    f"{_DOCKER_LAYER}.zstd": "zstd",
}
_EARLIER: Mapping[object, Compression] = {True: "gzip", False: ""}
"""As rows of versions before zstd have it."""
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
MAX_LAYERS = 127
MAX_PROCESS_BYTES = 64 * 1024
"""Of ENTRYPOINT, CMD and ENV together, as JSON: they go to the sandbox in one message."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
MACHINES = {"x86_64": "amd64", "arm64": "arm64"}
"""Architectures of Lambda -> as images name them."""
_NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")


@record
class Layer:
    """One layer: a tar archive."""

    digest: str
    """SHA-256 of what is sent or stored, hexadecimal."""
    diff_id: str
    """SHA-256 of the archive itself."""
    compression: Compression


@record
class Image:
    """What a function needs to know of an image."""

    digest: str
    """Of the manifest."""
    architecture: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    working_dir: str

    def as_json(self) -> dict[str, Any]:
        """For a row."""
        return {
            "digest": self.digest,
            "architecture": self.architecture,
            "layers": [[layer.digest, layer.diff_id, layer.compression] for layer in self.layers],
            "entrypoint": list(self.entrypoint),
            "command": list(self.command),
            "environment": dict(self.environment),
            "working_dir": self.working_dir,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Image":
        """The opposite."""
        return cls(
            digest=row["digest"],
            architecture=row["architecture"],
            layers=tuple(
                Layer(digest=digest, diff_id=diff_id, compression=_EARLIER.get(how, how))
                for digest, diff_id, how in row["layers"]
            ),
            entrypoint=tuple(row["entrypoint"]),
            command=tuple(row["command"]),
            environment=row["environment"],
            working_dir=row["working_dir"],
        )


def digest_of(document: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(document).hexdigest()


def encoded(document: Mapping[str, Any]) -> bytes:
    """A manifest that is made here: the same bytes for the same image."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def parse(document: bytes) -> dict[str, Any]:
    """A JSON object. Raises InvalidImage."""
    try:
        found = json_values.parse(document)
    except ValueError as error:
        raise InvalidImage("its manifest or config is not JSON") from error
    if not isinstance(found, dict):
        raise InvalidImage("its manifest or config is not a JSON object")
    return found


def chosen(index: Mapping[str, Any], architecture: str, tag: str = "") -> str | None:
    """The digest of the manifest for an architecture (amd64) in an index; None where `index` is a manifest itself.

    `tag`: among those that have this name, where an index of a folder or archive holds several images.
    """
    if "manifests" not in index:
        return None
    entries = [entry for entry in _list(index["manifests"]) if isinstance(entry, dict)]
    if tag:
        entries = [entry for entry in entries if _is_named(entry, tag)]
    fits = [entry for entry in entries if _fits(entry, architecture)]
    if not fits:
        raise ImageMissing(f"it has nothing for linux/{architecture}" + (f" under the name {tag}" if tag else ""))
    if len({_digest(entry.get("digest")) for entry in fits}) > 1:
        raise InvalidImage("it holds several images, so the URI must name one: PATH:TAG")
    return _digest(fits[0].get("digest"))


def config_digest(manifest: Mapping[str, Any]) -> str:
    """Raises UnsupportedImage for another kind of manifest."""
    config = manifest.get("config")
    if manifest.get("mediaType", OCI_MANIFEST) not in (OCI_MANIFEST, DOCKER_MANIFEST) or not isinstance(config, dict):
        raise UnsupportedImage(f"manifest {str(manifest.get('mediaType'))[:100]}")
    if config.get("mediaType") not in _CONFIG_TYPES:
        raise UnsupportedImage(f"config {str(config.get('mediaType'))[:100]}")
    return _digest(config.get("digest"))


def image_of(digest: str, manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Image:
    """Manifest and config together. Raises InvalidImage or UnsupportedImage."""
    rootfs = config.get("rootfs")
    diff_ids = _list(rootfs.get("diff_ids") if isinstance(rootfs, dict) else None)
    descriptors = _list(manifest.get("layers"))
    if len(descriptors) != len(diff_ids) or len(descriptors) > MAX_LAYERS:
        raise InvalidImage("its manifest and its config do not have the same layers, or more than 127")
    if config.get("os", "linux") != "linux":
        raise UnsupportedImage(f"it is for {str(config['os'])[:100]}, not Linux")
    process = config.get("config") or {}
    if not isinstance(process, dict):
        raise InvalidImage("its config is not an object")
    told = (_texts(process.get("Entrypoint")), _texts(process.get("Cmd")), _texts(process.get("Env")))
    if len(json.dumps(told)) > MAX_PROCESS_BYTES:
        raise InvalidImage(f"its ENTRYPOINT, CMD and ENV are larger than {MAX_PROCESS_BYTES} bytes")
    entrypoint, command, variables = told
    return Image(
        digest=digest,
        architecture=_text(config.get("architecture", "")),
        layers=tuple(_layer(one, diff_id) for one, diff_id in zip(descriptors, diff_ids, strict=True)),
        entrypoint=entrypoint,
        command=command,
        environment={name: value for name, value in map(_variable, variables) if name},
        working_dir=_text(process.get("WorkingDir") or "/"),
    )


def _layer(descriptor: object, diff_id: object) -> Layer:
    kind = descriptor.get("mediaType") if isinstance(descriptor, dict) else None
    if not isinstance(descriptor, dict) or not isinstance(kind, str) or kind not in _LAYER_TYPES:
        raise UnsupportedImage(f"layer {str(kind)[:100]}")
    return Layer(digest=_digest(descriptor.get("digest")), diff_id=_digest(diff_id), compression=_LAYER_TYPES[kind])


def _fits(entry: Mapping[str, Any], architecture: str) -> bool:
    """An entry without a platform is what `docker save` and `buildah` write for the one image."""
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return True
    return platform.get("os", "linux") == "linux" and platform.get("architecture") == architecture


def names_of(index: Mapping[str, Any]) -> list[object]:
    """What the entries of an index are called, if anything."""
    found = [entry.get("annotations") for entry in _list(index.get("manifests")) if isinstance(entry, dict)]
    return [one[name] for one in found if isinstance(one, dict) for name in _NAMES if name in one]


def _is_named(entry: Mapping[str, Any], tag: str) -> bool:
    annotations = entry.get("annotations")
    names = [str(annotations.get(name, "")) for name in _NAMES] if isinstance(annotations, dict) else []
    return any(name == tag or name.endswith((f":{tag}", f"/{tag}")) for name in names)


def _digest(text: object) -> str:
    found = _DIGEST.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise InvalidImage(f"{str(text)[:100]!r} is not a SHA-256 digest")
    return found[1]


def _variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _list(found: object) -> list[Any]:
    if not isinstance(found, list):
        raise InvalidImage("its manifest or config lacks a list")
    return found


def _text(found: object) -> str:
    if not isinstance(found, str) or "\0" in found or not _encodable(found):
        raise InvalidImage("its config has something else where a text belongs")
    return found


def _encodable(text: str) -> bool:
    """Half of a surrogate pair is no character, and no process can be given one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(found: object) -> tuple[str, ...]:
    return () if found is None else tuple(_text(one) for one in _list(found))
