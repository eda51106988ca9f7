"""SHUTDOWN of an execution environment's processes, at its end and before a reset.

SIGTERM to the runtime, then the SHUTDOWN event to the extensions that registered for it. What is left when the budget
is spent is killed by the caller. Without extensions there is no budget, and nobody hears of it.
AWS: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions" (Shutdown phase).
"""

import asyncio
import signal
from collections.abc import Iterable
from enum import StrEnum

from undercast.core.clock import HostClock
from undercast.sandbox.driver import SandboxProcess
from undercast.sandbox.extensions import Extensions
from undercast.sandbox.lifecycle import shutdown_budget
from undercast.sandbox.processes import Processes
from undercast.sandbox.run import TIMED_OUT
from undercast.sandbox.telemetry import Telemetry

_FLUSH_LIMIT_S = 0.3
"""How long the subscribers of telemetry may take for what is left; ours."""


class Reason(StrEnum):
    """As the SHUTDOWN event spells it."""

    SPINDOWN = "spindown"
    TIMEOUT = "timeout"
    FAILURE = "failure"


def reason_of(error_type: str) -> Reason:
    """Why an environment is reset."""
    return Reason.TIMEOUT if error_type == TIMED_OUT else Reason.FAILURE


async def shut_down(
    processes: Processes, extensions: Extensions, telemetry: Telemetry, clock: HostClock, reason: Reason
) -> None:
    """Let them end. Returns when all have, or when the time is over. SHUTDOWN comes behind all telemetry."""
    if not extensions:
        return
    budget = shutdown_budget(external=extensions.external, internal=extensions.internal)
    end = clock.monotonic() + budget.total_s
    deadline_ms = int((clock.now() + budget.total_s) * 1000)
    runtime = processes.runtime
    if runtime is not None:
        runtime.signal(signal.SIGTERM)
        await _ended((runtime,), budget.runtime_s)
        runtime.signal(signal.SIGKILL)
    await telemetry.flush(min(_FLUSH_LIMIT_S, end - clock.monotonic()))
    told = extensions.shut_down(reason, deadline_ms)
    for name, process in processes.extensions.items():
        if name not in told:
            process.signal(signal.SIGKILL)
    await _ended((processes.extensions[name] for name in told & processes.extensions.keys()), end - clock.monotonic())


async def _ended(processes: Iterable[SandboxProcess], limit_s: float) -> None:
    waiting = [process.exited for process in processes if not process.exited.done()]
    if waiting:
        await asyncio.wait(waiting, timeout=max(limit_s, 0.0))
