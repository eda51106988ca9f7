"""Which external extensions the layers of a function, or its container image, bring.

Every file directly in /opt/extensions is started, also one that lost its run bit: then INIT fails and says so.
AWS: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions"; as the public Runtime Interface
Emulator lists them, by name.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from undercast.sandbox.image_files import resolved
from undercast.sandbox.model import FunctionVersion

FOLDER = "extensions"


def extensions_of(function: FunctionVersion) -> tuple[str, ...]:
    """File names in the order in which they start. A container image has an /opt of its own, and no layers."""
    if function.container is None:
        return external_extensions(function.layers)
    opt = resolved(function.code_dir, f"/opt/{FOLDER}")
    return () if opt is None else _files((opt,))


def external_extensions(layers: Iterable[Path]) -> tuple[str, ...]:
    """Those of layers. A later one covers an earlier one."""
    return _files(layer / FOLDER for layer in layers)


def _files(folders: Iterable[Path]) -> tuple[str, ...]:
    names: dict[str, bool] = {}
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                names.update({entry.name: not entry.is_dir(follow_symlinks=False) for entry in entries})
        except (FileNotFoundError, NotADirectoryError):
            continue
    return tuple(sorted(name for name, is_file in names.items() if is_file))
