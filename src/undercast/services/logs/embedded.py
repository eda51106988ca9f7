"""Metrics that log events carry: the embedded metric format.

A log event is never refused for it: what is no valid document, or names what it does not have, gives no metric.
AWS: CloudWatch User Guide, "Specification: Embedded metric format"; on Lambda the document may stand behind other text.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from undercast.core.arn import Scope
from undercast.core.metrics import MINUTE_S, Dimensions, Metrics, Series

MAX_METRICS = 100
MAX_VALUES = 100
MAX_DIMENSIONS = 30
MAX_CHARACTERS = 1_048_576
OLDEST_MS = 14 * 86_400_000
NEWEST_MS = 2 * 3_600_000
_SIGN = '"_aws"'


class EmbeddedMetrics:
    """Looks at every event; those without a document cost one search for a word."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def hear(self, scope: Scope, events: Sequence[tuple[int, str]], now_ms: int) -> None:
        """Put the metrics of (timestamp in ms, message) pairs."""
        for _, message in events:
            if _SIGN in message and len(message) <= MAX_CHARACTERS:
                self._extract(scope, message, now_ms)

    def _extract(self, scope: Scope, message: str, now_ms: int) -> None:
        try:
            root = json.loads(message[message.index("{") :])
        except (ValueError, RecursionError):
            return
        about = root.get("_aws")
        if not isinstance(about, dict):
            return
        at_ms, directives = about.get("Timestamp"), about.get("CloudWatchMetrics")
        if not _is_number(at_ms) or not isinstance(directives, list):
            return
        if not now_ms - OLDEST_MS <= at_ms <= now_ms + NEWEST_MS:
            return
        for directive in directives:
            if isinstance(directive, dict):
                self._publish(scope, root, directive, at_ms / 1000)

    def _publish(self, scope: Scope, root: Mapping[str, Any], directive: Mapping[str, Any], at_s: float) -> None:
        namespace, definitions = directive.get("Namespace"), directive.get("Metrics")
        if not _is_name(namespace) or not isinstance(definitions, list) or len(definitions) > MAX_METRICS:
            return
        for dimensions in _dimension_sets(root, directive.get("Dimensions")):
            for definition in definitions:
                if isinstance(definition, dict) and _is_name(definition.get("Name")):
                    width_s = 1 if definition.get("StorageResolution") == 1 else MINUTE_S
                    unit = definition.get("Unit")
                    series = Series.of(scope, str(namespace), definition["Name"], dimensions)
                    values = list(_values(root.get(definition["Name"])))
                    if values:
                        tally = self._metrics.tally(series, at_s, unit if isinstance(unit, str) else "None", width_s)
                        for value in values:
                            tally.add(value)


def _dimension_sets(root: Mapping[str, Any], given: Any) -> Iterator[Dimensions]:
    """Those whose every value is there."""
    for names in given if isinstance(given, list) else ():
        if not isinstance(names, list) or len(names) > MAX_DIMENSIONS or not all(isinstance(one, str) for one in names):
            continue
        if all(isinstance(root.get(name), str) and root[name] for name in names):
            yield tuple((name, root[name]) for name in names)


def _values(target: Any) -> Iterator[float]:
    targets = target if isinstance(target, list) else [target]
    if len(targets) <= MAX_VALUES and all(map(_is_number, targets)):
        yield from map(float, targets)


def _is_number(value: Any) -> TypeGuard[float]:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 2**360 and math.isfinite(value)
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255
