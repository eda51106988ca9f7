"""Labels of series in an answer, with what they say in ${...}.

Pure. AWS: CloudWatch User Guide, "Using dynamic labels".
"""

import re

from undercast.services.cloudwatch.expressions import Query
from undercast.services.cloudwatch.insights import is_select
from undercast.services.cloudwatch.lines import AGGREGATES, Line

_PLACE = re.compile(r"\$\{(?:PROP\('([^']*)'\)|([A-Z_]+))\}")


def label_of(line: Line, query: Query, *, is_array: bool) -> str:
    """The label that a query says, or the default one: the metric's name, the id of an expression, a group's values."""
    given = query.label
    if query.metric is not None:
        return written(given, line) if given else line.label
    if is_array and is_select(query.expression):
        return f"{written(given, line)} {line.label}" if given else line.label
    own = query.id if given is None else written(given, line)
    return f"{own} {line.label}".strip() if is_array else own


def written(text: str, line: Line) -> str:
    """The text with its places filled in; what is unknown stays as it is."""

    def replaced(found: re.Match[str]) -> str:
        if found[1] is not None:
            return line.properties.get(found[1], found[0])
        value = _figure(found[2], line)
        return found[0] if value is None else value

    return _PLACE.sub(replaced, text)


def _figure(name: str, line: Line) -> str | None:
    values = list(line.values.values())
    if name == "LABEL":
        return line.label
    if name == "DATAPOINT_COUNT":
        return str(len(values))
    if name in ("FIRST", "LAST"):
        return f"{values[0 if name == 'FIRST' else -1]:g}" if values else "--"
    if name in ("MIN", "MAX", "AVG", "SUM"):
        return f"{AGGREGATES[name](values):g}" if values else "--"
    return None
