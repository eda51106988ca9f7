"""What callers put into a line of the log cannot become another line, or a command to the terminal."""

import logging
import sys
from collections.abc import Sequence

from undercast.cli.log_lines import LineFormatter
from undercast.cli.trace import tree


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
    assert tree(nodes, [], "none") == [r"s3:PutObject arn:aws:s3:::b/\x1b[2J\nx  call r"]
