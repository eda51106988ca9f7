"""What the sandbox is told and what it answers, as frozen data; and the protocols it needs from outside.

AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import NamedTuple, Protocol

from undercast.core.arn import AccountId, Region
from undercast.core.context import EXTERNAL, Cause
from undercast.core.record import record
from undercast.sandbox.response_stream import ResponseStream


@record
class Logging:
    """A function's LoggingConfig without its group. The levels are of the JSON format only."""

    is_json: bool = False
    application_level: str = "INFO"
    system_level: str = "INFO"


@record
class Debug:
    """A function runs under a debugger: on `inner_port` of the sandbox, for clients on `port` of 127.0.0.1."""

    port: int
    inner_port: int
    wait: bool
    """INIT waits until somebody is attached."""


@record
class Container:
    """How the process of a container image is started; the function's `code_dir` is its root file system."""

    command: tuple[str, ...]
    """ENTRYPOINT and CMD, or what ImageConfig has in their place."""
    working_dir: str
    environment: Mapping[str, str]
    """ENV: the function's own variables win."""


@record
class FunctionVersion:
    """One immutable deployable: what an execution environment runs. Two that differ in anything never share one."""

    arn: str
    """Unqualified function ARN."""
    name: str
    version: str
    """"$LATEST" or a number."""
    revision: str
    """Changes with every update of code or configuration; environments of an older revision are retired."""
    account_id: AccountId
    region: Region
    runtime: str
    handler: str
    code_dir: Path
    """Unpacked code, read-only, mounted at /var/task; of a container image at /."""
    container: Container | None = None
    live: bool = False
    """The code is a folder of the user's, whose files may change; then the revision does."""
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Path, ...] = ()
    memory_mb: int = 128
    timeout_s: int = 3
    tmp_mb: int = 512
    role_arn: str
    log_group: str
    logging: Logging = field(default_factory=Logging)
    code_sha256: str = ""
    debug: Debug | None = None
    snap_start: bool = False
    """A published version with SnapStart.ApplyOn PublishedVersions."""
    traces_actively: bool = False
    """TracingConfig.Mode Active: an invocation whose caller has not decided is sampled."""

    @property
    def has_own_log_group(self) -> bool:
        """Whether its log group is not the one that Lambda makes for it."""
        return self.log_group != f"/aws/lambda/{self.name}"


class Queued(NamedTuple):
    """An event that waited for its invocation."""

    at: float
    """Platform-clock seconds of its acceptance."""
    attempt: int
    """From 1."""


@record
class Tracing:
    """How an invocation that is sampled stands in its X-Ray trace."""

    trace_id: str
    parent_id: str
    """The caller's segment or subsegment; "" for none."""
    service_id: str
    """Of the segment of the Lambda service."""
    function_id: str
    """Of the function's own segment: Parent in the header that the function gets."""
    accepted_at: float
    """Platform-clock seconds."""
    attempt_id: str = ""
    """Of the subsegment for this attempt, where the event was queued."""
    links: tuple[tuple[str, str], ...] = ()
    """Traces that led to it and are not its own: (trace id, segment id) of each sampled message of a batch."""


class Meter(Protocol):
    """Takes the figures of an invocation's REPORT."""

    def reported(self, duration_ms: float, max_memory_used_mb: int) -> None:
        """Called once, behind the end of the invocation: after the answer, where extensions still had work to do."""
        ...


@record
class Invocation:
    """One request to a function."""

    request_id: str
    function: FunctionVersion
    payload: bytes
    invoked_arn: str
    """The ARN as the caller named it, with its qualifier."""
    cause: Cause = EXTERNAL
    trace_header: str = ""
    tracing: Tracing | None = None
    """Of an invocation whose trace header says Sampled=1."""
    queued: Queued | None = None
    """Of an asynchronous invocation."""
    linked_headers: tuple[str, ...] = ()
    """Trace headers of the messages of its event."""
    client_context: str = ""
    tail_log: bool = False
    synchronous: bool = True
    """Synchronous invokes are admitted first."""
    stream: ResponseStream | None = None
    """Takes the answer of a runtime that streams, piece by piece. The result's payload is empty then."""
    meter: Meter | None = None

    def measured(self, trace_header: str, meter: Meter) -> "Invocation":
        """As `dataclasses.replace` makes it, in a third of the time: every invocation gets one."""
        return Invocation(
            request_id=self.request_id,
            function=self.function,
            payload=self.payload,
            invoked_arn=self.invoked_arn,
            cause=self.cause,
            trace_header=trace_header,
            tracing=self.tracing,
            queued=self.queued,
            linked_headers=self.linked_headers,
            client_context=self.client_context,
            tail_log=self.tail_log,
            synchronous=self.synchronous,
            stream=self.stream,
            meter=meter,
        )


@record
class InvocationResult:
    """The answer. `function_error` is the X-Amz-Function-Error value ("Unhandled") or None. Times in milliseconds."""

    payload: bytes
    function_error: str | None = None
    log_tail: bytes = b""
    """Last 4 KiB of the invocation's log when `tail_log` was asked for."""
    environment_id: str = ""
    duration_ms: float = 0.0
    """Until the answer was known; `Meter` hears the one of the REPORT."""
    init_duration_ms: float | None = None
    max_memory_used_mb: int = 0
    """As was known at the answer."""


@record
class EnvironmentCredentials:
    """What AWS_ACCESS_KEY_ID and its companions hold in one environment. `expires_at` is host-clock seconds."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: float


LogEvent = tuple[int, str]
"""One record of a log stream: platform-clock milliseconds, message. A plain tuple: each invocation makes three."""


class LogSink(Protocol):
    """Takes what functions and the platform write to a function's log. Never blocks, never fails the invoke."""

    def append(self, function: FunctionVersion, log_stream: str, events: Sequence[LogEvent]) -> None:
        """Append to a stream of `function.log_group`, making group and stream when they are missing."""
        ...


@record
class TracedRun:
    """A sampled invocation that is over. `ended_at` is platform-clock seconds, at the end of `duration_ms`."""

    invocation: Invocation
    tracing: Tracing
    environment_id: str
    ended_at: float
    duration_ms: float
    answered_ms: float
    """From its beginning to the runtime's answer; 0 where there was none."""
    init_duration_ms: float | None
    restore_duration_ms: float | None = None
    """Of an environment that began from a snapshot: in place of INIT."""
    error_type: str
    """"" for success."""
    error: bytes
    """What the caller got in its place."""


class TraceSink(Protocol):
    """The X-Ray daemon of all environments, and who makes Lambda's own segments. Never blocks, never fails."""

    def segment(self, function: FunctionVersion, packet: bytes) -> None:
        """Take what came to the daemon's UDP port."""
        ...

    def connection(self, function: FunctionVersion) -> asyncio.Protocol:
        """Who answers a connection to the daemon's TCP port, which signs requests with the function's role on AWS."""
        ...

    def ran(self, run: TracedRun) -> None:
        """A sampled invocation is over."""
        ...


class CredentialSource(Protocol):
    """Issues the session credentials of a function's role."""

    async def issue(self, function: FunctionVersion, environment_id: str) -> EnvironmentCredentials:
        """Credentials whose use is traced to this environment."""
        ...

    async def end(self, environment_id: str) -> None:
        """The environment is gone: its credentials are worth nothing any more. Nothing when it has none."""
        ...


class FrontDoor(Protocol):
    """Serves the platform's AWS APIs on listeners inside a sandbox."""

    def adopt(self, listener: socket.socket, environment_id: str, *, tls: bool) -> None:
        """Serve on the listening socket until `release`; requests carry the environment's id.

        `tls` None-like False means sniff (HTTP and HTTPS on one port) as on the front door; True means port 443.
        """
        ...

    def accept(self, connection: socket.socket, environment_id: str, *, tls: bool) -> None:
        """Serve a connection that the sandbox's relay has accepted; `tls` as in `adopt`."""
        ...

    def release(self, environment_id: str) -> None:
        """Close all listeners and connections of the environment."""
        ...


class CauseBook(Protocol):
    """Is told which invocation an environment is busy with, so that its calls carry the right cause."""

    def set_phase(self, environment_id: str, cause: Cause | None) -> None:
        """`None` forgets the environment."""
        ...

    def invoked(self, invocation: Invocation, environment_id: str) -> None:
        """Record the edge cause -> invocation -> environment in the causal log."""
        ...

    def failed(self, invocation: Invocation, environment_id: str, error_type: str) -> None:
        """Record that it ended with this error: of the function, or what ended its process."""
        ...
