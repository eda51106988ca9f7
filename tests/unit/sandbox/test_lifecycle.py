"""The table of an execution environment's life."""

from itertools import product

import pytest

from undercast.sandbox.lifecycle import (
    IDLE,
    Event,
    ExtensionState,
    IllegalStep,
    State,
    accepts,
    may_become,
    shutdown_budget,
    step,
)


def walk(*events: Event) -> State:
    """Where a new environment is after these events."""
    state = State.CREATING
    for event in events:
        state = step(state, event)
    return state


def test_warm_invokes() -> None:
    """INIT, then invoke after invoke, frozen or not."""
    assert walk(Event.START, Event.SETTLE, Event.INVOKE, Event.ANSWER, Event.SETTLE) is State.READY
    assert walk(Event.START, Event.SETTLE, Event.FREEZE, Event.INVOKE, Event.ANSWER, Event.SETTLE) is State.READY


def test_failure_is_a_reset_and_the_next_invoke_begins_with_init() -> None:
    """The environment is not discarded."""
    assert walk(Event.START, Event.SETTLE, Event.INVOKE, Event.FAIL, Event.CLEAR) is State.STALE
    assert walk(Event.START, Event.FAIL, Event.CLEAR, Event.START, Event.SETTLE) is State.READY
    assert State.STALE in IDLE


def test_nothing_happens_twice() -> None:
    """An answer, an exit or a deadline that comes late finds no entry."""
    assert not accepts(State.ANSWERED, Event.ANSWER)
    assert not accepts(State.RESET, Event.FAIL)
    with pytest.raises(IllegalStep):
        step(State.READY, Event.ANSWER)


def test_destroyed_is_final() -> None:
    """Every state can be left to GONE, once."""
    for state, event in product(State, Event):
        assert accepts(state, Event.DESTROY) is (state is not State.GONE)
        if state is State.GONE:
            assert not accepts(state, event)


def test_nobody_who_waits_is_cut_off_by_a_shutdown() -> None:
    """What has no answer yet is not shut down gracefully; a stale one has no process that could be told."""
    able = {state for state in State if accepts(state, Event.SHUTDOWN)}
    assert able == {State.READY, State.FROZEN, State.ANSWERED}
    assert walk(Event.START, Event.SETTLE, Event.FREEZE, Event.SHUTDOWN, Event.DESTROY) is State.GONE


def test_shutdown_budgets() -> None:
    """0, 500 and 2,000 ms; the runtime has 300 ms of the last, or 500 ms beside an internal extension."""
    assert shutdown_budget(external=False, internal=False) == (0.0, 0.0)
    assert shutdown_budget(external=False, internal=True) == (0.5, 0.5)
    assert shutdown_budget(external=True, internal=False) == (2.0, 0.3)
    assert shutdown_budget(external=True, internal=True) == (2.0, 0.5)


def test_an_extension_registers_once_and_ends_with_an_error() -> None:
    """Behind init/error and exit/error only the same call is answered."""
    states = list(ExtensionState)
    assert [state for state in states if may_become(state, ExtensionState.REGISTERED)] == [ExtensionState.STARTED]
    for error in (ExtensionState.INIT_ERROR, ExtensionState.EXIT_ERROR):
        assert [state for state in states if may_become(error, state)] == [error]
    assert [state for state in states if may_become(state, ExtensionState.INIT_ERROR)] == [
        ExtensionState.REGISTERED,
        ExtensionState.INIT_ERROR,
    ]
