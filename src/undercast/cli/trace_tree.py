"""A causal graph as indented lines: pure.

Siblings that look the same, with all that is below them, are folded: attempts of one delivery, messages of one batch.
The first and the last are shown, and how many more there are. What differs from its siblings is always shown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from undercast.cli.output import printable, styled

FEWEST_FOLDED = 2
"""So many between the first and the last take more lines than the one that stands for them."""
_VARYING = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")
"""What makes siblings differ in nothing but their names: ids, and numbers of attempts, objects and seconds."""

Likeness = int
"""Equal for nodes that look the same with all that is below them."""


class Fold(NamedTuple):
    """In the place of so many nodes that are like the one above."""

    number: int


Row = str | Fold
"""The id of a node, or what stands for several."""


@dataclass(kw_only=True)
class Tree:
    """The graph: roots first, in its order. `asked` is what the user asked for; it is never folded away."""

    nodes: Sequence[Mapping[str, Any]]
    edges: Sequence[Mapping[str, Any]]
    asked: str
    folds: bool
    _children: dict[str, list[str]] = field(default_factory=dict)
    _like: dict[str, Likeness] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """A node that is reached twice is shown once, and then named again."""
        targets = set()
        for edge in self.edges:
            self._children.setdefault(str(edge["from"]), []).append(str(edge["to"]))
            targets.add(str(edge["to"]))
        by_id = {str(node["id"]): node for node in self.nodes}
        roots = [node_id for node_id in by_id if node_id not in targets]
        if self.folds:
            self._compare(by_id)
        shown: set[str] = set()
        waiting: list[tuple[Row, str, str]] = [(row, "", "") for row in reversed(self._folded(roots))]
        while waiting:
            row, prefix, indent = waiting.pop()
            if isinstance(row, Fold):
                yield f"{prefix}… {row.number} more like this one, before the last (--all shows them)"
                continue
            repeated = row in shown
            yield prefix + self._text(by_id.get(row, {}), row) + (" (above)" if repeated else "")
            if repeated:
                continue
            shown.add(row)
            below = self._folded(self._children.get(row, []))
            for index, child in enumerate(reversed(below)):
                branch, further = ("└─ ", "   ") if index == 0 else ("├─ ", "│  ")
                waiting.append((child, indent + branch, indent + further))

    def _text(self, node: Mapping[str, Any], node_id: str) -> str:
        kind, label = node.get("kind", ""), node.get("label", "")
        text = printable(f"{label}  {kind} {node_id}" if label else f"{kind} {node_id}")
        return styled(text, "1") if node_id == self.asked else text

    def _folded(self, siblings: Sequence[str]) -> list[Row]:
        """They, or of each kind that looks the same the first, how many more, and the last."""
        if not self.folds:
            return list(siblings)
        alike: dict[Likeness, list[str]] = {}
        for one in siblings:
            alike.setdefault(self._like.get(one, -1), []).append(one)
        rows: list[Row] = []
        for one in siblings:
            same = alike[self._like.get(one, -1)]
            between = len(same) - 2
            if between < FEWEST_FOLDED or one in (same[0], same[-1]):
                rows.append(one)
            if between >= FEWEST_FOLDED and one == same[0]:
                rows.append(Fold(between))
        return rows

    def _compare(self, by_id: Mapping[str, Mapping[str, Any]]) -> None:
        """Find what looks the same: children before their parents, without a call for each step down."""
        numbers: dict[object, Likeness] = {}
        begun: set[str] = set()
        waiting = list(by_id)
        while waiting:
            one = waiting[-1]
            children = self._children.get(one, [])
            if one not in begun:
                begun.add(one)
                waiting.extend(child for child in children if child not in begun)
                continue
            waiting.pop()
            if one not in self._like:
                node = by_id.get(one, {})
                face = (node.get("kind"), _VARYING.sub("#", str(node.get("label"))), one == self.asked)
                below = frozenset(self._like.get(child, -1) for child in children)
                self._like[one] = numbers.setdefault((face, below), len(numbers))
