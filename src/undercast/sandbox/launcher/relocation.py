"""Makes an interpreter that was started at its place on the host look as one that was started below /var/lang.

What a zygote has loaded before it stands in its root says afterwards that it is from the library there, as in a fresh
interpreter; what it loads later is. Only /proc/self/exe still has the host's path.
"""

from __future__ import annotations

import _imp
import gc
import os
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any


def relocate(lang: str) -> None:
    """Once, before the runtime client is imported. Nothing happens where `lang` has no library of this interpreter."""
    here = os.path.dirname(os.__file__)
    there = os.path.join(lang, os.path.relpath(here, sys.base_prefix))
    if not os.path.isdir(there):
        return

    def moved(path: str) -> str:
        return there + path[len(here) :] if path == here or path.startswith(here + os.sep) else path

    sys.path[:] = [moved(path) for path in sys.path]
    sys.path_importer_cache.clear()
    sys.prefix = sys.exec_prefix = sys.base_prefix = sys.base_exec_prefix = lang
    program = f"{lang}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    for name, value in (("executable", program), ("_base_executable", program), ("_stdlib_dir", there)):
        if hasattr(sys, name):
            setattr(sys, name, value)
    if "site" in sys.modules:
        sys.modules["site"].PREFIXES[:] = [lang, lang]
    for module in list(sys.modules.values()):
        _move_module(module, moved)
    for thing in gc.get_objects():
        if type(thing) is FunctionType and (path := moved(thing.__code__.co_filename)) != thing.__code__.co_filename:
            # As the import system does for byte code that was moved.
            _imp._fix_co_filename(thing.__code__, path)  # type: ignore[attr-defined]


def _move_module(module: ModuleType, moved: Callable[[str], str]) -> None:
    spec: Any = getattr(module, "__spec__", None)
    loader = getattr(spec, "loader", None)
    state = getattr(spec, "loader_state", None)
    places = ((module, "__file__"), (module, "__cached__"), (spec, "origin"), (spec, "cached"), (loader, "path"),
              (state, "filename"))  # fmt: skip
    for owner, name in places:
        path = getattr(owner, name, None)
        if isinstance(path, str) and moved(path) != path:
            setattr(owner, name, moved(path))
    for folders in (getattr(module, "__path__", None), getattr(spec, "submodule_search_locations", None)):
        if isinstance(folders, list):
            folders[:] = [moved(folder) for folder in folders]
