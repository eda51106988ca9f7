"""Which fault the end of a process is.

A runtime that is dead may have said more than we have read: that counts. A process that is not ours any more, because
its environment was reset, is nobody's fault. AWS: Lambda Developer Guide, "Troubleshoot execution issues in Lambda";
error types as in the public Runtime Interface Emulator.
"""

import asyncio

from undercast.sandbox import errors
from undercast.sandbox.driver import ExitStatus, SandboxProcess
from undercast.sandbox.errors import Fault
from undercast.sandbox.extensions import Extensions
from undercast.sandbox.processes import Processes
from undercast.sandbox.runtime_api import RuntimeApi

_GRACE_S = 0.05
"""How long the last words of a dead runtime may take from its socket to us."""


class Exits:
    """See the module."""

    def __init__(self, api: RuntimeApi, processes: Processes, extensions: Extensions) -> None:
        self._api = api
        self._processes = processes
        self._extensions = extensions

    async def fault_of(self, process: SandboxProcess, name: str, status: ExitStatus) -> Fault | None:
        """Of an external extension with this name, or of the runtime (""). None when it was reset meanwhile."""
        if name:
            return errors.extension_ended(status.code, status.signal, self._extensions.first_error)
        await self._api.closed(_GRACE_S)
        if self._processes.runtime is not process:
            return None
        return errors.exited(status.code, status.signal, self._extensions.first_error)

    async def runtime_lives(self) -> bool:
        """Whether a runtime that has cut off its response is not about to die: its exit would be the better answer."""
        process = self._processes.runtime
        if process is None:
            return True
        await asyncio.wait((process.exited,), timeout=_GRACE_S)
        return not process.exited.done()
