"""Outlives the platform by a moment, to kill the process groups that a killed platform leaves.

A shell that reads which groups there are from a pipe; its end means that the platform is gone. A stopped process cannot
see that by itself, and what the kernel offers for it (PR_SET_PDEATHSIG) is not portable.
"""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process

_STOP_LIMIT_S = 2.0
_SCRIPT = """
groups=" "
while read -r change group; do
  case $change in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"""


class Guard:
    """One per driver."""

    def __init__(self) -> None:
        self._process: Process | None = None

    async def start(self) -> None:
        """Start the shell, in a session of its own so that Ctrl-C does not end it."""
        self._process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", _SCRIPT, env={}, cwd="/", stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    async def stop(self) -> None:
        """End it; groups that are still known are killed."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def add(self, group: int) -> None:
        """This group must not outlive the platform."""
        self._tell(f"+ {group}\n")

    def drop(self, group: int) -> None:
        """This group has ended: its number may mean another one soon."""
        self._tell(f"- {group}\n")

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(line.encode())
