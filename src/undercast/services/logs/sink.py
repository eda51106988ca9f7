"""Where execution environments write: `sandbox.model.LogSink` on top of the intake.

Makes group and stream on the first event, whatever the function's role allows. Never blocks, never fails.
AWS: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs".
"""

from collections.abc import Sequence

from undercast.core.arn import Scope
from undercast.sandbox.model import FunctionVersion, LogEvent
from undercast.services.logs.intake import Intake, StreamName


class FunctionLogs:
    """See `sandbox.model.LogSink`."""

    def __init__(self) -> None:
        self._intake: Intake | None = None

    def attach(self, intake: Intake) -> None:
        """Once, before any environment starts: the pool is built before the services are."""
        self._intake = intake

    def append(self, function: FunctionVersion, log_stream: str, events: Sequence[LogEvent]) -> None:
        """Stream names are random, so one that is unknown here does not exist."""
        assert self._intake is not None
        name = StreamName(Scope(function.account_id, function.region), function.log_group, log_stream)
        key = self._intake.known(name)
        if key is None:
            key = self._intake.create(name)
        self._intake.append(name, key, events)
