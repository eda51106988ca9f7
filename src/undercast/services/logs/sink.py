"""Where execution environments write: `sandbox.model.LogSink` on top of the intake.

Makes group and stream on the first event, whatever the function's role allows. Never blocks, never fails.
AWS: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs".
"""

from collections.abc import Sequence

from undercast.core.arn import Scope
from undercast.sandbox.model import FunctionVersion, LogEvent
from undercast.services.logs.followers import StreamName
from undercast.services.logs.intake import Intake

_MAX_NAMES = 4096


class FunctionLogs:
    """See `sandbox.model.LogSink`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._names: dict[str, tuple[FunctionVersion, StreamName]] = {}
        """Of the streams that are written to: made once, for every invocation asks for its own."""

    def append(self, function: FunctionVersion, log_stream: str, events: Sequence[LogEvent]) -> None:
        """Stream names are random, so one that is unknown here does not exist."""
        known = self._names.get(log_stream)
        name = known[1] if known is not None and known[0] is function else self._name(function, log_stream)
        key = self._intake.known(name)
        if key is None:
            key = self._intake.create(name)
        self._intake.append(name, key, events)

    def _name(self, function: FunctionVersion, log_stream: str) -> StreamName:
        if len(self._names) >= _MAX_NAMES:
            self._names.clear()
        name = StreamName(Scope(function.account_id, function.region), function.log_group, log_stream)
        self._names[log_stream] = (function, name)
        return name
