"""Functions that this machine has no runtime for: told when they are made, in `undercast status` and in the log.

CreateFunction succeeds, as on AWS, where every runtime is there. Who waits for an answer gets the error; whoever sent
an event, or a message to a queue, would see nothing. Nothing of it is written to the function's log group: what is
there AWS could have written.
AWS: none.
"""

import logging
from collections.abc import Iterable, Mapping

from undercast.core.errors import ServiceError
from undercast.sandbox.model import FunctionVersion

_MAX_FUNCTIONS = 1000
_log = logging.getLogger(__name__)


class Unable:
    """One per platform."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[FunctionVersion, str]] = {}

    def note(self, function: FunctionVersion, error: ServiceError) -> None:
        """It could not be run."""
        if error.code == "InvalidRuntimeException":
            self.found(function, error.message)

    def found(self, function: FunctionVersion, reason: str) -> None:
        """What it lacks now; "" where nothing is missing."""
        key = (function.arn, function.version)
        if not reason:
            self._found.pop(key, None)
            return
        known = self._found.get(key)
        if known is None and len(self._found) >= _MAX_FUNCTIONS:
            self._found.clear()
        self._found[key] = (function, reason)
        if known is None or known[1] != reason:
            _log.warning("%s cannot be run: %s", function.arn, reason)

    def ran(self, function: FunctionVersion) -> None:
        """What was missing is there."""
        if self._found:
            self._found.pop((function.arn, function.version), None)

    def gone(self, function_arn: str, version: str | None) -> None:
        """One version, or all of a function, were deleted."""
        for key in [key for key in self._found if key[0] == function_arn and version in (None, key[1])]:
            del self._found[key]

    def clear(self) -> None:
        """All were (reset)."""
        self._found.clear()

    def reason(self, function: FunctionVersion) -> str:
        """What to do before it runs; "" where nothing is known to be missing."""
        found = self._found.get((function.arn, function.version))
        return found[1] if found is not None else ""

    def functions(self) -> Iterable[FunctionVersion]:
        """Those that lack something."""
        return [function for function, _ in self._found.values()]

    def shown(self) -> list[Mapping[str, str]]:
        """For `undercast status`."""
        return [
            {"function": function.arn, "version": function.version, "runtime": function.runtime, "reason": reason}
            for function, reason in self._found.values()
        ]
