"""What callers put into a line of the log cannot become another line, or a command to the terminal."""

import logging
import sys
from collections.abc import Sequence

from undercast.cli.log_lines import LineFormatter
from undercast.cli.trace import hint, record_id
from undercast.cli.trace_tree import Tree
from undercast.services.kinesis.models import shown_sequence


def lines(message: str, arguments: Sequence[object] = (), *, failed: bool = False) -> list[str]:
    found = sys.exc_info() if failed else None
    record = logging.LogRecord("x", logging.WARNING, "f.py", 1, message, tuple(arguments), found)
    return LineFormatter().format(record).splitlines()


def test_a_line_break_and_an_escape_sequence_are_spelled_out() -> None:
    """An object key may hold any character; it is in the warning of a role that IAM does not know."""
    key = "a\n2026-01-01 ERROR fake\r\x1b[31mred\x1b[2J\x9b\u2028\u202ex é"
    (line,) = lines("let through: %s", [f"arn:aws:s3:::b/{key}"])
    assert line.endswith(r"arn:aws:s3:::b/a\n2026-01-01 ERROR fake\r\x1b[31mred\x1b[2J\x9b\u2028\u202ex é")


def test_a_traceback_is_marked_line_by_line() -> None:
    """The text of an exception may hold what a caller sent."""
    try:
        raise ValueError("first\nERROR second\x1b[2J")
    except ValueError:
        first, *rest = lines("request failed", failed=True)
    assert first.endswith("WARNING request failed")
    assert rest[0] == "  | Traceback (most recent call last):"
    assert rest[-2:] == ["  | ValueError: first", r"  | ERROR second\x1b[2J"]


def test_a_trace_shows_names_without_running_them() -> None:
    """`undercast trace` prints keys of objects."""
    nodes = [{"id": "r", "kind": "call", "label": "s3:PutObject arn:aws:s3:::b/\x1b[2J\nx"}]
    assert list(Tree(nodes=nodes, edges=[], asked="none", folds=True).lines()) == [
        r"s3:PutObject arn:aws:s3:::b/\x1b[2J\nx  call r"
    ]


def test_a_trace_takes_what_kinesis_told_its_caller() -> None:
    """A SequenceNumber is the end of its record's eventID; other ids are as they are."""
    sequence = shown_sequence(3, 17, 4)
    assert record_id(sequence) == f"shardId-000000000004:{sequence}"
    assert record_id("6b0d0b0e") == "6b0d0b0e"


def test_an_unknown_id_is_told_where_to_ask() -> None:
    """X-Ray's, as REPORT prints them, are X-Ray's to tell; else the ids that a trace takes."""
    xray = "1-6b0d0b0e-5759e988bd862e3fe1be46a9"
    assert f"aws xray batch-get-traces --trace-ids {xray}" in hint(xray)
    assert "SequenceNumber" in hint("no-such-id")
