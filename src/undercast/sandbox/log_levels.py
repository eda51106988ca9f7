"""Which lines of a function pass its application log level, under the JSON log format.

Pure. A line without a valid level counts as INFO, as on AWS.
AWS: Lambda Developer Guide, "Log-level filtering".
"""

from collections.abc import Mapping
from types import MappingProxyType

from undercast.core import json_values

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_RANKS: Mapping[str, int] = MappingProxyType({level: rank for rank, level in enumerate(LEVELS)})
_OTHER_NAMES: Mapping[str, str] = MappingProxyType({"WARNING": "WARN", "CRITICAL": "FATAL"})
"""Python's."""


def passing(lines: list[str], least: str) -> list[str]:
    """The lines that are at least as grave as `least`."""
    if least == LEVELS[0]:
        return lines
    wanted = _RANKS[least]
    return [line for line in lines if _rank(line) >= wanted]


def reaches(level: str, least: str) -> bool:
    """Whether a level is at least as grave as another."""
    return _RANKS[level] >= _RANKS[least]


def _rank(line: str) -> int:
    return _RANKS.get(_level(line), _RANKS["INFO"])


def _level(line: str) -> str:
    if not line.lstrip().startswith("{"):
        return ""
    try:
        found = json_values.parse(line)
    except ValueError:
        return ""
    level = str(found.get("level", "")).upper() if isinstance(found, dict) else ""
    return _OTHER_NAMES.get(level, level)
