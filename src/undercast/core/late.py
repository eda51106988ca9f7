"""Code that is loaded when it is first asked for, beside the event loop.

For what is not needed to be ready, and for libraries that few platforms use: importing one takes up to 200 ms and its
memory for good. What else is loaded by name, and why a `Late` may be a module's, is in ADR 0011; a type checker gets
the types by a `TYPE_CHECKING` import at the top, which the import contracts see, too.
"""

import asyncio
from collections.abc import Callable, Iterable
from importlib import import_module
from types import ModuleType
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


class Loader:
    """Loads modules in a thread, one at a time and in their order; those that somebody waits for come first.

    One at a time: two threads of Python code take as long as one behind the other, and both end late.
    """

    def __init__(self, modules: Iterable[str], load: Callable[[str], ModuleType] = import_module) -> None:
        loop = asyncio.get_running_loop()
        self._load = load
        self._coming = {name: loop.create_future() for name in modules}
        self._left = dict.fromkeys(self._coming)
        self._hurried: dict[str, None] = {}

    def hurry(self, *modules: str) -> None:
        """They come next, behind those that were hurried before."""
        self._hurried |= dict.fromkeys(module for module in modules if module in self._left)

    async def get(self, module: str) -> ModuleType:
        """The module, in its turn."""
        found: ModuleType = await asyncio.shield(self._coming[module])
        return found

    async def run(self) -> None:
        """Load all of them. Raises what a module raises; who waits for that one or another goes on waiting."""
        while self._left:
            name = next(iter(self._hurried or self._left))
            self._left.pop(name)
            self._hurried.pop(name, None)
            self._coming[name].set_result(await asyncio.to_thread(self._load, name))
