"""A program that the process driver starts: a thread of its own starts it and waits for its end.

Not the event loop's own way: uvloop closes no descriptor for a child, which keeps its copies of the standard streams
(uvloop, `handles/process.pyx`, `_file_redirect_stdio`), and to close them with `preexec_fn` is not safe in a process
that has threads (Python, `subprocess`). `Popen` closes them between fork and exec without running Python.
"""

import asyncio
import contextlib
import errno
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import field

from undercast.core.record import record
from undercast.sandbox.driver import ExitStatus, ProcessSpec

Popen = subprocess.Popen[bytes]


@record
class Outputs:
    """Descriptors that the program gets: it has them, and the platform has none of them when it has started."""

    stdout: int
    stderr: int
    others: Sequence[int] = ()
    """By their own numbers."""

    def close(self) -> None:
        """Let go of them."""
        for number in (self.stdout, self.stderr, *self.others):
            os.close(number)


@record
class Child:
    """See the module."""

    process: Popen
    exited: asyncio.Future[ExitStatus] = field(repr=False)


async def start(spec: ProcessSpec, environment: dict[str, str], outputs: Outputs) -> Child:
    """Start it, in a session of its own. Takes the outputs over. Raises OSError, ValueError."""
    loop = asyncio.get_running_loop()
    started: asyncio.Future[Popen] = loop.create_future()
    exited: asyncio.Future[ExitStatus] = loop.create_future()

    def tell(what: Callable[..., None], value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody asks any more
            loop.call_soon_threadsafe(what, value)

    def runs(process: Popen) -> None:
        if started.cancelled():  # who waited for it was, which stops no thread
            process.kill()
        else:
            started.set_result(process)

    def fails(error: Exception) -> None:
        if not started.cancelled():
            started.set_exception(error)

    def ends(code: int) -> None:
        if not exited.done():  # one who waited for it and was cancelled has cancelled it
            exited.set_result(ExitStatus(code=code) if code >= 0 else ExitStatus(signal=-code))

    def live() -> None:
        try:
            process = subprocess.Popen(
                spec.argv, env=environment, cwd=spec.cwd, stdin=subprocess.DEVNULL, stdout=outputs.stdout,
                stderr=outputs.stderr, pass_fds=outputs.others, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: a NUL in the environment
            tell(fails, error)
            return
        finally:
            outputs.close()
        tell(runs, process)
        tell(ends, process.wait())

    try:
        threading.Thread(target=live, name=f"child {spec.argv[0]}", daemon=True).start()
    except RuntimeError as error:
        outputs.close()
        raise OSError(errno.EAGAIN, str(error)) from error
    return Child(process=await started, exited=exited)
