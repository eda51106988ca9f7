"""Functions that this machine has no runtime for: told in the platform's log, once each, and when an event is given up.

Who waits for an answer gets the error; whoever sent an event, or a message to a queue, would see nothing.
AWS: none; every runtime is there.
"""

import logging

from undercast.core.errors import ServiceError
from undercast.sandbox.model import FunctionVersion

_MAX_FUNCTIONS = 1000
_log = logging.getLogger(__name__)


class Unable:
    """One per platform."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}
        """ARN of a function -> what to do, until it runs."""

    def note(self, function: FunctionVersion, error: ServiceError) -> None:
        """It could not be run."""
        if error.code != "InvalidRuntimeException" or self.reasons.get(function.arn) == error.message:
            return
        if len(self.reasons) >= _MAX_FUNCTIONS:
            self.reasons.clear()
        self.reasons[function.arn] = error.message
        _log.warning("%s cannot be run: %s", function.arn, error.message)

    def ran(self, function: FunctionVersion) -> None:
        """What was missing is there."""
        self.reasons.pop(function.arn, None)
