"""Log groups, streams and positions, as stored and as AWS returns them.

Pure. AWS: CloudWatch Logs API Reference, "LogGroup", "LogStream", "GetLogEvents" (tokens).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from undercast.core.arn import Scope
from undercast.core.record import record
from undercast.services.logs.classes import DELIVERY, DELIVERY_KEPT_DAYS, DELIVERY_SHOWN_DAYS, STANDARD
from undercast.services.logs.errors import invalid, no_group

EVENT_OVERHEAD_BYTES = 26
"""What AWS counts for each event besides its message."""
DAY_MS = 86_400_000
_ID_DIGITS = 36
_TIME_DIGITS = 20


@record
class Group:
    """A log group."""

    scope: Scope
    name: str
    created_ms: int
    retention_days: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    group_class: str = STANDARD
    kms_key: str = ""
    stored_bytes: int = 0

    @property
    def arn(self) -> str:
        """Without the ":*" of the older form."""
        return group_arn(self.scope, self.name)

    def oldest_ms(self, now_ms: int) -> int:
        """Events before this moment have expired."""
        days = DELIVERY_KEPT_DAYS if self.group_class == DELIVERY else self.retention_days
        return now_ms - days * DAY_MS if days else 0

    def output(self) -> dict[str, Any]:
        """LogGroup."""
        found: dict[str, Any] = {
            "logGroupName": self.name,
            "creationTime": self.created_ms,
            "arn": f"{self.arn}:*",
            "storedBytes": self.stored_bytes,
            "logGroupClass": self.group_class,
            "logGroupArn": self.arn,
            "deletionProtectionEnabled": False,
        }
        days = DELIVERY_SHOWN_DAYS if self.group_class == DELIVERY else self.retention_days
        if days:
            found["retentionInDays"] = days
        if self.kms_key:
            found["kmsKeyId"] = self.kms_key
        return found


@record
class Stream:
    """A log stream. The times are of its events; None without events."""

    scope: Scope
    group: str
    name: str
    key: int
    created_ms: int
    first_ms: int | None = None
    last_ms: int | None = None
    ingested_ms: int | None = None

    def output(self) -> dict[str, Any]:
        """LogStream. `storedBytes` is always 0, as on AWS since 2019."""
        found: dict[str, Any] = {
            "logStreamName": self.name,
            "creationTime": self.created_ms,
            "arn": f"{group_arn(self.scope, self.group)}:log-stream:{self.name}",
            "uploadSequenceToken": sequence_token(self.key),
            "storedBytes": 0,
        }
        if self.last_ms is not None:
            found |= {
                "firstEventTimestamp": self.first_ms,
                "lastEventTimestamp": self.last_ms,
                "lastIngestionTime": self.ingested_ms,
            }
        return found


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the order of events: by time, then by arrival. The events before it and at it are behind it."""

    timestamp_ms: int
    id: int

    def text(self) -> str:
        """56 digits, as AWS's event ids and tokens have."""
        return f"{self.timestamp_ms:0{_TIME_DIGITS}d}{self.id:0{_ID_DIGITS}d}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Raises InvalidParameterException for anything that `text` did not write."""
        if len(text) != _TIME_DIGITS + _ID_DIGITS or not (text.isascii() and text.isdigit()):
            raise invalid("The specified nextToken is invalid.")
        return cls(int(text[:_TIME_DIGITS]), min(int(text[_TIME_DIGITS:]), (1 << 63) - 1))


def group_arn(scope: Scope, name: str) -> str:
    """A log group's ARN without ":*"."""
    return f"arn:aws:logs:{scope.region}:{scope.account_id}:log-group:{name}"


def group_name(scope: Scope, name: str | None, identifier: str | None) -> str:
    """The group that logGroupName or logGroupIdentifier (a name or an ARN of this scope) means."""
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and logGroupIdentifier is required.")
    text = name or identifier or ""
    return group_of_arn(scope, text) if text.startswith("arn:") else text


def group_of_arn(scope: Scope, arn: str) -> str:
    """The group's name, with or without ":*" behind it. Raises for what is no group's ARN or of another scope."""
    parts = arn.split(":")
    if len(parts) < 7 or parts[2] != "logs" or parts[5] != "log-group":
        raise invalid(f"Invalid resource ARN: {arn}")
    if (parts[3], parts[4]) != (scope.region, scope.account_id):
        raise no_group()
    return parts[6]


def sequence_token(key: int) -> str:
    """Sequence tokens are not needed any more (AWS, January 2023), but returned."""
    return f"{key:056d}"


def event_bytes(message: str) -> int:
    """What an event counts in a request and in storedBytes."""
    return len(message.encode()) + EVENT_OVERHEAD_BYTES
