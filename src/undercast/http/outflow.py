"""The bodies of responses on an HTTP/2 connection: as much as the client's windows and its reading allow.

AWS: RFC 9113, sections 5.2 and 6.9.
"""

import asyncio
from collections.abc import Iterable

from undercast.http import frames
from undercast.http.frames import ConnectionFailed, Frame
from undercast.http.limits import HttpLimits
from undercast.http.streams import Held, Stream

LEAST_BYTES = frames.MOST_FRAME_BYTES
"""So much of a body has to go out in each span of the time for writing."""


class ClientGone(Exception):
    """Nobody takes the rest of a body. Its own exceptions, such as ConnectionError, are another thing."""


class Stalled(Exception):
    """A body does not get on, or is one too many to wait."""

    def __init__(self, *, connection: bool) -> None:
        super().__init__()
        self.connection = connection
        """Whether it is the connection that takes no more, and not this stream alone."""


class Outflow:
    """The sending side of one connection."""

    def __init__(self, transport: asyncio.Transport, limits: HttpLimits) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self.held = Held()
        """Of the listener."""
        self._window = frames.FIRST_WINDOW
        self._frame_bytes = frames.MOST_FRAME_BYTES
        self._writable = asyncio.Event()
        self._writable.set()
        self._room = asyncio.Event()
        self.stream_window = frames.FIRST_WINDOW
        """What a new stream begins with."""

    def pause(self) -> None:
        """The transport is full."""
        self._writable.clear()

    def resume(self) -> None:
        """It is not any more."""
        self._writable.set()

    def wake(self) -> None:
        """Whoever waits for room looks again: there is some, or it is not wanted any more."""
        self._room.set()

    def end(self) -> None:
        """The connection is gone."""
        self._room.set()
        self._writable.set()

    def set(self, settings: Iterable[tuple[int, int]], streams: Iterable[Stream]) -> None:
        """The client's SETTINGS. Raises ConnectionFailed."""
        window = self.stream_window
        for key, value in settings:
            if key == frames.INITIAL_WINDOW_SIZE:
                if value > frames.LARGEST_WINDOW:
                    raise ConnectionFailed(frames.FLOW_CONTROL_ERROR, "the window is too large")
                window = value
            elif key == frames.MAX_FRAME_SIZE:
                self._frame_bytes = min(value, frames.MOST_FRAME_BYTES)
        if window != self.stream_window:
            for stream in streams:
                stream.window += window - self.stream_window
            self.stream_window = window
        self._room.set()

    def more(self, frame: Frame, stream: Stream | None) -> None:
        """A WINDOW_UPDATE, of the connection or of a stream that may be over. Raises ConnectionFailed."""
        if len(frame.payload) != 4:
            raise ConnectionFailed(frames.FRAME_SIZE_ERROR, "a window update has four bytes")
        more = int.from_bytes(frame.payload) & frames.LARGEST_WINDOW
        if frame.stream == 0:
            self._window += more
            if self._window > frames.LARGEST_WINDOW or not more:
                raise ConnectionFailed(frames.FLOW_CONTROL_ERROR, "the window is wrong")
        elif stream is not None:
            stream.window += more
            if stream.window > frames.LARGEST_WINDOW or not more:
                raise ConnectionFailed(frames.FLOW_CONTROL_ERROR, "the window of a stream is wrong")
        self._room.set()

    async def send(self, stream: Stream, data: bytes, *, ends: bool) -> None:
        """In frames, as the windows of stream and connection allow. Raises ClientGone, Stalled."""
        if len(data) <= LEAST_BYTES:
            await self._send(stream, data, ends=ends)
            return
        try:
            if not self.held.leave_unread(len(data), self._limits.unread_bytes):
                raise self._stalled(stream)
            await self._send(stream, data, ends=ends)
        finally:
            self.held.unread_bytes -= len(data)

    async def _send(self, stream: Stream, data: bytes, *, ends: bool) -> None:
        view = memoryview(data)
        due, least = self._due(), len(view) - LEAST_BYTES
        while True:
            if self._transport.is_closing() or stream.gone:
                raise ClientGone
            size = max(0, min(len(view), self._window, stream.window, self._frame_bytes))
            if not size and len(view):
                await self._wait(stream, self._room, due)
                continue
            last = ends and size == len(view)
            flags = frames.END_STREAM if last else 0
            self._transport.write(frames.frame(frames.DATA, flags, stream.id, bytes(view[:size])))
            self._window -= size
            stream.window -= size
            view = view[size:]
            if not self._writable.is_set():
                await self._wait(stream, self._writable, due)
            if not len(view):
                return
            if len(view) <= least:
                due, least = self._due(), len(view) - LEAST_BYTES

    def _due(self) -> float:
        return self._loop.time() + self._limits.write_timeout_s

    def _stalled(self, stream: Stream) -> Stalled:
        """Where the stream's window is the narrower one, others may still get through."""
        return Stalled(connection=not self._writable.is_set() or self._window <= stream.window)

    async def _wait(self, stream: Stream, event: asyncio.Event, due: float) -> None:
        """A client that gives a byte of room now and then, or says something else, gets no more time by that."""
        if event is self._room:
            event.clear()
        try:
            async with asyncio.timeout_at(due):
                await event.wait()
        except TimeoutError:
            raise self._stalled(stream) from None
