"""Lambda's own segments, from the figures of a REPORT."""

import json
from dataclasses import replace

from tests.fakes_sandbox import a_function
from undercast.sandbox.model import Invocation, Queued, TracedRun, Tracing
from undercast.services.xray.documents import received
from undercast.services.xray.lambda_segments import segments

TRACING = Tracing(
    trace_id="1-5759e988-bd862e3fe1be46a994272793",
    parent_id="53995c3f42cd8ad8",
    service_id="a" * 16,
    function_id="b" * 16,
    accepted_at=99.5,
)
RUN = TracedRun(
    invocation=Invocation(request_id="r-1", function=a_function(), payload=b"", invoked_arn="arn:x:1", tracing=TRACING),
    tracing=TRACING,
    environment_id="e",
    ended_at=101.0,
    duration_ms=1000.0,
    answered_ms=900.0,
    init_duration_ms=250.0,
    error_type="",
    error=b"",
)


def phases(run: TracedRun) -> list[tuple[str, float, float]]:
    own = segments(run)[1]
    return [(one["name"], one["start_time"], one["end_time"]) for one in own["subsegments"]]


def test_the_phases_of_a_first_invocation() -> None:
    """INIT before it, the answer at the end of Invocation, what follows is Overhead."""
    service, own = segments(RUN)
    assert (service["parent_id"], own["parent_id"], service["start_time"]) == (TRACING.parent_id, "a" * 16, 99.5)
    assert phases(RUN) == [("Initialization", 99.75, 100.0), ("Invocation", 100.0, 100.9), ("Overhead", 100.9, 101.0)]
    for document in (service, own):
        assert received_again(document) == document["id"]


def received_again(document: dict[str, object]) -> str:
    return received(json.dumps(document)).id


def test_a_restore_stands_in_the_place_of_the_initialization() -> None:
    """SnapStart."""
    restored = replace(RUN, init_duration_ms=None, restore_duration_ms=100.0)
    assert phases(restored)[0] == ("Restore", 99.9, 100.0)


def test_a_queued_event_has_its_dwell_time_and_its_attempts() -> None:
    """Subsegments of the service's segment; the function's hangs below the attempt."""
    tracing = replace(TRACING, attempt_id="c" * 16, accepted_at=90.0)
    waited = replace(RUN, tracing=tracing, invocation=replace(RUN.invocation, queued=Queued(90.0, 1)))
    service, own, dwell, attempt = segments(waited)
    assert (service["start_time"], own["parent_id"]) == (90.0, attempt["id"])
    assert [(one["name"], one["start_time"], one["end_time"]) for one in (dwell, attempt)] == [
        ("Dwell Time", 90.0, 100.0),
        ("Attempt #1", 100.0, 101.0),
    ]
    for document in (dwell, attempt):
        assert (document["parent_id"], received_again(document)) == (service["id"], document["id"])
    again = replace(waited, invocation=replace(RUN.invocation, queued=Queued(90.0, 2)))
    assert [one["name"] for one in segments(again)[2:]] == ["Attempt #2"]


def test_a_failure_is_a_fault_with_its_cause() -> None:
    """The error's own type and message; that of the platform where the answer is no error."""
    failed = replace(
        RUN, error_type="Unhandled", error=b'{"errorType": "KeyError", "errorMessage": "x"}', answered_ms=0
    )
    service, own = segments(failed)
    assert (service["fault"], own["fault"]) == (True, True)
    (exception,) = own["cause"]["exceptions"]
    assert (exception["type"], exception["message"]) == ("KeyError", "x")
    assert phases(failed)[1:] == [("Invocation", 100.0, 101.0), ("Overhead", 101.0, 101.0)]
    _, killed, *_ = segments(replace(failed, error_type="Sandbox.Timedout", error=b"?"))
    assert killed["cause"]["exceptions"][0]["type"] == "Sandbox.Timedout"


def test_an_error_that_cannot_be_read_has_no_message() -> None:
    """A runtime may post any text as its error."""
    failed = segments(replace(RUN, error_type="E", error=b"[" * 5000))[1]
    assert [(one["type"], one["message"]) for one in failed["cause"]["exceptions"]] == [("E", "")]
