"""Groups, streams and events."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.logs.conftest import CLOSED, SCOPE, World
from undercast.core.errors import ServiceError
from undercast.sandbox.model import FunctionVersion
from undercast.services.logs import intake
from undercast.services.logs.sink import FunctionLogs

STREAM = "2026/11/21/[$LATEST]ab"
HOUR, DAY = 3_600_000, 86_400_000
FUNCTION = FunctionVersion(
    arn="arn:aws:lambda:us-west-2:111122223333:function:f",
    name="f",
    version="$LATEST",
    revision="1",
    account_id=SCOPE.account_id,
    region=SCOPE.region,
    runtime="python3.12",
    handler="app.handler",
    code_dir=Path("/code"),
    role_arn="arn:aws:iam::111122223333:role/r",
    log_group="/aws/lambda/f",
)


async def refused(world: World, operation: str, **params: Any) -> ServiceError:
    """The error of a call that must fail."""
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, **params)
    return caught.value


async def left(world: World, count: int) -> None:
    """Return when so many events are stored; deleted ones go in the background."""
    async with asyncio.timeout(20):
        while len(await world.journal.read(lambda tx: tx.all("SELECT 1 FROM logs_event"))) != count:
            await asyncio.sleep(0.001)


async def messages(world: World, operation: str = "GetLogEvents", **params: Any) -> list[str]:
    """The messages of one page."""
    found = await world.call(operation, **{"logGroupName": "g", **params})
    return [event["message"] for event in found["events"]]


async def test_group_and_stream_exist_once(world: World) -> None:
    """ResourceAlreadyExistsException and ResourceNotFoundException in AWS's words."""
    await world.stream("g", "s")
    group = await refused(world, "CreateLogGroup", logGroupName="g")
    stream = await refused(world, "CreateLogStream", logGroupName="g", logStreamName="s")
    assert (group.message, stream.message) == (
        "The specified log group already exists",
        "The specified log stream already exists",
    )
    missing = await refused(world, "CreateLogStream", logGroupName="other", logStreamName="s")
    assert (missing.code, missing.message) == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    absent = await refused(world, "GetLogEvents", logGroupName="g", logStreamName="t")
    assert absent.message == "The specified log stream does not exist."


async def test_function_log_makes_group_and_stream(world: World) -> None:
    """S1-26: the log group appears on the first run; text is kept byte for byte."""
    sink = FunctionLogs(world.logs.intake)
    lines = ["START\n", "tab\tand \\n and ünïcode 🐍\n", " \n"]
    sink.append(FUNCTION, STREAM, [(world.now_ms + at, line) for at, line in enumerate(lines)])
    found = await world.call("GetLogEvents", logGroupName="/aws/lambda/f", logStreamName=STREAM)
    assert [event["message"] for event in found["events"]] == lines
    (group,) = (await world.call("DescribeLogGroups"))["logGroups"]
    assert group["storedBytes"] == sum(len(line.encode()) + 26 for line in lines)
    assert "retentionInDays" not in group
    await world.call("DeleteLogGroup", logGroupName="/aws/lambda/f")
    sink.append(FUNCTION, STREAM, [(world.now_ms, "again\n")])
    assert await messages(world, logGroupName="/aws/lambda/f", logStreamName=STREAM) == ["again\n"]


async def test_flood_is_bounded_and_told(world: World) -> None:
    """Above the backlog limit events are dropped, counted, and the stream says how many; then it goes on."""
    sink = FunctionLogs(world.logs.intake)
    line = "x" * 1_000_000
    for _ in range(100):
        sink.append(FUNCTION, "s", [(world.now_ms, line)])
    held = sum(len(str(row[-1])) for rows in world.journal._batch.values() for row in rows)
    assert held <= intake.MAX_BACKLOG_BYTES
    sink.append(FUNCTION, "s", [(world.now_ms, "x" * 553_000)])  # nearly all that is left
    sink.append(FUNCTION, "other", [(world.now_ms, "END\n"), (world.now_ms, "REPORT\n" + "x" * 1900)])
    assert len(await messages(world, logGroupName="/aws/lambda/f", logStreamName="other")) == 2
    await world.logs.intake.room()
    await asyncio.sleep(0)
    sink.append(FUNCTION, "s", [(world.now_ms + 1, "after")])
    found = await world.call("GetLogEvents", logGroupName="/aws/lambda/f", logStreamName="s", limit=2)
    dropped, after = (event["message"] for event in found["events"])
    assert dropped == "[undercast] 67 log events were dropped: they came faster than they could be stored\n"
    assert after == "after"


async def test_pages_of_a_stream(world: World) -> None:
    """From the end by default, from the head when asked; the last token leads to itself, where new events appear."""
    await world.stream("g", "s")
    await world.put("g", "s", *((number, str(number)) for number in range(10)))
    last = await world.call("GetLogEvents", logGroupName="g", logStreamName="s", limit=3)
    assert [event["message"] for event in last["events"]] == ["7", "8", "9"]
    before: dict[str, Any] = {"nextToken": last["nextBackwardToken"], "limit": 3}
    assert await messages(world, logStreamName="s", **before) == ["4", "5", "6"]
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = await world.call(
            "GetLogEvents", logGroupName="g", logStreamName="s", limit=4, startFromHead=True, **token
        )
        seen += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token.get("nextToken"):
            break
        token = {"nextToken": page["nextForwardToken"]}
    assert seen == [str(number) for number in range(10)]
    await world.put("g", "s", (10, "new"))
    assert await messages(world, logStreamName="s", **token) == ["new"]
    empty = await world.call("GetLogEvents", logGroupName="g", logStreamName="s", **token, startTime=world.now_ms + 99)
    back = {"nextToken": empty["nextBackwardToken"]}
    assert (await messages(world, logStreamName="s", **back))[-1] == "9"


async def test_time_range_of_get_and_filter(world: World) -> None:
    """GetLogEvents leaves out events at endTime, FilterLogEvents has them."""
    await world.stream("g", "s")
    await world.put("g", "s", (0, "a"), (1, "b"), (2, "c"))
    times: dict[str, Any] = {"startTime": world.now_ms + 1, "endTime": world.now_ms + 2}
    assert await messages(world, logStreamName="s", **times) == ["b"]
    assert await messages(world, "FilterLogEvents", **times) == ["b", "c"]


async def test_page_holds_one_megabyte(world: World) -> None:
    """As many events as fit, but at least one."""
    await world.stream("g", "s")
    for number in range(3):
        await world.put("g", "s", (number, "x" * 600_000))
    page = await world.call("GetLogEvents", logGroupName="g", logStreamName="s", startFromHead=True)
    assert len(page["events"]) == 1


async def test_filter_goes_over_streams_in_the_order_of_time(world: World) -> None:
    """Interleaved, with a limit and a token; some streams by name or prefix; newest first when asked."""
    await world.stream("g", "a1", "a2", "b")
    await world.put("g", "a1", (0, "one"), (3, "four"))
    await world.put("g", "a2", (1, "two"), (4, "five"))
    await world.put("g", "b", (2, "three"))
    first = await world.call("FilterLogEvents", logGroupName="g", limit=2)
    assert [(event["logStreamName"], event["message"]) for event in first["events"]] == [("a1", "one"), ("a2", "two")]
    assert await messages(world, "FilterLogEvents", nextToken=first["nextToken"]) == ["three", "four", "five"]
    assert await messages(world, "FilterLogEvents", logStreamNames=["b", "a2"]) == ["two", "three", "five"]
    assert await messages(world, "FilterLogEvents", logStreamNamePrefix="a") == ["one", "two", "four", "five"]
    latest = await world.call("FilterLogEvents", logGroupName="g", startFromHead=False, limit=2)
    assert [event["message"] for event in latest["events"]] == ["five", "four"]
    assert await messages(world, "FilterLogEvents", nextToken=latest["nextToken"]) == ["three", "two", "one"]
    everything = await world.call("FilterLogEvents", logGroupName="g", limit=5, filterPattern="?one ?five")
    assert ([event["message"] for event in everything["events"]], "nextToken" in everything) == (["one", "five"], False)
    assert len({event["eventId"] for event in first["events"]}) == 2


async def test_events_outside_the_window_are_rejected(world: World) -> None:
    """14 days back, 2 hours ahead, the group's retention; the rest is stored."""
    await world.stream("g", "s")
    told = await world.put("g", "s", (-15 * DAY, "old"), (-1000, "ok"), (0, "ok too"), (3 * HOUR, "new"))
    assert told["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3}
    assert await messages(world, logStreamName="s") == ["ok", "ok too"]
    await world.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    told = await world.put("g", "s", (-2 * DAY, "expired"), (0, "third"))
    assert told["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (((1, "b"), (0, "a")), "Log events in a single PutLogEvents request must be in chronological order."),
        (((0, "x" * 1_048_551),), "Upload too large: 1048577 bytes exceeds limit of 1048576"),
        (((-DAY - 1, "a"), (0, "b")), "The batch of log events in a single PutLogEvents request cannot span more than"
         " 24 hours."),
    ],
)  # fmt: skip
async def test_batch_rules(world: World, events: tuple[tuple[int, str], ...], message: str) -> None:
    """PutLogEvents: order, size, span."""
    await world.stream("g", "s")
    with pytest.raises(ServiceError) as caught:
        await world.put("g", "s", *events)
    assert (caught.value.code, caught.value.message) == ("InvalidParameterException", message)


async def test_retention_is_effective_on_the_platform_clock(world: World) -> None:
    """Expired events are not shown from the moment on, and removed within the hour."""
    await world.stream("g", "s")
    await world.put("g", "s", (0, "early"), (HOUR, "late"))
    await world.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    world.clock.advance(86_400 + 1800)
    assert await messages(world, logStreamName="s") == ["late"]
    assert await messages(world, "FilterLogEvents") == ["late"]
    await world.logs.housekeeping.expire()
    rows = await world.journal.read(lambda tx: tx.all("SELECT message FROM logs_event"))
    assert [row["message"] for row in rows] == ["late"]
    (group,) = (await world.call("DescribeLogGroups"))["logGroups"]
    assert (group["retentionInDays"], group["storedBytes"]) == (1, len("late") + 26)
    await world.call("DeleteRetentionPolicy", logGroupName="g")
    assert (await refused(world, "PutRetentionPolicy", logGroupName="g", retentionInDays=2)).status == 400


async def test_hourly_expiry_follows_the_platform_clock(world: World) -> None:
    """Advancing the clock wakes it."""
    await world.stream("g", "s")
    await world.put("g", "s", (0, "early"))
    await world.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    world.logs.housekeeping.start()
    while not world.clock._sleepers:
        await asyncio.sleep(0.001)
    world.clock.advance(86_401)
    while not world.clock._sleepers:
        await asyncio.sleep(0.001)
    assert await world.journal.read(lambda tx: tx.all("SELECT 1 FROM logs_event")) == []


async def test_deleted_stream_and_group_never_show_their_events_again(world: World) -> None:
    """Also when one of the same name is made; the events are purged in the background."""
    await world.stream("g", "s", "t")
    await world.put("g", "s", (0, "old"))
    await world.put("g", "t", (0, "kept"))
    await world.call("DeleteLogStream", logGroupName="g", logStreamName="s")
    await world.call("CreateLogStream", logGroupName="g", logStreamName="s")
    assert await messages(world, logStreamName="s") == []
    await left(world, 1)
    (group,) = (await world.call("DescribeLogGroups"))["logGroups"]
    assert group["storedBytes"] == len("kept") + 26
    await world.call("DeleteLogGroup", logGroupName="g")
    assert (await refused(world, "DescribeLogStreams", logGroupName="g")).code == "ResourceNotFoundException"
    await left(world, 0)
    assert (await refused(world, "DeleteLogGroup", logGroupName="g")).code == "ResourceNotFoundException"


async def test_groups_are_described_in_pages(world: World) -> None:
    """By prefix, by part of the name, with a token."""
    for name in ("/aws/lambda/a", "/aws/lambda/b", "other"):
        await world.stream(name)
    first = await world.call("DescribeLogGroups", limit=2)
    rest = await world.call("DescribeLogGroups", nextToken=first["nextToken"])
    names = [group["logGroupName"] for group in first["logGroups"] + rest["logGroups"]]
    assert names == ["/aws/lambda/a", "/aws/lambda/b", "other"]
    assert "nextToken" not in rest
    found = await world.call("DescribeLogGroups", logGroupNamePattern="lambda")
    assert len(found["logGroups"]) == 2
    assert found["logGroups"][0]["arn"] == "arn:aws:logs:us-west-2:111122223333:log-group:/aws/lambda/a:*"


async def test_streams_are_described_by_name_or_last_event(world: World) -> None:
    """orderBy LastEventTime with descending shows the newest first."""
    await world.stream("g", "a", "b", "c")
    await world.put("g", "b", (0, "x"), (50, "y"))
    await world.put("g", "c", (20, "z"))
    by_name = await world.call("DescribeLogStreams", logGroupName="g", limit=2)
    rest = await world.call("DescribeLogStreams", logGroupName="g", nextToken=by_name["nextToken"])
    assert [one["logStreamName"] for one in by_name["logStreams"] + rest["logStreams"]] == ["a", "b", "c"]
    newest = await world.call("DescribeLogStreams", logGroupName="g", orderBy="LastEventTime", descending=True)
    assert [one["logStreamName"] for one in newest["logStreams"]] == ["b", "c", "a"]
    stream = newest["logStreams"][0]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (world.now_ms, world.now_ms + 50)
    error = await refused(
        world, "DescribeLogStreams", logGroupName="g", orderBy="LastEventTime", logStreamNamePrefix="a"
    )
    assert error.message == "Cannot order by LastEventTime with a logStreamNamePrefix."


async def test_tags_of_a_group(world: World) -> None:
    """By ARN, and by the older operations."""
    await world.call("CreateLogGroup", logGroupName="g", tags={"a": "1"})
    arn = "arn:aws:logs:us-west-2:111122223333:log-group:g"
    await world.call("TagResource", resourceArn=arn, tags={"b": "2"})
    await world.call("UntagLogGroup", logGroupName="g", tags=["a"])
    assert await world.call("ListTagsForResource", resourceArn=arn) == {"tags": {"b": "2"}}
    assert await world.call("ListTagsLogGroup", logGroupName="g") == {"tags": {"b": "2"}}


async def test_broken_token_is_refused(world: World) -> None:
    """InvalidParameterException."""
    await world.stream("g", "s")
    for token in ("x", "f/12/s", "f/" + "9" * 56, "f/" + "a" * 56 + "/s"):
        error = await refused(world, "GetLogEvents", logGroupName="g", logStreamName="s", nextToken=token)
        assert error.message == "The specified nextToken is invalid."


async def test_a_delivery_group_keeps_its_events_for_a_day(world: World) -> None:
    """It shows two days, as on AWS; nobody can change that, and queries and metrics are not for it."""
    await world.call("CreateLogGroup", logGroupName="d", logGroupClass="DELIVERY")
    await world.stream("d", "s")
    await world.put("d", "s", (0, "old"))
    world.clock.advance(24 * 3600 - 60)
    await world.put("d", "s", (0, "young"))
    assert await messages(world, logGroupName="d", logStreamName="s") == ["old", "young"]
    world.clock.advance(120)
    assert await messages(world, logGroupName="d", logStreamName="s") == ["young"]
    await world.logs.housekeeping.expire()
    await left(world, 1)
    (group,) = (await world.call("DescribeLogGroups", logGroupClass="DELIVERY"))["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == ("d", 2)
    query = {"queryString": "fields @message", "startTime": 0, "endTime": 1}
    for operation, params in (("PutRetentionPolicy", {"retentionInDays": 7}), ("DeleteRetentionPolicy", {}),
                              ("StartQuery", query)):  # fmt: skip
        error = await refused(world, operation, logGroupName="d", **params)
        assert (error.code, error.message) == (
            "ValidationException", "This operation is not supported for Delivery log class",
        )  # fmt: skip
    error = await refused(world, "DescribeMetricFilters", logGroupName="d")
    assert error.message == "This operation is only supported on the Standard log class."
    assert await world.call("DescribeSubscriptionFilters", logGroupName="d") == {"subscriptionFilters": []}


async def test_an_infrequent_access_group_can_be_queried_only(world: World) -> None:
    """No reading, following, metrics or subscriptions: AWS's words; DescribeLogGroups finds ESSENTIALS with it."""
    await world.call("CreateLogGroup", logGroupName="i", logGroupClass="INFREQUENT_ACCESS")
    await world.call("CreateLogGroup", logGroupName="e", logGroupClass="ESSENTIALS")
    await world.stream("i", "s")
    await world.put("i", "s", (0, "kept"))
    metric = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    calls: dict[str, dict[str, Any]] = {
        "GetLogEvents": {"logStreamName": "s"},
        "FilterLogEvents": {},
        "PutMetricFilter": {"filterName": "f", "filterPattern": "", "metricTransformations": [metric]},
        "DescribeMetricFilters": {},
        "PutSubscriptionFilter": {"filterName": "f", "filterPattern": "", "destinationArn": CLOSED},
        "DescribeSubscriptionFilters": {},
    }
    errors = [await refused(world, name, logGroupName="i", **params) for name, params in calls.items()]
    arn = f"arn:aws:logs:{SCOPE.region}:{SCOPE.account_id}:log-group:i"
    errors.append(await refused(world, "StartLiveTail", logGroupIdentifiers=[arn]))
    assert {(one.code, one.message) for one in errors} == {
        ("ValidationException", "This operation is only supported on the Standard log class.")
    }
    now_s = world.now_ms // 1000
    assert await world.call("StartQuery", logGroupName="i", queryString="limit 1", startTime=now_s, endTime=now_s)
    await world.call("PutRetentionPolicy", logGroupName="i", retentionInDays=3)
    for wanted in ("INFREQUENT_ACCESS", "ESSENTIALS"):
        found = (await world.call("DescribeLogGroups", logGroupClass=wanted))["logGroups"]
        assert [one["logGroupName"] for one in found] == ["e", "i"]
