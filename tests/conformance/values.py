"""Deterministic values for every shape of a model: all members, recursion to depth 3, unicode, minima and maxima.

`Values.of(shape)` fills a botocore shape. A variant is (edge, rotation): the edge chooses minima or maxima, the
rotation which member of a union is set and which value of an enum. Members that were filled are noted in `covered`.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from botocore.model import Shape

from tests.conformance.regex_sample import sample
from undercast.wire.patterns import matcher, translated

Edge = Literal["low", "high"]
MAX_DEPTH = 3
MAX_TEXT = 200
UNICODE = "é漢😀 <&>\"'+%/\\~"
HEADER_SAFE = "header value ~1"


@dataclass(slots=True)
class Values:
    """Fills shapes for one variant."""

    edge: Edge
    rotation: int = 0
    fraction: bool = False
    """Whether timestamps have milliseconds where their format can say them."""
    timestamp_default: str = ""
    covered: set[tuple[str, str]] = field(default_factory=set)

    def of(self, shape: Shape, stack: tuple[str, ...] = (), where: str = "") -> Any:
        """A value of the shape. `where` is its location outside the body, if any."""
        if shape.type_name == "structure":
            return self._structure(shape, (*stack, shape.name))
        if shape.type_name == "list":
            return self._list(shape, stack, where)
        if shape.type_name == "map":
            return self._map(shape, stack, where)
        if shape.type_name == "timestamp":
            return self._timestamp(shape, where)
        if shape.type_name == "blob":
            return (b"\x00\xff" + UNICODE.encode())[: shape.metadata.get("max", 64)] * max(1, self._minimum(shape) // 8)
        if shape.type_name == "boolean":
            return self.edge == "high"
        if shape.type_name in ("integer", "long", "float", "double"):
            return self._number(shape, where)
        return self._text(shape, where)

    def _structure(self, shape: Any, stack: tuple[str, ...]) -> dict[str, Any]:
        names = list(shape.members)
        if shape.is_tagged_union and names:
            open_names = [name for name in names if not self._too_deep(shape.members[name], stack)]
            names = [open_names[self.rotation % len(open_names)]]
        found = {}
        for name in names:
            member = shape.members[name]
            if self._too_deep(member, stack):
                continue
            where = "label" if member.serialization.get("hostLabel") else member.serialization.get("location", "")
            found[name] = self.of(member, stack, where)
            self.covered.add((shape.name, name))
        return found

    def _too_deep(self, shape: Any, stack: tuple[str, ...]) -> bool:
        while shape.type_name in ("list", "map"):
            shape = shape.member if shape.type_name == "list" else shape.value
        return shape.type_name == "structure" and stack.count(shape.name) >= MAX_DEPTH

    def _minimum(self, shape: Shape) -> int:
        return int(shape.metadata.get("min", 0))

    def _count(self, shape: Shape, stack: tuple[str, ...]) -> int:
        wanted = 2 if self.edge == "high" and len(stack) <= 2 else 1
        return int(max(self._minimum(shape), min(wanted, shape.metadata.get("max", wanted)), 1))

    def _list(self, shape: Any, stack: tuple[str, ...], where: str) -> list[Any]:
        count = 1 if where == "header" else self._count(shape, stack)
        if shape.member.type_name == "list" and stack.count(f"list {shape.name}") >= MAX_DEPTH:
            return []
        inner = (*stack, f"list {shape.name}")
        return [self.of(shape.member, inner, where) for _ in range(min(count, 30))]

    def _map(self, shape: Any, stack: tuple[str, ...], where: str) -> dict[str, Any]:
        if where == "headers":
            return {"first": HEADER_SAFE, "second-key": "2"}
        value_where = "querymap" if where == "querystring" else ""
        first = self.of(shape.key, stack, value_where)
        keys = {first: None}
        for number in range(2, self._count(shape, stack) + 1):
            other = first[:-1] + str(number % 10)
            if self._accepts(shape.key, other):
                keys[other] = None
        return {key: self.of(shape.value, stack, value_where) for key in keys}

    def _timestamp(self, shape: Any, where: str) -> datetime:
        chosen = shape.serialization.get("timestampFormat") or (
            "rfc822" if where == "header" else self.timestamp_default
        )
        exact = self.fraction and chosen != "rfc822"
        year = 2038 if self.edge == "high" else 1970
        return datetime(year, 1, 19, 3, 14, 8, 123_000 if exact else 0, tzinfo=UTC)

    def _number(self, shape: Shape, where: str) -> int | float:
        if where == "statusCode":
            return 200
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        bits = 31 if shape.type_name == "integer" else 63
        if shape.type_name in ("float", "double"):
            edge = (
                (low if low is not None else -1.5e-9)
                if self.edge == "low"
                else (high if high is not None else 1.25e300)
            )
            return float(edge)
        if self.edge == "low":
            return int(low if low is not None else -(1 << bits))
        return int(high if high is not None else (1 << bits) - 1)

    def _text(self, shape: Any, where: str) -> str:
        if shape.enum:
            return str(shape.enum[self.rotation % len(shape.enum)] if self.edge == "low" else shape.enum[-1])
        if where == "label":
            return "host-label.1"
        low = max(1, self._minimum(shape))
        high = min(int(shape.metadata.get("max", MAX_TEXT)), max(MAX_TEXT, low))
        size = max(low, 1) if self.edge == "low" else max(high, low)
        wanted = shape.metadata.get("pattern")
        if wanted and where != "querymap":
            return self._matching(shape, wanted, ascii_only=where == "header")
        alphabet = HEADER_SAFE.replace(" ", "_") if where in ("header", "querymap") else UNICODE
        text = (alphabet * (size // len(alphabet) + 1))[:size]
        return text[:-1] + "x" if text[-1] == " " else text

    def _matching(self, shape: Any, wanted: str, *, ascii_only: bool) -> str:
        bounds = (max(1, self._minimum(shape)), int(shape.metadata.get("max", 1 << 40)))
        text = matching(wanted, *bounds, self.edge, ascii_only)
        assert text is not None, f"no sample keeps the pattern of {shape.name}: {wanted}"
        return text

    def _accepts(self, shape: Any, text: str) -> bool:
        if not self._minimum(shape) <= len(text) <= shape.metadata.get("max", 1 << 40):
            return False
        if shape.enum and text not in shape.enum:
            return False
        wanted = shape.metadata.get("pattern")
        accepts = matcher(wanted) if wanted else None
        return accepts is None or accepts(text)


@cache
def matching(wanted: str, low: int, high: int, edge: Edge, ascii_only: bool) -> str | None:
    """A text of that length that keeps a pattern; None when none of our samples does."""
    sizes = [*range(low, low + 3), *range(4), 5, 8, 16, 32, 12, 36]
    accepts = matcher(wanted)
    candidates = (sample(translated(wanted), more) for more in (sizes if edge == "low" else reversed(sizes)))
    known = ("arn:aws:s3:::b", "a", "aa", "A" * low, "a" * low, "1" * low, "/a", "arn:aws:iam::123456789012:role/r")
    for text in (*candidates, *known):
        fits = low <= len(text) <= high and (not ascii_only or (text.isascii() and text.isprintable()))
        if text and fits and (accepts is None or accepts(text)):
            return text
    return None


def reachable(shape: Any) -> set[tuple[str, str]]:
    """Every (structure, member) that can be reached from a shape."""
    found: set[tuple[str, str]] = set()
    pending, seen = [shape], set()
    while pending:
        one = pending.pop()
        if one is None or (one.name, one.type_name) in seen:
            continue
        seen.add((one.name, one.type_name))
        if one.type_name == "structure":
            for name, member in one.members.items():
                found.add((one.name, name))
                pending.append(member)
        elif one.type_name == "list":
            pending.append(one.member)
        elif one.type_name == "map":
            pending.extend((one.key, one.value))
    return found


def rotations(shape: Any) -> int:
    """How many rotations set every member of every union that can be reached."""
    sizes = [1]
    pending, seen = [shape], set()
    while pending:
        one = pending.pop()
        if one is None or one.name in seen:
            continue
        seen.add(one.name)
        if one.type_name == "structure":
            if one.is_tagged_union:
                sizes.append(len(one.members))
            pending.extend(one.members.values())
        elif one.type_name == "list":
            pending.append(one.member)
        elif one.type_name == "map":
            pending.append(one.value)
    return max(sizes)
