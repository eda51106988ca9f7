"""The causal graph around one id, read from both files.

A node is an id: the call, delivery or invocation with one request id are one node. A batch has several causes, so the
graph is a DAG; its edges are in the total order of the log.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.record import record
from undercast.store.database import Row, Tx

MAX_NODES = 5000
_IDS_PER_QUERY = 500
_RANK = {"invocation": 3, "delivery": 2, "call": 1}
"""Which kind names a node that is several things at once."""

Query = Callable[[Callable[[Tx], list[Row]]], Awaitable[list[Row]]]


@record
class Edge:
    """One thing caused another. `at` is platform-clock seconds; `order` is given by the log when it is written."""

    from_kind: str
    from_id: str
    """"" for what comes from outside."""
    to_kind: str
    to_id: str
    label: str
    """What `to` is: "s3:PutObject bucket/key"."""
    at: float
    scope: Scope
    environment_id: str = ""
    """The execution environment in which `to` ran."""
    from_label: str = ""
    """What `from` is, where no edge leads to it: a call from outside, a schedule."""
    order: int = 0


@record
class Node:
    """One call, delivery, invocation or environment phase."""

    id: str
    kind: str
    label: str
    at: float
    order: int
    environment_id: str = ""


@record
class Trace:
    """Ancestors and descendants of `asked`, nodes and edges in total order. `complete` is False above MAX_NODES."""

    asked: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    complete: bool = True

    def as_json(self) -> dict[str, Any]:
        """The graph as {"asked", "complete", "nodes": [{"id", ...}], "edges": [{"from", "to", ...}]}."""
        nodes = [
            {
                "id": node.id,
                "kind": node.kind,
                "label": node.label,
                "at": node.at,
                "order": node.order,
                "environment_id": node.environment_id,
            }
            for node in self.nodes
        ]
        edges = [
            {
                "from": edge.from_id,
                "to": edge.to_id,
                "label": edge.label,
                "at": edge.at,
                "order": edge.order,
                "account_id": edge.scope.account_id,
                "region": edge.scope.region,
            }
            for edge in self.edges
        ]
        return {"asked": self.asked, "complete": self.complete, "nodes": nodes, "edges": edges}


async def explore(asked: str, sources: Sequence[Query]) -> Trace:
    """Follow the edges up to every root and down to every leaf."""
    found: dict[int, Edge] = {}
    complete = True
    for column, far_end in (("to_id", "from_id"), ("from_id", "to_id")):
        seen = {asked}
        frontier = {asked}
        while frontier and complete:
            edges = await _edges_at(frontier, column, sources)
            found.update((edge.order, edge) for edge in edges)
            # What an outer caller did has no common cause: "" is nobody's node.
            frontier = {getattr(edge, far_end) for edge in edges} - seen - {""}
            seen |= frontier
            complete = len(seen) <= MAX_NODES
    edges = [found[order] for order in sorted(found)]
    shown = _once(edge for edge in edges if edge.from_id and edge.from_id != edge.to_id)
    return Trace(asked=asked, nodes=_nodes(edges), edges=shown, complete=complete)


def _once(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """One edge for each pair: an asynchronous invoke is a call and a delivery of one id, both with the same cause."""
    first: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        first.setdefault((edge.from_id, edge.to_id), edge)
    return tuple(first.values())


async def _edges_at(ids: Iterable[str], column: str, sources: Sequence[Query]) -> list[Edge]:
    edges: list[Edge] = []
    waiting = list(ids)
    for start in range(0, len(waiting), _IDS_PER_QUERY):
        some = waiting[start : start + _IDS_PER_QUERY]
        for source in sources:
            edges += map(_edge, await source(partial(_select, column=column, ids=some)))
    return edges


def _select(tx: Tx, *, column: str, ids: Sequence[str]) -> list[Row]:
    marks = ",".join("?" * len(ids))
    return tx.all(f"SELECT * FROM causal_edge WHERE {column} IN ({marks})", ids)


def _edge(row: Row) -> Edge:
    return Edge(
        from_kind=row["from_kind"],
        from_id=row["from_id"],
        to_kind=row["to_kind"],
        to_id=row["to_id"],
        label=row["label"],
        at=row["at"],
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        environment_id=row["environment_id"],
        from_label=row["from_label"],
        order=row["ord"],
    )


def _nodes(edges: Sequence[Edge]) -> tuple[Node, ...]:
    """The ends of the edges, each where it first appears, by the kind and label that say most."""
    nodes: dict[str, Node] = {}
    for edge in edges:
        ends = (
            Node(id=edge.from_id, kind=edge.from_kind, label=edge.from_label, at=edge.at, order=edge.order),
            Node(
                id=edge.to_id,
                kind=edge.to_kind,
                label=edge.label,
                at=edge.at,
                order=edge.order,
                environment_id=edge.environment_id,
            ),
        )
        for node in ends:
            if node.id:
                nodes[node.id] = _merged(nodes.get(node.id), node)
    return tuple(nodes.values())


def _merged(known: Node | None, node: Node) -> Node:
    if known is None:
        return node
    more = node if _RANK.get(node.kind, 0) > _RANK.get(known.kind, 0) else known
    return Node(
        id=known.id,
        kind=more.kind,
        label=more.label or known.label or node.label,
        at=known.at,
        order=known.order,
        environment_id=known.environment_id or node.environment_id,
    )
