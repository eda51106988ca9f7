"""The control plane's end of a link to a launcher or to a sandbox's init process.

Reads packets as they arrive and hands them to one receiver; writes never block for long, because packets are small and
the other side does nothing but read them.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from undercast.sandbox.launcher import frames

Receiver = Callable[[dict[str, Any], list[int]], None]


class Link:
    """One end of a packet pair, on the running loop."""

    def __init__(self, on_message: Receiver, on_close: Callable[[], None]) -> None:
        self._mine, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._mine.setblocking(False)
        self._on_message = on_message
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._mine.fileno(), self._readable)
        self.closed = False

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> bool:
        """Write one message; False when the other side is gone."""
        if self.closed:
            return False
        try:
            frames.send(self._mine, message, descriptors)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close our end; the other side sees the end of the stream."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._mine.fileno())
            self._mine.close()
        self.theirs.close()

    def drain(self) -> None:
        """Hand on what has arrived already."""
        while not self.closed and self._readable():
            pass

    def _readable(self) -> bool:
        try:
            received = frames.receive(self._mine)
        except BlockingIOError:
            return False
        if received is None:
            self.close()
            self._on_close()
            return False
        self._on_message(*received)
        return True


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that a message brought and nobody wants."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
