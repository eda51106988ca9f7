"""What a bucket's notifications leave out is in the trace of the put, with the reason (ADR 64)."""

from typing import Any

import pytest

from tests.unit.s3.bench import FUNCTION, Bench

OTHER = FUNCTION.replace(":function:f", ":function:other")


async def trace(s3: Bench) -> dict[str, list[str]]:
    """The labels of the request's trace by their kinds."""
    found: dict[str, list[str]] = {}
    for node in (await s3.state.causality.trace(s3.ctx.request_id)).nodes:
        found.setdefault(node.kind, []).append(node.label)
    return found


def entry(name: str, arn: str, event: str, **filters: str) -> dict[str, Any]:
    """One of a bucket's notifications."""
    rules = [{"Name": key, "Value": value} for key, value in filters.items()]
    rule = {"Id": name, "LambdaFunctionArn": arn, "Events": [event]}
    return rule | ({"Filter": {"Key": {"FilterRules": rules}}} if rules else {})


@pytest.mark.parametrize(
    ("events", "filters", "reason"),
    [
        ("s3:ObjectCreated:*", {"prefix": "in/"}, "keys in/*"),
        ("s3:ObjectCreated:*", {"suffix": ".jpg"}, "keys *.jpg"),
        ("s3:ObjectCreated:Post", {}, "only s3:ObjectCreated:Post"),
    ],
)
async def test_a_put_that_no_notification_is_for(s3: Bench, events: str, filters: dict[str, str], reason: str) -> None:
    """The call, the object and why its function does not run: nothing of it in the put's own commit."""
    await s3.notify(events, **filters)
    await s3.put("cat.png")
    assert await trace(s3) == {
        "call": [""],
        "object": ["s3:ObjectCreated:Put bkt/cat.png"],
        "filtered": [f"not for 1 of 1 destinations of the bucket: {FUNCTION} ({reason})"],
    }
    rows = s3.state.database.read_now(lambda tx: tx.all("SELECT * FROM causal_edge"))
    assert not rows


async def test_a_notification_of_other_kinds_of_events_leaves_nothing_out(s3: Bench) -> None:
    """Who waits for deletions does not ask why a put led to nothing: the put stays without a trace."""
    await s3.notify("s3:ObjectRemoved:*")
    await s3.put("cat.png")
    assert await trace(s3) == {}


async def test_one_function_runs_and_the_other_does_not(s3: Bench) -> None:
    """The note says so beside the delivery; a function with two notifications is told by either."""
    entries = [
        entry("1", FUNCTION, "s3:ObjectCreated:*", prefix="in/"),
        entry("2", FUNCTION, "s3:ObjectCreated:*", prefix="out/"),
        entry("3", OTHER, "s3:ObjectCreated:*", prefix="other/"),
    ]
    configuration = {"LambdaFunctionConfigurations": entries}
    await s3.call("PutBucketNotificationConfiguration", Bucket="bkt", NotificationConfiguration=configuration)
    await s3.put("in/cat.png")
    found = await trace(s3)
    assert found["delivery"] == [f"lambda {FUNCTION}"]
    assert found["filtered"] == [f"not for 1 of 2 destinations of the bucket: {OTHER} (keys other/*)"]
