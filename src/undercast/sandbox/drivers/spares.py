"""Sandboxes that stand ready but for their function: namespaces, mounts, listeners, and a runner that waits.

One for each kind that was asked for lately, and no more than a few: each costs as much memory as an idle environment.
They are made behind the first answer, so that they do not compete with it for the CPU.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from undercast.sandbox.driver import SandboxError
from undercast.sandbox.drivers.launchers import Kind
from undercast.sandbox.drivers.namespace_sandbox import NamespaceSandbox

_KINDS = 3
_REFILL_AFTER_S = 0.2
"""Later than the start that took the spare, so that both do not compete for the CPU."""


class Spares:
    """At most one sandbox of a kind. `plant` makes one."""

    def __init__(self, plant: Callable[[Kind], Awaitable[NamespaceSandbox]]) -> None:
        self._plant = plant
        self._ready: dict[Kind, asyncio.Task[NamespaceSandbox]] = {}
        """The one that was wanted last is the last."""
        self._dropping: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def take(self, kind: Kind) -> NamespaceSandbox:
        """The spare, or a new one. Raises SandboxError."""
        spare = self._ready.pop(kind, None)
        if spare is not None:
            with contextlib.suppress(SandboxError):
                sandbox = await spare
                if not sandbox.died.done():
                    return sandbox
                await sandbox.destroy()
        return await self._plant(kind)

    def refill_soon(self, kind: Kind) -> None:
        """Have one made when the start that took the last one is over."""
        asyncio.get_running_loop().call_later(_REFILL_AFTER_S, self.refill, kind)

    def refill(self, kind: Kind) -> None:
        """Have one made; the kind that was not wanted for longest gives way."""
        if self._stopped:
            return
        spare = self._ready.pop(kind) if kind in self._ready else asyncio.ensure_future(self._plant(kind))
        self._ready[kind] = spare
        while len(self._ready) > _KINDS:
            task = asyncio.ensure_future(_drop(self._ready.pop(next(iter(self._ready)))))
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    async def stop(self) -> None:
        """Make no more; wait for those under way. The driver destroys them with all others."""
        self._stopped = True
        await asyncio.gather(*self._ready.values(), *self._dropping, return_exceptions=True)
        self._ready.clear()


async def _drop(spare: asyncio.Task[NamespaceSandbox]) -> None:
    with contextlib.suppress(SandboxError):
        await (await spare).destroy()
