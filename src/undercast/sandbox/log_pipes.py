"""Reads what the processes of an execution environment write: stdout, stderr and the telemetry descriptor.

Lines are events; a framed record of the telemetry descriptor is one event however many lines it has. Memory is
bounded: a pipe that is written faster than the log takes it is read less often, so that the writer waits.
AWS: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs"; frames as awslambdaric has them.
"""

import asyncio
import os
from collections.abc import Callable

MAX_EVENT_BYTES = 262_144 - 26
"""CloudWatch Logs: an event holds 256 KB, of which 26 bytes are overhead; longer ones are split."""
_READ_BYTES = 65_536
_DRAIN_READS = 8
_MAGIC = b"\xa5\x5a\x00"
_PLAIN_FRAME = 0x01
"""Frame type without a time stamp; all others carry eight bytes of it."""


class LineReader:
    """Splits a byte stream into lines, each with its line break. An endless line is cut at the event limit."""

    def __init__(self) -> None:
        self._rest = bytearray()
        """An unfinished line. It grows in place: each byte is copied and searched once, however small the reads are."""

    @property
    def unfinished(self) -> bool:
        """Whether `flush` has something to give."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """The events that are complete."""
        self._rest += data
        if b"\n" not in data and len(self._rest) <= MAX_EVENT_BYTES:
            return []
        lines = _newline_split(bytes(self._rest))
        rest = b"" if not lines or lines[-1].endswith(b"\n") else lines.pop()
        events: list[str] = []
        for line in lines:
            events.extend(pieces(line))
        while len(rest) > MAX_EVENT_BYTES:
            head, rest = _cut(rest)
            events.append(head.decode("utf-8", "replace"))
        self._rest = bytearray(rest)
        return events

    def flush(self) -> list[str]:
        """What is left without a line break: the invocation is over."""
        rest, self._rest = self._rest, bytearray()
        return [rest.decode("utf-8", "replace")] if rest else []


class FrameReader:
    """Reads the frames of the telemetry descriptor: type (4), length (4), time stamp in µs (8), message."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        self._plain: LineReader | None = None

    @property
    def unfinished(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._buffer) or bool(self._left) or (self._plain is not None and self._plain.unfinished)

    def feed(self, data: bytes) -> list[str]:
        """The records that are complete. What is no frame is taken as lines from there on."""
        if self._plain is not None:
            return self._plain.feed(data)
        self._buffer += data
        events: list[str] = []
        while self._buffer:
            if self._left == 0 and not self._begin():
                break
            if not self._take(events):
                break
        if self._plain is not None:
            events.extend(self._plain.feed(bytes(self._buffer)))
            self._buffer.clear()
        return events

    def flush(self) -> list[str]:
        """What a dead runtime left unfinished."""
        rest = bytes(self._buffer) if self._left else b""
        self._buffer.clear()
        self._left = 0
        events = [rest.decode("utf-8", "replace")] if rest else []
        return events + (self._plain.flush() if self._plain is not None else [])

    def _begin(self) -> bool:
        """Read a frame's head; False when it is not there yet or is none."""
        if not _MAGIC.startswith(self._buffer[:3]) and self._buffer[:3] != _MAGIC:
            self._plain = LineReader()
            return False
        if len(self._buffer) < 8:
            return False
        size = 8 if self._buffer[3] == _PLAIN_FRAME else 16
        if len(self._buffer) < size:
            return False
        self._left = int.from_bytes(self._buffer[4:8], "big")
        del self._buffer[:size]
        return True

    def _take(self, events: list[str]) -> bool:
        """Take the message, or an event's worth of a longer one; False when more bytes are needed."""
        wanted = min(self._left, MAX_EVENT_BYTES)
        if len(self._buffer) < wanted:
            return False
        piece = bytes(self._buffer[:wanted])
        if wanted < self._left:
            piece, _ = _cut(piece)
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        if piece:
            events.append(piece.decode("utf-8", "replace"))
        return True


def _newline_split(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    if parts[-1]:
        lines.append(parts[-1])
    return lines


def pieces(line: bytes) -> list[str]:
    """The events that hold a line: one, but for a line that is longer than an event may be."""
    if len(line) <= MAX_EVENT_BYTES:
        return [line.decode("utf-8", "replace")]
    found: list[str] = []
    while len(line) > MAX_EVENT_BYTES:
        head, line = _cut(line)
        found.append(head.decode("utf-8", "replace"))
    found.append(line.decode("utf-8", "replace"))
    return found


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """The first event's worth and the rest, without splitting a UTF-8 sequence."""
    end = min(MAX_EVENT_BYTES, len(data))
    back = end
    while back > end - 4 and back < len(data) and data[back] & 0xC0 == 0x80:
        back -= 1
    if back <= end - 4:
        back = end
    return data[:back], data[back:]


class LogFlow:
    """Shared by all pumps of a platform: how many are flooding, so that together they leave the loop half its time."""

    def __init__(self) -> None:
        self.flooding = 0


class LogPump:
    """Reads one descriptor of a process and writes what it reads to the log. Closes it in the end."""

    def __init__(
        self,
        descriptor: int,
        reader: LineReader | FrameReader,
        write: Callable[[list[str]], None],
        flow: LogFlow,
        name: str = "",
    ) -> None:
        self.descriptor = descriptor
        self.name = name
        """Of the extension that writes, "" for the runtime."""
        self._reader = reader
        self._write = write
        self._flow = flow
        self._loop = asyncio.get_running_loop()
        self._resume: asyncio.TimerHandle | None = None
        self._open = True
        self.left = False
        """Whether `drain` has something to give without a look at the pipe, or is the only one who looks at it.

        A plain attribute: it is asked for behind each invocation, of each of its pipes.
        """
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._on_readable)

    @property
    def rests(self) -> bool:
        """Whether the loop does not look at the pipe: it was flooded."""
        return self._resume is not None

    def drain(self, *, reads: bool = True) -> list[str]:
        """What is in the pipe now, with `reads`, and what is left without a line break.

        Bounded, for a background process may write without end.
        """
        events: list[str] = []
        if not self._open:
            return events
        for _ in range(_DRAIN_READS if reads else 0):
            data = self._read()
            if not data:
                break
            events.extend(self._reader.feed(data))
        events.extend(self._reader.flush())
        self.left = self.rests
        return events

    def close(self) -> None:
        """Stop reading. The writer gets EPIPE from now on."""
        if not self._open:
            return
        self._open = False
        self._stop_pause()
        self._loop.remove_reader(self.descriptor)
        os.close(self.descriptor)

    def _read(self) -> bytes | None:
        """Bytes, b"" at the end of the stream, None when there is nothing now."""
        try:
            return os.read(self.descriptor, _READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _on_readable(self) -> None:
        began = self._loop.time()
        data = self._read()
        if data is None:
            return
        if not data:
            # The function closed its pipe: nothing will ever come, and the descriptor would stay readable for ever.
            self._write(self._reader.flush())
            self.close()
            return
        self._write(self._reader.feed(data))
        self.left = self._reader.unfinished
        if len(data) == _READ_BYTES:
            self._pause(self._loop.time() - began)

    def _pause(self, busy_s: float) -> None:
        """A full pipe means a flood: rest as long as the reading took, times the number of floods."""
        self._flow.flooding += 1
        self.left = True
        self._loop.remove_reader(self.descriptor)
        self._resume = self._loop.call_later(busy_s * self._flow.flooding, self._on_rested)

    def _on_rested(self) -> None:
        self._stop_pause()
        self._loop.add_reader(self.descriptor, self._on_readable)

    def _stop_pause(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
            self._flow.flooding -= 1
