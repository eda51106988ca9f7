"""Metric filters: what a message that matches adds to which metric.

Pure. AWS: CloudWatch Logs User Guide, "Creating metrics from log events using filters", "Publishing dimensions with
metrics from values in JSON or space-delimited log events".
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Scope
from undercast.core.metrics import Dimensions, Series
from undercast.core.record import record
from undercast.services.logs.condition import names_of, path_of, value_at
from undercast.services.logs.errors import invalid
from undercast.services.logs.followers import GroupName
from undercast.services.logs.pattern import Matcher, compile_pattern

MAX_PER_GROUP = 100
MAX_DIMENSIONS = 3
Selector = Callable[[str], str | None]
"""What a message has at a place; None where it has nothing."""


@record
class MetricFilter:
    """One filter of one group."""

    scope: Scope
    group: str
    name: str
    created_ms: int
    pattern: str
    transformation: Mapping[str, Any]
    """MetricTransformation."""

    @property
    def group_name(self) -> GroupName:
        """Of the group that it is on."""
        return GroupName(self.scope, self.group)

    def output(self) -> dict[str, Any]:
        """MetricFilter."""
        return {
            "filterName": self.name,
            "filterPattern": self.pattern,
            "metricTransformations": [dict(self.transformation)],
            "creationTime": self.created_ms,
            "logGroupName": self.group,
            "applyOnTransformedLogs": False,
        }


class LiveMetricFilter:
    """A filter whose pattern and selectors are compiled. Raises InvalidParameterException for what is wrong in it."""

    def __init__(self, filter_: MetricFilter) -> None:
        self.filter = filter_
        self.matches: Matcher = compile_pattern(filter_.pattern)
        given = filter_.transformation
        self.unit: str = given.get("unit", "None")
        self.default: float | None = given.get("defaultValue")
        dimensions = given.get("dimensions") or {}
        if len(dimensions) > MAX_DIMENSIONS:
            raise invalid(f"Invalid metric transformation: at most {MAX_DIMENSIONS} dimensions are allowed.")
        if dimensions and self.default is not None:
            raise invalid(
                "Invalid metric transformation: dimensions and default value are mutually exclusive properties."
            )
        self._constant = _number(given["metricValue"])
        self._value = None if self._constant is not None else _selector(filter_.pattern, given["metricValue"])
        self._dimensions = {name: _selector(filter_.pattern, place) for name, place in dimensions.items()}

    def series(self, dimensions: Dimensions = ()) -> Series:
        """The metric that it feeds."""
        given = self.filter.transformation
        return Series.of(self.filter.scope, given["metricNamespace"], given["metricName"], dimensions)

    def value_of(self, message: str) -> tuple[Series, float] | None:
        """What a message that matches adds; None where the value or a dimension is not in it."""
        value = self._constant
        if self._value is not None:
            value = _number(self._value(message) or "")
        found = {name: select(message) for name, select in self._dimensions.items()}
        if value is None or any(not text for text in found.values()):
            return None
        return self.series(tuple((name, text) for name, text in found.items() if text)), value


def _selector(pattern: str, place: str) -> Selector:
    """`$.a.b` of JSON or `$name` of a pattern of fields."""
    if place.startswith(("$.", "$[")):
        path = path_of(place)

        def of_json(message: str) -> str | None:
            try:
                return value_at(json_values.parse(message), path)
            except (ValueError, RecursionError):
                return None

        return of_json
    if not place.startswith("$") or not pattern.strip().startswith("["):
        raise invalid(f"Invalid metric transformation: {place} is neither a number nor a field of the filter pattern")
    fields, name = names_of(pattern.strip()), place[1:]
    return lambda message: fields(message).get(name) or fields(message).get(place)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
