"""The fields that Insights finds in an event by itself: of Lambda's lines, and of JSON.

Pure. AWS: CloudWatch Logs User Guide, "Supported logs and discovered fields".
"""

import json
import re
from typing import Any

from undercast.services.logs.insights.values import Value

BASE = frozenset({"@timestamp", "@message", "@logStream", "@log", "@ingestionTime", "@ptr"})
MAX_FIELDS = 200
_MAX_DEPTH = 20
_PLATFORM = re.compile(r"(START|END|REPORT) RequestId: ([0-9a-f-]{36})")
_REQUEST = re.compile(r"\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")
_REPORT = (
    ("@duration", re.compile(r"(?:^|\t)Duration: ([\d.]+) ms"), 1),
    ("@billedDuration", re.compile(r"(?:^|\t)Billed Duration: ([\d.]+) ms"), 1),
    ("@memorySize", re.compile(r"\tMemory Size: (\d+) MB"), 1_000_000),
    ("@maxMemoryUsed", re.compile(r"\tMax Memory Used: (\d+) MB"), 1_000_000),
    ("@initDuration", re.compile(r"\tInit Duration: ([\d.]+) ms"), 1),
    ("@xrayTraceId", re.compile(r"XRAY TraceId: (\S+)"), 0),
    ("@xraySegmentId", re.compile(r"SegmentId: ([0-9a-f]+)"), 0),
)
_DECODER = json.JSONDecoder()


def discovered(group: str, message: str) -> dict[str, Value]:
    """Fields by name. Lambda's own are found in groups of functions; JSON everywhere, there also behind other text."""
    is_lambda = group.startswith("/aws/lambda/")
    found = _of_lambda(message) if is_lambda else {}
    begin = message.find("{") if is_lambda else 0 if message.lstrip()[:1] == "{" else -1
    if begin >= 0:
        try:
            document, _ = _DECODER.raw_decode(message[begin:].lstrip())
        except (ValueError, RecursionError):
            return found
        if isinstance(document, dict):
            _flatten("", document, found, 0)
    return found


def _of_lambda(message: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    platform = _PLATFORM.match(message)
    if platform is not None:
        found |= {"@type": platform[1], "@requestId": platform[2]}
        if platform[1] == "REPORT":
            for name, pattern, factor in _REPORT:
                if (value := pattern.search(message)) is not None:
                    found[name] = int(value[1]) * factor if factor > 1 else value[1]
    elif (request := _REQUEST.search(message, 0, 256)) is not None:
        found["@requestId"] = request[1]
    return found


def _flatten(prefix: str, value: Any, found: dict[str, Value], depth: int) -> None:
    if len(found) >= MAX_FIELDS or depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten(f"{prefix}.{name}" if prefix else name, inner, found, depth + 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _flatten(f"{prefix}.{place}", inner, found, depth + 1)
    elif isinstance(value, bool):
        found[prefix] = int(value)
    elif value is not None:
        found[prefix] = value
