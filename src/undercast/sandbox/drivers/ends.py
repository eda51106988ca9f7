"""What a stop of a driver ends together: sandboxes, launchers.

One that does not end is told in the log. It keeps neither the others nor the rest of the stop back, and the next start
takes away what is left of it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable

log = logging.getLogger(__name__)


async def all_ended(ends: Iterable[Awaitable[None]]) -> None:
    """Wait for each of them, whatever becomes of the others."""
    for end in await asyncio.gather(*ends, return_exceptions=True):
        if isinstance(end, BaseException):
            log.warning("the next start sweeps what is left: %s", end)
