"""How many invocations run at once, and when AWS would answer 429.

Counters in memory only. Admission by what the machine can run is the pool's; it queues and never answers 429.
AWS: Lambda Developer Guide, "Understanding Lambda function scaling" (concurrency, 10 requests per second for each),
"Configuring reserved concurrency", "Configuring provisioned concurrency". Environments may grow by 1,000 in 10 s per
function: with an account's limit of 1,000 nothing ever reaches that.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from undercast.core.clock import HostClock
from undercast.services.lambda_.errors import throttled

ACCOUNT_LIMIT = 1000
MIN_UNRESERVED = 100
REQUESTS_PER_S = 10
"""Of synchronous invokes, for each of the concurrency."""
_MAX_LANES = 4096


@dataclass(slots=True, eq=False)
class Lane:
    """Concurrency that invocations share: a function's reserved one, a version's provisioned one, or the account's."""

    limit: int
    is_reserved: bool
    running: int = 0
    second: int = 0
    """Of the host clock; `begun` counts the synchronous invokes in it."""
    begun: int = 0

    def begins(self, second: int) -> bool:
        """Count a synchronous invoke, unless this second has had its share."""
        if second != self.second:
            self.second, self.begun = second, 0
        if self.begun >= self.limit * REQUESTS_PER_S:
            return False
        self.begun += 1
        return True

    def reason(self) -> str:
        """Why it turns somebody away now."""
        kind = "ConcurrentInvocation" if self.running >= self.limit else "InvocationRate"
        if self.is_reserved:
            return f"ReservedFunction{kind}LimitExceeded"
        return f"{kind}LimitExceeded" if kind == "ConcurrentInvocation" else f"Function{kind}LimitExceeded"


class Concurrency:
    """Knows the lanes. Each `enter` is followed by one `leave` of the lane that it gave."""

    def __init__(self, clock: HostClock) -> None:
        self._clock = clock
        self._lanes: dict[Hashable, Lane] = {}

    def lane(self, key: Hashable, limit: int, *, is_reserved: bool = False) -> Lane:
        """The lane with this key, which has this limit from now on."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(limit, is_reserved)
        lane.limit = limit
        return lane

    def enter(self, lanes: tuple[Lane, ...], *, synchronous: bool) -> Lane:
        """Count one more in the first lane that has room. Raises TooManyRequestsException where AWS throttles."""
        second = int(self._clock.monotonic()) if synchronous else 0
        for lane in lanes:
            if lane.running < lane.limit and (not synchronous or lane.begins(second)):
                lane.running += 1
                return lane
        raise throttled(lanes[-1].reason())

    def leave(self, lane: Lane) -> None:
        """One less."""
        lane.running -= 1

    def forget_idle(self) -> None:
        """Nobody refers to lanes any more but what runs: drop those of functions that are gone."""
        if len(self._lanes) > _MAX_LANES:
            self._lanes = {key: lane for key, lane in self._lanes.items() if lane.running}
