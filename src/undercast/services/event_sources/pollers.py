"""Provisioned mode of a queue: how many pollers read it, and what one is worth.

Pure. A poller is not a process here: it is room for ten batches at once (decision 57).
AWS: Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings" (provisioned mode: ten
concurrent invokes for each event poller, up to 1,000 more a minute); API Reference, ProvisionedPollerConfig.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

MEMBER = "ProvisionedPollerConfig"
INVOKES_EACH = 10
MORE_PER_S = 1000 / 60
LEAST = 2
_DEFAULTS = {"MinimumPollers": LEAST, "MaximumPollers": 200}


class Provisioned(NamedTuple):
    """The numbers of pollers."""

    least: int
    most: int

    def at_work(self, batches: int) -> int:
        """How many are needed for so many batches at once."""
        return min(self.most, max(self.least, -(-batches // INVOKES_EACH)))


def provisioned(settings: Mapping[str, Any]) -> Provisioned | None:
    """Those that settings name; None in standard mode."""
    config = settings.get(MEMBER)
    return Provisioned(config["MinimumPollers"], config["MaximumPollers"]) if config else None


def with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What provisioned mode has where nothing was said."""
    config = settings.get(MEMBER)
    return {**settings, MEMBER: {**_DEFAULTS, **config}} if config else dict(settings)
