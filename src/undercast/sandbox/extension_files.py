"""Which external extensions the layers of a function bring.

Every file directly in /opt/extensions is started, also one that lost its run bit: then INIT fails and says so.
AWS: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions"; as the public Runtime Interface
Emulator lists them, by name.
"""

import os
from collections.abc import Iterable
from pathlib import Path

FOLDER = "extensions"


def external_extensions(layers: Iterable[Path]) -> tuple[str, ...]:
    """File names in the order in which they start. A later layer covers an earlier one."""
    names: dict[str, bool] = {}
    for layer in layers:
        try:
            with os.scandir(layer / FOLDER) as entries:
                names.update({entry.name: not entry.is_dir(follow_symlinks=False) for entry in entries})
        except (FileNotFoundError, NotADirectoryError):
            continue
    return tuple(sorted(name for name, is_file in names.items() if is_file))
