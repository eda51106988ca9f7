"""News for those who read a source: something has been committed there, look again.

In memory only: who comes late, or starts anew, reads the source first. A bell keeps one ring, so that nothing that
arrives between a look and the wait for the next one is missed.
AWS: none; its pollers ask again and again.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Arrivals:
    """The listeners of all sources, by the source's ARN."""

    def __init__(self) -> None:
        self._bells: dict[str, set[asyncio.Event]] = {}

    def ring(self, source_arn: str) -> None:
        """Something has arrived. Call it after the commit (`Tx.after_commit`)."""
        for bell in self._bells.get(source_arn, ()):
            bell.set()

    @contextmanager
    def listen(self, source_arn: str) -> Iterator[asyncio.Event]:
        """A bell for the length of a block: clear it, read the source, wait for it with a timeout."""
        bell = asyncio.Event()
        self._bells.setdefault(source_arn, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._bells[source_arn]
            bells.discard(bell)
            if not bells:
                del self._bells[source_arn]
