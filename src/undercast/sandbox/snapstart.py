"""SnapStart: versions that are initialised once, at their publishing, and then start from the memory of that INIT.

What can be taken, why not otherwise, the images that are kept, and the errors of a restore. `environment` and `pool` do
the work, the launcher copies the memory (decision 35).
AWS: Lambda Developer Guide, "Improving startup performance with Lambda SnapStart", "Lambda SnapStart runtime hooks",
"Troubleshooting SnapStart errors for Lambda functions".
"""

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from undercast.core.errors import ServiceError
from undercast.sandbox.admission import FleetKey
from undercast.sandbox.driver import Driver
from undercast.sandbox.initialisation import Problem
from undercast.sandbox.run import TIMED_OUT
from undercast.sandbox.runtimes.plan import RuntimePlan

RESTORE_TIMEOUT_S = 10.0
"""Runtime hooks: restore and after-restore hooks together."""
PAUSE = b'{"pause": true}'
"""Answer to `restore/next` of a runtime that is taken as a snapshot. Our Python clients alone read it."""
GO_ON = b"{}"
AHEAD = "is initialised ahead instead of being restored from a snapshot, because"
_REFRESHED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SHARE = 4
"""Of the memory for environments, a fourth may be images."""


class InitFailed(Exception):
    """The INIT of a version failed, so that there can be no snapshot. The text is the error type."""


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """The memory of one initialised runtime. `usable_until` is host-clock seconds: its session ends soon after."""

    image: int
    """Descriptor of a sealed memory file."""
    environment_id: str
    """Whose session clients made in INIT go on to use."""
    usable_until: float
    size_bytes: int


class Snapshots:
    """The images by version; the one that was not used for longest gives way. Who takes one out ends its session."""

    def __init__(self, memory_mb: int) -> None:
        self._limit_bytes = memory_mb * 1024 * 1024 // _SHARE
        self._kept: OrderedDict[FleetKey, Snapshot] = OrderedDict()

    def get(self, key: FleetKey) -> Snapshot | None:
        """The version's, used now."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: FleetKey, snapshot: Snapshot) -> list[Snapshot]:
        """Keep one; what has to go for it, the descriptors closed."""
        gone = self.drop(key)
        self._kept[key] = snapshot
        while len(self._kept) > 1 and self.size_bytes > self._limit_bytes:
            gone += self.drop(next(iter(self._kept)))
        return gone

    def drop(self, key: FleetKey) -> list[Snapshot]:
        """Forget a version's; what is gone, the descriptor closed."""
        snapshot = self._kept.pop(key, None)
        if snapshot is None:
            return []
        os.close(snapshot.image)
        return [snapshot]

    def of(self, function_arn: str, version: str | None) -> list[FleetKey]:
        """The keys of one version of a function, or of all."""
        return [key for key in self._kept if key[0] == function_arn and version in (None, key[1])]

    def clear(self) -> list[Snapshot]:
        """Forget all."""
        return [gone for key in list(self._kept) for gone in self.drop(key)]

    @property
    def size_bytes(self) -> int:
        """Memory of all."""
        return sum(snapshot.size_bytes for snapshot in self._kept.values())


def size_of(image: int) -> int:
    """Memory that an image takes: its holes take none."""
    return os.fstat(image).st_blocks * 512


def refusal(plan: RuntimePlan, driver: Driver, *, extensions: bool) -> str:
    """Why a version cannot be restored from a snapshot on this machine; "" when it can be tried."""
    if plan.python is None:
        return "only Python runtimes can be copied here"
    if not plan.forkable:
        return "its variables, wrapper or libraries ask for an interpreter that is started afresh"
    if extensions:
        return "it has external extensions, whose processes are not copied"
    if reason := driver.takes_snapshots():
        return reason
    return "" if driver.zygote_runs(plan.python) else "this Python cannot be forked here"


def refreshed(variables: Mapping[str, str]) -> bytes:
    """Answer to `restore/next` of a restored runtime: the variables that are its environment's own."""
    return json.dumps({"environment": {name: variables[name] for name in _REFRESHED}}).encode()


def restore_failure(problem: Problem) -> ServiceError:
    """The error of the invocation that an environment was restored for. Texts of AWS's model."""
    if problem.error_type == TIMED_OUT:
        text = "Lambda couldn't restore the snapshot within the timeout limit."
        return ServiceError("SnapStartTimeoutException", text, 408, members={"Type": "User"})
    text = (
        "The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs."
    )
    return ServiceError("SnapStartException", text, 400, members={"Type": "User"})
