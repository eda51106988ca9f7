"""The execution environments of one function version, and the invocations that wait for one.

Bookkeeping only; `pool` decides what is started, evicted and shut down.
AWS: Lambda Developer Guide, "Understanding Lambda function scaling".
"""

from dataclasses import dataclass, field

from undercast.sandbox.admission import Demand, FleetKey, Queue, fleet_key
from undercast.sandbox.environment import Environment
from undercast.sandbox.lifecycle import IDLE, State
from undercast.sandbox.model import FunctionVersion
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

    @property
    def key(self) -> FleetKey:
        """What sets it apart from others."""
        return fleet_key(self.function)

    @property
    def is_empty(self) -> bool:
        """Nobody runs, starts or waits."""
        return not self.members and not self.starting and not len(self.queue)

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

    def demand(self) -> Demand:
        """What its waiters ask for, for the fair order."""
        head = self.queue.head()
        return Demand(
            key=self.key,
            synchronous=bool(self.queue.synchronous),
            environments=len(self.members) + self.starting,
            oldest=head.serial if head is not None else 0,
            memory_mb=self.function.memory_mb,
        )
