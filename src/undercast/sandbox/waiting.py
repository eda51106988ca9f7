"""Waiting for what the kernel does in its own time and tells nobody about.

Every wait has a limit. Nothing on the way of an invocation waits like this.
"""

import asyncio
from collections.abc import Callable


async def until(done: Callable[[], bool], limit_s: float, step_s: float = 0.002) -> bool:
    """Ask until the answer is yes, less and less often; False when the limit has passed."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit_s
    while not done():
        if loop.time() >= end:
            return False
        pause: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(step_s, _finish, pause)
        try:
            await pause
        finally:
            timer.cancel()
        step_s = min(step_s * 1.5, 0.05)
    return True


def _finish(pause: "asyncio.Future[None]") -> None:
    if not pause.done():
        pause.set_result(None)
