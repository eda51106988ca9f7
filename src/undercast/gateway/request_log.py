"""One structured line per request, batched to a file. Never payloads, never credentials.

The line costs a small object on the request path; a task writes the batch. SIGKILL may lose the last batch, a disk that
is full loses the lines of that time.
"""

import asyncio
import logging
import os
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path

_log = logging.getLogger(__name__)

FLUSH_EVERY_S = 0.2
MAX_FILE_BYTES = 64 * 1024 * 1024


class RequestLine:
    """What is said of one request. Filled in as it becomes known; what stays "" is left out."""

    __slots__ = ("at", "by", "cause", "error", "id", "milliseconds", "operation", "status")

    def __init__(self, at: float, request_id: str) -> None:
        self.at = at
        self.id = request_id
        self.operation = ""
        self.by = ""
        """The caller's ARN."""
        self.cause = ""
        self.error = ""
        self.status = 0
        self.milliseconds = 0.0

    def text(self) -> str:
        """The line as JSON. Put together by hand: a general encoder takes three times as long."""
        text = f'{{"at":{self.at!r},"id":"{self.id}"'
        if self.operation:
            text += f',"op":{quoted(self.operation)}'
        if self.by:
            text += f',"by":{quoted(self.by)}'
        if self.cause:
            text += f',"cause":{quoted(self.cause)}'
        if self.error:
            text += f',"error":{quoted(self.error)}'
        return f'{text},"status":{self.status},"ms":{self.milliseconds:.3f}}}\n'


class RequestLog:
    """Appends JSON lines to a file that is rotated once at `MAX_FILE_BYTES`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[RequestLine] = []
        self._task: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self._failing = False
        self.written = 0
        """How many lines have been handed to the file so far."""

    def add(self, line: RequestLine) -> None:
        """Queue one line."""
        self._lines.append(line)

    async def start(self) -> None:
        """Write batches until `stop`."""
        self._task = asyncio.create_task(self._run(), name="request-log")

    async def stop(self) -> None:
        """Write what is left."""
        self._stopped.set()
        if self._task:
            await self._task
        self.flush()

    async def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                await asyncio.wait_for(self._stopped.wait(), FLUSH_EVERY_S)
            except TimeoutError:
                self.flush()

    def flush(self) -> None:
        """Write the queued lines now. Says once that it cannot."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        self.written += len(lines)
        try:
            self._write("".join([line.text() for line in lines]))
            self._failing = False
        except OSError as error:
            if not self._failing:
                _log.error("%s cannot be written: %s", self._path, error.strerror)
            self._failing = True

    def _write(self, text: str) -> None:
        with open(self._path, "a", encoding="utf-8", opener=_private) as file:
            file.write(text)
            size = file.tell()
        if size > MAX_FILE_BYTES:
            self._path.replace(self._path.with_suffix(".1.log"))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
