"""A trace from its documents: what nobody wrote as one."""

import json
from typing import Any

from undercast.services.xray.assembly import MAX_BYTES, assemble
from undercast.services.xray.documents import entities

TRACE = "1-5759e988-bd862e3fe1be46a994272793"


def document(number: int, **members: Any) -> str:
    return json.dumps({"name": "n", "id": f"{number:016x}", "start_time": number, "end_time": number + 1, **members})


def test_a_chain_of_thousands_of_subsegments_can_be_told() -> None:
    """Each below the one before: pieces of it stand for themselves, and none is lost."""
    documents = [document(0)]
    documents += [document(n, type="subsegment", parent_id=f"{n - 1:016x}") for n in range(1, 3000)]
    trace = assemble(TRACE, documents)
    assert sum(1 for one in trace.segments for _ in entities(one)) == 3000
    assert len(json.dumps(trace.segments)) > 0


def test_subsegments_that_are_each_others_parents_are_told_by_themselves() -> None:
    """A circle has no top."""
    first = document(1, type="subsegment", parent_id=f"{2:016x}")
    second = document(2, type="subsegment", parent_id=f"{1:016x}")
    trace = assemble(TRACE, [first, second])
    assert sorted(one["id"] for top in trace.segments for one in entities(top)) == [f"{1:016x}", f"{2:016x}"]


def test_a_trace_that_is_too_large_says_so() -> None:
    """LimitExceeded: 500 KB of documents are told."""
    large = [document(n, metadata={"d": {"x": "y" * 50_000}}) for n in range(12)]
    trace = assemble(TRACE, large)
    assert (trace.limit_exceeded, len(trace.segments)) == (True, MAX_BYTES // len(large[0]))
    assert assemble(TRACE, large[:2]).limit_exceeded is False
