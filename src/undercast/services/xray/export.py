"""Sends what X-Ray gets to an OpenTelemetry collector, batch by batch. Nobody ever waits for it.

What does not fit into the queue while the collector is away is dropped, and the log says how much. A refusal is final,
anything that may pass is tried again (OTLP specification, "Failures": 429, 502, 503, 504).
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

from undercast.core.arn import Scope
from undercast.core.backoff import Backoff
from undercast.core.recurring import recur
from undercast.events.web import WebError, WebRequest, connect_anywhere, send
from undercast.services.xray import otlp
from undercast.services.xray.otlp import Sent

log = logging.getLogger(__name__)

MAX_QUEUED = 4096
BATCH = 256
_GATHER_S = 0.5
_LOOK_S = 60.0
_SEND_S = 10.0
_LAST_S = 1.0
_BACKOFF = Backoff(longest_s=30.0)
_LATER = frozenset({429, 502, 503, 504})

Post = Callable[[bytes], Awaitable[int]]
"""Sends one request; its status. Raises WebError."""


class Exporter:
    """See the module. Owns one task from `start` to `stop`."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._queue: deque[Sent] = deque()
        self._dropped = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._pause_s = 0.0
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def offer(self, scope: Scope, text: str) -> None:
        """Take a document that was accepted."""
        if len(self._queue) >= MAX_QUEUED:
            self._dropped += 1
            return
        self._queue.append(Sent(scope, text))
        self._arrived.set()
        if len(self._queue) >= BATCH:
            self._full.set()

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(recur("the export of spans", self.flush, self._wait))

    async def stop(self) -> None:
        """Send what is left, if that goes at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(_LAST_S):
                await self.flush()
        except TimeoutError:
            log.warning("%d documents were not exported", len(self._queue))

    async def flush(self) -> None:
        """Send until nothing is left or the collector asks to wait."""
        self._pause_s = 0.0
        while self._queue:
            batch = [self._queue[place] for place in range(min(BATCH, len(self._queue)))]
            body = await asyncio.to_thread(otlp.request, batch)
            if not await self._sent(body):
                return
            for _ in batch:
                self._queue.popleft()
        if self._dropped:
            log.warning("%d documents were not exported: the collector was too slow", self._dropped)
            self._dropped = 0

    async def _sent(self, body: bytes) -> bool:
        """False when it is to be tried again."""
        try:
            status = await self._post(body)
        except WebError as error:
            return self._refused(str(error))
        if status in _LATER:
            return self._refused(f"status {status}")
        if status >= 300:
            log.warning("the collector refused spans with status %d: they are dropped", status)
        self._failures = 0
        return True

    def _refused(self, reason: str) -> bool:
        if not self._failures:
            log.warning("spans cannot be exported, and are kept for a while: %s", reason)
        self._pause_s = _BACKOFF.wait_s(self._failures)
        self._failures += 1
        return False

    async def _wait(self) -> None:
        """Until something has come, and then for more; behind a failure, for longer each time."""
        if self._pause_s:
            await _for(asyncio.Event(), self._pause_s)
            return
        if not self._queue:
            self._arrived.clear()
            await _for(self._arrived, _LOOK_S)
        self._full.clear()
        if 0 < len(self._queue) < BATCH:
            await _for(self._full, _GATHER_S)


async def _for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def exporter_to(endpoint: str) -> Exporter | None:
    """For the option --otlp-endpoint; "" is nobody."""
    if not endpoint:
        return None
    parts = urlsplit(endpoint)
    path = parts.path.rstrip("/")
    url = urlunsplit(parts._replace(path=path if path.endswith(otlp.PATH) else path + otlp.PATH))

    async def tls() -> ssl.SSLContext:
        return await asyncio.to_thread(ssl.create_default_context)

    async def post(body: bytes) -> int:
        asked = WebRequest(url=url, headers={"Content-Type": "application/json"}, body=body)
        return (await send(asked, connect=connect_anywhere, tls=tls, timeout_s=_SEND_S)).status

    return Exporter(post)
