"""The service graph of traces: services, who calls whom, and how it went.

Pure. Each segment is a call that its service answered; what called it is the edge's beginning, a client where nothing
did. AWS: X-Ray API Reference, Service, Edge, GetServiceGraph, GetTraceGraph.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from undercast.core.clock import moment
from undercast.services.xray.assembly import Trace
from undercast.services.xray.documents import Document, end_of, start_of
from undercast.services.xray.summaries import type_of

Key = tuple[str, str]
CLIENT = "client"


@dataclass(slots=True)
class Calls:
    """What is known of several calls."""

    segments: list[Document] = field(default_factory=list)

    def times(self) -> dict[str, Any]:
        """StartTime and EndTime."""
        return {
            "StartTime": moment(min(map(start_of, self.segments))),
            "EndTime": moment(max(map(end_of, self.segments))),
        }

    def statistics(self) -> dict[str, Any]:
        """SummaryStatistics of a node or an edge."""
        faults = sum(one.get("fault") is True for one in self.segments)
        throttles = sum(one.get("throttle") is True for one in self.segments)
        errors = sum(one.get("error") is True or one.get("throttle") is True for one in self.segments)
        good = sum(not any(one.get(name) is True for name in ("fault", "error", "throttle")) for one in self.segments)
        return {
            "OkCount": good,
            "ErrorStatistics": {
                "ThrottleCount": throttles,
                "OtherCount": errors - throttles,
                "TotalCount": errors,
            },
            "FaultStatistics": {"OtherCount": faults, "TotalCount": faults},
            "TotalCount": len(self.segments),
            "TotalResponseTime": round(sum(end_of(one) - start_of(one) for one in self.segments), 3),
        }

    def histogram(self) -> list[dict[str, Any]]:
        """How many calls took how long, in milliseconds' steps."""
        counts = Counter(round(end_of(one) - start_of(one), 3) for one in self.segments)
        return [{"Value": value, "Count": count} for value, count in sorted(counts.items())]


@dataclass(slots=True)
class _Node:
    """One service."""

    reference: int
    calls: Calls = field(default_factory=Calls)
    edges: dict[Key, Calls] = field(default_factory=dict)
    root: bool = False


def services(traces: Iterable[Trace], account_id: str) -> list[dict[str, Any]]:
    """The Services of a graph, in the order in which they appear."""
    nodes: dict[Key, _Node] = {}
    for trace in traces:
        for segment in trace.segments:
            caller = trace.caller(segment)
            own = _node(nodes, _key(segment))
            own.calls.segments.append(segment)
            if caller is None:
                own.root = True
                source = _node(nodes, (str(segment.get("name", "")), CLIENT))
                source.calls.segments.append(segment)
            else:
                source = _node(nodes, _key(caller))
            source.edges.setdefault(_key(segment), Calls()).segments.append(segment)
    return [_told(key, node, nodes, account_id) for key, node in nodes.items()]


def _node(nodes: dict[Key, _Node], key: Key) -> _Node:
    return nodes.setdefault(key, _Node(len(nodes)))


def _key(segment: Document) -> Key:
    return str(segment.get("name", "")), type_of(segment)


def _told(key: Key, node: _Node, nodes: dict[Key, _Node], account_id: str) -> dict[str, Any]:
    name, kind = key
    edges = [
        {
            "ReferenceId": nodes[target].reference,
            **calls.times(),
            "SummaryStatistics": calls.statistics(),
            "ResponseTimeHistogram": calls.histogram(),
            "Aliases": [],
        }
        for target, calls in node.edges.items()
    ]
    told: dict[str, Any] = {"ReferenceId": node.reference, "Name": name, "Names": [name], "Edges": edges}
    if kind:
        told["Type"] = kind
    if kind == CLIENT:
        return told | {"State": "unknown", **node.calls.times()}
    if node.root:
        told["Root"] = True
    return told | {
        "AccountId": account_id,
        "State": "active",
        **node.calls.times(),
        "SummaryStatistics": node.calls.statistics(),
        "DurationHistogram": node.calls.histogram(),
        "ResponseTimeHistogram": node.calls.histogram(),
    }
