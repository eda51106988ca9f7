"""Metrics that log events carry: the embedded metric format.

A log event is never refused for it: what is no valid document, or names what it does not have, gives no metric. A
document says of few bytes that they make many metrics, and the loop makes them: what is beyond the limits below is
left out.
AWS: CloudWatch User Guide, "Specification: Embedded metric format"; on Lambda the document may stand behind other text.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeGuard

from undercast.core import json_values
from undercast.core.arn import Scope
from undercast.core.metrics import MINUTE_S, Dimensions, Metrics, Series, Tally
from undercast.core.record import record

MAX_METRICS = 100
MAX_VALUES = 100
MAX_DIMENSIONS = 30
MAX_CHARACTERS = 1_048_576
MAX_DIRECTIVES, MAX_SETS = 100, 30
"""Ours: directives of a document, distinct dimension sets of a directive."""
EVENT_WORK, BATCH_WORK = 30_000, 100_000
"""Ours: what an event, and what events that come together, may cost. In each dimension set a metric costs some, and
one for each of its values and dimensions."""
_METRIC_WORK = 5
OLDEST_MS = 14 * 86_400_000
NEWEST_MS = 2 * 3_600_000
_SIGN = '"_aws"'


@record(kw_only=False)
class _Measured:
    """A metric of a directive that has values in the document."""

    name: str
    unit: str
    width_s: int
    values: Sequence[float]


@dataclass(slots=True)
class _Document:
    """A valid one, and what may still be made of it."""

    root: Mapping[str, Any]
    at_s: float
    work: int
    _values: dict[str, Sequence[float]] = field(default_factory=dict)

    def measured(self, definitions: Sequence[Any]) -> list[_Measured]:
        """The metrics that are there."""
        found: list[_Measured] = []
        for one in definitions:
            if not isinstance(one, dict) or not _is_name(name := one.get("Name")):
                continue
            if name not in self._values:
                self._values[name] = list(_values(self.root.get(name)))
            if values := self._values[name]:
                unit, width_s = one.get("Unit"), 1 if one.get("StorageResolution") == 1 else MINUTE_S
                found.append(_Measured(name, unit if isinstance(unit, str) else "None", width_s, values))
        return found

    def pay(self, metric: _Measured, dimensions: Dimensions) -> bool:
        """Whether it may be put once more."""
        self.work -= _METRIC_WORK + len(metric.values) + len(dimensions)
        return self.work >= 0


class EmbeddedMetrics:
    """Looks at every event; those without a document cost one search for a word."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def hear(self, scope: Scope, events: Sequence[tuple[int, str]], now_ms: int, ahead_ms: float = 0.0) -> None:
        """Put the metrics of (timestamp in ms, message) pairs. `ahead_ms`: by how much their writer's clock is late."""
        left = BATCH_WORK
        for _, message in events:
            if left > 0 and _SIGN in message and len(message) <= MAX_CHARACTERS:
                left -= self._extract(scope, message, (now_ms, ahead_ms), min(left, EVENT_WORK))

    def _extract(self, scope: Scope, message: str, clock_ms: tuple[int, float], work: int) -> int:
        """How much of the work it took. A time that is the platform's already stays."""
        now_ms, ahead_ms = clock_ms
        try:
            root = json_values.parse(message[message.index("{") :])
        except ValueError:
            return 0
        about = root.get("_aws")
        if not isinstance(about, dict):
            return 0
        at_ms, directives = about.get("Timestamp"), about.get("CloudWatchMetrics")
        if not _is_number(at_ms) or not isinstance(directives, list):
            return 0
        at_ms = min(at_ms, at_ms + ahead_ms, key=lambda moment_ms: abs(moment_ms - now_ms))
        if not now_ms - OLDEST_MS <= at_ms <= now_ms + NEWEST_MS:
            return 0
        document = _Document(root, at_ms / 1000, work)
        for directive in directives[:MAX_DIRECTIVES]:
            if isinstance(directive, dict):
                self._publish(scope, document, directive)
        return work - document.work

    def _publish(self, scope: Scope, document: _Document, directive: Mapping[str, Any]) -> None:
        namespace, definitions = directive.get("Namespace"), directive.get("Metrics")
        if not _is_name(namespace) or not isinstance(definitions, list) or len(definitions) > MAX_METRICS:
            return
        measured = document.measured(definitions)
        for dimensions in islice(_dimension_sets(document.root, directive.get("Dimensions")), MAX_SETS):
            for one in measured:
                if not document.pay(one, dimensions):
                    return
                series = Series(scope.account_id, scope.region, namespace, one.name, dimensions)
                _fill(self._metrics.tally(series, document.at_s, one.unit, one.width_s), one.values)


def _fill(tally: Tally, values: Sequence[float]) -> None:
    for value in values:
        tally.add(value)


def _dimension_sets(root: Mapping[str, Any], given: Any) -> Iterator[Dimensions]:
    """Those whose every value is there, each once, in the order of their names."""
    seen: set[Dimensions] = set()
    for names in given if isinstance(given, list) else ():
        if not isinstance(names, list) or len(names) > MAX_DIMENSIONS or not all(isinstance(one, str) for one in names):
            continue
        if all(isinstance(root.get(name), str) and root[name] for name in names):
            found = tuple((name, root[name]) for name in sorted(names))
            if found not in seen:
                seen.add(found)
                yield found


def _values(target: Any) -> Iterator[float]:
    targets = target if isinstance(target, list) else [target]
    if len(targets) <= MAX_VALUES and all(map(_is_number, targets)):
        yield from map(float, targets)


def _is_number(value: Any) -> TypeGuard[float]:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 2**360 and math.isfinite(value)
    )


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= 255
