"""Extensions as the environment counts them, without processes: who is busy, and whose error counts.

AWS: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions".
"""

import pytest

from tests.fakes import CountingIds
from undercast.sandbox.extensions import Extension, Extensions, Refused
from undercast.sandbox.lifecycle import ExtensionState


class Poll:
    """A `next` that keeps what it is answered with."""

    def __init__(self) -> None:
        self.waits = False
        self.answers: list[bytes] = []

    def send(self, head: bytes, payload: bytes) -> None:
        """See `extensions.Poll`."""
        self.waits = False
        self.answers.append(payload)


def at_work(changes: list[int]) -> tuple[Extensions, Extension, Extension]:
    """INIT is over: one registered for INVOKE and one for SHUTDOWN alone; both wait."""
    made = Extensions(CountingIds(), lambda: changes.append(made.busy))
    made.restart(("invoked", "watching"))
    invoked, watching = made.register("invoked", ("INVOKE",)), made.register("watching", ("SHUTDOWN",))
    for extension in (invoked, watching):
        made.ask(extension, Poll())
    made.close_registration()
    changes.clear()
    return made, invoked, watching


def test_only_who_has_the_event_of_an_invocation_ends_it_by_asking() -> None:
    """One whose poll broke and that asks again was never busy; each that was is waited for, once."""
    changes: list[int] = []
    made, invoked, watching = at_work(changes)
    made.invoke(lambda: {"eventType": "INVOKE"})
    assert watching.poll is not None
    watching.poll.waits = False
    made.ask(watching, Poll())
    assert (made.busy, changes) == (1, [])
    made.ask(invoked, Poll())
    assert (made.busy, changes) == (0, [0])
    assert invoked.poll is not None
    invoked.poll.waits = False
    made.ask(invoked, Poll())
    assert (made.busy, changes) == (0, [0])


def test_an_event_that_nobody_waited_for_is_handed_out_once_and_ends_nothing() -> None:
    """Its connection broke: it gets the event when it asks again, and is done when it asks once more."""
    changes: list[int] = []
    made, invoked, _ = at_work(changes)
    assert invoked.poll is not None
    invoked.poll.waits = False
    made.invoke(lambda: {"n": 1})
    again, done = Poll(), Poll()
    made.ask(invoked, again)
    assert (again.answers, made.busy, changes) == ([b'{"n": 1}'], 1, [])
    made.ask(invoked, done)
    assert (done.answers, made.busy, changes) == ([], 0, [0])


def test_the_first_error_of_an_extension_counts() -> None:
    """It may post another one; the environment's is the first of them all."""
    made, invoked, watching = at_work([])
    made.fail(watching, ExtensionState.EXIT_ERROR, "First")
    made.fail(watching, ExtensionState.EXIT_ERROR, "Second")
    assert (watching.error_type, made.first_error) == ("First", "Extension.ExitError")
    with pytest.raises(Refused, match="State transition from ExitError to InitError failed"):
        made.fail(watching, ExtensionState.INIT_ERROR, "Third")
    with pytest.raises(Refused, match="State transition from ExitError to Ready failed"):
        made.ask(watching, Poll())
    made.fail(invoked, ExtensionState.EXIT_ERROR, "Other")
    assert (watching.error_type, invoked.error_type, made.first_error) == ("First", "Other", "Extension.ExitError")


def test_no_error_takes_the_place_of_the_first_one() -> None:
    """AWS tells the end of the environment by the error that came first, whoever posted it."""
    made = Extensions(CountingIds(), lambda: None)
    made.restart(("a", "b"))
    first, second = (made.register(name, ("INVOKE",)) for name in ("a", "b"))
    made.fail(first, ExtensionState.INIT_ERROR, "A")
    made.fail(second, ExtensionState.EXIT_ERROR, "B")
    assert made.first_error == "Extension.InitError"
