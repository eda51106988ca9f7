"""The table of an execution environment's life."""

from itertools import product

import pytest

from undercast.sandbox.lifecycle import IDLE, Event, IllegalStep, State, accepts, step


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
