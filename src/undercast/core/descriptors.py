"""Which of a process's descriptors the programs that it starts get: those that it was given itself, if nobody acts.

Python opens its own close-on-exec (PEP 446); what whoever started it has left open is not. open(2), O_CLOEXEC.
"""

import contextlib
import os
import sys
from pathlib import Path

_OPEN = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")
_STANDARD = 2


def keep_from_children() -> None:
    """Of those that are open now, a program that is executed gets the standard streams only."""
    for place in tuple(_OPEN.iterdir()):
        if (number := int(place.name)) > _STANDARD:
            with contextlib.suppress(OSError):  # the one that the folder was read with is closed again
                os.set_inheritable(number, False)
