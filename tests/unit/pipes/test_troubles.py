"""What is told of pipes that get nothing done.

AWS: EventBridge User Guide, "Error handling and troubleshooting".
"""

import logging

import pytest

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.errors import ServiceError
from undercast.events.poller import Source, Unavailable, source_or_reason
from undercast.services.pipes.models import RUNNING, Pipe
from undercast.services.pipes.troubles import CALL, MOST_TOLD, SOURCE, Troubles, Watched, told

PIPE = Pipe(
    id="1", scope=Scope(AccountId("1" * 12), Region("us-east-1")), name="p", given={}, tags={}, desired=RUNNING,
    state=RUNNING, created_at=0.0, changed_at=0.0,
)  # fmt: skip


def test_log_has_one_line_for_each_cause_until_the_pipe_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    """However often it fails, and works in between; StateReason has what fails now. Causes without end are not told."""
    troubles = Troubles()
    with caplog.at_level(logging.WARNING):
        troubles.failed(PIPE, SOURCE, "no queue")
        troubles.failed(PIPE, CALL, "no function")
        assert troubles.reason(PIPE) == "The source: no queue The enrichment or target: no function"
        troubles.worked(PIPE, SOURCE)
        troubles.failed(PIPE, CALL, "x" * 1000)
        assert len(troubles.reason(PIPE)) == 512
        troubles.worked(PIPE, CALL)
        assert troubles.reason(PIPE) == ""
        for _ in range(3):
            troubles.failed(PIPE, CALL, "no function")
        lines = [record.getMessage()[:60] for record in caplog.records]
        assert lines == [
            "pipe p cannot use its source: no queue",
            "pipe p cannot use its enrichment or target: no function",
            "pipe p cannot use its enrichment or target: " + "x" * 16,
        ]
        troubles.forget(PIPE)
        caplog.clear()
        for number in range(50):
            troubles.failed(PIPE, SOURCE, f"no queue {number}")
    assert len(caplog.records) == MOST_TOLD


async def test_a_source_that_cannot_be_made_is_in_the_reason() -> None:
    """A stored filter that is refused now: StateReason says so, however often the source is asked."""

    def refuse() -> Source:
        raise ValueError("mask bits must be < 32")

    troubles = Troubles()
    source = Watched(source_or_reason(refuse), troubles, PIPE)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await source.take()
    told_now = "The source: it cannot be read with the settings that it has: mask bits must be < 32"
    assert troubles.reason(PIPE) == told_now


def test_what_a_function_raised_is_not_told() -> None:
    """It may be anything, a secret too."""
    assert "secret" not in told(ServiceError("FunctionError", "secret"))
    assert told(ServiceError("ResourceNotFoundException", "gone")) == "gone"
