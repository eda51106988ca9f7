"""The system calls that sandboxes are refused, for tests that make them."""

from undercast.sandbox import seccomp


def refused_calls(machine: str) -> dict[str, int]:
    """Their numbers on such a machine; calls that it lacks are left out."""
    rows = {**seccomp._REFUSED, **seccomp._UNKNOWN}
    return {name: row[seccomp._column(machine)] for name, row in rows.items() if row[seccomp._column(machine)] >= 0}
