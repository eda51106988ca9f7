"""examples/causal-order: clocks of functions against the platform's log (rows S3d-30 to S3d-33, S3d-35)."""

import math
import random
import runpy
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.platform import RunningPlatform, running

EXAMPLE = Path(__file__).parents[3] / "examples" / "causal-order"
RUNS = 12


@pytest.fixture
def experiment(platform: RunningPlatform, account: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The program's functions; they speak to the session's platform in an account of the test's own."""
    return _loaded(platform, account, monkeypatch)


def _loaded(platform: RunningPlatform, account: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", platform.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.delitem(sys.modules, "analysis", raising=False)
    return runpy.run_path(str(EXAMPLE / "experiment.py"))


def test_an_effect_seems_to_come_before_its_cause_and_the_log_knows_better(experiment: dict[str, Any]) -> None:
    """Clocks an hour apart: every difference is negative, every run in order (S3d-31, S3d-35)."""
    functions = experiment["client"]()
    hour_ms = 3_600_000
    experiment["deploy"](functions, {"CLOCK_ERROR_MS": str(hour_ms)}, {"CLOCK_ERROR_MS": "0"})
    rows = experiment["run"](functions, RUNS, 2)
    assert sum(difference < 0 for _, difference in rows) == RUNS
    assert experiment["wrongly_ordered"](request_id for request_id, _ in rows) == []
    assert experiment["wrongly_ordered"](["no-such-run"]) == ["no-such-run"]


def test_on_one_clock_no_difference_is_negative(experiment: dict[str, Any]) -> None:
    """All environments have this machine's clock (S3d-32)."""
    functions = experiment["client"]()
    experiment["deploy"](functions, {}, {})
    assert [difference for _, difference in experiment["run"](functions, RUNS, 2) if difference < 0] == []


def test_a_server_of_this_machine_measures_as_well(account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function posts its time over HTTP to another host's port (S3d-30)."""
    server = runpy.run_path(str(EXAMPLE / "server.py"))["make"](0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        port = server.server_address[1]
        with running(options=["--forward-ports", str(port)]) as platform:
            host = "host.undercast.internal" if platform.driver == "namespace" else "127.0.0.1"
            experiment = _loaded(platform, account, monkeypatch)
            functions = experiment["client"]()
            experiment["deploy"](functions, {"SERVER": f"http://{host}:{port}/"}, {})
            rows = experiment["run"](functions, 3, 1)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
    assert [difference for _, difference in rows if difference < 0] == []


@pytest.fixture(scope="module")
def analysis() -> dict[str, Any]:
    """The program that tells what a file says."""
    return runpy.run_path(str(EXAMPLE / "analysis.py"))


def test_the_file_is_told_about(analysis: dict[str, Any], tmp_path: Path) -> None:
    """Negative ones are counted; the picture has a bar for each step (S3d-32)."""
    file = tmp_path / "d.csv"
    file.write_text("id,difference ns\n" + "".join(f'r{n},"{n * 1_000_000}"\n' for n in range(-3, 97)))
    values = analysis["read"](file)
    assert (len(values), values[0]) == (100, -3.0)
    text = analysis["report"](values)
    assert "negative     3 = 3.00%" in text
    assert "min -3.000  median 46.500  max 96.000" in text
    assert sum(count for _, _, count in analysis["histogram"](values)) == 100
    assert analysis["svg"](values).count("<rect") == 1 + analysis["BARS"]


def test_the_test_of_normality_tells_normal_from_skewed(analysis: dict[str, Any]) -> None:
    """D'Agostino and Pearson; the values of K2 are those of scipy.stats.normaltest (S3d-33)."""
    drawn = random.Random(7)
    normal = [drawn.gauss(5, 2) for _ in range(2000)]
    weights = [148, 154, 158, 160, 161, 162, 166, 170, 182, 195, 236, 150, 149, 155, 163, 171, 177, 180, 165, 159]
    for values, k2, p in (
        (normal, 2.561493091783975, 0.27782981030881565),
        ([drawn.expovariate(1) for _ in range(2000)], 762.0423810174684, 3.346566611804374e-166),
        (weights, 23.53185168468714, 7.76467588805514e-06),
    ):
        found = analysis["normality"](values)
        assert math.isclose(found[0], k2, rel_tol=1e-9)
        assert math.isclose(found[1], p, rel_tol=1e-9)
    assert analysis["normality"]([1.0] * 100) is None
    assert analysis["normality"](normal[:10]) is None
