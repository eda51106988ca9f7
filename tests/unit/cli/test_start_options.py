"""`undercast start` is read without typer where its words are plain; typer and the table say the same."""

from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.main import get_command

from undercast.cli import commands
from undercast.cli.start_options import DEFAULTS, plain


def by_typer(words: list[str]) -> Any:
    """What typer calls the command with."""
    [start] = [it.callback for it in commands.app.registered_commands if it.name == "start"]
    assert start is not None
    values: dict[str, Any] = {}

    @wraps(start)
    def record(**given: Any) -> None:
        values.update(given)

    app = Typer()
    app.command()(record)
    get_command(app).main(list(words), standalone_mode=False)
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
