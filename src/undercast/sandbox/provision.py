"""Provisioned concurrency: environments that are initialised before anybody calls, and kept.

Decisions only; `pool` starts and ends the environments. What cannot be kept ready says why, and is tried again later.
AWS: Lambda Developer Guide, "Configuring provisioned concurrency for a function".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from undercast.core.record import record
from undercast.sandbox.admission import Limits

INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"
"""StatusReason of AWS when the function's INIT fails."""
_SHARE = 0.75
"""Of this machine's room for environments: the rest stays for functions that have nothing provisioned."""


@record
class Provisioned:
    """What is there. `ready`: all that was asked for has been there since it was asked for."""

    allocated: int = 0
    ready: bool = False
    failure: str = ""


@dataclass(slots=True)
class Provision:
    """What one function version is to have."""

    wanted: int = 0
    ready: bool = False
    failure: str = ""
    paused: bool = False
    """After a failure nothing is started until somebody asks anew or the reaper comes by."""
    starting: int = 0

    def want(self, count: int) -> None:
        """Ask anew; earlier failures do not count."""
        self.wanted, self.ready, self.failure, self.paused = count, False, "", False

    def fail(self, reason: str) -> None:
        """One could not be made."""
        self.failure, self.paused = reason, True

    def missing(self, allocated: int) -> int:
        """How many environments to start now."""
        return 0 if self.paused else self.wanted - allocated - self.starting


class Provisioning(Protocol):
    """What the decision needs of a fleet."""

    @property
    def allocated(self) -> int: ...
    @property
    def provision(self) -> Provision: ...
    @property
    def memory_mb(self) -> int: ...


def too_many(own: Provisioning, all_fleets: Iterable[Provisioning], limits: Limits) -> str:
    """Why this machine cannot keep one more environment ready for a function; "" when it can."""
    count = memory_mb = 0
    for fleet in all_fleets:
        there = fleet.allocated + fleet.provision.starting
        count += there
        memory_mb += there * fleet.memory_mb
    if limits.environments is not None and count + 1 > int(limits.environments * _SHARE):
        return f"This machine keeps at most {int(limits.environments * _SHARE)} environments ready (--max-environments)"
    if memory_mb + own.memory_mb > limits.memory_mb * _SHARE:
        return (
            f"This machine keeps environments of at most {int(limits.memory_mb * _SHARE)} MB ready; "
            f"{memory_mb} MB are provisioned already"
        )
    return ""
