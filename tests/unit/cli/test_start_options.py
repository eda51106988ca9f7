"""`undercast start` is read without typer where its words are plain; typer and the table say the same."""

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from undercast.cli import commands
from undercast.cli.start_options import DEFAULTS, plain


def by_typer(words: list[str]) -> Any:
    """What typer makes of the words."""
    group: Any = get_command(commands.app)
    values = group.commands["start"].make_context("start", list(words)).params
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--port", "0", "--ephemeral"],
        ["--port=8000", "--data", "/tmp/a b", "--driver", "process"],
        ["--host-name", "a.test", "--host-name=b.test", "--idle-timeout", "0.5"],
        ["--max-environments", "3", "--forward-ports", "", "--profile", "2019", "--iam", "off"],
    ],
)
def test_plain_words_mean_what_typer_says(words: list[str]) -> None:
    """One table, two readers, one meaning."""
    assert plain(words) == by_typer(words)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--port", "65536"],
        ["--port", "x"],
        ["--port"],
        ["--port", "--ephemeral"],
        ["--ephemeral=1"],
        ["--driver", "docker"],
        ["--idle-timeout", "nan"],
        ["--max-environments", "0"],
        ["--unknown"],
        ["word"],
    ],
)
def test_anything_else_is_typers_to_answer(words: list[str]) -> None:
    """Help and errors come from one place."""
    assert plain(words) is None


def test_without_words_the_defaults_hold() -> None:
    """What the table says."""
    assert plain([]) == DEFAULTS
    assert plain(["--data", "x"]) == {**DEFAULTS, "data": Path("x")}
