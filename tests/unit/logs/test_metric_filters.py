"""Metric filters: what becomes metric data."""

from typing import Any

from tests.unit.logs.conftest import World
from tests.unit.logs.test_logs import refused

MINUTE_MS = 60_000


async def put_filter(world: World, name: str = "n", pattern: str = "", **transformation: Any) -> None:
    """PutMetricFilter on the group g."""
    given = {"metricName": name, "metricNamespace": "N", "metricValue": "1", **transformation}
    await world.call(
        "PutMetricFilter", logGroupName="g", filterName=name, filterPattern=pattern, metricTransformations=[given]
    )


def data(world: World) -> dict[tuple[Any, ...], tuple[float, float]]:
    """(metric, *dimensions) -> (count, sum) of what has gathered."""
    return {
        (point.series.name, point.unit, *point.series.dimensions): (tally.count, tally.total)
        for point, tally in world.metrics.take().items()
    }


async def test_values_come_from_json_fields_and_constants(world: World) -> None:
    """A message without the number, or without a dimension, adds nothing."""
    await world.stream("g", "s")
    await put_filter(world, "errors", '{ $.level = "ERROR" }')
    dimensions = {"Path": "$.path"}
    await put_filter(world, "ms", "{ $.ms = * }", metricValue="$.ms", unit="Milliseconds", dimensions=dimensions)
    await put_filter(world, "size", "[ip, status=4*, size]", metricValue="$size")
    lines = (
        '{"level": "ERROR", "ms": 5, "path": "/a"}', '{"ms": 7, "path": "/a"}', '{"ms": 9}',
        '{"ms": "x", "path": "/b"}', "1.2.3.4 404 12", "1.2.3.4 200 9",
    )  # fmt: skip
    await world.put("g", "s", *enumerate(lines))
    assert data(world) == {
        ("errors", "None"): (1, 1),
        ("ms", "Milliseconds", ("Path", "/a")): (2, 12),
        ("size", "None"): (1, 12),
    }
    (group,) = (await world.call("DescribeLogGroups"))["logGroups"]
    assert group["metricFilterCount"] == 3


async def test_a_default_stands_for_a_minute_without_a_match(world: World) -> None:
    """Put when the minute is over; a minute with a match has none, one without events neither."""
    await world.stream("g", "s")
    await put_filter(world, "errors", "ERROR", defaultValue=0.0)
    await world.put("g", "s", (0, "fine"), (1, "fine"))
    assert data(world) == {}
    world.clock.advance(60)
    assert data(world) == {("errors", "None"): (1, 0)}
    await world.put("g", "s", (0, "ERROR"), (1, "fine"))
    world.clock.advance(60)
    assert data(world) == {("errors", "None"): (1, 1)}
    world.clock.advance(60)
    assert data(world) == {}


async def test_a_large_batch_is_in_the_metrics_before_the_answer(world: World) -> None:
    """It is looked at in pieces."""
    await world.stream("g", "s")
    await put_filter(world, "all")
    await world.put("g", "s", *((number, "x") for number in range(1000)))
    assert data(world) == {("all", "None"): (1000, 1000)}


async def test_filters_are_described_and_deleted_and_known_after_a_restart(world: World) -> None:
    """By group, by prefix, by metric."""
    await world.stream("g", "s")
    await world.stream("h")
    for name in ("a", "ab", "c"):
        await put_filter(world, name)
    await world.call("DeleteMetricFilter", logGroupName="g", filterName="c")
    assert (await refused(world, "DeleteMetricFilter", logGroupName="g", filterName="c")).message == (
        "The specified metric filter does not exist."
    )
    world.logs.metric_filters.clear()
    await world.logs.metric_filters.start()
    await world.put("g", "s", (0, "x"))
    assert data(world) == {("a", "None"): (1, 1), ("ab", "None"): (1, 1)}
    for params, names in (
        ({}, ["a", "ab"]),
        ({"logGroupName": "h"}, []),
        ({"filterNamePrefix": "ab"}, ["ab"]),
        ({"metricName": "a", "metricNamespace": "N"}, ["a"]),
    ):
        found = await world.call("DescribeMetricFilters", **params)
        assert [one["filterName"] for one in found["metricFilters"]] == names
    await world.call("DeleteLogGroup", logGroupName="g")
    assert (await world.call("DescribeMetricFilters"))["metricFilters"] == []


async def test_transformations_are_checked(world: World) -> None:
    """What is neither a number nor a field, too many dimensions, a default with dimensions."""
    await world.stream("g")
    good = {"metricName": "m", "metricNamespace": "N", "metricValue": "1"}
    for changed in (
        {"metricValue": "x"},
        {"metricValue": "$size"},
        {"dimensions": dict.fromkeys("abcd", "$.a")},
        {"dimensions": {"a": "$.a"}, "defaultValue": 0.0},
    ):
        error = await refused(
            world, "PutMetricFilter", logGroupName="g", filterName="n", filterPattern="{ $.a = 1 }",
            metricTransformations=[{**good, **changed}],
        )  # fmt: skip
        assert (error.code, error.message[:29]) == ("InvalidParameterException", "Invalid metric transformation")
