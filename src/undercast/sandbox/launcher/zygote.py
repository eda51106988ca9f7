"""The Python runtime, imported once and forked for each environment.

Forked or fresh must look the same to the function: environ, argv, path, modules, signals, descriptors, random seeds.
A test compares both for every interpreter.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any

RUNTIME = "/var/runtime"
_BOOTSTRAP = "bootstrap"


def preload() -> None:
    """Import the runtime client and what it needs, from where a fresh interpreter would."""
    sys.path.insert(0, RUNTIME)
    bootstrap = importlib.import_module(_BOOTSTRAP)
    for name in ("encodings.idna", *getattr(bootstrap, "PRELOAD", ())):
        importlib.import_module(name)


class Become:
    """What a forked process has still to do: be the runtime."""

    def __init__(self, argv: list[str], environment: dict[str, str]) -> None:
        self._argv = argv
        self._environment = environment

    def run(self, ours: set[str]) -> None:
        """Forget the launcher (the modules `ours`) and run. The caller's frames are all that is left of it."""
        bootstrap: Any = sys.modules.pop(_BOOTSTRAP)
        for name in ours:
            sys.modules.pop(name, None)
        bootstrap.__name__ = "__main__"
        sys.modules["__main__"] = bootstrap
        sys.argv = self._argv[1:]
        if sys.version_info >= (3, 10):
            sys.orig_argv[:] = self._argv
        os.environ.clear()
        os.environ.update(self._environment)
        time.tzset()
        bootstrap.run()
