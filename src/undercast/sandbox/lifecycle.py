"""The life of one execution environment, as a table.

Data without I/O: `environment.py` asks `step` before it acts, so an event that comes twice or late cannot be missed.
AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where an execution environment stands."""

    CREATING = "creating"
    """The sandbox is being made; nothing of the function runs."""
    INIT = "init"
    """Runtime (and extensions) run their initialisation; ends when every member has asked for `next`."""
    READY = "ready"
    """Every member waits for `next`; processes may still run (background work until the freeze)."""
    FROZEN = "frozen"
    """As READY, and no process gets CPU."""
    INVOKE = "invoke"
    """The event was handed over, the answer is awaited."""
    ANSWERED = "answered"
    """The answer is given; a member has not yet asked for `next`. Counts into Duration."""
    RESET = "reset"
    """An invoke or init failed: processes are being killed; /tmp and the log stream stay."""
    STALE = "stale"
    """No process runs. The next invoke begins with a suppressed INIT."""
    GONE = "gone"
    """Destroyed, or being destroyed."""


class Event(StrEnum):
    """What happens to an execution environment."""

    START = "start"
    """The runtime is spawned: INIT, or the suppressed INIT of an invoke."""
    SETTLE = "settle"
    """Every member has asked for `next`."""
    INVOKE = "invoke"
    ANSWER = "answer"
    FREEZE = "freeze"
    FAIL = "fail"
    """An error, an exit or a deadline."""
    CLEAR = "clear"
    """All processes are gone."""
    DESTROY = "destroy"


class IllegalStep(RuntimeError):
    """An event that cannot happen in this state: a defect of the platform, never of a function."""


_TABLE: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (State.CREATING, Event.START): State.INIT,
        (State.CREATING, Event.FAIL): State.RESET,
        (State.INIT, Event.SETTLE): State.READY,
        (State.INIT, Event.FAIL): State.RESET,
        (State.READY, Event.INVOKE): State.INVOKE,
        (State.READY, Event.FREEZE): State.FROZEN,
        (State.READY, Event.FAIL): State.RESET,
        (State.FROZEN, Event.INVOKE): State.INVOKE,
        (State.FROZEN, Event.FAIL): State.RESET,
        (State.INVOKE, Event.ANSWER): State.ANSWERED,
        (State.INVOKE, Event.FAIL): State.RESET,
        (State.ANSWERED, Event.SETTLE): State.READY,
        (State.ANSWERED, Event.FAIL): State.RESET,
        (State.RESET, Event.CLEAR): State.STALE,
        (State.STALE, Event.START): State.INIT,
    }
)


def step(state: State, event: Event) -> State:
    """The next state. Raises IllegalStep where the table has none. Everything may be destroyed once."""
    if event is Event.DESTROY and state is not State.GONE:
        return State.GONE
    following = _TABLE.get((state, event))
    if following is None:
        raise IllegalStep(f"{event} in state {state}")
    return following


def accepts(state: State, event: Event) -> bool:
    """Whether the event can happen now; false for whatever arrives after its time."""
    return (state, event) in _TABLE or (event is Event.DESTROY and state is not State.GONE)


IDLE = frozenset({State.READY, State.FROZEN, State.STALE})
"""States in which an environment can take an invocation."""
