"""The errors that the sandbox itself gives as an invocation's answer, in AWS's words.

Pure: error type and text in, payload out. What a runtime posts is passed on unchanged and never goes through here.
AWS: Lambda Developer Guide, "Troubleshoot execution issues in Lambda"; types as in the Runtime Interface Emulator.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType

from undercast.core.record import record

_SIGNALS: Mapping[int, str] = MappingProxyType(
    {
        1: "hangup",
        2: "interrupt",
        3: "quit",
        4: "illegal instruction",
        5: "trace/breakpoint trap",
        6: "aborted",
        7: "bus error",
        8: "floating point exception",
        9: "killed",
        10: "user defined signal 1",
        11: "segmentation fault",
        12: "user defined signal 2",
        13: "broken pipe",
        14: "alarm clock",
        15: "terminated",
        24: "CPU time limit exceeded",
        25: "file size limit exceeded",
        31: "bad system call",
    }
)
"""Names that Lambda's supervisor (written in Go) gives to signals on Linux."""


EXIT_ERROR = "Runtime.ExitError"
EXITED_IN_2019 = "Process exited before completing request"
BEFORE_THE_RUNTIME_API = frozenset(
    {"nodejs", "nodejs4.3", "nodejs6.10", "nodejs8.10", "python2.7", "python3.6", "python3.7", "java8", "go1.x"}
    | {"dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1"}
)
"""Runtimes from before November 2018: in 2019 their exits were told in the words of 2014, later ones as today."""


@record(kw_only=False)
class Fault:
    """Why an init or an invoke failed without an answer of the function."""

    error_type: str
    text: str
    with_request_id: bool = True
    """Whether the message is prefixed with "RequestId: <id> Error: "."""

    def message(self, request_id: str) -> str:
        """The errorMessage; also the line that goes to the log."""
        return f"RequestId: {request_id} Error: {self.text}" if self.with_request_id else self.text

    def payload(self, request_id: str) -> bytes:
        """The invocation's answer."""
        return json.dumps({"errorType": self.error_type, "errorMessage": self.message(request_id)}).encode()


def timed_out(timeout_s: float) -> Fault:
    """The function timeout passed."""
    return Fault("Sandbox.Timedout", f"Task timed out after {timeout_s:.2f} seconds")


def exited(code: int | None, signal: int | None, error_type: str = "") -> Fault:
    """The runtime process ended without an answer; `error_type` is what an internal extension said before."""
    error_type = error_type or EXIT_ERROR
    if signal is not None or code:
        return Fault(error_type, f"Runtime exited with error: {_exit_text(code, signal)}")
    return Fault(error_type, "Runtime exited without providing a reason")


def extension_ended(code: int | None, signal: int | None, error_type: str = "") -> Fault:
    """An external extension ended before its time; `error_type` is Extension.InitError or .ExitError if it said so."""
    return Fault(error_type or "Extension.Crash", _exit_text(code, signal))


def _exit_text(code: int | None, signal: int | None) -> str:
    if signal is not None:
        return f"signal: {_SIGNALS.get(signal, f'signal {signal}')}"
    return f"exit status {code}" if code else "exit code 0"


def response_too_large(limit_bytes: int) -> Fault:
    """The response is over 6 MB, or 200 MB where it is streamed."""
    text = f"Response payload size exceeded maximum allowed payload size ({limit_bytes} bytes)."
    return Fault("Function.ResponseSizeTooLarge", text, with_request_id=False)


def truncated_response() -> Fault:
    """The runtime's connection ended inside its response."""
    return Fault("Runtime.TruncatedResponse", "Response was truncated")


def no_bootstrap(searched: tuple[str, ...]) -> Fault:
    """An OS-only runtime without a bootstrap."""
    return Fault("Runtime.InvalidEntrypoint", f"Couldn't find valid bootstrap(s): [{' '.join(searched)}]")


def invalid_working_dir(path: str) -> Fault:
    """WORKDIR of a container image, or ImageConfig.WorkingDirectory, is no folder."""
    return Fault("Runtime.InvalidWorkingDir", f"chdir {path}: no such file or directory")


def cannot_launch(path: str, reason: str) -> Fault:
    """`execve` refused an extension's program."""
    return Fault("Extension.LaunchError", f"fork/exec {path}: {reason}")


def too_many_extensions() -> Fault:
    """One more file in /opt/extensions than an environment can have."""
    return Fault("Extension.LaunchError", "ErrTooManyExtensions")


def cannot_execute(path: str, reason: str, *, go1x: bool) -> Fault:
    """`execve` refused the runtime's program. `reason` is the error's text in lower case, as Go prints it."""
    text = f"fork/exec {path}: {reason}"
    return Fault("PathError", text, with_request_id=False) if go1x else Fault("Runtime.InvalidEntrypoint", text)
