"""What is started and taken away next: for whoever waits first, then what is to be kept ready.

Decides over the fleets and the machine's counts, and does nothing of it; `pool` does, and asks again. Times are the
host clock's monotonic seconds.
AWS: Lambda Developer Guide, "Understanding Lambda function scaling", "Configuring provisioned concurrency".
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from undercast.sandbox.admission import Admission, FleetKey, gives_way, urgency
from undercast.sandbox.environment import Environment
from undercast.sandbox.fleet import Fleet, dispensable
from undercast.sandbox.provision import too_many

KEEP_WARM_S = 30.0
"""A function that floods the machine does not take the environments of those that were used within this time."""


class Begin(NamedTuple):
    """Start an environment of this function."""

    fleet: Fleet
    provisioned: bool = False


class Evict(NamedTuple):
    """Take this one away: there is no room for another."""

    environment: Environment


Step = Begin | Evict


@dataclass(slots=True)
class Scaling:
    """The fleets of all functions. Whoever takes a step counts it here before the next one is asked for."""

    admission: Admission
    fleets: dict[FleetKey, Fleet] = field(default_factory=dict)
    waiting: set[Fleet] = field(default_factory=set)
    """Those with a queue; it may be that of a fleet that is retired."""
    provisioned: dict[FleetKey, Fleet] = field(default_factory=dict)
    evicting: int = 0
    """Environments that are being taken away to make room."""

    def next(self, now: float) -> Step | None:
        """What to do now; None when nothing can be done, or nobody wants anything."""
        return self._for_waiters(now) or self._for_provisioned(now)

    def _for_waiters(self, now: float) -> Step | None:
        if not self.admission.has_init_slot(0):
            return None
        wants = {
            fleet: want
            for fleet in self.waiting
            if self.admission.has_init_slot(fleet.environments) and (want := self.wants(fleet, now)) > 0
        }
        if not wants:
            return None
        fleet = min(wants, key=lambda fleet: urgency(fleet.demand()))
        if self.admission.has_room(fleet.memory_mb):
            return Begin(fleet)
        return self._room_for(fleet, now) if self.evicting < sum(wants.values()) else None

    def _for_provisioned(self, now: float) -> Step | None:
        for fleet in self.provisioned.values():
            if fleet.provision.missing(fleet.allocated) <= 0 or not self.admission.has_init_slot():
                continue
            if reason := too_many(fleet, self.provisioned.values(), self.admission.limits):
                fleet.provision.fail(reason)
            elif self.admission.has_room(fleet.memory_mb):
                return Begin(fleet, provisioned=True)
            else:
                return None if self.evicting else self._room_for(fleet, now)
        return None

    def _room_for(self, wanting: Fleet, now: float) -> Evict | None:
        found = dispensable(self.fleets.values(), wanting, now - KEEP_WARM_S)
        return None if found is None else Evict(found)

    def wants(self, fleet: Fleet, now: float) -> int:
        """Environments to start for a function: not for those who will be served in a moment anyway."""
        want = _unserved(fleet)
        if want <= 0:
            return 0
        if fleet.function.debug is not None:
            return 1 - len(fleet.members) - fleet.starting  # its port leads to one environment
        return want - _settling(fleet, now)

    def awaits_a_moment(self, now: float) -> bool:
        """Whether somebody waits for an environment that is about to be idle: it may not be, and is to be looked at."""
        return self.admission.has_init_slot() and any(
            _unserved(fleet) > 0 and fleet.function.debug is None and _settling(fleet, now) > 0
            for fleet in self.waiting
        )

    def gives_way(self, fleet: Fleet, now: float) -> bool:
        """Whether a machine that is full should take an environment of this function for another one."""
        others = [
            other.demand()
            for other in self.waiting
            if other is not fleet
            and self.wants(other, now) > self.evicting
            and not self.admission.has_room(other.memory_mb)
        ]
        return bool(others) and gives_way(fleet.demand(), others)


def _unserved(fleet: Fleet) -> int:
    """Waiters for whom nothing is being started."""
    return len(fleet.queue) - fleet.starting


def _settling(fleet: Fleet, now: float) -> int:
    head = fleet.queue.head()
    return fleet.settling(now - head.since) if head is not None else 0
