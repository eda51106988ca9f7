"""Subscription filters: what becomes a delivery, and what must not."""

import asyncio
import base64
import gzip
import json
from typing import Any

import pytest

from tests.unit.logs.conftest import CLOSED, SCOPE, World
from tests.unit.logs.test_logs import FUNCTION, STREAM, refused
from undercast.core.context import Cause
from undercast.services.logs import subscriptions
from undercast.services.logs.loops import MAX_REPEATS, Loops
from undercast.services.logs.sink import FunctionLogs

ARN = "arn:aws:lambda:us-west-2:111122223333:function:f"
OTHER = "arn:aws:lambda:us-west-2:111122223333:function:other"


async def put_filter(world: World, group: str, name: str = "n", pattern: str = "", arn: str = OTHER) -> None:
    """PutSubscriptionFilter."""
    await world.call(
        "PutSubscriptionFilter", logGroupName=group, filterName=name, filterPattern=pattern, destinationArn=arn
    )


async def delivered(world: World) -> list[dict[str, Any]]:
    """The rows of the outbox, in order; their messages unpacked."""
    await world.logs.subscriptions.settled()
    rows = await world.logs.database.read(lambda tx: tx.all("SELECT * FROM event_delivery ORDER BY ord"))
    return [{**dict(row), "message": unpacked(row["payload"])} for row in rows]


def unpacked(event: bytes) -> dict[str, Any]:
    """The DATA_MESSAGE in a function's event."""
    message: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(json.loads(event)["awslogs"]["data"])))
    return message


async def test_what_matches_is_committed_before_the_answer(world: World) -> None:
    """One message for each filter and stream; ids are those of FilterLogEvents."""
    await world.stream("g", "s", "t")
    await put_filter(world, "g", "errors", "ERROR")
    await put_filter(world, "g", "all")
    await world.put("g", "s", (0, "ERROR one"), (1, "fine"), (2, "ERROR ünï 🐍"))
    await world.put("g", "t", (3, "fine"))
    rows = await delivered(world)
    assert [(row["message"]["subscriptionFilters"], row["message"]["logStream"]) for row in rows] == [
        (["all"], "s"), (["errors"], "s"), (["all"], "t"),
    ]  # fmt: skip
    (row,) = [row for row in rows if row["message"]["subscriptionFilters"] == ["errors"]]
    found = await world.call("FilterLogEvents", logGroupName="g", filterPattern="ERROR")
    shown = [(event["eventId"], event["timestamp"]) for event in found["events"]]
    message = row["message"]
    assert [(event["id"], event["timestamp"]) for event in message["logEvents"]] == shown
    assert [event["message"] for event in message["logEvents"]] == ["ERROR one", "ERROR ünï 🐍"]
    assert list(message) == ["messageType", "owner", "logGroup", "logStream", "subscriptionFilters", "logEvents"]
    assert (message["messageType"], message["owner"], message["logGroup"]) == ("DATA_MESSAGE", SCOPE.account_id, "g")
    assert (row["kind"], row["target_arn"], row["source_arn"], json.loads(row["attributes"])) == (
        "lambda", OTHER, f"arn:aws:logs:us-west-2:{SCOPE.account_id}:log-group:g:*",
        {"source_account": SCOPE.account_id},
    )  # fmt: skip


async def test_messages_are_bounded_and_fields_are_extracted(world: World) -> None:
    """Two messages of a large batch; a pattern of fields names what it found."""
    await world.stream("g", "s")
    await put_filter(world, "g", pattern="[ip, ..., status=4*]")
    await world.put("g", "s", (0, "1.2.3.4 GET / 404"), (1, "1.2.3.4 200"), (2, "5.6.7.8 " + "x" * 250_000 + " 400"),
                    (3, "5.6.7.8 " + "y" * 250_000 + " 401"), (4, "5.6.7.8 " + "z" * 250_000 + " 402"))  # fmt: skip
    first, second = await delivered(world)
    assert [len(row["message"]["logEvents"]) for row in (first, second)] == [3, 1]
    assert first["message"]["logEvents"][0]["extractedFields"] == {
        "ip": "1.2.3.4", "$2": "GET", "$3": "/", "status": "404",
    }  # fmt: skip


async def test_many_callers_wait_instead_of_losing_events(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a caller was told is delivered, however many call together."""
    monkeypatch.setattr(subscriptions, "WATCHED_BYTES", 3000)
    monkeypatch.setattr(subscriptions, "MAX_WAITING_BYTES", 5000)
    await world.stream("g", "s")
    await put_filter(world, "g")
    await asyncio.gather(*(world.put("g", "s", (0, f"{number} " + "x" * 1500)) for number in range(30)))
    messages = [event["message"] for row in await delivered(world) for event in row["message"]["logEvents"]]
    assert sorted(int(message.split()[0]) for message in messages) == list(range(30))


async def test_refusals_in_the_words_of_aws(world: World) -> None:
    """No permission, the function's own group, a role, a third filter, patterns and groups that are none."""
    await world.stream("/aws/lambda/f")
    good = {"logGroupName": "/aws/lambda/f", "filterName": "n", "filterPattern": "", "destinationArn": OTHER}
    for changed, text in (
        ({"destinationArn": CLOSED}, "Could not execute the lambda function. Make sure you have given CloudWatch Logs "
         "permission to execute your function."),
        ({"destinationArn": ARN}, "The log group provided is reserved for the function logs of the destination "
         "function."),
        ({"roleArn": "arn:aws:iam::111122223333:role/r"}, "destinationArn for vendor lambda cannot be used with "
         "roleArn"),
        ({"filterPattern": "{ $.a"}, "Invalid filter pattern"),
        ({"logGroupName": "none"}, "The specified log group does not exist."),
    ):  # fmt: skip
        assert (await refused(world, "PutSubscriptionFilter", **{**good, **changed})).message == text
    for name in ("a", "b", "a"):
        await put_filter(world, "/aws/lambda/f", name, name)
    assert (await refused(world, "PutSubscriptionFilter", **good)).code == "LimitExceededException"
    first = await world.call("DescribeSubscriptionFilters", logGroupName="/aws/lambda/f", limit=1)
    rest = await world.call(
        "DescribeSubscriptionFilters", logGroupName="/aws/lambda/f", nextToken=first["nextToken"], limit=1
    )
    assert "nextToken" not in rest
    assert [one["filterName"] for one in (*first["subscriptionFilters"], *rest["subscriptionFilters"])] == ["a", "b"]
    gone = {"logGroupName": "/aws/lambda/f", "filterName": "c"}
    assert (await refused(world, "DeleteSubscriptionFilter", **gone)).code == "ResourceNotFoundException"


async def test_deleted_filters_and_groups_send_nothing(world: World) -> None:
    """Nobody follows the group then, and a group of the same name has no filters."""
    await world.stream("g", "s")
    await put_filter(world, "g")
    await world.call("DeleteSubscriptionFilter", logGroupName="g", filterName="n")
    await world.put("g", "s", (0, "one"))
    await put_filter(world, "g")
    await world.call("DeleteLogGroup", logGroupName="g")
    await world.stream("g", "s")
    await world.put("g", "s", (0, "two"))
    assert (await delivered(world), world.logs.intake.followers.by_group) == ([], {})


async def test_a_restart_knows_the_filters(world: World) -> None:
    """They are in state.db."""
    await world.stream("g", "s")
    await put_filter(world, "g", pattern="x")
    world.logs.subscriptions.clear()
    await world.logs.subscriptions.start()
    await world.put("g", "s", (0, "x"), (1, "y"))
    (row,) = await delivered(world)
    assert [event["message"] for event in row["message"]["logEvents"]] == ["x"]


async def test_lines_of_a_function_carry_their_invocation(world: World) -> None:
    """Those of an INIT or of idle times that of the invocation before; together they are one message."""
    sink, causes = (
        FunctionLogs(world.logs.intake),
        [Cause(kind="invocation", id="r-1"), Cause(kind="background", id="ab")],
    )
    world.logs.intake._cause_of = lambda environment_id: causes.pop(0) if environment_id == "ab" else causes[99]
    await world.call("CreateLogGroup", logGroupName="/aws/lambda/f")
    await put_filter(world, "/aws/lambda/f")
    sink.append(FUNCTION, STREAM, [(world.now_ms, "START\n")])
    sink.append(FUNCTION, STREAM, [(world.now_ms, "REPORT\n")])
    (row,) = await delivered(world)
    assert [event["message"] for event in row["message"]["logEvents"]] == ["START\n", "REPORT\n"]
    assert (row["cause_kind"], row["cause_id"]) == ("invocation", "r-1")


async def test_a_function_that_reads_its_own_lines_ends(world: World) -> None:
    """Each delivery leads to two batches of lines: sixteen repeats of each beginning, however many branches."""
    await world.stream("own", "s")
    await put_filter(world, "own", arn=ARN)
    intake, key = world.logs.intake, 1
    name = next(iter(intake._keys))
    ran: list[str] = []
    waiting = ["outside"]
    while waiting and len(ran) < 1000:
        ran.append(waiting.pop())
        for text in ("first", "second"):
            intake.append(name, key, [(world.now_ms, text)], Cause(kind="invocation", id=ran[-1]))
            known = {*ran, *waiting}
            waiting += [row["id"] for row in await delivered(world) if row["id"] not in known]
    assert len(ran) == 1 + 2 + 2 * MAX_REPEATS


def test_a_chain_of_different_functions_is_no_loop() -> None:
    """Only a destination that led to the lines repeats."""
    loops = Loops()
    assert loops.admits("d1", "one", "outside")
    assert all(loops.admits(f"d2-{number}", "two", "d1") for number in range(100))
    assert [loops.admits(f"d3-{number}", "one", "d2-0") for number in range(MAX_REPEATS + 1)] == [
        True,
    ] * MAX_REPEATS + [False]


async def test_a_pattern_is_tried_on_messages(world: World) -> None:
    """TestMetricFilter: fields by name, fields by place, JSON selectors, terms."""
    lines = [
        '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET / HTTP/1.0" 404 1534',
        '{"a": {"b": [1, 2]}, "c": "x"}',
    ]
    tried = [
        (await world.call("TestMetricFilter", filterPattern=pattern, logEventMessages=lines))["matches"]
        for pattern in ("[..., status=4*, size]", "[]", '{ $.a.b[1] = 2 && $.c = "x" }', "frank")
    ]
    assert [[match["eventNumber"] for match in matches] for matches in tried] == [[1], [1, 2], [2], [1]]
    assert tried[0][0]["extractedValues"] == {
        "$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700", "$5": "GET / HTTP/1.0",
        "status": "404", "size": "1534",
    }  # fmt: skip
    assert (tried[2][0]["extractedValues"], tried[3][0]["extractedValues"]) == ({"$.a.b[1]": "2", "$.c": "x"}, {})
