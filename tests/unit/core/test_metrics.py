"""What gathers of metrics in a second: whoever brings too much loses what is his, and nobody else's is touched."""

import logging

import pytest

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.metrics import (
    MAX_DISTINCT,
    MAX_OF_NAMESPACE,
    MAX_OF_SCOPE,
    MAX_POINTS,
    Metrics,
    Series,
    Tally,
    rounded,
)

REGION = Region("us-east-1")
LOUD, QUIET = Scope(AccountId("111111111111"), REGION), Scope(AccountId("222222222222"), REGION)


def flood(metrics: Metrics, scope: Scope, namespace: str, count: int) -> None:
    """So many new metrics."""
    for number in range(count):
        metrics.put(Series.of(scope, namespace, f"m{number}"), 1.0, 60)


def test_a_flood_takes_nothing_from_others() -> None:
    """Not from another namespace of the account, not from another account; what was there before it stays."""
    metrics = Metrics()
    before = Series.of(LOUD, "flood", "before")
    metrics.put(before, 1.0, 60)
    flood(metrics, LOUD, "flood", MAX_OF_NAMESPACE + 5)
    others = [Series.of(LOUD, "AWS/Lambda", "Invocations"), Series.of(QUIET, "flood", "m0")]
    for series in (before, *others):
        metrics.put(series, 2.0, 60)
    taken = {point.series: tally for point, tally in metrics.take().items()}
    assert len(taken) == MAX_OF_NAMESPACE + len(others)
    assert [taken[series].total for series in (before, *others)] == [3.0, 2.0, 2.0]


def test_many_namespaces_are_no_way_around_it() -> None:
    """An account in a region has a limit, too, and all of them together."""
    metrics = Metrics()
    for number in range(MAX_OF_SCOPE // MAX_OF_NAMESPACE + 1):
        flood(metrics, LOUD, f"n{number}", MAX_OF_NAMESPACE)
    metrics.put(Series.of(QUIET, "n", "m"), 1.0, 60)
    assert len(metrics.take()) == MAX_OF_SCOPE + 1
    assert MAX_OF_SCOPE * 2 <= MAX_POINTS


def test_what_is_refused_is_told_and_the_next_second_is_free(caplog: pytest.LogCaptureFixture) -> None:
    """One line for each account and region, with how many points there were."""
    metrics = Metrics()
    flood(metrics, LOUD, "flood", MAX_OF_NAMESPACE + 7)
    with caplog.at_level(logging.WARNING):
        metrics.take()
    assert [record.getMessage() for record in caplog.records] == [
        f"7 values of new metrics of {LOUD.account_id} in {REGION} were dropped: there are too many in a second"
    ]
    flood(metrics, LOUD, "flood", 3)
    assert len(metrics.take()) == 3


def merged(*parts: list[float]) -> Tally:
    """One tally of several."""
    whole = Tally()
    for part in parts:
        whole.merge(Tally.of_values(part))
    return whole


def test_what_is_merged_is_rounded_as_what_is_added() -> None:
    """Many tallies of few values each are many values; one that is rounded makes the whole so."""
    many = [[place + part / 1000 for place in range(100, 290)] for part in range(60)]
    whole = merged(*many)
    assert whole.is_rounded
    assert whole.values == rounded(Tally.of_values([value for part in many for value in part]).values or {})
    assert len(whole.values) <= MAX_DISTINCT
    exact, near_ones = [101.0, 102.0], [float(value) for value in range(1000, 1000 + MAX_DISTINCT + 1)]
    for tally in (merged(exact, near_ones), merged(near_ones, exact)):
        assert tally.is_rounded
        assert tally.values == {100.0: 2.0, 1000.0: 51.0, 1100.0: 99.0, 1200.0: 51.0}
    assert merged(exact, exact).values == {101.0: 2.0, 102.0: 2.0}
