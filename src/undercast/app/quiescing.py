"""The first part of a stop: whoever begins work by itself ends it, all at the same time and within a limit.

One that fails, or does not end, is told to the log and keeps nobody else from ending: what is behind it holds what was
acknowledged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping

_log = logging.getLogger(__name__)


async def quiesced(works: Mapping[str, Awaitable[None]], limit_s: float) -> None:
    """Return when all have ended, or after so many seconds. `works` is by the names for the log."""
    tasks = {asyncio.ensure_future(work): name for name, work in works.items()}
    ended, late = await asyncio.wait(tasks, timeout=limit_s)
    for task in ended:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the stop of %s failed", tasks[task], exc_info=error)
    for task in late:
        task.cancel()
        _log.error("the stop of %s has not ended after %.1f s and is left", tasks[task], limit_s)
