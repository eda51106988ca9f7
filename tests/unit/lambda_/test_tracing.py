"""The header of a sampled invocation, and its place in the trace."""

from dataclasses import replace

import pytest

from tests.fakes import CountingIds
from tests.fakes_sandbox import a_function
from undercast.sandbox.model import Invocation, Queued, Tracing
from undercast.services.lambda_.tracing import event_header, traced

ROOT = "1-5759e988-bd862e3fe1be46a994272793"


def given(header: str) -> Invocation:
    return Invocation(request_id="r", function=a_function(), payload=b"", invoked_arn="a", trace_header=header)


@pytest.mark.parametrize(
    ("header", "parent", "rest"),
    [
        (f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1", "53995c3f42cd8ad8", ""),
        (f"Sampled=1; Root={ROOT};Lineage=a:1|b:2", "", ";Lineage=a:1|b:2"),
        (f"Root={ROOT};Parent=nobody;Sampled=1", "", ""),
    ],
)
def test_the_functions_segment_is_parent_of_what_it_does(header: str, parent: str, rest: str) -> None:
    """The caller's Parent is the service segment's; other fields are passed on."""
    found = traced(given(header), CountingIds(), 5.0)
    assert found.tracing is not None
    own, service = found.tracing.function_id, found.tracing.service_id
    assert found.trace_header == f"Root={ROOT};Parent={own};Sampled=1{rest}"
    assert found.tracing == Tracing(
        trace_id=ROOT, parent_id=parent, service_id=service, function_id=own, accepted_at=5.0
    )
    assert (len(own), len(service)) == (16, 16)


def test_the_sampled_messages_of_a_batch_are_linked() -> None:
    """At most 20 of them; what nobody samples or no segment sent is no link."""
    sampled = [f"Root=1-5759e988-{n:024x};Parent={n:016x};Sampled=1" for n in range(30)]
    others = ("", f"Root={ROOT};Parent={1:016x};Sampled=0", f"Root={ROOT};Sampled=1")
    invocation = replace(given(f"Root={ROOT};Sampled=1"), linked_headers=(*others, *sampled))
    found = traced(invocation, CountingIds(), 5.0).tracing
    assert found is not None
    assert found.links == tuple((f"1-5759e988-{n:024x}", f"{n:016x}") for n in range(20))


def test_the_attempts_of_an_event_are_in_one_trace() -> None:
    """Root and the service's segment are the same each time, where nobody has said them; the others are new."""
    assert event_header("", "e-1", 5.0, active=True) == event_header("", "e-1", 5.0, active=True)
    assert event_header("", "e-1", 5.0, active=True) != event_header("", "e-2", 5.0, active=True)
    header = event_header("", "e-1", 5.0, active=True)
    ids = CountingIds()
    first, second = (traced(replace(given(header), queued=Queued(4.0, n)), ids, 9.0).tracing for n in (1, 2))
    assert first is not None
    assert second is not None
    assert (first.service_id, first.trace_id, first.accepted_at) == (second.service_id, second.trace_id, 4.0)
    assert len({first.function_id, second.function_id, first.service_id}) == 3
    assert len(first.attempt_id) == 16


def test_a_root_that_is_no_trace_id_is_passed_on() -> None:
    """Nothing is sent to X-Ray for what it would refuse."""
    invocation = given("Root=made-up;Sampled=1")
    assert traced(invocation, CountingIds(), 5.0) is invocation
