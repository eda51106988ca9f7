"""Fakes for time and randomness: the only two things that tests replace (house style, I5).

Both clocks of a `FakeClock` stand still until they are moved, so no test depends on how fast the machine is.
"""

from undercast.core.clock import HostClock, PlatformClock

START = 1_700_000_000.0
"""2023-11-14T22:13:20Z, where every fake clock starts."""

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class FakeHostClock(HostClock):
    """A machine clock that moves when it is told."""

    def __init__(self, start: float = START) -> None:
        self.time_s = start

    def now(self) -> float:
        """See `Clock`."""
        return self.time_s

    def monotonic(self) -> float:
        """See `HostClock`."""
        return self.time_s

    def tick(self, seconds: float) -> None:
        """Let host time pass."""
        self.time_s += seconds


class FakeClock(PlatformClock):
    """A platform clock over a `FakeHostClock`. `advance` moves it alone, `tick` lets time pass on both clocks."""

    def __init__(self, start: float = START) -> None:
        self.host = FakeHostClock(start)
        super().__init__(self.host)

    def tick(self, seconds: float) -> None:
        """Let time pass on both clocks and wake whoever waited for it."""
        self.host.tick(seconds)
        self.advance(0)


class CountingIds:
    """An `Ids` whose n-th answer is n: 00000000-0000-4000-8000-000000000001, then ...2."""

    def __init__(self) -> None:
        self.count = 0

    def _next(self) -> int:
        self.count += 1
        return self.count

    def uuid(self) -> str:
        """See `Ids`."""
        return f"00000000-0000-4000-8000-{self._next():012x}"

    def hex(self, digits: int) -> str:
        """See `Ids`."""
        return f"{self._next():0{digits}x}"[-digits:]

    def base32(self, characters: int) -> str:
        """See `Ids`."""
        return _in_alphabet(self._next(), _BASE32, characters)

    def alnum(self, characters: int) -> str:
        """See `Ids`."""
        return _in_alphabet(self._next(), _ALNUM, characters)

    def random(self) -> float:
        """The golden-ratio sequence: well spread and always the same."""
        return self._next() * 0.618033988749895 % 1.0


def _in_alphabet(number: int, alphabet: str, characters: int) -> str:
    digits: list[str] = []
    for _ in range(characters):
        number, digit = divmod(number, len(alphabet))
        digits.append(alphabet[digit])
    return "".join(reversed(digits))
