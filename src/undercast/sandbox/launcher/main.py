"""Entry point of the launcher process: `python main.py <descriptor of the link> <folder that holds undercast>`.

Kept small: it is the module __main__ of the zygote until the runtime replaces it.
"""

import socket
import sys


def main() -> None:
    """Serve; in a forked runtime, run it."""
    before = set(sys.modules)
    path = list(sys.path)
    sys.path[:] = [sys.argv[2], *path]
    from undercast.sandbox.launcher.factory import Factory

    sys.path[:] = path[1:]
    ours = {name for name in set(sys.modules) - before if name.partition(".")[0] == "undercast"}
    become = Factory(socket.socket(fileno=int(sys.argv[1]))).serve()
    if become is not None:
        become.run(ours)


if __name__ == "__main__":
    main()
