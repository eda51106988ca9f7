"""Which of a process's descriptors the programs that it starts get.

uvloop closes none for them: they get its copies of their standard streams, and whatever the process itself was given.
Source: uvloop, `handles/process.pyx` (`_file_redirect_stdio`; `close_fds` is not implemented); open(2), O_CLOEXEC.
"""

import contextlib
import os
import sys
from collections.abc import Collection
from pathlib import Path

_OPEN = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")
_STANDARD = 2


def keep_from_children(but: Collection[int] = ()) -> None:
    """Of those that are open now, a program that is executed gets the standard streams, and these."""
    for place in tuple(_OPEN.iterdir()):
        if (number := int(place.name)) > _STANDARD and number not in but:
            with contextlib.suppress(OSError):  # the one that the folder was read with is closed again
                os.set_inheritable(number, False)
