"""What EventBridge Pipes tells CloudWatch of its pipes: namespace AWS/EventBridge/Pipes, dimension PipeName.

AWS: EventBridge User Guide, "Logging and monitoring Amazon EventBridge Pipes" (metrics).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from undercast.core.clock import Clock
from undercast.core.errors import ServiceError
from undercast.core.metrics import Meter, Metrics
from undercast.services.pipes.models import Pipe

Stage = Literal["EnrichmentStage", "TargetStage"]


class Measures:
    """One per platform. Durations are the host's."""

    def __init__(self, metrics: Metrics, clock: Clock, host_clock: Clock) -> None:
        self._meter = Meter(metrics, clock, "AWS/EventBridge/Pipes")
        self._host_clock = host_clock

    @contextmanager
    def execution(self, pipe: Pipe, events: int) -> Iterator[None]:
        """One execution with so many events; what it raises is its failure."""
        of_account = (("AwsAccountId", str(pipe.scope.account_id)),)
        self._meter.put(pipe.scope, "Invocations", of_account)
        self._put(pipe, "Invocations", 1)
        self._put(pipe, "EventCount", events)
        with self._timed(pipe, "Duration", "ExecutionFailed"):
            yield

    @contextmanager
    def stage(self, pipe: Pipe, stage: Stage) -> Iterator[None]:
        """A part of it."""
        with self._timed(pipe, f"{stage}Duration", f"{stage}Failed"):
            yield

    def skipped(self, pipe: Pipe) -> None:
        """The enrichment left nothing for the target."""
        self._put(pipe, "TargetStageSkipped", 1)

    def ended(self, pipe: Pipe, failed: int) -> None:
        """The target was called, and so many events have failed."""
        self._put(pipe, "TargetStagePartiallyFailed", bool(failed))
        self._put(pipe, "ExecutionPartiallyFailed", bool(failed))

    @contextmanager
    def _timed(self, pipe: Pipe, duration: str, failure: str) -> Iterator[None]:
        began, failed = self._host_clock.now(), False
        try:
            yield
        except ServiceError:
            failed = True
            raise
        finally:
            self._put(pipe, failure, failed)
            self._put(pipe, duration, max(0.0, 1000 * (self._host_clock.now() - began)), "Milliseconds")

    def _put(self, pipe: Pipe, name: str, value: float, unit: str = "Count") -> None:
        self._meter.put(pipe.scope, name, (("PipeName", pipe.name),), float(value), unit)
