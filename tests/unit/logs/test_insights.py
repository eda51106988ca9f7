"""The query language of Logs Insights, on events in a group."""

import asyncio
import json
from typing import Any

import pytest

from tests.unit.logs.conftest import World
from tests.unit.logs.test_logs import refused
from undercast.services.logs import queries
from undercast.services.logs.insights import run
from undercast.services.logs.insights.aggregates import TooMuch
from undercast.services.logs.insights.run import Query
from undercast.services.logs.insights.tokens import QueryError

REQUEST = "6bc28136-0000-4000-8000-00000000000a"
REPORT = (
    f"REPORT RequestId: {REQUEST}\tDuration: 12.50 ms\tBilled Duration: 113 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 37 MB\tInit Duration: 99.75 ms\t\n"
)
LINES = (
    '{"level": "INFO", "ms": 10, "user": {"id": "u1"}, "ok": true, "tags": ["a", "b"]}',
    '{"level": "ERROR", "ms": 30, "user": {"id": "u2"}, "ok": false}',
    '{"level": "ERROR", "ms": 20, "user": {"id": "u1"}}',
    "plain 10.0.0.7 [WARN] took 7 ms",
)


async def ran(world: World, text: str, group: str = "g", **params: Any) -> list[dict[str, str]]:
    """The rows of a query over the last hour, without @ptr."""
    now = world.now_ms // 1000
    given = {"logGroupName": group, "startTime": now - 3600, "endTime": now + 60, **params}
    query = (await world.call("StartQuery", queryString=text, **given))["queryId"]
    async with asyncio.timeout(20):
        while (told := await world.call("GetQueryResults", queryId=query))["status"] == "Running":
            await asyncio.sleep(0.001)
    assert told["status"] == "Complete"
    rows = [{one["field"]: one["value"] for one in row} for row in told["results"]]
    return [{name: value for name, value in row.items() if name != "@ptr"} for row in rows]


@pytest.fixture
async def filled(world: World) -> World:
    """The lines, a second apart."""
    await world.stream("g", "s")
    await world.put("g", "s", *((number * 1000, line) for number, line in enumerate(LINES)))
    return world


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("fields ms | filter level = 'ERROR'", [{"ms": "20"}, {"ms": "30"}]),
        ("filter level = 'ERROR' and ms > 20 or ms = 10 | fields ms | sort ms", [{"ms": "10"}, {"ms": "30"}]),
        ("fields ms | filter level in ['INFO', 'x'] and not ms >= 11", [{"ms": "10"}]),
        ("fields ms | filter level not in ['ERROR'] and ispresent(ms)", [{"ms": "10"}]),
        ("fields ms | filter user.id like /^u[2-9]$/", [{"ms": "30"}]),
        ("fields ms | filter user.id =~ 'u2' | display ms", [{"ms": "30"}]),
        ("fields level | filter @message not like /level/ or ok = true", [{}, {"level": "INFO"}]),
        ("fields tags.1 as t | filter ispresent(tags.1)", [{"t": "b"}]),
        ("parse '* * [*] took * ms' as word, ip, level, ms | filter ispresent(ip) | display ip, level, ms",
         [{"ip": "10.0.0.7", "level": "WARN", "ms": "7"}]),
        ("parse @message /(?<ip>[\\d.]+) \\[(?<l>\\w+)\\]/ | filter isValidIp(ip) and isIpInSubnet(ip, '10.0.0.0/8')"
         " | fields l, isValidIpv6(ip) as six", [{"l": "WARN", "six": "0"}]),
        ("stats count(*) as n, sum(ms), avg(ms) as a, min(ms), max(ms), count_distinct(user.id) as users by level"
         " | sort level", [
             {"n": "1", "users": "0"},
             {"level": "ERROR", "n": "2", "sum(ms)": "50", "a": "25", "min(ms)": "20", "max(ms)": "30", "users": "2"},
             {"level": "INFO", "n": "1", "sum(ms)": "10", "a": "10", "min(ms)": "10", "max(ms)": "10", "users": "1"},
         ]),
        ("filter ispresent(ms) | stats pct(ms, 50) as p, stddev(ms) as d, earliest(ms) as e, latest(ms) as l,"
         " sortsFirst(user.id) as f, sortsLast(user.id) as z",
         [{"p": "20", "d": "8.165", "e": "10", "l": "20", "f": "u1", "z": "u2"}]),
        ("stats sum(strcontains(@message, 'ERROR')) / count(*) * 100 as percent", [{"percent": "50"}]),
        ("stats count(*) by level | sort count(*) desc, level asc | limit 1", [{"level": "ERROR", "count(*)": "2"}]),
        ("stats count(*) as n by level | filter n > 1 | fields n * 2 as twice",
         [{"level": "ERROR", "n": "2", "twice": "4"}]),
        ("stats count(*) as n by bin(1h) as t | display n", [{"n": "4"}]),
        ("fields level | dedup level | sort @timestamp", [{"level": "INFO"}, {"level": "ERROR"}, {}]),
        ("filter ms = 10 | fields (1 + 2) * 3 ^ 2 % 10 as a, -ms / 4 as b, 1 / 0 as c, abs(-3) as d, ceil(1.2) as e,"
         " floor(-1.2) as f, greatest(1, ms, 3) as g, sqrt(16) as h",
         [{"a": "7", "b": "-2.5", "d": "3", "e": "2", "f": "-2", "g": "10", "h": "4"}]),
        ("filter ms = 10 | fields concat(level, '-', ms) as a, toupper('x') as b, substr(level, 1, 2) as c,"
         " replace(level, 'N', 'n') as d, trim('  x ') as e, ltrim('xxa', 'x') as f, strlen(level) as g,"
         " coalesce(none, level) as h, isempty(none) as i, isblank(' ') as j, tolower(level) as k",
         [{"a": "INFO-10", "b": "X", "c": "NF", "d": "InFO", "e": "x", "f": "a", "g": "4", "h": "INFO", "i": "1",
           "j": "1", "k": "info"}]),
        ("filter ms = 10 | fields datefloor(@timestamp, 1h) as a, toMillis(fromMillis(60000)) as b,"
         " jsonParse(@message) as j, j.user.id as id, fromMillis(0) as z | display a, b, id, z",
         [{"a": "2023-11-14 22:00:00.000", "b": "60000", "id": "u1", "z": "1970-01-01 00:00:00.000"}]),
        ("stats max(ms) as high, min(ms) as low, high - low as range | display range", [{"range": "20"}]),
        ("filter ms = 10 | fields bin(30seconds) as a, datefloor(@timestamp, 1mo) as b, dateceil(@timestamp, 1quarter)"
         " as c, datefloor(@timestamp, 1y) as d, now() as e, bin(2w) as f | display a, b, c, d, e",
         [{"a": "2023-11-14 22:13:00.000", "b": "2023-11-01 00:00:00.000", "c": "2024-01-01 00:00:00.000",
           "d": "2023-01-01 00:00:00.000", "e": "1700000000"}]),
        ("filter ms = 10 | fields greatest(ms) as a, 1e308 * 10 as b, 1e999 as c, coalesce(b, c, 'none') as d"
         " | display a, b, c, d", [{"a": "10", "d": "none"}]),
        ("filter ms > 0 | stats stddev(ms * 1e200) > 1 as large", [{"large": "1"}]),
        ("fields level | limit 4 | filter level = 'INFO' | limit 1", [{"level": "INFO"}]),
        ("filter toMillis(@timestamp) >= (now() * 1000 + 2000) | stats count(*) as n", [{"n": "2"}]),
        ("fields `ms` # a comment | limit 9\n| filter ms = 10 | limit 5", [{"ms": "10"}]),
        ("fields @timestamp, @logStream, @log | filter ms = 10", [{
            "@timestamp": "2023-11-14 22:13:20.000", "@logStream": "s", "@log": "111122223333:g",
        }]),
    ],
)  # fmt: skip
async def test_queries(filled: World, query: str, rows: list[dict[str, str]]) -> None:
    """Commands, operators, functions: what a query gives, newest event first."""
    assert await ran(filled, query) == rows


async def test_without_fields_time_and_message_are_shown(filled: World) -> None:
    """And @ptr, by which GetLogRecord finds the event with all its fields."""
    rows = await ran(filled, "limit 1")
    assert rows == [{"@timestamp": "2023-11-14 22:13:23.000", "@message": LINES[3]}]
    now = filled.now_ms // 1000
    started = await filled.call(
        "StartQuery", logGroupIdentifiers=["g"], startTime=now - 9, endTime=now, queryString="filter ms = 10"
    )
    async with asyncio.timeout(20):
        while (told := await filled.call("GetQueryResults", **started))["status"] == "Running":
            await asyncio.sleep(0.001)
    pointer = next(one["value"] for one in told["results"][0] if one["field"] == "@ptr")
    record = (await filled.call("GetLogRecord", logRecordPointer=pointer))["logRecord"]
    assert (record["@message"], record["user.id"], record["@timestamp"]) == (LINES[0], "u1", str(filled.now_ms))
    assert told["statistics"] == {
        "recordsMatched": 1.0, "recordsScanned": 1.0, "estimatedRecordsSkipped": 0.0,
        "bytesScanned": len(LINES[0]) + 26, "estimatedBytesSkipped": 0.0, "logGroupsScanned": 1.0, "resultCount": 1.0,
    }  # fmt: skip
    assert (await refused(filled, "GetLogRecord", logRecordPointer="x")).code == "InvalidParameterException"


async def test_fields_of_lambda_are_discovered(world: World) -> None:
    """Of REPORT lines, of lines with a request id, and the first JSON of a line; in AWS's units."""
    group = "/aws/lambda/f"
    await world.stream(group, "s")
    line = f'2026-01-01T00:00:00Z\t{REQUEST}\tINFO\t{{"order": 7}}\n'
    await world.put(group, "s", (0, f"START RequestId: {REQUEST} Version: 1\n"), (1, line), (2, REPORT))
    rows = await ran(world, "fields @type, @requestId, order | sort @timestamp", group)
    assert rows == [
        {"@type": "START", "@requestId": REQUEST},
        {"@requestId": REQUEST, "order": "7"},
        {"@type": "REPORT", "@requestId": REQUEST},
    ]
    query = (
        "filter @type = 'REPORT' | stats max(@memorySize / 1000 / 1000) as mb, max(@maxMemoryUsed),"
        " avg(@duration) as d, sum(@billedDuration) as b, max(@initDuration) as i"
    )
    assert await ran(world, query, group) == [
        {"mb": "128", "max(@maxMemoryUsed)": "37000000", "d": "12.5", "b": "113", "i": "99.75"}
    ]
    world.clock.advance(60)
    fields = (await world.call("GetLogGroupFields", logGroupName=group))["logGroupFields"]
    shares = {one["name"]: one["percent"] for one in fields}
    assert (shares["@message"], shares["@requestId"], shares["@duration"], shares["order"]) == (100, 100, 33, 33)


async def test_many_events_of_several_groups(world: World) -> None:
    """More than one page; the limits of the query and of the request."""
    for group in ("g", "h"):
        await world.stream(group, "s", "t")
        for stream in ("s", "t"):
            await world.put(group, stream, *((number, json.dumps({"n": number})) for number in range(1500)))
    both: dict[str, Any] = {"logGroupName": None, "logGroupNames": ["g", "h"]}
    assert await ran(world, "stats count(*) as n, sum(n) as s by @log | sort @log", **both) == [
        {"@log": f"111122223333:{group}", "n": "3000", "s": str(2 * sum(range(1500)))} for group in ("g", "h")
    ]
    assert await ran(world, "fields n | limit 3", **both) == [{"n": "1499"}] * 3
    assert len(await ran(world, "fields n", **both, limit=4500)) == 4500
    assert len(await ran(world, "fields n | filter n < 10 | sort n desc", **both)) == 40


@pytest.mark.parametrize(
    ("query", "message", "start", "end"),
    [
        ("filte a = 1", "unexpected symbol found filte at line 1 and position 0", 0, 4),
        ("fields a\n| filter a = = 1", "unexpected symbol found = at line 2 and position 13", 22, 22),
        ("filter", "unexpected end of query at line 1 and position 6", 6, 6),
        ("fields nosuch(a)", "unexpected symbol found nosuch at line 1 and position 7", 7, 12),
        ("fields strlen(a, b)", "wrong number of arguments for strlen", 7, 12),
        ("parse '* *' as a", "the pattern has 2 wildcards for 1 names", 6, 10),
        ("filter a like /(?=x)/", "invalid regular expression: invalid perl operator: (?=", 14, 20),
        ("filter count(*) > 1", "unexpected symbol found count at line 1 and position 7", 7, 11),
        ("limit x", "unexpected symbol found x at line 1 and position 6", 6, 6),
        ("filter a = 'x", "unexpected symbol found ' at line 1 and position 11", 11, 11),
    ],
)
async def test_a_query_that_is_none_is_told_where(world: World, query: str, message: str, start: int, end: int) -> None:
    """MalformedQueryException with queryCompileError."""
    await world.stream("g")
    error = await refused(world, "StartQuery", logGroupName="g", startTime=0, endTime=1, queryString=query)
    location = {"startCharOffset": start, "endCharOffset": end}
    assert (error.code, error.message) == ("MalformedQueryException", message)
    assert error.members == {"queryCompileError": {"location": location, "message": message}}


@pytest.mark.parametrize(
    "query", ["filter " + "(" * 3000 + "a", "fields " + "-" * 4000 + "a", "fields 1" + "^1" * 2000,
              "fields a" + "+a" * 3000, "filter " + "not " * 2000 + "a", "fields " + "abs(" * 2000]
)  # fmt: skip
def test_hostile_queries_are_refused_or_run(query: str) -> None:
    """No query is too deep for the parser."""
    try:
        Query(query).add([{"a": 1}])
    except QueryError:
        return
    assert "(" not in query


async def test_what_is_missing_is_named(world: World) -> None:
    """Commands and languages of AWS that are not here."""
    await world.stream("g")
    for query, params, text in (
        ("unmask @message", {}, "the command unmask of the query language is missing here"),
        ("pattern @message", {}, "the command pattern"),
        ("limit 1", {"queryLanguage": "SQL"}, "queryLanguage=SQL"),
    ):
        given = {"logGroupName": "g", "startTime": 0, "endTime": 1, "queryString": query, **params}
        error = await refused(world, "StartQuery", **given)
        assert (error.code, text in error.message) == ("NotImplemented", True)


async def test_queries_are_listed_and_stopped(filled: World) -> None:
    """One that has ended cannot be stopped; groups and spans are checked."""
    await ran(filled, "limit 1")
    await ran(filled, "limit 2")
    first = await filled.call("DescribeQueries", maxResults=1)
    rest = await filled.call("DescribeQueries", nextToken=first["nextToken"], logGroupName="g", status="Complete")
    found = [*first["queries"], *rest["queries"]]
    assert [one["queryString"] for one in found] == ["limit 2", "limit 1"]
    assert (await refused(filled, "StopQuery", queryId=found[0]["queryId"])).code == "InvalidParameterException"
    page = await filled.call("GetQueryResults", queryId=found[0]["queryId"], maxItems=1)
    rest = await filled.call("GetQueryResults", queryId=found[0]["queryId"], nextToken=page["nextToken"])
    assert ([len(one["results"]) for one in (page, rest)], "nextToken" in rest) == ([1, 1], False)
    given = {"logGroupName": "g", "startTime": 0, "endTime": 9, "queryString": "limit 1"}
    started = await filled.call("StartQuery", **given)
    assert await filled.call("StopQuery", **started) == {"success": True}
    assert (await filled.call("GetQueryResults", **started))["status"] == "Cancelled"
    for changed, code in (
        ({"logGroupName": "none"}, "ResourceNotFoundException"),
        ({"logGroupName": None}, "InvalidParameterException"),
        ({"startTime": 10}, "InvalidParameterException"),
    ):
        assert (await refused(filled, "StartQuery", **{**given, **changed})).code == code
    assert (await refused(filled, "GetQueryResults", queryId="none")).code == "ResourceNotFoundException"


async def test_old_results_make_room(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest queries are forgotten when all results together are many."""
    monkeypatch.setattr(queries, "MAX_ROWS", 5)
    for _ in range(4):
        await ran(filled, "fields @message")
    assert len((await filled.call("DescribeQueries"))["queries"]) == 2


async def test_saved_queries(world: World) -> None:
    """Made once for a token, changed by id, listed by name, deleted."""
    token = "t" * 36
    made = [
        await world.call("PutQueryDefinition", name="b", queryString="limit 1", clientToken=token) for _ in range(2)
    ]
    assert made[0] == made[1]
    other = await world.call("PutQueryDefinition", name="a", queryString="limit 2", logGroupNames=["g"])
    await world.call("PutQueryDefinition", name="bb", queryString="limit 3", **made[0])
    found = (await world.call("DescribeQueryDefinitions"))["queryDefinitions"]
    assert [(one["name"], one["queryString"], one["logGroupNames"]) for one in found] == [
        ("a", "limit 2", ["g"]), ("bb", "limit 3", []),
    ]  # fmt: skip
    assert await world.call("DeleteQueryDefinition", **other) == {"success": True}
    assert (await refused(world, "DeleteQueryDefinition", **other)).code == "ResourceNotFoundException"
    found = (await world.call("DescribeQueryDefinitions", queryDefinitionNamePrefix="b"))["queryDefinitions"]
    assert [one["name"] for one in found] == ["bb"]


async def test_a_page_of_large_events_is_cut(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes as by events, and nothing is left out."""
    monkeypatch.setattr(queries, "PAGE_BYTES", 60)
    assert [row["@message"] for row in await ran(filled, "fields @message")] == list(reversed(LINES))


def rows_of(count: int, size: int) -> list[dict[str, Any]]:
    """Events as a query gets them."""
    return [{"@timestamp": number, "@message": f"{number:0{size}}", "n": number} for number in range(count)]


def fed(text: str, count: int) -> tuple[Query, bool]:
    """A query that has got so many rows, a page at a time, and whether it wants more."""
    query, rows, wanted = Query(text), rows_of(count, 1), True
    for begin in range(0, count, 700):
        wanted = wanted and query.add(rows[begin : begin + 700])
    return query, wanted


def values(query: Query) -> list[str]:
    """The first column of the results."""
    return [row[0]["value"] for row in query.results()]


@pytest.mark.parametrize("text", ["fields @message", "fields @message | sort n asc", "limit 90", "dedup n"])
def test_rows_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A part of the rows would be a wrong answer: the query fails."""
    monkeypatch.setattr(run, "MAX_BYTES", 50_000)
    with pytest.raises(TooMuch):
        Query(text).add(rows_of(100, 10_000))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("fields n | sort n desc | limit 3", ["8999", "8998", "8997"]),
        ("fields n | sort n - 8000 desc | display n | limit 2", ["8999", "8998"]),
        ("fields n | sort n % 2, n desc | limit 2", ["8998", "8996"]),
        ("fields n % 3 as m | dedup m | display m", ["0", "1", "2"]),
        ("fields n % 3 as m | dedup m | sort m desc | limit 1 | display m", ["2"]),
        ("fields n % 3 as m | dedup m | stats count(*)", ["3"]),
        ("filter n > 8997 | fields n", ["8998", "8999"]),
    ],
)
def test_all_rows_are_looked_at_and_few_kept(monkeypatch: pytest.MonkeyPatch, text: str, rows: list[str]) -> None:
    """What decides may be the oldest row of all."""
    monkeypatch.setattr(run, "MAX_ROWS", 50)
    monkeypatch.setattr(run, "MAX_BYTES", 500_000)
    query, wanted = fed(text, 9000)
    assert wanted
    assert query.size < 500_000
    assert values(query) == rows


def test_rows_that_sort_alike_stay_newest_first() -> None:
    """Also when those of several pages are sorted and cut."""
    query, _ = fed("fields n | sort n % 2 | limit 4", 9000)
    assert values(query) == ["0", "2", "4", "6"]


@pytest.mark.parametrize("behind", ["filter n > 1", "dedup n", "stats count(*)", "sort @timestamp"])
def test_sorted_rows_are_bounded_where_all_are_needed(monkeypatch: pytest.MonkeyPatch, behind: str) -> None:
    """So many and no more."""
    monkeypatch.setattr(run, "MAX_ROWS", 50)
    assert Query(f"sort n desc | {behind} | limit 1").add(rows_of(50, 1))
    with pytest.raises(TooMuch):
        Query(f"sort n desc | {behind} | limit 1").add(rows_of(51, 1))


def test_groups_are_bounded_by_what_they_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS tells of no number of groups. Counts of those that come first would be a wrong answer."""
    query, _ = fed("stats count(*) as c by n | sort c desc", 60_000)
    query.add(rows_of(60_000, 1)[-1:])
    found = query.results()
    assert (len(found), [one["value"] for one in found[0]]) == (run.DEFAULT_LIMIT, ["59999", "2"])
    monkeypatch.setattr(run, "MAX_BYTES", 1024 * 1024)
    for text in ("stats count(*) by n", "sort n | stats count(*) by n"):
        assert len(fed(text, 1000)[0].results()) == 1000
        with pytest.raises(TooMuch, match="more than 1048576 bytes"):
            fed(text, 2000)[0].results()


def test_results_have_ten_thousand_rows_without_a_limit() -> None:
    """AWS: CloudWatch Logs User Guide, "limit": the default is 10,000; no older event is read for it."""
    query, wanted = fed("fields n", run.DEFAULT_LIMIT + 1)
    assert not wanted
    assert len(query.results()) == run.DEFAULT_LIMIT == 10_000
    query, wanted = fed("fields n | sort n desc", run.DEFAULT_LIMIT + 1)
    found = values(query)
    assert (wanted, len(found), found[0], found[-1]) == (True, 10_000, "10000", "1")


async def test_statistics_tell_what_was_read(filled: World) -> None:
    """Scanned: what was read; matched: what the filters let through, whatever dedup leaves of it."""
    now = filled.now_ms // 1000
    given = {"logGroupName": "g", "startTime": now - 3600, "endTime": now + 60}
    text = "filter level = 'ERROR' | dedup level | display level"
    started = await filled.call("StartQuery", queryString=text, **given)
    async with asyncio.timeout(20):
        while (told := await filled.call("GetQueryResults", **started))["status"] == "Running":
            await asyncio.sleep(0.001)
    size = sum(len(line) + 26 for line in LINES)
    assert told["statistics"] == {
        "recordsScanned": 4.0, "recordsMatched": 2.0, "bytesScanned": float(size), "resultCount": 1.0,
        "logGroupsScanned": 1.0, "estimatedRecordsSkipped": 0.0, "estimatedBytesSkipped": 0.0,
    }  # fmt: skip


def test_a_group_keeps_of_its_events_what_it_shows() -> None:
    """10,000 groups of 256 KB each would be gigabytes."""
    query = Query("stats count(*) as c, n + 1 as next by n")
    query.add(rows_of(100, 10_000))
    assert query.size < 100 * 1100
    assert query.results()[7] == [
        {"field": "n", "value": "7"}, {"field": "c", "value": "1"}, {"field": "next", "value": "8"},
    ]  # fmt: skip


@pytest.mark.parametrize("item", ["count_distinct(@message)", "pct(n, 50)", "latest(@message) by n"])
def test_what_stats_gathers_is_bounded(monkeypatch: pytest.MonkeyPatch, item: str) -> None:
    """A statistic of a part of the events would be wrong: the query fails."""
    monkeypatch.setattr(run, "MAX_BYTES", 5000)
    with pytest.raises(TooMuch):
        Query(f"stats {item}").add(rows_of(200, 100))


async def test_queries_that_need_too_much_together_fail(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old results are forgotten first."""
    await ran(filled, "fields @message")
    monkeypatch.setattr(queries, "MAX_BYTES", 2000)
    await ran(filled, "fields ms | limit 1")
    assert [one["queryString"] for one in (await filled.call("DescribeQueries"))["queries"]] == ["fields ms | limit 1"]
    monkeypatch.setattr(queries, "MAX_BYTES", 100)
    now = filled.now_ms // 1000
    given = {"logGroupName": "g", "startTime": now - 3600, "endTime": now + 60}
    started = await filled.call("StartQuery", queryString="fields @message", **given)
    async with asyncio.timeout(20):
        while (told := await filled.call("GetQueryResults", **started))["status"] == "Running":
            await asyncio.sleep(0.001)
    assert told["status"] == "Failed"
