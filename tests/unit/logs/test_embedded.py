"""The embedded metric format: what a document may make of few bytes.

AWS: CloudWatch User Guide, "Specification: Embedded metric format". The limits on the work are ours.
"""

import json
from typing import Any

from tests.unit.logs.conftest import SCOPE
from undercast.core.metrics import Metrics, Tally
from undercast.services.logs.embedded import BATCH_WORK, EVENT_WORK, MAX_DIRECTIVES, MAX_SETS, EmbeddedMetrics

NOW_MS = 1_700_000_000_000


def document(directives: list[dict[str, Any]], **root: Any) -> str:
    """A log event with these directives."""
    return json.dumps({"_aws": {"Timestamp": NOW_MS, "CloudWatchMetrics": directives}, **root})


def heard(*messages: str) -> list[tuple[tuple[str, ...], Tally]]:
    """(namespace, metric, dimensions' names) and what has gathered, of events that came together."""
    metrics = Metrics()
    EmbeddedMetrics(metrics).hear(SCOPE, [(NOW_MS, message) for message in messages], NOW_MS)
    return [
        ((point.series.namespace, point.series.name, *(name for name, _ in point.series.dimensions)), tally)
        for point, tally in metrics.take().items()
    ]


def test_a_document_as_aws_allows_it_is_whole() -> None:
    """100 metrics with 100 values each; 100 metrics in 30 dimension sets."""
    names = [f"m{number}" for number in range(100)]
    definitions = [{"Name": name} for name in names]
    many = {name: list(range(100)) for name in names}
    found = heard(document([{"Namespace": "n", "Metrics": definitions, "Dimensions": [[]]}], **many))
    assert [tally.count for _, tally in found] == [100.0] * 100
    sets = {f"d{number}": "x" for number in range(30)}
    directive = {"Namespace": "n", "Metrics": definitions, "Dimensions": [[name] for name in sets]}
    assert len(heard(document([directive], **sets, **dict.fromkeys(names, 1)))) == 3000


def test_a_dimension_set_counts_once() -> None:
    """Whatever the order of its names: it is one metric of CloudWatch, and a value was measured once."""
    directive = {"Namespace": "n", "Metrics": [{"Name": "m"}], "Dimensions": [["a", "b"], ["b", "a"], ["a", "b"]]}
    ((key, tally),) = heard(document([directive], a="x", b="y", m=3))
    assert (key, tally.count, tally.total) == (("n", "m", "a", "b"), 1.0, 3.0)


def test_sets_and_directives_are_bounded() -> None:
    """The first of them count."""
    sets = {f"d{number}": "x" for number in range(MAX_SETS + 5)}
    directive = {"Namespace": "n", "Metrics": [{"Name": "m"}], "Dimensions": [[name] for name in sets]}
    assert [key[2] for key, _ in heard(document([directive], **sets, m=1))] == list(sets)[:MAX_SETS]
    directives = [
        {"Namespace": f"n{number}", "Metrics": [{"Name": "m"}], "Dimensions": [[]]}
        for number in range(MAX_DIRECTIVES + 5)
    ]
    assert len(heard(document(directives, m=1))) == MAX_DIRECTIVES


def test_the_work_of_an_event_is_bounded() -> None:
    """25 KB: 30 sets of a metric that is named 100 times and has 100 values, in 10 directives: 3,000,000 values."""
    sets = {f"d{number}": "x" for number in range(MAX_SETS)}
    directive = {"Namespace": "n", "Metrics": [{"Name": "m"}] * 100, "Dimensions": [[name] for name in sets]}
    message = document([directive] * 10, **sets, m=[1] * 100)
    assert len(message) < 25_000
    once = sum(tally.count for _, tally in heard(message))
    assert 0 < once <= EVENT_WORK
    assert once <= sum(tally.count for _, tally in heard(*[message] * 40)) <= BATCH_WORK


def test_one_costly_event_takes_nothing_from_the_next() -> None:
    """The limit is an event's own, until that of all is reached."""
    sets = {f"d{number}": "x" for number in range(MAX_SETS)}
    costly = document(
        [{"Namespace": "n", "Metrics": [{"Name": "m"}] * 100, "Dimensions": [[name] for name in sets]}],
        **sets, m=[1] * 100,
    )  # fmt: skip
    small = document([{"Namespace": "other", "Metrics": [{"Name": "m"}], "Dimensions": [[]]}], m=1)
    assert (("other", "m"), 1.0) in [(key, tally.count) for key, tally in heard(costly, small)]


def test_time_of_a_function_is_moved_to_the_platforms() -> None:
    """Its clock is the machine's; what has the platform's time already is not moved."""
    metrics, ahead_ms = Metrics(), 6 * 3_600_000
    directive = {"Namespace": "n", "Metrics": [{"Name": "m"}], "Dimensions": [[]]}
    moved = json.dumps({"_aws": {"Timestamp": NOW_MS + ahead_ms, "CloudWatchMetrics": [directive]}, "m": 1})
    messages = [(NOW_MS, document([directive], m=1)), (NOW_MS, moved)]
    EmbeddedMetrics(metrics).hear(SCOPE, messages, NOW_MS + ahead_ms, ahead_ms)
    ((point, tally),) = metrics.take().items()
    assert (point.at_s, tally.count) == ((NOW_MS + ahead_ms) // 60_000 * 60, 2.0)
