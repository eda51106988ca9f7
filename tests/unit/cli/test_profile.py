"""What `undercast profile` makes of what it measured."""

import pytest

from undercast.cli.profile import Profile, Report, _print, statistics


def test_a_rank_is_one_of_the_values() -> None:
    """The least that so many percent do not exceed (nearest rank), in any order of the values."""
    found = statistics([float(value) for value in range(200, 0, -1)])
    assert found == {"least": 1, "average": 100.5, "p50": 100, "p95": 190, "p99": 198, "most": 200}
    assert statistics([3.0, 1.0, 2.0]) == {"least": 1, "average": 2, "p50": 2, "p95": 3, "p99": 3, "most": 3}
    assert set(statistics([7.0]).values()) == {7.0}


def test_the_summary_has_rate_memory_and_inits() -> None:
    """Every invocation counts for the rate; those that have a REPORT are in the series, the most memory is shown."""
    found = Profile(
        round_trips_ms={"a": 12.0, "b": 3.0, "lost": 9.0},
        reports={"a": Report(10.0, 40, 80.5), "b": Report(2.5, 38, None)},
        failed=1,
        took_s=0.5,
    ).summary()
    ms = found.pop("ms")
    assert found == {
        "invocations": 3,
        "failed": 1,
        "per_second": 6.0,
        "max_memory_used_mb": 40,
        "init_duration_ms": [80.5],
    }
    assert {name: (one["least"], one["most"]) for name, one in ms.items()} == {
        "round trip": (3.0, 12.0),
        "Duration": (2.5, 10.0),
        "beside it": (0.5, 2.0),
    }


def test_without_reports_there_is_no_series() -> None:
    """A system log level above INFO."""
    found = Profile(round_trips_ms={"a": 1.0}, took_s=2.0).summary()
    assert (found["ms"], found["max_memory_used_mb"], found["per_second"]) == ({}, None, pytest.approx(0.5))


@pytest.mark.parametrize(("trip", "told"), [(9.5, True), (10.5, False)])
def test_what_is_below_0_is_explained(trip: float, told: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """The answer was here before Duration ended."""
    found = Profile(round_trips_ms={"a": trip}, reports={"a": Report(10.0, 40, None)}, took_s=1.0)
    _print("f", found.summary())
    assert ("beside it below 0: the answer was here before" in capsys.readouterr().out) == told
