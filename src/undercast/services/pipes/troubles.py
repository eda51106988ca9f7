"""Why pipes that run get nothing done: the last failure of each, for DescribePipe and once for the platform's log.

What is refused of a batch is a failure, too: it comes again until it expires.

In memory: what still fails fails again after a start. A function's answer is not kept, nor are the words of a target
where a parameter of its request came of an event: they may quote it.
AWS: EventBridge User Guide, "Error handling and troubleshooting" ("explanatory message in the StateReason"); there the
pipe may be disabled as well.
"""

import logging
from collections.abc import Collection
from typing import Any

from undercast.core.errors import ServiceError
from undercast.events.poller import Processed, Source, Unavailable
from undercast.services.pipes.models import Pipe

SOURCE, CALL = "source", "enrichment or target"
MAX_REASON = 512
MOST_TOLD = 10
"""Reasons of one pipe in the log: one may have an id in it, and be another each time."""
_log = logging.getLogger(__name__)


class Troubles:
    """One per platform."""

    def __init__(self) -> None:
        self._reasons: dict[str, dict[str, str]] = {}
        self._told: dict[str, set[tuple[str, str]]] = {}

    def failed(self, pipe: Pipe, what: str, reason: str) -> None:
        """The log gets one line for each reason, each time that a pipe begins to run."""
        self._reasons.setdefault(pipe.id, {})[what] = reason
        told = self._told.setdefault(pipe.id, set())
        if (what, reason) not in told and len(told) < MOST_TOLD:
            told.add((what, reason))
            _log.warning("pipe %s cannot use its %s: %s", pipe.name, what, reason)

    def worked(self, pipe: Pipe, what: str) -> None:
        """That is over."""
        self._reasons.get(pipe.id, {}).pop(what, None)

    def reason(self, pipe: Pipe) -> str:
        """What fails now; empty where nothing does."""
        return " ".join(f"The {what}: {reason}" for what, reason in self._reasons.get(pipe.id, {}).items())[:MAX_REASON]

    def forget(self, pipe: Pipe) -> None:
        """It begins to run, or ends."""
        self._reasons.pop(pipe.id, None)
        self._told.pop(pipe.id, None)


def told(error: ServiceError) -> str:
    """A failure in words, without a function's own. Those of a target are withheld before (`targets.py`)."""
    if error.code == "FunctionError":
        return "the function answered with an error"
    return error.message


def withheld(code: str, parameters: Collection[str]) -> str:
    """What is told of an error of a target whose parameters of these names came of an event."""
    return f"{code}: its text is left out, for it may quote the event, of which the target got {', '.join(parameters)}"


class Watched:
    """A pipe's source; whether it can be read is noted. See `events.poller.Source`."""

    def __init__(self, source: Source, troubles: Troubles, pipe: Pipe) -> None:
        self._source = source
        self._troubles = troubles
        self._pipe = pipe
        troubles.forget(pipe)

    @property
    def most(self) -> int:
        """See `Source`."""
        return self._source.most

    @property
    def at_first(self) -> int:
        """See `Source`."""
        return self._source.at_first

    def crowded(self) -> bool:
        """See `Source`."""
        return self._source.crowded()

    async def take(self) -> Any:
        """See `Source`."""
        try:
            batch = await self._source.take()
        except Unavailable as error:
            self._troubles.failed(self._pipe, SOURCE, str(error))
            raise
        self._troubles.worked(self._pipe, SOURCE)
        return batch

    async def process(self, batch: Any) -> Processed:
        """See `Source`."""
        return await self._source.process(batch)

    async def close(self) -> None:
        """See `Source`."""
        self._troubles.forget(self._pipe)
        await self._source.close()
