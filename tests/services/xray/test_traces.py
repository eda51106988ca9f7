"""Segments in, traces out: what PutTraceSegments takes, and what is told of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import start, stop
from tests.services.xray.conftest import Account


def test_documents_that_are_wrong_are_named_and_the_others_kept(aws: Account) -> None:
    """UnprocessedTraceSegments has id, code and message; the request as a whole succeeds."""
    good = aws.segment("front")
    bad = {**aws.segment("front"), "trace_id": "1-2-3"}
    nameless = {key: value for key, value in aws.segment("x").items() if key != "name"}
    endless = {key: value for key, value in aws.segment("x").items() if key != "end_time"}
    refused = aws.put(good, bad, nameless, endless)
    assert [(one["Id"], one["ErrorCode"]) for one in refused] == [
        (bad["id"], "InvalidTraceId"),
        (nameless["id"], "MissingName"),
        (endless["id"], "InvalidEndTime"),
    ]
    far = json.dumps(aws.segment("x", end_time=1e300))
    texts = ["no json", "[]", '{"x": NaN}', far, '{"x": "' + "y" * 65_536 + '"}']
    answer = aws.xray.put_trace_segments(TraceSegmentDocuments=texts)
    codes = [one["ErrorCode"] for one in answer["UnprocessedTraceSegments"]]
    assert codes == ["ParseError", "ParseError", "ParseError", "InvalidEndTime", "DocumentTooLarge"]
    assert aws.find() == [good["trace_id"]]


def test_a_segment_in_progress_is_replaced_by_its_end(aws: Account) -> None:
    """The same id comes twice: first in_progress, then whole. The trace is partial in between."""
    whole = aws.segment("front")
    begun = {key: value for key, value in whole.items() if key != "end_time"} | {"in_progress": True}
    aws.put(begun)
    assert aws.find("partial") == [whole["trace_id"]]
    aws.put(whole)
    assert aws.find("partial") == []
    assert aws.whole(whole["trace_id"]) == [whole]


def test_a_subsegment_that_came_alone_is_in_its_place(aws: Account) -> None:
    """Subsegments are sent as they end, in any order; BatchGetTraces shows them below their parents."""
    top = aws.segment("front")
    trace_id = top["trace_id"]
    outer = aws.segment("outer", trace_id, type="subsegment", parent_id=top["id"])
    inner = aws.segment("inner", trace_id, type="subsegment", parent_id=outer["id"], took=0.5)
    aws.put(inner)
    aws.put(outer, top)
    (segment,) = aws.whole(trace_id)
    (found,) = segment["subsegments"]
    assert (found["id"], found["name"]) == (outer["id"], "outer")
    assert [one["id"] for one in found["subsegments"]] == [inner["id"]]


def test_a_call_to_who_sends_no_segment_is_inferred(aws: Account) -> None:
    """namespace aws or remote; a service that does send its segment stands for itself."""
    calls = [
        aws.segment("s3", namespace="aws", aws={"operation": "GetObject", "bucket_name": "photos"}),
        aws.segment("api.example.com", namespace="remote", error=True),
        aws.segment("back", namespace="remote"),
        aws.segment("of its own"),
    ]
    top = aws.segment("front", subsegments=calls)
    back = aws.segment("back", top["trace_id"], parent_id=calls[2]["id"], origin="AWS::EC2::Instance")
    aws.put(top, back)
    found = {one["name"]: one for one in aws.whole(top["trace_id"])}
    assert set(found) == {"front", "back", "photos", "api.example.com"}
    assert (found["photos"]["origin"], found["photos"]["inferred"]) == ("AWS::S3::Bucket", True)
    assert (found["api.example.com"]["error"], found["api.example.com"]["parent_id"]) == (True, calls[1]["id"])
    assert "inferred" not in found["back"]


def test_a_summary_tells_of_the_root_segment(aws: Account) -> None:
    """Http, faults and response time are the root's; annotations and users those of all segments."""
    http = {
        "request": {"method": "GET", "url": "http://a/b", "client_ip": "10.0.0.1", "user_agent": "curl"},
        "response": {"status": 503},
    }
    top = aws.segment("front", fault=True, http=http, origin="AWS::EC2::Instance", user="ada")
    below = aws.segment(
        "back", top["trace_id"], parent_id=top["id"], took=3.0, annotations={"size": 7, "vip": True, "no-key": 1}
    )
    aws.put(top, below)
    (found,) = aws.xray.get_trace_summaries(**aws.range)["TraceSummaries"]
    assert (found["Duration"], found["ResponseTime"]) == (3.0, 1.0)
    assert (found["HasFault"], found["HasError"], found["HasThrottle"], found["IsPartial"]) == (
        *(True, False, False, False),
    )
    assert found["Http"] == {
        "HttpURL": "http://a/b",
        "HttpStatus": 503,
        "HttpMethod": "GET",
        "UserAgent": "curl",
        "ClientIp": "10.0.0.1",
    }
    front = {"Name": "front", "Names": ["front"], "AccountId": aws.id, "Type": "AWS::EC2::Instance"}
    back = {"Name": "back", "Names": ["back"], "AccountId": aws.id}
    assert (found["EntryPoint"], found["ServiceIds"]) == (front, [front, back])
    assert found["Users"] == [{"UserName": "ada", "ServiceIds": [front]}]
    assert found["Annotations"] == {
        "size": [{"AnnotationValue": {"NumberValue": 7.0}, "ServiceIds": [back]}],
        "vip": [{"AnnotationValue": {"BooleanValue": True}, "ServiceIds": [back]}],
    }


def test_the_service_graph_counts_calls(aws: Account) -> None:
    """Nodes with statistics, edges between them, a client before the first; a group narrows it."""
    top = aws.segment("front", took=2.0)
    below = aws.segment("back", top["trace_id"], parent_id=top["id"], fault=True, took=1.5)
    other = aws.segment("front", error=True, throttle=True)
    aws.put(top, below, other)
    graph = aws.xray.get_service_graph(**aws.range)
    client, front, back = sorted(graph["Services"], key=lambda one: ("client", "front", "back").index(_kind(one)))
    assert (front["Root"], "Root" in back, client["Type"]) == (True, False, "client")
    assert front["SummaryStatistics"] == {
        "OkCount": 1,
        "ErrorStatistics": {"ThrottleCount": 1, "OtherCount": 0, "TotalCount": 1},
        "FaultStatistics": {"OtherCount": 0, "TotalCount": 0},
        "TotalCount": 2,
        "TotalResponseTime": 3.0,
    }
    (edge,) = front["Edges"]
    assert edge["ReferenceId"] == back["ReferenceId"]
    assert edge["SummaryStatistics"]["FaultStatistics"]["TotalCount"] == 1
    assert edge["ResponseTimeHistogram"] == [{"Value": 1.5, "Count": 1}]
    assert [one["ReferenceId"] for one in client["Edges"]] == [front["ReferenceId"]]
    aws.xray.create_group(GroupName="throttled", FilterExpression="throttle")
    narrowed = aws.xray.get_service_graph(**aws.range, GroupName="throttled")["Services"]
    assert {_kind(one) for one in narrowed} == {"client", "front"}


def _kind(service: dict[str, Any]) -> str:
    return "client" if service.get("Type") == "client" else str(service["Name"])


def test_time_ranges_are_of_the_traces_id_the_arrival_or_the_segments(aws: Account) -> None:
    """TimeRangeType TraceId, Event, Service."""
    early = aws.segment("front", f"1-{int(aws.began) - 7200:08x}-{'a' * 24}")
    early |= {"start_time": aws.began - 90_000, "end_time": aws.began - 89_999}
    aws.put(early)
    assert aws.find(TimeRangeType="TraceId") == []
    assert aws.find(TimeRangeType="Event") == [early["trace_id"]]
    assert aws.find(TimeRangeType="Service") == []


def test_pages_of_summaries(aws: Account) -> None:
    """NextToken leads through more than a page."""
    for _ in range(3):
        aws.put(*(aws.segment("front") for _ in range(50)))
    pages = list(aws.xray.get_paginator("get_trace_summaries").paginate(**aws.range))
    assert [len(page["TraceSummaries"]) for page in pages] == [100, 50]
    assert len({one["Id"] for page in pages for one in page["TraceSummaries"]}) == 150


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"FilterExpression": "colour = 1"}, "the keyword colour is not supported"),
        ({"FilterExpression": 'responsetime > "x"'}, "a number expected"),
        ({"NextToken": "?"}, "NextToken"),
    ],
)
def test_what_cannot_be_asked_is_refused(aws: Account, params: dict[str, str], text: str) -> None:
    """InvalidRequestException says why."""
    with pytest.raises(ClientError, match=text) as raised:
        aws.xray.get_trace_summaries(**aws.range, **params)
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"


def test_other_accounts_see_nothing(aws: Account) -> None:
    """Traces are their account's and region's."""
    mine = aws.segment("front")
    aws.put(mine)
    other = aws.platform.client("xray", account=aws.id, region="eu-west-1")
    assert other.batch_get_traces(TraceIds=[mine["trace_id"], "x"]) | {"ResponseMetadata": 0} == {
        "Traces": [],
        "UnprocessedTraceIds": ["x"],
        "ResponseMetadata": 0,
    }


def test_what_was_acknowledged_survives_a_kill_and_is_gone_after_thirty_days(tmp_path: Path) -> None:
    """PutTraceSegments is in the file before its answer. Retention is on the platform's clock."""
    platform = start(tmp_path)
    try:
        aws = Account(platform, "333333333333")
        kept = aws.segment("front")
        aws.put(kept)
        platform.kill()
        platform = start(tmp_path)
        aws = Account(platform, "333333333333")
        assert aws.whole(kept["trace_id"]) == [kept]
        platform.advance(29 * 86400)
        assert aws.whole(kept["trace_id"]) == [kept]
        platform.advance(2 * 86400)
        assert aws.xray.batch_get_traces(TraceIds=[kept["trace_id"]])["Traces"] == []
    finally:
        stop(platform)
