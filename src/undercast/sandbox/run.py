"""The invocation that an execution environment is busy with, from its event to its REPORT line.

Data and texts; what happens to it is decided in `environment`.
AWS: Lambda Developer Guide, "Invoke" API, "Sending Lambda function logs to CloudWatch Logs".
"""

import asyncio
import json
import time
from dataclasses import dataclass

from undercast.core.clock import HostClock
from undercast.core.config import Profile
from undercast.core.errors import ServiceError
from undercast.sandbox import errors
from undercast.sandbox.errors import Fault
from undercast.sandbox.logs import Billing, Report, Restored
from undercast.sandbox.model import Invocation, InvocationResult
from undercast.sandbox.runtime_api import RuntimeEvent
from undercast.sandbox.runtime_messages import Answer

TIMED_OUT = "Sandbox.Timedout"


@dataclass(slots=True, kw_only=True)
class Run:
    """`began` is host-clock monotonic seconds, `deadline_ms` host-clock epoch milliseconds."""

    invocation: Invocation
    outcome: "asyncio.Future[InvocationResult]"
    began: float
    deadline_ms: int
    answer: Answer | None = None
    fault: Fault | None = None
    """Why there is no answer of the function, or why its answer does not count."""
    duration_ms: float = 0.0
    init_duration_ms: float | None = None
    restored: Restored | None = None
    answered_ms: float = 0.0
    """From its beginning to the runtime's answer."""
    runtime_ms: float = 0.0
    """To the runtime's next request: what is more in Duration is the extensions'."""
    profile: Profile = "current"
    told: str = ""
    """What the log says of the fault that ended it."""
    error_noted: bool = False
    """Whether the causal log has its error."""
    extended: bool = False
    """Whether an extension has its event, too."""

    def begin_later(self, clock: HostClock) -> None:
        """Its time begins now: what it waited for was not its environment's doing."""
        self.began = clock.monotonic()
        self.deadline_ms = _deadline_ms(clock, self.invocation.function.timeout_s)

    @property
    def request_id(self) -> str:
        """The id that every line and every answer has."""
        return self.invocation.request_id

    @property
    def event(self) -> RuntimeEvent:
        """What the runtime gets from `next`."""
        return RuntimeEvent(
            request_id=self.invocation.request_id,
            payload=self.invocation.payload,
            deadline_ms=self.deadline_ms,
            invoked_arn=self.invocation.invoked_arn,
            trace_header=self.invocation.trace_header,
            client_context=self.invocation.client_context,
            stream=self.invocation.stream,
        )

    def extension_event(self) -> dict[str, object]:
        """What extensions get from `event/next`."""
        invocation = self.invocation
        event: dict[str, object] = {
            "eventType": "INVOKE",
            "deadlineMs": self.deadline_ms,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.invoked_arn,
        }
        if invocation.trace_header:
            event["tracing"] = {"type": "X-Amzn-Trace-Id", "value": invocation.trace_header}
        return event

    @property
    def payload(self) -> bytes:
        """What the caller gets; of an answer that was streamed, what came in one piece."""
        if self.fault is not None:
            return self.payload_of(self.fault)
        return self.answer.payload if self.answer is not None else b""

    def resolve(self, environment_id: str, max_memory_used_mb: int, log_tail: bytes) -> None:
        """Give the caller the answer; once."""
        if self.outcome.done():
            return
        answer = self.answer
        failed = self.fault is not None or answer is None or answer.error_type is not None
        self.outcome.set_result(
            InvocationResult(
                payload=self.payload,
                function_error="Unhandled" if failed else None,
                log_tail=log_tail,
                environment_id=environment_id,
                duration_ms=self.duration_ms,
                init_duration_ms=self.init_duration_ms,
                max_memory_used_mb=max_memory_used_mb,
            )
        )

    def abandon(self, reason: str) -> None:
        """The platform ends it; not the function's fault."""
        if not self.outcome.done():
            self.outcome.set_exception(ServiceError("ServiceException", reason, 500))

    def report(self, max_memory_used_mb: int, billing: Billing, error_type: str = "") -> Report:
        """Its REPORT line; `error_type` is "" for success."""
        timed_out = error_type == TIMED_OUT
        header = self.invocation.trace_header
        return Report(
            request_id=self.request_id,
            duration_ms=self.duration_ms,
            memory_mb=self.invocation.function.memory_mb,
            max_memory_used_mb=max_memory_used_mb,
            init_duration_ms=self.init_duration_ms,
            restored=self.restored,
            status="timeout" if timed_out else "error" if error_type else "",
            error_type="" if timed_out else error_type,
            billing=billing,
            trace_header=header if self.invocation.function.traces_actively or "Sampled=1" in header else "",
        )

    def payload_of(self, fault: Fault) -> bytes:
        """The answer that a fault is. In 2019 a timeout or an exit was told in the words of the log, without a type."""
        if self.profile == "2019" and self.told and self._has_old_words(fault):
            return json.dumps({"errorMessage": self.told}).encode()
        return fault.payload(self.request_id)

    def tell(self, fault: Fault, now: float) -> str:
        """The log line about the fault that ends it; `now` is platform-clock seconds."""
        line = f"{fault.message(self.request_id)}\n{fault.error_type}\n"
        if fault.error_type == TIMED_OUT:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
            line = f"{stamp} {self.request_id} {fault.text}\n\n"
        elif self.profile == "2019" and self._has_old_words(fault):
            line = f"RequestId: {self.request_id} {errors.EXITED_IN_2019}\n\n"
        self.told = line.rstrip("\n")
        return line

    def _has_old_words(self, fault: Fault) -> bool:
        is_old = self.invocation.function.runtime in errors.BEFORE_THE_RUNTIME_API
        return fault.error_type == TIMED_OUT or (is_old and fault.error_type == errors.EXIT_ERROR)


def _deadline_ms(clock: HostClock, timeout_s: float) -> int:
    return int((clock.now() + timeout_s) * 1000)


def begun(
    invocation: Invocation, outcome: "asyncio.Future[InvocationResult]", clock: HostClock, profile: Profile = "current"
) -> Run:
    """The run of an invocation whose time begins now."""
    deadline_ms = _deadline_ms(clock, invocation.function.timeout_s)
    return Run(
        invocation=invocation, outcome=outcome, began=clock.monotonic(), deadline_ms=deadline_ms, profile=profile
    )
