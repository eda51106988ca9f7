"""Calls of several servers, one of each in turn, so that all meet the same machine: a floor that is measured at another
moment than what stands on it is none. AWS: none.
"""

import time
from collections.abc import Callable, Mapping

Work = Callable[[int], object]
"""Makes the call of that number."""
Works = Mapping[str, Work]
"""Operation -> its calls, in the order in which operations are measured."""


def times_in_turn(works: Mapping[str, Works], calls: int, warm_up: int) -> dict[str, list[float]]:
    """`OPERATION_SERVER` -> the times (ms) of `calls` calls; a server without an operation is left out of it."""
    found: dict[str, list[float]] = {}
    for operation in dict.fromkeys(operation for one in works.values() for operation in one):
        having = {f"{operation}_{name}": one[operation] for name, one in works.items() if operation in one}
        found |= {name: [] for name in having}
        for number in range(calls + warm_up):
            for name, work in having.items():
                began = time.perf_counter()
                work(number)
                if number >= warm_up:
                    found[name].append((time.perf_counter() - began) * 1000)
    return found
