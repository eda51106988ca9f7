"""The Python runtime, imported once and forked for each environment.

Forked or fresh must look the same to the function: environ, argv, path, modules, signals, descriptors, random seeds.
A test compares both for every interpreter.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from undercast.sandbox.launcher import kernel

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

    def __init__(self, await_order: Callable[[], dict[str, Any]]) -> None:
        """`await_order` returns when it is known for whom: with argv and environment."""
        self._await_order = await_order

    def run(self, ours: set[str]) -> None:
        """Forget the launcher (the modules `ours`) and run. The caller's frames are all that is left of it."""
        bootstrap = _settle(ours)
        # PEP 538: where the locale is not installed, Python itself has set this at its start.
        coerced = os.environ.get("LC_CTYPE")
        os.environ.clear()
        order = self._await_order()
        argv, environment = order["argv"], order["environment"]
        sys.argv = argv[1:]
        sys.executable = argv[0]
        if sys.version_info >= (3, 10):
            sys.orig_argv[:] = argv
        os.environ.update(environment)
        if coerced and not {"LC_ALL", "LC_CTYPE"} & set(environment):
            os.environ["LC_CTYPE"] = coerced
        time.tzset()
        _show(order)
        try:
            bootstrap.main()
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001  whatever it is, Python would print it with our frames
            raise _ended(error) from None


def await_restore(order: dict[str, Any]) -> NoReturn:
    """Look like the runtime of the order, and wait until the launcher has put a snapshot into our place."""
    _show(order)
    while True:
        signal.pause()


def _ended(error: BaseException) -> SystemExit:
    """As a fresh interpreter ends with what nobody has caught: its trace begins in the runtime, not in the launcher."""
    trace = error.__traceback__
    error.__traceback__ = trace.tb_next if trace is not None else None
    sys.excepthook(type(error), error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        sys.stdout.flush()
        sys.stderr.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return SystemExit(1)


def _show(order: dict[str, Any]) -> None:
    argv = order["argv"]
    kernel.set_name(os.path.basename(argv[0]))
    descriptor = os.open("/proc/self/stat", os.O_RDONLY)
    fields = os.read(descriptor, 4096).rpartition(b")")[2].split()
    os.close(descriptor)
    # proc(5): arg_start is field 48, the list begins with field 3.
    args, args_end, variables, variables_end = map(int, fields[45:49])
    _rewrite(args, args_end, argv)
    _rewrite(variables, variables_end, [f"{name}={value}" for name, value in order["environment"].items()])


def _settle(ours: set[str]) -> Any:
    """What does not depend on the function. Returns the bootstrap module."""
    _restore_signals()
    bootstrap = sys.modules.pop(_BOOTSTRAP)
    for name in ours:
        sys.modules.pop(name, None)
    bootstrap.__name__ = "__main__"
    sys.modules["__main__"] = bootstrap
    return bootstrap


def _restore_signals() -> None:
    """As Python sets them at its start."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _rewrite(start: int, end: int, texts: list[str]) -> None:
    """Make /proc/self/cmdline, or environ, say what it would after an exec. What does not fit is left out."""
    data = b""
    for text in texts:
        entry = os.fsencode(text) + b"\0"
        if len(data) + len(entry) <= end - start:
            data += entry
    ctypes.memmove(start, data.ljust(end - start, b"\0"), end - start)
