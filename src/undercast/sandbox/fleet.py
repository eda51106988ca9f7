"""The execution environments of one function version, and the invocations that wait for one.

Bookkeeping only; `pool` decides what is started, evicted and shut down.
AWS: Lambda Developer Guide, "Understanding Lambda function scaling".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from undercast.sandbox.admission import Demand, FleetKey, Queue, fleet_key
from undercast.sandbox.environment import Environment
from undercast.sandbox.lifecycle import IDLE, State
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.provision import Provision, Provisioned
from undercast.sandbox.runtimes.plan import RuntimePlan

SETTLE_S = 0.02
"""How long an invocation waits for an environment that has answered and is about to ask for `next`."""
RESET_S = 0.5
"""How long it waits for one that is being reset: AWS keeps such an environment, and so /tmp."""


@dataclass(slots=True, eq=False)
class Fleet:
    """The environments and waiters of one function version."""

    function: FunctionVersion
    plan: RuntimePlan | None = None
    idle: list[Environment] = field(default_factory=list)
    members: dict[str, Environment] = field(default_factory=dict)
    starting: int = 0
    queue: Queue = field(default_factory=Queue)
    retired: bool = False
    provision: Provision = field(default_factory=Provision)
    ahead: str = ""
    """Why this SnapStart version is initialised ahead instead of being restored; "" while it is restored."""

    @property
    def plan_is_old(self) -> bool:
        """Whether what failed for lack of something may not fail in a new environment."""
        return self.plan is not None and self.plan.is_old

    @property
    def memory_mb(self) -> int:
        """The memory setting of each environment."""
        return self.function.memory_mb

    @property
    def allocated(self) -> int:
        """Provisioned environments that are initialised."""
        return sum(1 for member in self.members.values() if member.provisioned)

    @property
    def provisioned(self) -> Provisioned:
        """What there is of provisioned concurrency."""
        provision = self.provision
        return Provisioned(
            allocated=min(self.allocated, provision.wanted), ready=provision.ready, failure=provision.failure
        )

    @property
    def key(self) -> FleetKey:
        """What sets it apart from others."""
        return fleet_key(self.function)

    def is_named(self, function: str) -> bool:
        """Whether a user means this one by a name or an ARN."""
        return function in (self.function.name, self.function.arn)

    @property
    def is_empty(self) -> bool:
        """Nobody runs, starts or waits, and nothing is to be kept ready."""
        return not (self.members or self.starting or len(self.queue) or self.provision.wanted)

    def join(self, environment: Environment) -> None:
        """Its INIT is over."""
        self.not_started(environment.provisioned)
        self.members[environment.id] = environment
        if environment.provisioned and self.allocated >= self.provision.wanted:
            self.provision.ready, self.provision.failure = True, ""

    def not_started(self, provisioned: bool) -> None:
        """A start has ended."""
        self.starting -= 1
        self.provision.starting -= provisioned

    def rest(self, environment: Environment) -> None:
        """It is idle. Provisioned ones are behind the others and so taken first: what overflows goes on-demand."""
        if environment in self.idle:
            return
        if environment.provisioned or not self.provision.wanted:
            self.idle.append(environment)
        else:
            self.idle.insert(0, environment)

    def has_surplus(self, environment: Environment) -> bool:
        """Whether it was provisioned and more are than asked for."""
        return environment.provisioned and self.allocated > self.provision.wanted

    def surplus(self) -> list[Environment]:
        """Idle provisioned environments that are too many."""
        too_many = max(0, self.allocated - self.provision.wanted)
        return [environment for environment in self.idle if environment.provisioned][:too_many]

    def outdated(self, unused_since: float, now: float) -> list[Environment]:
        """Idle ones that have not been used since, and those that are about to lose their session."""
        return [
            environment
            for environment in self.idle
            if not environment.held
            and (
                (environment.idle_since <= unused_since and not environment.provisioned)
                or environment.usable_until <= now
            )
        ]

    def longest_idle(self) -> Environment | None:
        """What may be taken away when room is needed; never what is to be kept ready."""
        if self.function.debug is not None:
            return None
        if not self.provision.wanted:
            return self.idle[0] if self.idle else None
        on_demand = [environment for environment in self.idle if not environment.provisioned]
        return min(on_demand, key=lambda environment: environment.idle_since, default=None)

    def status(self) -> Mapping[str, Any]:
        """For `undercast status`."""
        return {
            "function": self.function.arn,
            "version": self.function.version,
            "environments": {member.id: str(member.state) for member in self.members.values()},
            "starting": self.starting,
            "waiting": len(self.queue),
            **({"provisioned": self.allocated} if self.provision.wanted else {}),
        }

    def take(self) -> Environment | None:
        """The environment that was used last; those that died or are being reset meanwhile are not idle any more."""
        while self.idle:
            environment = self.idle.pop()
            if environment.state in IDLE:
                return environment
        return None

    def settling(self, waited_s: float) -> int:
        """Environments that will be idle soon enough for who has waited so long."""
        soon = {State.ANSWERED} if waited_s < SETTLE_S else set()
        if waited_s < RESET_S:
            soon.add(State.RESET)
        return sum(1 for member in self.members.values() if member.state in soon) if soon else 0

    @property
    def environments(self) -> int:
        """How many it has, those that are starting included."""
        return len(self.members) + self.starting

    def demand(self) -> Demand:
        """What its waiters ask for, for the fair order."""
        head = self.queue.head()
        return Demand(
            key=self.key,
            synchronous=bool(self.queue.synchronous),
            environments=self.environments,
            oldest=head.serial if head is not None else 0,
            memory_mb=self.function.memory_mb,
        )


def dispensable(fleets: Iterable[Fleet], wanting: Fleet, unused_since: float) -> Environment | None:
    """The longest idle environment of what has more of them than who wants one, or was not used since."""
    has = wanting.environments
    found: Environment | None = None
    for fleet in fleets:
        candidate = fleet.longest_idle()
        if candidate is None or (len(fleet.members) <= has and candidate.idle_since >= unused_since):
            continue
        if found is None or candidate.idle_since < found.idle_since:
            found = candidate
    return found
