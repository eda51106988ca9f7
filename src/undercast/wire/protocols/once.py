"""What is compiled for a shape, once, however many members refer to it and though it leads back to itself.

Pure. AWS: recursive shapes, e.g. DynamoDB's AttributeValue.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from undercast.wire.model import Shape

P = ParamSpec("P")
R = TypeVar("R")


def once(known: dict[str, Callable[P, R]], shape: Shape, compiled: Callable[[Shape], Callable[P, R]]) -> Callable[P, R]:
    """The closure that is known for the shape, else the compiled one.

    While it is being compiled, what leads back to the shape gets a forwarder.
    """
    key = shape.key_of_definition
    found = known.get(key)
    if found is None:

        def forward(*args: P.args, **kwargs: P.kwargs) -> R:
            return known[key](*args, **kwargs)

        known[key] = forward
        found = known[key] = compiled(shape)
    return found
