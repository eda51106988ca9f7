"""GetTimeSeriesServiceStatistics: what the service graph says, window by window."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.xray.conftest import Account


def series(aws: Account, **params: Any) -> list[dict[str, Any]]:
    """The windows around now."""
    found: list[dict[str, Any]] = aws.xray.get_time_series_service_statistics(**aws.range, **params)[
        "TimeSeriesServiceStatistics"
    ]
    return found


def calls(aws: Account) -> float:
    """A front that calls a back, which fails; a minute later another front. The moment of the first window."""
    window = aws.began // 60 * 60
    aws.began = window + 10
    top = aws.segment("front", took=2.0)
    below = aws.segment("back", top["trace_id"], parent_id=top["id"], fault=True, took=1.5)
    later = aws.segment("front", throttle=True, error=True)
    later |= {"start_time": window + 70, "end_time": window + 71}
    aws.put(top, below, later)
    return window


def test_a_service_is_told_window_by_window(aws: Account) -> None:
    """By its name or id(); counts, total time and histogram of the calls that began in each."""
    window = calls(aws)
    first, second = series(aws, EntitySelectorExpression='service("front")')
    assert first == {
        "Timestamp": datetime.fromtimestamp(window, UTC),
        "ServiceSummaryStatistics": {
            "OkCount": 1,
            "ErrorStatistics": {"ThrottleCount": 0, "OtherCount": 0, "TotalCount": 0},
            "FaultStatistics": {"OtherCount": 0, "TotalCount": 0},
            "TotalCount": 1,
            "TotalResponseTime": 2.0,
        },
        "ResponseTimeHistogram": [{"Value": 2.0, "Count": 1}],
    }
    assert second["Timestamp"] == datetime.fromtimestamp(window + 60, UTC)
    assert second["ServiceSummaryStatistics"]["ErrorStatistics"]["ThrottleCount"] == 1
    assert series(aws, EntitySelectorExpression='id(name: "front")') == [first, second]


def test_without_a_selector_all_edges_are_told(aws: Account) -> None:
    """API Reference: "If no selector expression is specified, edge statistics are returned." """
    calls(aws)
    first, second = series(aws)
    assert (first["EdgeSummaryStatistics"]["TotalCount"], second["EdgeSummaryStatistics"]["TotalCount"]) == (2, 1)
    (edge,) = series(aws, EntitySelectorExpression='edge("front", "back")')
    assert edge["EdgeSummaryStatistics"]["FaultStatistics"]["TotalCount"] == 1
    (whole,) = series(aws, Period=1_000_000_000)
    assert whole["EdgeSummaryStatistics"]["TotalCount"] == 3


def test_a_group_narrows_them(aws: Account) -> None:
    """As it narrows the service graph."""
    calls(aws)
    aws.xray.create_group(GroupName="throttled", FilterExpression="throttle")
    (only,) = series(aws, GroupName="throttled")
    assert only["EdgeSummaryStatistics"]["TotalCount"] == 1


@pytest.mark.parametrize(
    "params",
    [
        {"EntitySelectorExpression": "fault"},
        {"EntitySelectorExpression": 'service("front") AND fault'},
        {"EntitySelectorExpression": 'edge("front"'},
        {"Period": 0},
    ],
)
def test_what_is_no_selector_is_refused(aws: Account, params: dict[str, Any]) -> None:
    """API Reference: InvalidRequestException."""
    with pytest.raises(ClientError) as caught:
        series(aws, **params)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


def test_a_forecast_is_refused_by_its_name(aws: Account) -> None:
    """There are no insights that forecast."""
    with pytest.raises(ClientError, match="ForecastStatistics") as caught:
        series(aws, ForecastStatistics=True)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_what_began_outside_the_range_does_not_count(aws: Account) -> None:
    """Of one trace, too: StartTime belongs to the range, EndTime does not."""
    top = aws.segment("front")
    start, end = (moment.timestamp() for moment in aws.range.values())
    moments = (start - 1, start, end - 1, end)
    others = [aws.segment("back", top["trace_id"], parent_id=top["id"]) for _ in moments]
    for other, at in zip(others, moments, strict=True):
        other |= {"start_time": at, "end_time": at + 0.5}
    assert aws.put(top, *others) == []
    found = series(aws, EntitySelectorExpression='service("back")', Period=3600)
    assert sum(one["ServiceSummaryStatistics"]["TotalCount"] for one in found) == 2
