"""Code that is loaded when it is first asked for, beside the event loop.

For what is not needed to be ready, and for libraries that few platforms use: importing one takes up to 200 ms and its
memory for good. What else is loaded by name, and why a `Late` may be a module's, is in ADR 0011; a type checker gets
the types by a `TYPE_CHECKING` import at the top, which the import contracts see, too.
"""

import asyncio
from importlib import import_module
from typing import Generic, TypeVar

T = TypeVar("T")


class Late(Generic[T]):
    """One name of a module: a function or a class of it.

    However many ask at once, the module is loaded once: the interpreter's lock of it holds back the others.
    """

    __slots__ = ("_found", "_module", "_name")

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name
        self._found: T | None = None

    async def get(self) -> T:
        """On the event loop, which goes on meanwhile."""
        return await asyncio.to_thread(self.here) if self._found is None else self._found

    def here(self) -> T:
        """In any other thread, which waits; or where it has been asked for before."""
        if self._found is None:
            found: T = getattr(import_module(self._module), self._name)
            self._found = found
        return self._found
