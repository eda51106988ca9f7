"""AWS's service models as botocore ships them, read lazily; nothing of botocore's code is imported.

Rule: a model is a pure function of the installed data files, so one catalogue per process is shared and never changes.
What is held is bounded: shapes of a few services, names and routes of some more; what has gone is read again.
AWS: the `service-2.json` files in botocore/data; traits as in Smithy's AWS protocol specifications.
"""

import gzip
import importlib.util
import json
from collections.abc import Iterator, Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from undercast.core.record import record

_INDEX = Path(__file__).with_name("services.json")
_LEGACY_QUERY = Path(__file__).with_name("legacy_query.json")
_NOTHING: Mapping[str, Any] = {}
KEPT_MODELS = 64
"""Services whose operations are held: 0.1 MiB each."""
KEPT_SHAPES = 6
"""Services whose shapes are held: 1 MiB each, some 10 ms to read. What is compiled needs them no more."""


class Shape:
    """A shape as one member refers to it: the shape's own traits with the reference's laid over them."""

    def __init__(self, service: "ServiceModel", name: str, reference: Mapping[str, Any]) -> None:
        self._service = service
        self.name = name
        self.traits: dict[str, Any] = {**service.shapes[name], **reference}
        self.type: str = self.traits["type"]

    def __getitem__(self, trait: str) -> Any:
        return self.traits.get(trait)

    @property
    def service_name(self) -> str:
        """botocore's name of the service that defines the shape."""
        return self._service.name

    @property
    def key_of_definition(self) -> str:
        """Names the shape and what the reference changed: equal for references that read and write alike."""
        own = self._service.shapes[self.name]
        changed = {name: value for name, value in self.traits.items() if own.get(name) != value}
        return f"{self.name} {changed}" if changed else self.name

    @cached_property
    def members(self) -> dict[str, "Shape"]:
        """Members of a structure by AWS's name, in the model's order."""
        return {name: self._refer(reference) for name, reference in self.traits.get("members", _NOTHING).items()}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Names of the members that have to be present."""
        return tuple(self.traits.get("required", ()))

    @cached_property
    def member(self) -> "Shape":
        """What a list holds."""
        return self._refer(self.traits["member"])

    @cached_property
    def key(self) -> "Shape":
        """The keys of a map."""
        return self._refer(self.traits["key"])

    @cached_property
    def value(self) -> "Shape":
        """The values of a map."""
        return self._refer(self.traits["value"])

    @property
    def query_name(self) -> str | None:
        """The name in the query protocol, where the model has only kept the one for JSON (see legacy_query.json)."""
        return self.traits.get("queryName") or self.traits.get("locationName")

    @property
    def wire_name(self) -> str | None:
        """The name on the wire where it differs from AWS's name of the member."""
        return self.traits.get("locationName")

    def restricted(self, names: tuple[str, ...]) -> "Shape":
        """The structure with only these members: those of one part of an HTTP message."""
        kept = {name: value for name, value in self.traits.get("members", _NOTHING).items() if name in names}
        return Shape(self._service, self.name, {**self.traits, "members": kept})

    def _refer(self, reference: Mapping[str, Any]) -> "Shape":
        return Shape(self._service, reference["shape"], {k: v for k, v in reference.items() if k != "shape"})


@record
class Route:
    """Where a REST operation lives: method, path template and the query literals of its URI."""

    method: str
    path: str
    literals: tuple[tuple[str, str | None], ...]
    status: int


class OperationModel:
    """One operation of a service."""

    def __init__(self, service: "ServiceModel", name: str, raw: Mapping[str, Any]) -> None:
        self.service = service
        self.name = name
        self.raw = raw

    @cached_property
    def input(self) -> Shape:
        """The input structure; an empty one where the model has none."""
        return self._structure("input")

    @cached_property
    def output(self) -> Shape:
        """The output structure; an empty one where the model has none."""
        return self._structure("output")

    @property
    def input_traits(self) -> Mapping[str, Any]:
        """The input structure as the model has it, for who looks at every operation and keeps little."""
        reference = self.raw.get("input")
        traits: Mapping[str, Any] = self.service.shapes[reference["shape"]] if reference else _NOTHING
        return traits

    @cached_property
    def errors(self) -> tuple[str, ...]:
        """Names of the exception shapes that the operation lists."""
        return tuple(error["shape"] for error in self.raw.get("errors", ()))

    @cached_property
    def streaming_input(self) -> str | None:
        """The input member whose bytes are handed on as they arrive."""
        return _streaming(self.input)

    @cached_property
    def event_stream_output(self) -> str | None:
        """The output member that is a stream of events."""
        return _event_stream(self.output)

    @cached_property
    def route(self) -> Route:
        """The HTTP binding."""
        http = self.raw.get("http", _NOTHING)
        path, _, query = http.get("requestUri", "/").partition("?")
        literals = []
        for part in query.split("&") if query else ():
            name, equals, value = part.partition("=")
            literals.append((name, value if equals and value else None))
        return Route(
            method=http.get("method", "POST"),
            path=path,
            literals=tuple(literals),
            status=http.get("responseCode", 200),
        )

    def _structure(self, side: str) -> Shape:
        reference = self.raw.get(side)
        if reference is None:
            return Shape(self.service, EMPTY_SHAPE, _NOTHING)
        return Shape(self.service, reference["shape"], {k: v for k, v in reference.items() if k != "shape"})


EMPTY_SHAPE = "(empty)"
"""Name of the structure that stands for an input or output that the model leaves out."""


class ServiceModel:
    """One service: metadata, shapes, operations."""

    def __init__(self, name: str, version: str) -> None:
        self.name = name
        self._version = version
        raw = read_model(name, version)
        self.metadata: Mapping[str, Any] = raw["metadata"]
        self.operations: dict[str, OperationModel] = {
            operation: OperationModel(self, operation, value) for operation, value in raw["operations"].items()
        }
        self._exceptions: dict[str, Shape] = {}

    @property
    def shapes(self) -> dict[str, Any]:
        """Every shape by its name, and the empty structure."""
        shapes: dict[str, Any] = read_model(self.name, self._version)["shapes"]
        return shapes

    @cached_property
    def protocols(self) -> tuple[str, ...]:
        """Every protocol that the service answers in; the first is the one newest SDKs use."""
        return tuple(protocols_of(self.metadata))

    @cached_property
    def query_compatible(self) -> bool:
        """Whether clients of the older query protocol expect its error codes in a header."""
        return "awsQueryCompatible" in self.metadata

    def exception(self, code: str) -> Shape | None:
        """The exception of this shape name, or of this code of the query protocols."""
        name = self._exception_names.get(code)
        if name is None:
            return None
        found = self._exceptions.get(name)
        if found is None:
            found = self._exceptions[name] = Shape(self, name, _NOTHING)
        return found

    @cached_property
    def _exception_names(self) -> dict[str, str]:
        shapes = self.shapes
        named = [name for name, shape in shapes.items() if shape.get("exception")]
        codes = {name: (shapes[name].get("error") or _NOTHING).get("code") for name in reversed(named)}
        return {code: name for name, code in codes.items() if code} | {name: name for name in named}


@record
class Entry:
    """A service in the index: what routing needs before the model is read."""

    name: str
    version: str
    api_version: str
    signing_name: str
    endpoint_prefix: str
    target_prefix: str
    protocols: tuple[str, ...]

    @property
    def speaks_query(self) -> bool:
        """EC2's own protocol names operations as the query protocol does."""
        return "query" in self.protocols or "ec2" in self.protocols


class Catalogue:
    """Every service that botocore knows. Models are read at first use."""

    def __init__(self) -> None:
        rows: Mapping[str, list[Any]] = json.loads(_INDEX.read_bytes())
        self.entries: Mapping[str, Entry] = {
            name: Entry(
                name=name,
                version=row[0],
                api_version=row[1],
                signing_name=row[2],
                endpoint_prefix=row[3],
                target_prefix=row[4],
                protocols=tuple(row[5]),
            )
            for name, row in rows.items()
        }
        self.by_target = _grouped(
            (entry.target_prefix, name) for name, entry in self.entries.items() if entry.target_prefix
        )
        self.by_signing_name = _grouped((entry.signing_name, name) for name, entry in self.entries.items())
        self.by_endpoint = _grouped((entry.endpoint_prefix, name) for name, entry in self.entries.items())
        self.by_query_version = _grouped(
            (entry.api_version, name) for name, entry in self.entries.items() if entry.speaks_query
        )

    def service(self, name: str) -> ServiceModel:
        """The model of a service. Raises KeyError for a name that is not botocore's."""
        return _service(name, self.entries[name].version)

    def members_of(self, service: str, operation: str) -> frozenset[str] | None:
        """An operation's top-level input members; None when AWS has no such operation."""
        if service not in self.entries:
            return None
        found = self.service(service).operations.get(operation)
        return None if found is None else frozenset(found.input.members)


@lru_cache(maxsize=KEPT_MODELS)
def _service(name: str, version: str) -> ServiceModel:
    return ServiceModel(name, version)


@cache
def catalogue() -> Catalogue:
    """The catalogue of the installed botocore. Shared: it is a pure function of files that do not change."""
    return Catalogue()


def protocols_of(metadata: Mapping[str, Any]) -> list[str]:
    """The protocols of a service, newest first. One that calls itself query compatible still answers older SDKs."""
    protocols = list(metadata.get("protocols") or [metadata["protocol"]])
    if "awsQueryCompatible" in metadata and "query" not in protocols:
        protocols.append("query")
    return protocols


def data_root() -> Path:
    """The folder that holds botocore's models."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or spec.origin is None:
        raise RuntimeError("botocore is not installed: run tools/setup.sh")
    return Path(spec.origin).with_name("data")


@lru_cache(maxsize=KEPT_SHAPES)
def read_model(name: str, version: str) -> dict[str, Any]:
    """The model of a service with botocore's additions, without its documentation (half of the memory)."""
    folder = data_root() / name / version
    model: dict[str, Any] = json.loads(gzip.decompress((folder / "service-2.json.gz").read_bytes()))
    extras = folder / "service-2.sdk-extras.json"
    if extras.exists():
        _merge(model, json.loads(extras.read_bytes())["merge"])
    if "awsQueryCompatible" in model["metadata"]:
        _merge(model, json.loads(_LEGACY_QUERY.read_bytes()).get(name, {}))
    for operation in model["operations"].values():
        operation.pop("documentation", None)
    for shape in model["shapes"].values():
        shape.pop("documentation", None)
        for reference in (*shape.get("members", _NOTHING).values(), *(shape[k] for k in _PARTS if k in shape)):
            reference.pop("documentation", None)
    model["shapes"][EMPTY_SHAPE] = {"type": "structure", "members": {}}
    return model


_PARTS = ("member", "key", "value")


def _merge(base: dict[str, Any], addition: Mapping[str, Any]) -> None:
    for key, value in addition.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _grouped(pairs: Iterator[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Names by key, the one that is called like the key first."""
    groups: dict[str, tuple[str, ...]] = {}
    for key, name in pairs:
        before = groups.get(key, ())
        groups[key] = (name, *before) if name == key else (*before, name)
    return groups


def _streaming(structure: Shape) -> str | None:
    payload = structure["payload"]
    if payload is None:
        return None
    shape = structure.members[payload]
    return payload if shape.type == "blob" and shape["streaming"] else None


def _event_stream(structure: Shape) -> str | None:
    return next((name for name, shape in structure.members.items() if shape["eventstream"]), None)
