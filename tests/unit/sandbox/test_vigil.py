"""The loop stays awake for an answer that is about to come, for so long and no longer."""

import asyncio
from collections.abc import Callable
from typing import cast

from undercast.core.clock import HostClock
from undercast.sandbox.vigil import AWAKE_S, Vigil


class Moment:
    """A clock that stands still, and a loop that keeps what it is to call."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ready: list[Callable[[], None]] = []

    def monotonic(self) -> float:
        """See HostClock."""
        return self.now

    def call_soon(self, callback: Callable[[], None]) -> None:
        """See AbstractEventLoop."""
        self.ready.append(callback)

    def turn(self) -> bool:
        """One round of the loop; whether the next one would not wait for its sockets."""
        ready, self.ready = self.ready, []
        for callback in ready:
            callback()
        return bool(self.ready)


def vigil(moment: Moment, cores: int = 2) -> Vigil:
    """Of an environment on a machine with so many cores."""
    return Vigil(cast(asyncio.AbstractEventLoop, moment), cast(HostClock, moment), cores)


def test_who_answered_soon_is_awaited_awake_until_the_answer() -> None:
    """The first answer tells; the loop then looks at its sockets without waiting for them."""
    moment = Moment()
    one = vigil(moment)
    one.begin()
    assert not moment.ready
    one.end(0.3)
    one.begin()
    assert [moment.turn(), moment.turn()] == [True, True]
    one.end(0.2)
    assert not moment.turn()


def test_no_answer_is_awaited_awake_for_longer() -> None:
    """A function that is slow this time costs the processor this moment once."""
    moment = Moment()
    one = vigil(moment)
    one.end(0.3)
    one.begin()
    moment.now += AWAKE_S / 2
    assert moment.turn()
    moment.now += AWAKE_S
    assert not moment.turn()
    one.end(700.0)
    one.begin()
    assert not moment.ready


def test_single_core_is_left_to_the_function() -> None:
    """Who stays awake there keeps the function from answering."""
    moment = Moment()
    one = vigil(moment, cores=1)
    one.end(0.1)
    one.begin()
    assert not moment.ready
