"""The first of many names, and how many more there are: for notes and hints. Pure. AWS: none."""

from collections.abc import Iterable
from itertools import islice

FEW = 5


def first_few(names: Iterable[str], number: int, shown: int = FEW) -> str:
    """Of so many names the first few: "a, b, c and 4 more". Only those are taken from `names`."""
    more = f" and {number - shown} more" if number > shown else ""
    return ", ".join(islice(names, shown)) + more
