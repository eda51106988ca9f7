"""One INIT of an execution environment: all extensions, then the runtime, then the function's code.

Over when the runtime and every extension have asked for an event. Whoever is waited for tells it by a call, so that an
INIT without extensions is one wait. AWS: Lambda Developer Guide, "Understanding the Lambda execution environment
lifecycle" (Init phase), "Using the Lambda Extensions API to create extensions" (Init phase).
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import Any

from undercast.sandbox import errors
from undercast.sandbox.errors import Fault
from undercast.sandbox.extensions import MAX_EXTENSIONS, Extensions
from undercast.sandbox.processes import Processes
from undercast.sandbox.runtime_messages import Answer

Problem = Answer | Fault
Limit = Callable[[float], AbstractAsyncContextManager[object]]
"""Raises TimeoutError in its block after so many seconds."""


class Initialisation:
    """See the module. `on_over` is called at the moment when everyone has asked."""

    def __init__(
        self,
        processes: Processes,
        extensions: Extensions,
        on_over: Callable[[], None],
        limit: Limit = asyncio.timeout,
        image: int | None = None,
    ) -> None:
        """`limit` is what bounds it in time. `image`: the runtime goes on from a snapshot; if not, SandboxError."""
        self._limit = limit
        self._image = image
        self._processes = processes
        self._extensions = extensions
        self._on_over = on_over
        loop = asyncio.get_running_loop()
        self._registered: asyncio.Future[None] = loop.create_future()
        self._outcome: asyncio.Future[Problem | None] = loop.create_future()
        self._runtime_asked = False

    async def run(
        self, names: tuple[str, ...], limit_s: float, meeting: Coroutine[Any, Any, None] | None = None
    ) -> Problem | None:
        """Start everything and wait; `names` are the external extensions. None when it succeeded, else the reason.

        `meeting` goes on beside it until it is over.
        """
        beside = asyncio.ensure_future(meeting) if meeting is not None else None
        try:
            return await self._run(names, limit_s)
        finally:
            if beside is not None:
                beside.cancel()
                await asyncio.gather(beside, return_exceptions=True)

    async def _run(self, names: tuple[str, ...], limit_s: float) -> Problem | None:
        self._extensions.restart(names)
        try:
            async with self._limit(limit_s):
                fault = await self._start_extensions(names) if names else None
                if fault is None and not self._outcome.done():
                    fault = await self._processes.start_runtime(self._image)
                return fault or await self._outcome
        except TimeoutError:
            return errors.timed_out(limit_s)

    async def _start_extensions(self, names: tuple[str, ...]) -> Fault | None:
        for name in islice(names, MAX_EXTENSIONS):
            fault = await self._processes.start_extension(name)
            if fault is not None:
                denied = fault.text.endswith("permission denied")
                self._extensions.launch_failed(name, "PermissionDenied" if denied else "UnknownError")
                return fault
        if len(names) > MAX_EXTENSIONS:
            self._extensions.launch_failed(names[MAX_EXTENSIONS], "TooManyExtensions")
            return errors.too_many_extensions()
        await asyncio.wait((self._registered, self._outcome), return_when=asyncio.FIRST_COMPLETED)
        return None

    def runtime_asked(self) -> None:
        """The function's code has run."""
        self._runtime_asked = True
        self._extensions.close_registration()
        self.extension_changed()

    def extension_changed(self) -> None:
        """One registered or asked."""
        if self._extensions.all_registered and not self._registered.done():
            self._registered.set_result(None)
        if self._runtime_asked and not self._outcome.done() and self._extensions.all_asked:
            self._on_over()
            self._outcome.set_result(None)

    def fail(self, problem: Problem) -> None:
        """An error was posted or a process ended."""
        if not self._outcome.done():
            self._outcome.set_result(problem)
