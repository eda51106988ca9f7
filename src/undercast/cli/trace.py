"""`undercast trace`: what caused a request, and what it caused, as a tree."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from undercast.cli.client import DataOption, ask, locate
from undercast.cli.output import fail, printable, show, styled

_SEQUENCE = re.compile(r"49\d{44}(\d{10})", re.ASCII)
_XRAY = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}", re.ASCII)
_TAKEN = (
    "it takes the request id of a call, an invocation or a delivery, the id of a message or an event, the eventID or "
    "SequenceNumber of a record; a request from outside that caused nothing leaves no trace"
)


def trace(
    request_id: Annotated[
        str, typer.Argument(help="The id of a request, an invocation, a message, an event or a record.")
    ],
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the graph as JSON.")] = False,
) -> None:
    """Print put -> event -> invocation -> put."""
    asked = record_id(request_id)
    answer = ask(locate(data), f"/_undercast/trace/{asked}")
    if as_json:
        show(answer, True)
        return
    if not answer["nodes"]:
        fail(f"nothing is known of {request_id}", hint(request_id))
    for line in tree(answer["nodes"], answer["edges"], asked):
        print(line)


def record_id(text: str) -> str:
    """The id of a record of Kinesis, given its SequenceNumber, which here ends in the shard's number."""
    found = _SEQUENCE.fullmatch(text)
    return text if found is None else f"shardId-{int(found[1]):012d}:{text}"


def hint(asked: str) -> str:
    """What may have an answer."""
    if _XRAY.fullmatch(asked):
        return f"it is X-Ray's: `aws xray batch-get-traces --trace-ids {asked}` has request ids, as aws.request_id"
    return _TAKEN


def tree(nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], asked: str) -> list[str]:
    """The graph as indented lines, roots first; a node reached twice is shown once and then named again."""
    children: dict[str, list[Mapping[str, Any]]] = {}
    for edge in edges:
        children.setdefault(str(edge["from"]), []).append(edge)
    targets = {str(edge["to"]) for edge in edges}
    by_id = {str(node["id"]): node for node in nodes}
    lines: list[str] = []
    shown: set[str] = set()

    def walk(node_id: str, prefix: str, indent: str) -> None:
        node = by_id.get(node_id, {})
        kind, label = node.get("kind", ""), node.get("label", "")
        text = printable(f"{label}  {kind} {node_id}" if label else f"{kind} {node_id}")
        repeated = node_id in shown
        mark = styled(text, "1") if node_id == asked else text
        lines.append(prefix + mark + (" (above)" if repeated else ""))
        if repeated:
            return
        shown.add(node_id)
        below = children.get(node_id, [])
        for index, edge in enumerate(below):
            last = index == len(below) - 1
            branch, further = ("└─ ", "   ") if last else ("├─ ", "│  ")
            walk(str(edge["to"]), indent + branch, indent + further)

    for node in nodes:
        if str(node["id"]) not in targets:
            walk(str(node["id"]), "", "")
    return lines
