"""What the launcher does when the control plane is gone without having destroyed its sandboxes.

A frozen sandbox cannot see that its link is closed, and on cgroup v1 not even be killed: it is thawed first.
"""

from __future__ import annotations

import contextlib
import os
import signal

from undercast.sandbox.launcher.places import HOST

_KEEP = 64


class Groups:
    """The cgroups of the sandboxes that this launcher has made."""

    def __init__(self, parents: list[str]) -> None:
        self._parents = [HOST + parent for parent in parents]
        self._names: list[str] = []

    def add(self, name: str) -> None:
        """Remember one; forget those that are gone."""
        if len(self._names) >= _KEEP:
            self._names = [name for name in self._names if any(map(os.path.isdir, self._places(name)))]
        self._names.append(name)

    def end(self) -> None:
        """Kill what is left in them and remove them."""
        places = [place for name in self._names for place in self._places(name)]
        for place in places:
            _thaw_and_kill(place)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
        for place in (*places, *self._parents):
            with contextlib.suppress(OSError):
                os.rmdir(place)

    def _places(self, name: str) -> list[str]:
        return [f"{parent}/{name}" for parent in self._parents]


def _thaw_and_kill(place: str) -> None:
    for name, text in (("cgroup.freeze", b"0"), ("freezer.state", b"THAWED")):
        with contextlib.suppress(OSError):
            control = os.open(f"{place}/{name}", os.O_WRONLY)
            os.write(control, text)
            os.close(control)
    with contextlib.suppress(OSError), open(f"{place}/cgroup.procs") as file:
        for pid in file.read().split():
            os.kill(int(pid), signal.SIGKILL)
