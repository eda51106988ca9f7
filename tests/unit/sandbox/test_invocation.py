"""What every invocation is copied for on its way."""

from dataclasses import fields, replace
from typing import Any

from undercast.sandbox.model import Invocation


def test_another_trace_header_changes_nothing_else() -> None:
    """Every field is carried over, also one that is added later."""
    values: Any = {field.name: f"the {field.name}" for field in fields(Invocation)}
    invocation = Invocation(**values)
    assert invocation.with_trace_header("Root=1") == replace(invocation, trace_header="Root=1")
