"""Identifiers and randomness, given to whoever needs them (I5).

`SystemIds` draws from the operating system; tests use the counting fake in tests/fakes.py.
A UUID begins with the time, so that those of a moment lie together in an index: with UUIDs that are random throughout
each row of a batch touches another page (ADR 0062).
"""

import os
import secrets
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from undercast.core.clock import HostClock

_UPPER_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DRAWN_BYTES = 5120
_DIGITS = 40
"""Of one draw: what a trace header takes, and more than a UUID does."""
_TICKS_PER_S = 64
"""What a UUID tells of the time, in eight digits that come round after two years: 90 bits of it are random."""
_VARIANT: Mapping[str, str] = MappingProxyType({digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"})
_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Ids(Protocol):
    """A source of names that nobody can guess."""

    def uuid(self) -> str:
        """A random UUID in its 36-character form, as AWS's request ids."""
        ...

    def hex(self, digits: int) -> str:
        """So many random lower-case hexadecimal digits."""
        ...

    def base32(self, characters: int) -> str:
        """So many characters of A-Z2-7, as in access key and unique ids."""
        ...

    def alnum(self, characters: int) -> str:
        """So many characters of A-Za-z0-9, as in physical resource names and secrets."""
        ...

    def random(self) -> float:
        """A number in [0, 1), for jitter and weighted choice."""
        ...


class SystemIds:
    """The operating system's randomness, drawn for 256 ids at a time: each call costs as much as half an id."""

    def __init__(self, clock: HostClock) -> None:
        self._clock = clock
        self._drawn: deque[str] = deque()
        self._began = ""
        """When the ids at hand were drawn."""

    def uuid(self) -> str:
        """See `Ids`. Version 4 of RFC 9562, put together by hand: the uuid module takes four times as long."""
        digits = self._take()
        return f"{self._began}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"

    def hex(self, digits: int) -> str:
        """See `Ids`."""
        text = self._take()
        while len(text) < digits:
            text += self._take()
        return text[:digits]

    def _take(self) -> str:
        """40 digits that were never given out. Popping is atomic: ids are asked for in threads too."""
        try:
            return self._drawn.popleft()
        except IndexError:
            text = os.urandom(_DRAWN_BYTES).hex()
            self._began = f"{int(self._clock.now() * _TICKS_PER_S) & 0xFFFFFFFF:08x}"
            self._drawn.extend([text[at : at + _DIGITS] for at in range(_DIGITS, len(text), _DIGITS)])
            return text[:_DIGITS]

    def base32(self, characters: int) -> str:
        """See `Ids`."""
        return _drawn_from(_UPPER_BASE32, characters)

    def alnum(self, characters: int) -> str:
        """See `Ids`."""
        return _drawn_from(_ALNUM, characters)

    def random(self) -> float:
        """See `Ids`."""
        return secrets.randbelow(1 << 53) / (1 << 53)


def _drawn_from(alphabet: str, characters: int) -> str:
    """Each character as likely as any other: bytes beyond the last whole round of the alphabet are thrown away."""
    whole = 256 - 256 % len(alphabet)
    text = ""
    while len(text) < characters:
        drawn = os.urandom(2 * (characters - len(text)))
        text += "".join([alphabet[byte % len(alphabet)] for byte in drawn if byte < whole])
    return text[:characters]
