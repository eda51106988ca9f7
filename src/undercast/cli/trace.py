"""`undercast trace`: what caused a request, and what it caused, as a tree."""

import re
import sys
from typing import Annotated
from urllib.parse import quote

import typer

from undercast.cli.client import DataOption, ask, locate
from undercast.cli.output import fail, show
from undercast.cli.trace_tree import Tree

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
    every: Annotated[bool, typer.Option("--all", help="Show all attempts, and all that looks the same.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole graph as JSON.")] = False,
) -> None:
    """Show what caused a request and what it caused, as a tree: put -> event -> invocation -> put.

    Of attempts and of siblings that look the same, the first and the last are shown, and how many more there are.
    """
    asked = record_id(request_id)
    answer = ask(locate(data), f"/_undercast/trace/{quote(asked, safe='')}")
    if not answer["nodes"]:
        fail(f"nothing is known of {request_id}", hint(request_id))
    if as_json:
        show(answer, True)
        return
    for line in Tree(nodes=answer["nodes"], edges=answer["edges"], asked=asked, folds=not every).lines():
        print(line)
    if not answer["complete"]:
        print(f"there is more than these {len(answer['nodes'])}: ask for an id further down", file=sys.stderr)


def record_id(text: str) -> str:
    """The id of a record of Kinesis, given its SequenceNumber, which here ends in the shard's number."""
    found = _SEQUENCE.fullmatch(text)
    return text if found is None else f"shardId-{int(found[1]):012d}:{text}"


def hint(asked: str) -> str:
    """What may have an answer."""
    if _XRAY.fullmatch(asked):
        return f"it is X-Ray's: `aws xray batch-get-traces --trace-ids {asked}` has request ids, as aws.request_id"
    return _TAKEN
