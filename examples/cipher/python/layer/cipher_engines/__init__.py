"""The two ciphers for Python functions. They shift the 95 printable characters of ASCII; other characters stay.

A function finds them by their entry points (group "cipher_engines"), so that a layer with others takes their place.
"""

import secrets

_FIRST = ord(" ")
_COUNT = ord("~") - _FIRST + 1


def _shifted(text: str, places: list[int]) -> str:
    return "".join(
        chr(_FIRST + (ord(character) - _FIRST + by) % _COUNT) if " " <= character <= "~" else character
        for character, by in zip(text, places, strict=True)
    )


class Caesar:
    """Shifts every character by the same number of places."""

    def __init__(self, places: int = 4) -> None:
        self._places = places

    def encrypt(self, text: str) -> str:
        """The shifted text."""
        return _shifted(text, [self._places] * len(text))

    def decrypt(self, text: str) -> str:
        """The text that was shifted."""
        return _shifted(text, [-self._places] * len(text))


class Verman:
    """Shifts every character by a number of its own, drawn anew for each text."""

    def __init__(self) -> None:
        self._key: list[int] = []

    def encrypt(self, text: str) -> str:
        """The shifted text; its key is kept for `decrypt`."""
        self._key = [secrets.randbelow(_COUNT) for _ in text]
        return _shifted(text, self._key)

    def decrypt(self, text: str) -> str:
        """The text that was shifted last. Raises ValueError for a text of another length."""
        return _shifted(text, [-by for by in self._key])
