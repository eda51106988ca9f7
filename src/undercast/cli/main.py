"""Entry point of the console script. Loads what the command needs and no more: a start goes without typer and rich."""

import gc
import sys
import time
from importlib import import_module

from undercast.cli.start_options import plain


def main() -> None:
    """Run the command that the arguments name."""
    begin = time.perf_counter()
    starts = sys.argv[1:2] == ["start"]
    if starts:
        gc.disable()  # until all is loaded: what is loaded stays, there is nothing to collect
    values = plain(sys.argv[2:]) if starts else None
    if values is not None:
        import_module("undercast.cli.start").start(values, begin)
    else:
        import_module("undercast.cli.commands").app()
