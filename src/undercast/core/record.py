"""Frozen data: slots, keywords only by default, compared and hashed by value. Frozen for mypy, not for the interpreter.

The `__init__` of a frozen dataclass sets each field through `object.__setattr__`, four times as slow as an assignment:
of a warm invoke's hundred fields that was a tenth of its CPU (ADR 0014). mypy refuses to assign to a record.

A frozen dataclass takes 0.66 ms to make, 0.6 of them for writing its methods: of 300 classes a third of a start's CPU,
and most are not used before its first calls are answered (ADR 67). A record's methods are written at their first call,
or before it by `write_ahead`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")
_INIT = ("__init__",)
_VALUE = ("__repr__", "__eq__", "__hash__")


@overload
def record(cls: type[T], /) -> type[T]: ...
@overload
def record(*, kw_only: bool) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[T] | None = None, /, *, kw_only: bool = True) -> type[T] | Callable[[type[T]], type[T]]:
    """A class decorator, as `@dataclass(frozen=True, slots=True, kw_only=True)`. Raises TypeError where hashes lack."""
    return partial(_recorded, kw_only=kw_only) if cls is None else _recorded(cls, kw_only=kw_only)


def _recorded(cls: type[T], *, kw_only: bool) -> type[T]:
    if "__eq__" in vars(cls) and vars(cls)["__hash__"] is None:  # Python writes None where a class has its own __eq__
        raise TypeError(f"record {cls.__qualname__} defines __eq__ and no __hash__")
    cls.__doc__ = cls.__doc__ or cls.__name__  # else a dataclass writes the signature there, which takes longest of all
    made = dataclass(slots=True, kw_only=kw_only, init=False, repr=False, eq=False)(cls)
    for names in (_INIT, _VALUE):
        missing = [name for name in names if name not in vars(made)]
        for name in missing:
            setattr(made, name, _written_later(made, name, missing))
    return made


def write_ahead() -> Iterator[None]:
    """Write the `__init__` of one record after another, so that no first call waits for it: 0.3 ms each.

    Each says itself that it is to be written, and Python knows all classes: no list of ours keeps any.
    """
    classes: list[type] = [object]
    while classes:
        made = classes.pop()
        if getattr(vars(made).get("__init__"), "later", False):
            _write(made, _INIT)
            yield
        classes.extend(reversed(type.__subclasses__(made)))


def _written_later(made: type, name: str, together: list[str]) -> Callable[..., Any]:
    """The method of this name, until the first call of one of those that are written together."""

    def first(self: object, *values: object, **fields: object) -> Any:
        _write(made, together)
        return vars(made)[name](self, *values, **fields)

    first.later = True  # type: ignore[attr-defined]
    return first


def _write(made: type, together: Sequence[str]) -> None:
    # A dataclass that adds no field to the record has the methods that the record lacks.
    like = type(made.__name__, (made,), {"__doc__": made.__doc__, "__qualname__": made.__qualname__})
    init = together[0] in _INIT
    written = vars(dataclass(init=init, repr=not init, eq=not init, unsafe_hash=not init)(like))
    for name in together:
        setattr(made, name, written[name])
