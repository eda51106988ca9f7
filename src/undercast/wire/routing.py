"""From method, path and query string to an operation of a REST service.

A service's templates are compiled once into a tree of path segments; a request walks it without regular expressions.
Segments are compared as sent and decoded afterwards, so "%2F", "..", "//" and spaces in labels stay what they are.
AWS: Smithy, "httpLabel and greedy labels", "httpQuery literals".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.wire.model import OperationModel, ServiceModel

_REMEMBERED = 1024
_SHORT_PATH = 256
Query = tuple[tuple[str, str], ...]


@record
class Candidate:
    """An operation at the end of a path, with what else the request has to carry."""

    operation: OperationModel
    labels: tuple[str, ...]
    literals: tuple[tuple[str, str | None], ...]
    query: frozenset[str]
    headers: frozenset[str]
    known: frozenset[str]
    """Every query parameter of the operation: decides between operations that differ in nothing else."""
    rank: int
    is_plain: bool
    """Whether it asks nothing of the query string: of the many that S3 has for one path, one or two."""

    def fits(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """Whether the literals of the URI and the required parameters are there."""
        for name, value in self.literals:
            if name not in query or (value is not None and query[name] != value):
                return False
        return self.query <= query.keys() and self.headers <= headers.keys()


@dataclass(slots=True)
class Node:
    """One segment deep in the tree. Built once by `RestRouter`, then only read."""

    literals: dict[str, "Node"] = field(default_factory=dict)
    label: "Node | None" = None
    greedy: dict[tuple[str, ...], dict[str, list[Candidate]]] = field(default_factory=dict)
    """Segments that must follow the greedy label -> method -> candidates."""
    here: dict[str, list[Candidate]] = field(default_factory=dict)


class RestRouter:
    """The routes of one REST service."""

    def __init__(self, service: ServiceModel) -> None:
        self._root = Node()
        self._known: dict[tuple[str, str], tuple[OperationModel, dict[str, str]]] = {}
        for operation in service.operations.values():
            self._add(operation)

    def find(
        self, method: str, path: str, query: Query, headers: Mapping[str, str]
    ) -> tuple[OperationModel, dict[str, str]] | None:
        """The operation and its decoded labels. None when no operation of the service fits."""
        known = self._known.get((method, path))
        if known is not None:
            return known
        segments = path.split("/")
        if segments and not segments[0]:
            del segments[0]
        values: list[str] = []
        candidates = _walk(self._root, segments, 0, method, values)
        if not candidates:
            return None
        chosen = _choose(candidates, query, headers)
        if chosen is None:
            return None
        found = chosen.operation, dict(zip(chosen.labels, map(decoded, values), strict=True))
        if len(candidates) == 1 and chosen.rank == 0 and len(path) <= _SHORT_PATH:
            # Nothing but method and path decides, and a function is invoked by the same path again and again.
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[method, path] = found
        return found

    def _add(self, operation: OperationModel) -> None:
        route = operation.route
        segments = route.path.split("/")[1:]
        labels: list[str] = []
        node = self._root
        for position, segment in enumerate(segments):
            if segment.endswith("+}"):
                labels.append(segment[1:-2])
                by_method = node.greedy.setdefault(tuple(segments[position + 1 :]), {})
                _insert(by_method.setdefault(route.method, []), _candidate(operation, labels))
                return
            if segment.startswith("{"):
                labels.append(segment[1:-1])
                node.label = node.label or Node()
                node = node.label
            elif segment:
                node = node.literals.setdefault(segment, Node())
        _insert(node.here.setdefault(route.method, []), _candidate(operation, labels))


def decoded(text: str) -> str:
    """Percent-decoding, strictly UTF-8. Raises InvalidURI, S3's name for it."""
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ServiceError("InvalidURI", "Couldn't parse the specified URI.") from None


def _walk(node: Node, segments: list[str], at: int, method: str, values: list[str]) -> list[Candidate] | None:
    """Candidates below the node; `values` gets the raw labels. A literal wins over a label, both over a greedy one."""
    rest = len(segments) - at
    if rest == 0 or (rest == 1 and not segments[at]):
        return node.here.get(method)
    segment = segments[at]
    deeper = node.literals.get(segment)
    if deeper is not None:
        found = _walk(deeper, segments, at + 1, method, values)
        if found:
            return found
    if node.label is not None and segment:
        values.append(segment)
        found = _walk(node.label, segments, at + 1, method, values)
        if found:
            return found
        values.pop()
    for behind, by_method in node.greedy.items():
        end = len(segments) - len(behind)
        if method in by_method and end > at and tuple(segments[end:]) == behind:
            values.append("/".join(segments[at:end]))
            return by_method[method]
    return None


def _choose(candidates: list[Candidate], query: Query, headers: Mapping[str, str]) -> Candidate | None:
    if len(candidates) == 1 and candidates[0].rank == 0:
        return candidates[0]
    first: dict[str, str] = {}
    for name, value in query:
        first.setdefault(name, value)
    if query:
        fitting = [candidate for candidate in candidates if candidate.fits(first, headers)]
    else:
        fitting = [one for one in candidates if one.is_plain and one.headers <= headers.keys()]
    if not fitting:
        return candidates[-1] if not candidates[-1].literals else None
    equals = [candidate for candidate in fitting if candidate.rank == fitting[0].rank]
    if len(equals) == 1:
        return fitting[0]
    named = first.get("x-id")
    return next(
        (candidate for candidate in equals if candidate.operation.name == named),
        max(equals, key=lambda candidate: len(candidate.known & first.keys())),
    )


def _candidate(operation: OperationModel, labels: list[str]) -> Candidate:
    query, headers = set(), set()
    traits = operation.input_traits
    places = {
        name: (member.get("location"), member.get("locationName") or name)
        for name, member in traits.get("members", {}).items()
    }
    known = {wire_name for place, wire_name in places.values() if place == "querystring"}
    for name in traits.get("required", ()):
        place, wire_name = places[name]
        if place == "querystring":
            query.add(wire_name)
        elif place == "header":
            headers.add(wire_name.lower())
    literals = operation.route.literals
    return Candidate(
        operation=operation,
        labels=tuple(labels),
        literals=literals,
        query=frozenset(query),
        headers=frozenset(headers),
        known=frozenset(known),
        is_plain=not literals and not query,
        rank=100 * len(literals) + 10 * (len(query) + len(headers)),
    )


def _insert(candidates: list[Candidate], new: Candidate) -> None:
    """Keep the most demanding first; of equals the one that is not deprecated."""
    candidates.append(new)
    candidates.sort(key=lambda one: (-one.rank, bool(one.operation.raw.get("deprecated"))))
