"""Tables and lines that commands print."""

import sys

import pytest

from undercast.cli.output import show, table
from undercast.cli.status import hints, row

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


def test_status_says_that_there_are_more_only_where_there_are() -> None:
    """Of what was given up it shows the last; what was sent on is not lost."""
    sent, lost = {"sent_to": "q"}, {"sent_to": ""}
    assert "deliveries list" not in hints([sent, sent], 2)
    assert hints([sent, sent], 3).endswith("These are the last 2 of 3; undercast deliveries list shows more.")
    assert "is lost" not in hints([sent], 1)
    assert "is lost" in hints([sent, lost], 2)
