"""Condition keys that are made when a policy first asks for one: of most requests none does."""

from collections.abc import Callable, Iterator, Mapping

Keys = dict[str, str | tuple[str, ...]]


class Later(Mapping[str, str | tuple[str, ...]]):
    """For `Access.conditions`. What it is made of must not change meanwhile."""

    __slots__ = ("_found", "_make")

    def __init__(self, make: Callable[[], Keys]) -> None:
        self._make = make
        self._found: Keys | None = None

    def _keys(self) -> Keys:
        if self._found is None:
            # What they were made of may be a whole request, and a decision that is kept has these keys.
            self._found, self._make = self._make(), dict
        return self._found

    def __getitem__(self, key: str) -> str | tuple[str, ...]:
        return self._keys()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())
