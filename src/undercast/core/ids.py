"""Identifiers and randomness, given to whoever needs them (I5).

`SystemIds` draws from the operating system; tests use the counting fake in tests/fakes.py.
"""

import secrets
import uuid
from typing import Protocol

_UPPER_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
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
    """The operating system's randomness."""

    def uuid(self) -> str:
        """See `Ids`."""
        return str(uuid.uuid4())

    def hex(self, digits: int) -> str:
        """See `Ids`."""
        return secrets.token_hex((digits + 1) // 2)[:digits]

    def base32(self, characters: int) -> str:
        """See `Ids`."""
        return "".join(secrets.choice(_UPPER_BASE32) for _ in range(characters))

    def alnum(self, characters: int) -> str:
        """See `Ids`."""
        return "".join(secrets.choice(_ALNUM) for _ in range(characters))

    def random(self) -> float:
        """See `Ids`."""
        return secrets.randbelow(1 << 53) / (1 << 53)
