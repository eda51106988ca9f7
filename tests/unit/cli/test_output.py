"""Tables and lines that commands print."""

import sys

import pytest

from undercast.cli.output import show, table
from undercast.cli.status import row

ROWS = [("f", "1 frozen"), ("longer-name", "none")]


def test_a_table_is_aligned_text_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts: one line per row, columns by spaces, no trailing ones."""
    table(("name", "state"), ROWS, "nothing")
    assert capsys.readouterr().out.splitlines() == ["name         state", "f            1 frozen", "longer-name  none"]
    table(("name", "state"), [], "nothing")
    assert capsys.readouterr().out == "nothing\n"


def test_a_table_is_drawn_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Markup and escapes in a cell are text."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    table(("name", "state"), [("[red]x\x1b[2J", "none")], "nothing")
    drawn = capsys.readouterr().out
    assert "┃" in drawn
    assert r"[red]x\x1b[2J" in drawn


def test_lists_are_read_by_people(capsys: pytest.CaptureFixture[str]) -> None:
    """`doctor` has notes, or none."""
    show({"notes": [], "more": ["one", "two"]}, as_json=False)
    assert capsys.readouterr().out.splitlines() == ["notes  none", "more   one; two"]


def test_a_functions_environments_are_counted_by_state() -> None:
    """`status` shows how many are busy, frozen or starting."""
    function = {
        "function": "arn:aws:lambda:eu-west-1:123456789012:function:f",
        "version": "$LATEST",
        "environments": {"a": "frozen", "b": "busy", "c": "frozen"},
        "starting": 1,
        "waiting": 4,
    }
    assert row(function) == ("f", "$LATEST", "123456789012", "eu-west-1", "1 busy, 2 frozen, 1 starting", "4")
