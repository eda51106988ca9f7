"""Limits of a function that were others in another year (`--profile`).

Pure. AWS: Lambda Developer Guide, "Lambda quotas"; for 2019 the same page of that year: 128 to 3,008 MB in steps of
64 MB, 512 MB of /tmp.
"""

from undercast.core.config import Profile
from undercast.core.record import record


@record
class Limits:
    """Of a function's configuration."""

    memory_mb: int
    memory_step_mb: int
    tmp_mb: int


CURRENT = Limits(memory_mb=10_240, memory_step_mb=1, tmp_mb=10_240)
OF_2019 = Limits(memory_mb=3008, memory_step_mb=64, tmp_mb=512)


def limits_of(profile: Profile) -> Limits:
    """Those of a profile."""
    return OF_2019 if profile == "2019" else CURRENT
