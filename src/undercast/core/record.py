"""Frozen data that is made several times for every request: frozen for mypy, not for the interpreter.

The `__init__` of a frozen dataclass sets each field through `object.__setattr__`, four times as slow as an assignment:
of a warm invoke's hundred fields that was a tenth of its CPU (ADR 0014). mypy refuses to assign to a record.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A class decorator: slots, keyword-only, compared and hashed by value, as `@dataclass(frozen=True, ...)`."""
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
