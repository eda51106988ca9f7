"""Entry point of the launcher process: `python main.py <descriptor of the link> <folder that holds undercast>`.

A zygote begins twice (`factory`): the second time with the descriptor of its order as one more argument.
Kept small: it is the module __main__ of the zygote until the runtime replaces it.
"""

import contextlib
import os
import socket
import sys


def main() -> None:
    """Serve; in a forked runtime, run it."""
    link, *order = map(int, (sys.argv[1], *sys.argv[3:]))
    if not order:
        _close_all_but(link)
    before = set(sys.modules)
    path = list(sys.path)
    sys.path[:] = [sys.argv[2], *path]
    from undercast.sandbox.launcher.factory import Factory

    sys.path[:] = path[1:]
    ours = {name for name in set(sys.modules) - before if name.partition(".")[0] == "undercast"}
    become = Factory(socket.socket(fileno=link), *order).serve()
    if become is not None:
        become.run(ours)


def _close_all_but(link: int) -> None:
    """The control plane's event loop closes nothing for its children: what it was given itself, it would pass on."""
    for name in os.listdir("/proc/self/fd"):
        if (number := int(name)) > 2 and number != link:
            with contextlib.suppress(OSError):  # the one that the folder was read with
                os.close(number)


if __name__ == "__main__":
    main()
