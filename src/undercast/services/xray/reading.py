"""Traces out of the file: documents page by page in the store's thread, understood in another.

Everybody who reads or writes the journal waits for its one thread: a page there is small, and nothing is parsed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from undercast.core.arn import Scope
from undercast.services.xray import store
from undercast.services.xray.assembly import Trace, assemble
from undercast.services.xray.instance import XRay
from undercast.services.xray.upkeep import RETENTION_S
from undercast.store.database import Tx

PAGE_TRACES, PAGE_BYTES = 100, 1_000_000
MAX_TRACES, MAX_BYTES = 10_000, 64 * 1024 * 1024
"""Ours: of which one answer is made."""
T = TypeVar("T")
Documents = Sequence[tuple[str, Sequence[str]]]
"""Trace ids and the documents of each, which are none where nothing is known of it."""


async def pages(xray: XRay, scope: Scope, ids: Sequence[str]) -> AsyncIterator[Documents]:
    """The documents of traces in the order of the ids; not more than MAX_TRACES and, about, MAX_BYTES."""
    since = xray.clock.now() - RETENTION_S
    at, left = 0, MAX_BYTES
    ids = ids[:MAX_TRACES]
    while at < len(ids) and left > 0:
        some = ids[at : at + PAGE_TRACES]

        def read(tx: Tx, some: Sequence[str] = some) -> Documents:
            return store.documents(tx, scope, some, since, PAGE_BYTES)

        page = await xray.journal.read(read)
        at += len(page)
        left -= sum(len(text) for _, texts in page for text in texts)
        yield page


async def understood(page: Documents, tell: Callable[[Trace], T]) -> list[T | None]:
    """What is told of each trace of a page; None of one of which nothing is known."""

    def work() -> list[T | None]:
        return [tell(assemble(one, texts)) if texts else None for one, texts in page]

    return await asyncio.to_thread(work)


async def traces(xray: XRay, scope: Scope, ids: Sequence[str], wanted: Callable[[Trace], bool]) -> list[Trace]:
    """Those of the traces that are wanted."""
    found: list[Trace] = []
    async for page in pages(xray, scope, ids):
        found += [one for one in await understood(page, lambda trace: trace if wanted(trace) else None) if one]
    return found
