"""What is started and taken away next, by counts alone: no sandbox, no clock, no task."""

from dataclasses import dataclass
from typing import Any, cast

from tests.fakes_sandbox import a_function
from undercast.sandbox.admission import Admission, Limits, Waiter
from undercast.sandbox.environment import Environment
from undercast.sandbox.fleet import RESET_S, SETTLE_S, Fleet
from undercast.sandbox.lifecycle import State
from undercast.sandbox.model import Invocation
from undercast.sandbox.scaling import KEEP_WARM_S, Begin, Evict, Scaling

NOW = 1000.0
ROOM_FOR_TWO = Limits(inits=2, memory_mb=256)


@dataclass
class Standing:
    """What a fleet knows of an environment."""

    id: str
    state: State = State.READY
    idle_since: float = NOW
    provisioned: bool = False


def scaling(*fleets: Fleet, limits: Limits = ROOM_FOR_TWO) -> Scaling:
    """Of a machine on which these have their environments, and INITs are over."""
    made = Scaling(Admission(limits))
    for fleet in fleets:
        made.fleets[fleet.key] = fleet
        made.admission.environments += len(fleet.members)
        made.admission.memory_mb += len(fleet.members) * fleet.memory_mb
        if len(fleet.queue):
            made.waiting.add(fleet)
    return made


def fleet(name: str, *environments: Standing, waiters: int = 0, waiting_since: float = NOW) -> Fleet:
    """A function with environments, idle where they are READY, and with waiters."""
    made = Fleet(a_function(name=name))
    for one in cast(Any, environments):
        made.members[one.id] = one
        if one.state is State.READY:
            made.idle.append(one)
    invocation = Invocation(request_id="r", function=made.function, payload=b"", invoked_arn=made.function.arn)
    for serial in range(waiters):
        made.queue.add(Waiter(invocation, cast(Any, None), serial, waiting_since))
    return made


def evict(one: Standing) -> Evict:
    """The step that takes it away."""
    return Evict(cast(Environment, one))


def test_nothing_is_done_where_nobody_wants_anything() -> None:
    """Environments are started by demand alone."""
    assert scaling(fleet("f", Standing("a"))).next(NOW) is None


def test_who_waits_gets_an_environment_while_there_are_inits_and_room() -> None:
    """One step at a time; whoever takes it counts it."""
    waiting = fleet("f", waiters=3)
    made = scaling(waiting)
    for _ in range(2):
        assert made.next(NOW) == Begin(waiting)
        waiting.starting += 1
        made.admission.enter(waiting.memory_mb)
    assert made.next(NOW) is None


def test_full_machine_takes_what_was_not_used_for_long_from_another_function() -> None:
    """And no more of them than there are waiters."""
    long_idle, used = Standing("a", idle_since=NOW - KEEP_WARM_S - 1), Standing("b", state=State.INVOKE)
    made = scaling(fleet("f", long_idle, used), fleet("g", waiters=1))
    assert made.next(NOW) == evict(long_idle)
    made.evicting += 1
    assert made.next(NOW) is None


def test_full_machine_leaves_functions_their_only_environments_that_were_just_used() -> None:
    """A function that floods the machine does not cool the others down."""
    made = scaling(fleet("f", Standing("a")), fleet("g", Standing("b", state=State.INVOKE), waiters=5))
    assert made.next(NOW) is None


def test_who_will_be_served_in_a_moment_gets_no_environment_started() -> None:
    """One that has answered asks for its next event within 20 ms; one that is reset is there again soon."""
    for state, soon_s in ((State.ANSWERED, SETTLE_S), (State.RESET, RESET_S)):
        waiting = fleet("f", Standing("a", state=state), waiters=1)
        made = scaling(waiting)
        assert made.next(NOW + soon_s / 2) is None
        assert made.awaits_a_moment(NOW + soon_s / 2)
        assert made.next(NOW + 2 * soon_s) == Begin(waiting)
        assert not made.awaits_a_moment(NOW + 2 * soon_s)


def test_what_is_to_be_kept_ready_comes_behind_who_waits() -> None:
    """Provisioned concurrency is started with what is left."""
    kept, waiting = fleet("kept"), fleet("f", waiters=1)
    made = scaling(kept, waiting, limits=Limits(inits=2, memory_mb=4096))
    kept.provision.want(1)
    made.provisioned[kept.key] = kept
    assert made.next(NOW) == Begin(waiting)
    waiting.starting += 1
    made.admission.enter(128)
    assert made.next(NOW) == Begin(kept, provisioned=True)


def test_more_than_the_machine_keeps_ready_is_told_and_not_started() -> None:
    """Three quarters of the room at most."""
    kept = fleet("kept")
    made = scaling(kept, limits=Limits(inits=2, environments=1, memory_mb=4096))
    kept.provision.want(1)
    made.provisioned[kept.key] = kept
    assert made.next(NOW) is None
    assert kept.provision.failure.startswith("This machine keeps at most 0 environments ready")


def test_full_machine_gives_way_to_a_function_without_environments() -> None:
    """A function that has waiters itself does not keep all of them."""
    mine = fleet("f", Standing("a", state=State.INVOKE), Standing("b", state=State.INVOKE), waiters=9)
    made = scaling(mine, fleet("g", waiters=1))
    assert made.gives_way(mine, NOW)
    made.evicting = 1
    assert not made.gives_way(mine, NOW)
