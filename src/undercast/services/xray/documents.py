"""Segment documents: what is accepted, and what of them is looked at.

Pure. AWS: X-Ray Developer Guide, "AWS X-Ray segment documents" (required and optional fields, sizes).
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.record import record

MAX_BYTES = 65_536
MAX_NAME = 200
TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}", re.ASCII)
SEGMENT_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_NAME = re.compile(r"[\w\s.:/%&#=+\\\-@]+")
_ANNOTATION = re.compile(r"[A-Za-z0-9_.]+", re.ASCII)
_MAX_ANNOTATIONS = 50
_YEAR_10000 = 253_402_300_800

Document = Mapping[str, Any]


class Malformed(ValueError):
    """A document that X-Ray does not process. The text says why; `id` where the document has one."""

    def __init__(self, code: str, text: str, segment_id: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.id = segment_id


@record
class Received:
    """A document that is kept."""

    trace_id: str
    id: str
    started_at: float
    text: str

    @property
    def created_at(self) -> int:
        """Seconds since the epoch, from the trace's id."""
        return int(self.trace_id[2:10], 16)


def received(text: str, ahead_s: float = 0.0) -> Received:
    """Check a document. Raises Malformed. Its times are moved by so much: a function has the machine's clock."""
    if len(text.encode()) > MAX_BYTES:
        raise Malformed("DocumentTooLarge", f"The document is larger than {MAX_BYTES} bytes.")
    try:
        document = json_values.parse(text, parse_constant=_no_constant)
    except ValueError as error:
        raise Malformed("ParseError", f"Invalid segment. ErrorCode: ParseError, {error}") from None
    if not isinstance(document, dict):
        raise Malformed("ParseError", "Invalid segment. ErrorCode: ParseError, the document is no JSON object.")
    segment_id = document.get("id") if isinstance(document.get("id"), str) else ""
    for problem in _problems(document):
        raise Malformed(problem, f"Invalid segment. ErrorCode: {problem}", str(segment_id))
    if ahead_s:
        text = _moved(document, ahead_s)
    return Received(
        trace_id=document["trace_id"], id=document["id"], started_at=float(document["start_time"]), text=text
    )


def _moved(document: dict[str, Any], by_s: float) -> str:
    for one in entities(document):
        for name in ("start_time", "end_time"):
            if isinstance(one, dict) and is_time(one.get(name)):
                one[name] += by_s
    moved = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return moved.encode(errors="backslashreplace").decode()  # half of a surrogate pair stays \uXXXX


def _no_constant(text: str) -> object:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(f"{text} is no JSON")


def _problems(document: Document) -> Iterator[str]:
    """The codes of what is wrong, the first field first."""
    if not _matches(TRACE_ID, document.get("trace_id")):
        yield "InvalidTraceId"
    if not _matches(SEGMENT_ID, document.get("id")):
        yield "MissingId" if "id" not in document else "InvalidId"
    name = document.get("name")
    if not (_matches(_NAME, name) and len(str(name)) <= MAX_NAME):
        yield "MissingName" if not name else "InvalidName"
    if not is_time(document.get("start_time")):
        yield "InvalidStartTime"
    if not is_time(document.get("end_time")) and document.get("in_progress") is not True:
        yield "InvalidEndTime"
    if document.get("type") not in (None, "subsegment"):
        yield "InvalidType"
    if document.get("type") == "subsegment" and not _matches(SEGMENT_ID, document.get("parent_id")):
        yield "InvalidParentId"
    if not _are_annotations(document.get("annotations", {})):
        yield "InvalidAnnotations"
    if not isinstance(document.get("subsegments", []), list):
        yield "InvalidSubsegments"


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def is_time(value: object) -> bool:
    """Whether it is seconds since the epoch, up to the year 9999."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _YEAR_10000


def _are_annotations(given: object) -> bool:
    return isinstance(given, dict) and all(isinstance(value, str | int | float | bool) for value in given.values())


def annotations_of(document: Document) -> Iterator[tuple[str, str | float | bool]]:
    """Those of a segment that are indexed: at most 50, with keys of letters, digits, "_" and "."."""
    given = document.get("annotations", {})
    for number, (key, value) in enumerate(given.items() if isinstance(given, dict) else ()):
        if number == _MAX_ANNOTATIONS:
            return
        if _ANNOTATION.fullmatch(key):
            yield key, value


def subsegments_of(document: Document) -> tuple[Document, ...]:
    """Those directly below."""
    found = document.get("subsegments")
    return tuple(one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def entities(document: Document) -> Iterator[Document]:
    """The document and everything in it."""
    waiting = [document]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(subsegments_of(one))


def start_of(document: Document) -> float:
    """Seconds since the epoch; 0 where none is said."""
    value = document.get("start_time")
    return float(value) if isinstance(value, int | float) and is_time(value) else 0.0


def end_of(document: Document) -> float:
    """Seconds since the epoch; the start of what is in progress."""
    value = document.get("end_time")
    return float(value) if isinstance(value, int | float) and is_time(value) else start_of(document)


def part(document: Document, *names: str) -> Any:
    """A member of a member, e.g. ("http", "request", "url"); None where one is missing."""
    found: Any = document
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found
