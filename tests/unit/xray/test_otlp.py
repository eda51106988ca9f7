"""Segments as OpenTelemetry spans, and the way to a collector."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.events.web import WebError
from undercast.services.xray import export
from undercast.services.xray.export import Exporter
from undercast.services.xray.otlp import Sent, request

SCOPE = Scope(AccountId("111122223333"), Region("eu-west-1"))
TRACE = "1-5759e988-bd862e3fe1be46a994272793"
TOP: dict[str, Any] = {
    "name": "front",
    "id": "53995c3f42cd8ad8",
    "trace_id": TRACE,
    "start_time": 1_700_000_000.25,
    "end_time": 1_700_000_001,
    "http": {"request": {"method": "GET", "url": "http://a/b"}, "response": {"status": 500}},
    "annotations": {"size": 7, "vip": True, "rate": 0.5, "kind": "big"},
    "fault": True,
    "cause": {"exceptions": [{"id": "1", "message": "not today"}]},
    "links": [{"trace_id": "1-00000001-000000000000000000000002", "id": "0000000000000003"}, {"id": 7}, "x"],
    "subsegments": [
        {"id": "00000000000000aa", "name": "s3", "namespace": "aws", "start_time": 1, "end_time": 2},
        {"id": "00000000000000ab", "name": "open", "start_time": 1, "in_progress": True},
        {"id": 5, "name": "odd", "start_time": 1, "end_time": 2},
    ],
}


def spans(*documents: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of the request."""
    made: list[dict[str, Any]] = json.loads(request([Sent(SCOPE, json.dumps(one)) for one in documents]))[
        "resourceSpans"
    ]
    return made


def attributes(entry: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in entry["attributes"]}


def test_a_segment_is_a_span_and_its_subsegments_are_its_children() -> None:
    """Ids in hex, times as text, typed attributes; what is in progress or has no id comes later or not at all."""
    (resource,) = spans(TOP)
    found = attributes(resource["resource"])
    assert found["service.name"] == {"stringValue": "front"}
    assert (found["cloud.account.id"], found["cloud.region"]) == (
        {"stringValue": "111122223333"},
        {"stringValue": "eu-west-1"},
    )
    top, below = resource["scopeSpans"][0]["spans"]
    assert (top["traceId"], top["spanId"], top["kind"], "parentSpanId" in top) == (
        *("5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8", 2, False),
    )
    assert (top["startTimeUnixNano"], top["endTimeUnixNano"]) == ("1700000000250000000", "1700000001000000000")
    assert top["status"] == {"code": 2, "message": "not today"}
    assert top["links"] == [{"traceId": "00000001000000000000000000000002", "spanId": "0000000000000003"}]
    told = attributes(top)
    assert (told["size"], told["vip"], told["rate"]) == ({"intValue": "7"}, {"boolValue": True}, {"doubleValue": 0.5})
    assert told["http.response.status_code"] == {"intValue": "500"}
    assert (below["name"], below["kind"], below["parentSpanId"]) == ("s3", 3, top["spanId"])


def test_a_subsegment_that_came_alone_has_its_parent() -> None:
    """SDKs in functions send only these: which service they are of is not in them."""
    alone = {**TOP["subsegments"][0], "type": "subsegment", "trace_id": TRACE, "parent_id": TOP["id"]}
    (resource,) = spans(alone)
    (span,) = resource["scopeSpans"][0]["spans"]
    assert (span["parentSpanId"], span["kind"]) == (TOP["id"], 3)
    assert "service.name" not in attributes(resource["resource"])


class Collector:
    """Answers what it is told, one after the other; then 200."""

    def __init__(self, *answers: int | WebError) -> None:
        self.answers = list(answers)
        self.got: list[Sequence[str]] = []
        self.came = asyncio.Event()

    async def post(self, body: bytes) -> int:
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, WebError):
            raise answer
        if answer == 200:
            resources = json.loads(body)["resourceSpans"]
            self.got.append([one["name"] for each in resources for one in each["scopeSpans"][0]["spans"]])
            self.came.set()
        return answer


def document(name: str) -> str:
    return json.dumps({"name": name, "id": "0" * 16, "trace_id": TRACE, "start_time": 1, "end_time": 2})


async def test_documents_go_in_batches_and_in_order() -> None:
    """Whoever offers them does not wait; one request takes many."""
    collector = Collector()
    exporter = Exporter(collector.post)
    for number in range(export.BATCH + 1):
        exporter.offer(SCOPE, document(f"n{number}"))
    exporter.start()
    await asyncio.wait_for(collector.came.wait(), 10)
    await exporter.stop()
    assert [len(batch) for batch in collector.got] == [export.BATCH, 1]
    assert collector.got[1] == [f"n{export.BATCH}"]


async def test_what_may_pass_is_tried_again_and_a_refusal_is_final() -> None:
    """503 and no answer at all keep the batch; 400 drops it."""
    collector = Collector(WebError("nobody"), 503, 400)
    exporter = Exporter(collector.post)
    exporter.offer(SCOPE, document("a"))
    for left in (2, 1, 0):
        await exporter.flush()
        assert len(collector.answers) == left
    exporter.offer(SCOPE, document("b"))
    await exporter.flush()
    assert collector.got == [["b"]]


async def test_a_collector_that_is_away_fills_no_memory() -> None:
    """The queue has an end; what comes behind it is dropped."""
    collector = Collector(503)
    exporter = Exporter(collector.post)
    for number in range(export.MAX_QUEUED + 10):
        exporter.offer(SCOPE, document(f"n{number}"))
    await exporter.flush()
    await exporter.flush()
    assert sum(map(len, collector.got)) == export.MAX_QUEUED
