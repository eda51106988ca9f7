"""A runtime that was started before its function was known, seen from the control plane: Node.js (decision 36).

It has its pipes from the beginning; one line on the last of them makes it the function's.
AWS: Lambda Developer Guide, "Building Lambda functions with Node.js".
"""

import json
import os

from undercast.core.record import record
from undercast.sandbox.driver import Prestart, ProcessSpec, SandboxError
from undercast.sandbox.launcher.link import close_all

_LINE_BYTES = 60_000
"""A pipe takes 64 KiB at once: the control plane never waits for the function."""


def open_pipes(count: int) -> tuple[list[int], list[int]]:
    """Our ends, read without blocking, and those that go into the sandbox. Raises SandboxError."""
    ours: list[int] = []
    theirs: list[int] = []
    try:
        for _ in range(count):
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
            ours.append(read_end)
            theirs.append(write_end)
            os.set_blocking(read_end, False)
    except OSError as error:
        close_all([*ours, *theirs])
        raise SandboxError(str(error)) from error
    return ours, theirs


@record
class Ahead:
    """Our ends of its pipes."""

    prestart: Prestart
    pipes: tuple[int, int, int]
    """Output, errors, telemetry."""
    line: int

    @classmethod
    def make(cls, prestart: Prestart) -> tuple["Ahead", list[int]]:
        """Ours, and the four ends that go into the sandbox. Raises SandboxError."""
        (out, errors, telemetry), outputs = open_pipes(3)
        try:
            theirs, line = os.pipe2(os.O_CLOEXEC)
        except OSError as error:
            close_all([out, errors, telemetry, *outputs])
            raise SandboxError(str(error)) from error
        os.set_blocking(line, False)
        return cls(prestart=prestart, pipes=(out, errors, telemetry), line=line), [*outputs, theirs]

    def assign(self, spec: ProcessSpec) -> bool:
        """Tell it whose runtime it is; False when it cannot be this one's."""
        environment = {**spec.environment, "_LAMBDA_TELEMETRY_LOG_FD": "3"}
        same = all(spec.environment.get(name) == value for name, value in self.prestart.environment)
        if spec.argv != self.prestart.command or not spec.telemetry or spec.image is not None or not same:
            return False
        text = json.dumps({"environment": environment, "cwd": spec.cwd}).encode() + b"\n"
        if len(text) > _LINE_BYTES:
            return False
        try:
            os.write(self.line, text)
        except OSError:
            return False  # it has ended
        os.close(self.line)
        return True

    def close(self) -> None:
        """Nobody wants it."""
        close_all([*self.pipes, self.line])
