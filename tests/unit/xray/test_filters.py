"""The language of filter expressions."""

import json

import pytest

from undercast.services.xray.assembly import Trace, assemble
from undercast.services.xray.filters import Invalid, parse

HTTP = {"request": {"url": "http://api.example.com/v2/x", "method": "GET"}, "response": {"status": 200}}


def a_trace() -> Trace:
    """front (0.5 s) calls back (2 s, faulty), which calls a table that sends nothing."""
    call = {"id": "c" * 16, "name": "dynamodb", "namespace": "aws", "start_time": 2, "end_time": 3}
    call["aws"] = {"table_name": "orders"}
    documents = (
        {"name": "front", "id": "a" * 16, "start_time": 1, "end_time": 1.5, "http": HTTP, "user": "ada"},
        {
            "name": "back",
            "id": "b" * 16,
            "parent_id": "a" * 16,
            "start_time": 1,
            "end_time": 3,
            "fault": True,
            "annotations": {"size": 7, "kind": "big", "vip": True},
            "subsegments": [call],
            "origin": "AWS::Lambda::Function",
            "resource_arn": "arn:aws:lambda:us-east-1:1:function:back",
            "aws": {"ec2": {"availability_zone": "us-east-1c", "instance_id": "i-07"}},
        },
    )
    return assemble("1-5759e988-bd862e3fe1be46a994272793", [json.dumps(one) for one in documents])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "ok = true AND fault = false",
        "!fault",
        "responsetime < 1",
        "duration >= 2 AND duration <= 2",
        "ok !partial duration <3",
        "http.status = 200",
        'http.url BEGINSWITH "http://api.example.com/" AND http.url CONTAINS "/v2/"',
        'http.url ENDSWITH "/x" and http.method != "POST"',
        'user = "ada"',
        'availabilityzone = "us-east-1c" AND instance.id BEGINSWITH "i-0"',
        'resource.arn ENDSWITH ":back"',
        'service("back") { type = "AWS::Lambda::Function" }',
        "annotation.size",
        "annotation.size > 6.5",
        'annotation[kind] = "big"',
        'annotation.kind BEGINSWITH "b"',
        "annotation.vip = true",
        'service("back") { fault = true OR responsetime > 20 }',
        "service() { fault }",
        '!service("nobody")',
        'service(id(name: "back", type: "AWS::Lambda::Function"))',
        'service("orders") { inferred }',
        'edge("front", "back") { fault = true }',
        'edge("back", "orders")',
        'edge(, "orders") { !fault }',
        'service("front") { first } AND service("orders") { last }',
        "fault OR (ok AND (responsetime > 9 OR duration > 1))",
    ],
)
def test_what_matches(text: str) -> None:
    """AWS's examples and the operators of each kind of keyword."""
    assert parse(text).matches(a_trace()) is True


@pytest.mark.parametrize(
    "text",
    [
        "fault",
        "partial",
        "responsetime > 5",
        'http.url CONTAINS "/v3/"',
        "annotation.colour",
        'annotation.size = "7"',
        "annotation.vip = 1",
        'service("front") { fault }',
        'service(id(name: "back", type: "AWS::Lambda"))',
        'edge("back", "front")',
        'edge("front", "back") { ok }',
        'instance.id = "i-08"',
        'user = "eve" OR (ok AND fault)',
    ],
)
def test_what_does_not_match(text: str) -> None:
    """The same with other values."""
    assert parse(text).matches(a_trace()) is False


@pytest.mark.parametrize(
    "text",
    [
        "(", "ok )", "responsetime", "responsetime > ", "responsetime BEGINSWITH 5", 'responsetime > "5"',
        "http.url > 5", 'http.url < "a"', "colour = 1", "rootcause.fault.service", 'service("a"', 'edge("a")',
        'service(id(account.id: "1"))', "ok = maybe", "annotation.", "&", "(" * 100, "!" * 1000, 'annotation.x > "a"',
        "x" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_expression(text: str) -> None:
    """Invalid says why; nothing else is raised."""
    with pytest.raises(Invalid):
        parse(text)
