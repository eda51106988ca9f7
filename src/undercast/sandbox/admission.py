"""Who gets the next execution environment: limits of the machine, fairness between functions.

Pure decisions over counts. AWS starts an environment for each invocation that finds none idle; a laptop cannot, so
here invocations wait: synchronous ones first, then the function that has the fewest environments, then the oldest.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.sandbox.model import FunctionVersion, Invocation, InvocationResult

QUEUE_LIMIT_S = 900.0
"""Host time that an invocation waits for an environment before it is given up."""
FleetKey = tuple[str, str, str]
"""ARN, version, revision."""


def fleet_key(function: FunctionVersion) -> FleetKey:
    """Two function versions share environments when this is equal."""
    return (function.arn, function.version, function.revision)


@record
class Limits:
    """What this machine can carry."""

    inits: int
    """INITs at once: twice the cores; and one more, of a function that has no environment (`has_init_slot`)."""
    cores: int = 1
    """That this process may use; with one, nobody could answer while it waits awake (`vigil`)."""
    environments: int | None = None
    """--max-environments; None: only memory counts."""
    memory_mb: int
    """Sum of the memory settings of all environments: half of what was free at the start."""


@dataclass(slots=True, eq=False)
class Waiter:
    """An invocation that waits for an environment. `since` is host-clock monotonic seconds."""

    invocation: Invocation
    outcome: "asyncio.Future[InvocationResult]"
    serial: int
    """Order of arrival."""
    since: float
    begun: bool = False
    """Whether an environment has it."""

    def fail(self, error: ServiceError) -> None:
        """Give it up."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


@dataclass(slots=True, eq=False)
class Queue:
    """The waiters of one function version, synchronous ones first, each kind in order of arrival."""

    synchronous: deque[Waiter] = field(default_factory=deque)
    asynchronous: deque[Waiter] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self.synchronous) + len(self.asynchronous)

    def add(self, waiter: Waiter) -> None:
        """Put it behind its equals."""
        (self.synchronous if waiter.invocation.synchronous else self.asynchronous).append(waiter)

    def head(self) -> Waiter | None:
        """Who comes next."""
        queue = self.synchronous or self.asynchronous
        return queue[0] if queue else None

    def pop(self) -> Waiter | None:
        """Take who comes next; whoever was cancelled meanwhile is dropped."""
        while queue := self.synchronous or self.asynchronous:
            waiter = queue.popleft()
            if not waiter.outcome.done():
                return waiter
        return None

    def drop(self, waiter: Waiter) -> None:
        """Its caller has gone. It need not be here any more: `pop` drops who has gone, too."""
        queue = self.synchronous if waiter.invocation.synchronous else self.asynchronous
        with contextlib.suppress(ValueError):
            queue.remove(waiter)

    def expire(self, before: float) -> list[Waiter]:
        """Take whoever has waited since earlier than this moment."""
        expired: list[Waiter] = []
        for queue in (self.synchronous, self.asynchronous):
            while queue and queue[0].since < before:
                expired.append(queue.popleft())
        return expired


@record
class Demand:
    """One function version that wants another environment."""

    key: FleetKey
    synchronous: bool
    environments: int
    """Those it has, the starting ones included."""
    oldest: int
    """Serial of its next waiter."""
    memory_mb: int


def urgency(demand: Demand) -> tuple[bool, int, int]:
    """Sorts demands into the order in which they are to be served."""
    return (not demand.synchronous, demand.environments, demand.oldest)


@dataclass(slots=True)
class Admission:
    """The counts that the limits apply to."""

    limits: Limits
    inits: int = 0
    environments: int = 0
    memory_mb: int = 0
    _again: deque["asyncio.Future[None]"] = field(default_factory=deque)

    def has_init_slot(self, environments: int = 1) -> bool:
        """Whether another INIT may run now, of a function that has so many environments.

        One place is for those that have none: functions whose INITs hang keep no other function out.
        """
        return self.inits < self.limits.inits + (environments == 0)

    def has_room(self, memory_mb: int) -> bool:
        """Whether an environment of this size fits. One always does, however large."""
        if self.environments == 0:
            return True
        if self.limits.environments is not None and self.environments >= self.limits.environments:
            return False
        return self.memory_mb + memory_mb <= self.limits.memory_mb

    def most(self, memory_mb: int) -> int:
        """How many environments of this size fit where there are no others."""
        by_memory = max(1, self.limits.memory_mb // memory_mb)
        return by_memory if self.limits.environments is None else min(by_memory, max(1, self.limits.environments))

    def status(self) -> Mapping[str, Any]:
        """For `undercast status`."""
        limits = self.limits
        return {
            "environments": self.environments,
            "inits": self.inits,
            "memory_mb": self.memory_mb,
            "limits": {"inits": limits.inits, "environments": limits.environments, "memory_mb": limits.memory_mb},
        }

    def enter(self, memory_mb: int) -> None:
        """An environment begins its INIT."""
        self.inits += 1
        self.environments += 1
        self.memory_mb += memory_mb

    async def init_again(self) -> None:
        """Wait until an environment may run INIT anew, before all that would start. `init_over` ends it."""
        if self.has_init_slot():
            self.inits += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._again.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.init_over()
            raise

    def init_over(self) -> None:
        """An INIT has ended."""
        while self._again and self.inits <= self.limits.inits:
            turn = self._again.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.inits -= 1

    def leave(self, memory_mb: int) -> None:
        """An environment is gone."""
        self.environments -= 1
        self.memory_mb -= memory_mb


def gives_way(own: Demand, others: Iterable[Demand]) -> bool:
    """Whether a full machine should take an environment from a function that has waiters itself.

    Only for a function that would still have fewer, or for a synchronous waiter against an asynchronous one: a
    function that floods its queue cannot keep the others out.
    """
    return any(
        other.environments + 1 < own.environments
        or (other.synchronous and not own.synchronous and other.environments < own.environments)
        for other in others
    )


def shutting_down() -> ServiceError:
    """The answer to whoever still waits when the platform ends."""
    return ServiceError("ServiceException", "The platform is shutting down", 500)


def being_emptied() -> ServiceError:
    """The answer to whoever calls while a reset goes on: behind it his function is not there."""
    return ServiceError("ServiceException", "The platform is being reset", 500)


def no_room() -> ServiceError:
    """The answer to who has waited for very long."""
    text = f"No execution environment became free in {QUEUE_LIMIT_S:.0f} s; raise --max-environments"
    return ServiceError("ServiceException", text, 500)
