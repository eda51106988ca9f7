"""Options of a command that has more of them than a function has parameters."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

Options = Sequence[tuple[str, Any, Any]]
"""Name, annotation, default."""


def take_options(command: Callable[..., None], options: Options) -> None:
    """Give typer the options that `command` takes as keywords (`**options`)."""
    own = [one for one in inspect.signature(command).parameters.values() if one.kind is not one.VAR_KEYWORD]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, annotation, default in options
    ]
    vars(command)["__signature__"] = inspect.Signature([*own, *more])
