"""What every invocation is copied for on its way."""

from dataclasses import fields, replace
from typing import Any

from undercast.sandbox.model import Invocation


class Measured:
    """A meter that nobody asks."""

    def reported(self, duration_ms: float, max_memory_used_mb: int) -> None:
        """See `Meter`."""


def test_another_trace_header_changes_nothing_else() -> None:
    """Every field is carried over, also one that is added later."""
    values: Any = {field.name: f"the {field.name}" for field in fields(Invocation)}
    invocation = Invocation(**values)
    meter = Measured()
    assert invocation.measured("Root=1", meter) == replace(invocation, trace_header="Root=1", meter=meter)
