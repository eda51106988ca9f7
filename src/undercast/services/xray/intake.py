"""Where segments come in: from daemons of sandboxes, from Lambda itself, and from PutTraceSegments.

What nobody waits for goes through the journal's batch, and is dropped where the file has no time for it; what is
acknowledged is in the file before the answer.
AWS: X-Ray Developer Guide, "Sending segment documents to the X-Ray daemon".
"""

import json
import logging
from collections.abc import Sequence
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Scope
from undercast.core.clock import PlatformClock
from undercast.sandbox.model import FunctionVersion
from undercast.services.xray import store
from undercast.services.xray.documents import Malformed, Received, received
from undercast.services.xray.export import Exporter
from undercast.store.journal import Backlog, Journal

log = logging.getLogger(__name__)
_MAX_COMPLAINTS = 1024
MAX_BACKLOG_BYTES = 16 * 1024 * 1024
_RESERVE_BYTES = 2 * 1024 * 1024
"""What Lambda's own segments may add to the largest backlog: they outlast a function's flood."""
_FORMAT = {"format": "json", "version": 1}


class Intake:
    """One per platform."""

    def __init__(self, journal: Journal, clock: PlatformClock, exporter: Exporter | None = None) -> None:
        self._journal = journal
        self._clock = clock
        self._exporter = exporter
        self._complained: set[str] = set()
        self._backlog = Backlog(journal)

    async def keep(self, scope: Scope, documents: Sequence[Received]) -> None:
        """Return when they are in the file."""
        now = self._clock.now()
        rows = [store.segment_row(scope, one, now) for one in documents]
        await self._journal.write(lambda tx: store.add_segments(tx, rows))
        if self._exporter is not None:
            for one in documents:
                self._exporter.offer(scope, one.text)

    def lambda_segment(self, function: FunctionVersion, document: dict[str, Any]) -> None:
        """One of Lambda's own."""
        self._take(function, json.dumps(document, separators=(",", ":")), MAX_BACKLOG_BYTES + _RESERVE_BYTES)

    def packet(self, function: FunctionVersion, packet: bytes) -> None:
        """A packet of the daemon's protocol: a line that says the format, then the document. Others are dropped."""
        head, _, body = packet.partition(b"\n")
        try:
            if json_values.parse(head) != _FORMAT:
                raise ValueError("the format is not json, version 1")
            text = body.decode().strip()
        except ValueError as error:
            self._complain(function, f"a packet for X-Ray was dropped: {error}")
            return
        self._take(function, text, MAX_BACKLOG_BYTES, self._clock.offset_s)

    def _take(self, function: FunctionVersion, text: str, most_bytes: int, ahead_s: float = 0.0) -> None:
        try:
            document = received(text, ahead_s)
        except Malformed as error:
            self._complain(function, f"a segment was dropped: {error}")
            return
        if not self._backlog.takes(len(text), most_bytes):
            self._complain(function, "a segment was dropped: they come faster than they can be stored")
            return
        scope = Scope(function.account_id, function.region)
        self._journal.append(store.ADD_SEGMENT, store.segment_row(scope, document, self._clock.now()))
        if self._exporter is not None:
            self._exporter.offer(scope, document.text)

    def _complain(self, function: FunctionVersion, text: str) -> None:
        """Once for each function: it may send thousands."""
        if function.arn not in self._complained:
            if len(self._complained) >= _MAX_COMPLAINTS:
                self._complained.clear()
            self._complained.add(function.arn)
            log.warning("%s: %s; further ones are not told", function.arn, text)
