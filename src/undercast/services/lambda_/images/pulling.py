"""What bounds the conversation with a registry: it can be ended from another thread, and it must go on at some pace.

A thread that waits for a socket wakes up when that is shut down; a registry that drips would else hold it for ever,
since each wait alone is short. Blocking but for `end`.
AWS: none; socket(7), shutdown(2).
"""

import http.client
import socket
import threading
from collections.abc import Callable
from typing import Protocol

from undercast.core.clock import HostClock
from undercast.services.lambda_.images.faults import ImageMissing

SPAN_S = 30.0
"""The time waited for a registry after which it must have kept the pace."""
MIN_RATE = 16 * 1024
"""Bytes per second."""


class BrokenOff(ImageMissing):
    """The connection is gone, and the answer was not over."""


class Pull:
    """One lookup or download, which whoever waits for it may give up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = False
        self._socket: socket.socket | None = None

    def hold(self, connected: socket.socket) -> None:
        """What is waited for from now on. Raises ImageMissing where nobody waits any more."""
        with self._lock:
            self._socket = connected
        self.check()

    def check(self) -> None:
        """Raises ImageMissing where nobody waits any more."""
        if self._ended:
            raise ImageMissing("it was given up")

    def end(self) -> None:
        """Wake the thread that waits, if one does."""
        with self._lock:
            self._ended = True
            if self._socket is not None:
                try:
                    # Not the SSL socket's own method, which takes its state from under the reader.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                except OSError:
                    return  # it was closed already


class Answer(Protocol):
    """As much of an HTTP response as is read here."""

    def read1(self, n: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


class Steady:
    """A response's body. Only what is waited for it counts, not what its reader does between two reads."""

    def __init__(self, answer: Answer, pull: Pull, now: Callable[[], float] = HostClock.monotonic) -> None:
        self._answer = answer
        self._pull = pull
        self._now = now
        self._waited_s = 0.0
        self._received = 0

    def __enter__(self) -> "Steady":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """No more of it."""
        self._answer.close()

    def read(self, size: int) -> bytes:
        """What is there, at most so much; nothing at the end. Raises ImageMissing when it comes too slowly."""
        began = self._now()
        try:
            piece = self._answer.read1(size)
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._pull.check()
            raise BrokenOff(f"the registry has broken off: {str(error)[:200]}") from error
        self._pull.check()
        self._waited_s += self._now() - began
        self._received += len(piece)
        if self._waited_s >= SPAN_S:
            if self._received < MIN_RATE * self._waited_s:
                raise ImageMissing(f"the registry sends fewer than {MIN_RATE} bytes per second")
            self._waited_s, self._received = 0.0, 0
        return piece
