"""Document paths: which of them overlap, and the part of an item that some of them name (a projection).

Pure. Elements of lists keep their order and close up.
AWS: DynamoDB Developer Guide, "Using projection expressions in DynamoDB", "Document path".
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.expressions.syntax import Path, Reader
from undercast.services.item_text import Item, Value

Tree = dict[str | int, Any]
"""Part -> the tree below it; empty: all of it."""


def parse(reader: Reader) -> tuple[Path, ...]:
    """A list of paths to the end of the text."""
    paths = [reader.path()]
    while reader.takes(","):
        paths.append(reader.path())
    if reader.next.kind != "end":
        raise reader.syntax()
    return tuple(paths)


def check_apart(reader: Reader, paths: Iterable[Path]) -> None:
    """Raises ValidationException when two paths overlap, or go into one attribute in two ways."""
    found = [(_sortable(path), path) for path in paths]
    given = {id(path): at for at, (_, path) in enumerate(found)}
    for (one_key, one), (other_key, other) in pairwise(sorted(found, key=lambda pair: pair[0])):
        if other_key[: len(one_key)] == one_key:
            first, second = sorted((one, other), key=lambda path: given[id(path)])
            raise _clash(reader, "overlap", first, second)
    ways: dict[tuple[str | int, ...], tuple[type, Path]] = {}
    for _, path in found:
        for at in range(1, len(path.parts)):
            kind, other = ways.setdefault(path.parts[:at], (type(path.parts[at]), path))
            if kind is not type(path.parts[at]):
                raise _clash(reader, "conflict", other, path)


def _clash(reader: Reader, how: str, one: Path, other: Path) -> ServiceError:
    return reader.wrong(
        f"Two document paths {how} with each other; must remove or rewrite one of these paths; "
        f"path one: {one}, path two: {other}"
    )


def _sortable(path: Path) -> tuple[tuple[bool, str | int], ...]:
    return tuple((isinstance(part, int), part) for part in path.parts)


def tree_of(paths: Iterable[Path]) -> Tree:
    """What `projected` takes."""
    tree: Tree = {}
    for path in paths:
        below = tree
        for part in path.parts:
            below = below.setdefault(part, {})
    return tree


def projected(item: Mapping[str, Value], tree: Tree) -> Item:
    """The part of an item that is named."""
    found: Item = {}
    for name, below in tree.items():
        value = item.get(str(name))
        if value is not None and (part := _inside(value, below) if below else value) is not None:
            found[str(name)] = part
    return found


def value_at(item: Mapping[str, Value], parts: tuple[str | int, ...]) -> Value | None:
    """What is at a document path."""
    value = item.get(str(parts[0]))
    for part in parts[1:]:
        if value is None:
            return None
        if isinstance(part, str):
            value = value["M"].get(part) if "M" in value else None
        else:
            inside = value.get("L", ())
            value = inside[part] if part < len(inside) else None
    return value


def leaf_name(path: Path) -> str:
    """Under which name a PartiQL SELECT shows what is at a path: "x" of m.x, "l[0]" of m.l[0]."""
    at = max(place for place, part in enumerate(path.parts) if isinstance(part, str))
    return str(path.parts[at]) + "".join(f"[{index}]" for index in path.parts[at + 1 :])


def leaves(item: Mapping[str, Value], paths: Iterable[Path]) -> Item:
    """What a PartiQL SELECT of these paths shows of an item: values without the maps and lists around them."""
    found = ((leaf_name(path), value_at(item, path.parts)) for path in paths)
    return {name: value for name, value in found if value is not None}


def _inside(value: Value, tree: Tree) -> Value | None:
    if "M" in value:
        members = projected(value["M"], {name: below for name, below in tree.items() if isinstance(name, str)})
        return {"M": members} if members else None
    if "L" in value:
        return _elements(value["L"], tree)
    return None


def _elements(elements: Sequence[Value], tree: Tree) -> Value | None:
    found = []
    for at in sorted(part for part in tree if isinstance(part, int)):
        if at < len(elements):
            part = _inside(elements[at], tree[at]) if tree[at] else elements[at]
            if part is not None:
                found.append(part)
    return {"L": found} if found else None
