"""The life of one execution environment and of the extensions in it, as tables.

Data without I/O: whoever acts asks `step` first, so an event that comes twice or late cannot be missed.
AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle", "Using the Lambda Extensions
API to create extensions"; the extensions' states by the names in AWS's messages.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


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
    """An invoke or init failed: extensions get SHUTDOWN, processes are killed; /tmp and the log stream stay."""
    STALE = "stale"
    """No process runs. The next invoke begins with a suppressed INIT."""
    SHUTDOWN = "shutdown"
    """Never used again: runtime and extensions may end by themselves within their budget."""
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
    THAW = "thaw"
    """A debugger is attached to a frozen environment."""
    FAIL = "fail"
    """An error, an exit or a deadline."""
    CLEAR = "clear"
    """All processes are gone."""
    SHUTDOWN = "shutdown"
    """It is idle, or its caller has the answer, and it shall end."""
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
        (State.FROZEN, Event.THAW): State.READY,
        (State.FROZEN, Event.INVOKE): State.INVOKE,
        (State.FROZEN, Event.FAIL): State.RESET,
        (State.INVOKE, Event.ANSWER): State.ANSWERED,
        (State.INVOKE, Event.FAIL): State.RESET,
        (State.ANSWERED, Event.SETTLE): State.READY,
        (State.ANSWERED, Event.FAIL): State.RESET,
        (State.RESET, Event.CLEAR): State.STALE,
        (State.STALE, Event.START): State.INIT,
        (State.READY, Event.SHUTDOWN): State.SHUTDOWN,
        (State.FROZEN, Event.SHUTDOWN): State.SHUTDOWN,
        (State.ANSWERED, Event.SHUTDOWN): State.SHUTDOWN,
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


class ExtensionState(StrEnum):
    """Where an extension stands, by the name that AWS's messages and EXTENSION lines give it."""

    STARTED = "Started"
    """Its process runs, or is about to."""
    REGISTERED = "Registered"
    READY = "Ready"
    """It waits for an event."""
    RUNNING = "Running"
    """It has an event and has not asked for the next one."""
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    LAUNCH_ERROR = "LaunchError"


_EXTENSION_STEPS: Mapping[ExtensionState, frozenset[ExtensionState]] = MappingProxyType(
    {
        ExtensionState.STARTED: frozenset({ExtensionState.REGISTERED, ExtensionState.LAUNCH_ERROR}),
        ExtensionState.REGISTERED: frozenset(
            {ExtensionState.READY, ExtensionState.INIT_ERROR, ExtensionState.EXIT_ERROR}
        ),
        ExtensionState.READY: frozenset({ExtensionState.RUNNING, ExtensionState.EXIT_ERROR}),
        ExtensionState.RUNNING: frozenset({ExtensionState.READY, ExtensionState.EXIT_ERROR}),
        ExtensionState.INIT_ERROR: frozenset({ExtensionState.INIT_ERROR}),
        ExtensionState.EXIT_ERROR: frozenset({ExtensionState.EXIT_ERROR}),
        ExtensionState.LAUNCH_ERROR: frozenset(),
    }
)
"""An error may be posted again, and the first one counts."""


def may_become(state: ExtensionState, following: ExtensionState) -> bool:
    """Whether an extension may go from one state to another."""
    return following in _EXTENSION_STEPS[state]


class ShutdownBudget(NamedTuple):
    """Seconds that SHUTDOWN may take."""

    total_s: float
    runtime_s: float
    """Of them, until the runtime is killed."""


def shutdown_budget(*, external: bool, internal: bool) -> ShutdownBudget:
    """0 ms without extensions, 500 ms with internal ones only, 2,000 ms with external ones.

    With external ones the runtime has 300 ms of it, or 500 ms with internal ones too.
    """
    if external:
        return ShutdownBudget(2.0, 0.5 if internal else 0.3)
    return ShutdownBudget(0.5, 0.5) if internal else ShutdownBudget(0.0, 0.0)
