"""Schedules and groups as frozen data, and when a schedule comes round.

Pure. AWS: EventBridge Scheduler API Reference, CreateSchedule, Target; User Guide, "Schedule types".
"""

import json
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from undercast.core import client_tokens
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import moment
from undercast.core.record import record
from undercast.events.schedules import InvalidSchedule, Once, Rate, Schedule, parse_schedule
from undercast.services.scheduler.errors import invalid
from undercast.store.database import Row

PRINCIPAL = "scheduler.amazonaws.com"
DEFAULT_GROUP = "default"
DEFAULT_ATTEMPTS = 185
DEFAULT_AGE_S = 86_400
_SHOWN = ("ScheduleExpression", "Description", "ScheduleExpressionTimezone", "State", "KmsKeyArn", "Target",
          "FlexibleTimeWindow", "ActionAfterCompletion")  # fmt: skip


class MadeBy(NamedTuple):
    """The request that something was made by: its ClientToken, and what else it said."""

    token: str
    digest: str

    def is_again(self, known: "MadeBy") -> bool:
        """Whether this is the same request once more."""
        return bool(self.token) and self == known


def made_by(params: Mapping[str, Any]) -> MadeBy:
    """What a request says of itself."""
    return MadeBy(params.get("ClientToken") or "", client_tokens.digest(params))


@record
class Group:
    """One schedule group. `created_at` is None for a default one that nobody has changed yet."""

    scope: Scope
    name: str
    tags: Mapping[str, str]
    made_by: MadeBy
    created_at: float | None
    changed_at: float | None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:scheduler:{self.scope.region}:{self.scope.account_id}:schedule-group/{self.name}"

    def described(self) -> dict[str, Any]:
        """As GetScheduleGroup shows it."""
        found: dict[str, Any] = {"Arn": self.arn, "Name": self.name, "State": "ACTIVE"}
        if self.created_at is not None and self.changed_at is not None:
            found |= {"CreationDate": moment(self.created_at), "LastModificationDate": moment(self.changed_at)}
        return found


@record
class Planned:
    """One schedule. `given` is what CreateSchedule or UpdateSchedule got, with AWS's defaults, without its dates."""

    scope: Scope
    group: str
    name: str
    given: Mapping[str, Any]
    begins_at: float | None
    ends_at: float | None
    made_by: MadeBy
    created_at: float
    changed_at: float
    anchored_at: float
    """From when a rate counts, where it has no start date."""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return schedule_arn(self.scope, self.group, self.name)

    @property
    def target(self) -> Mapping[str, Any]:
        """Target."""
        found: Mapping[str, Any] = self.given["Target"]
        return found

    @property
    def attempts(self) -> int:
        """How often an invocation is tried again."""
        return int((self.target.get("RetryPolicy") or {}).get("MaximumRetryAttempts", DEFAULT_ATTEMPTS))

    @property
    def age_s(self) -> int:
        """How long an invocation is tried."""
        return int((self.target.get("RetryPolicy") or {}).get("MaximumEventAgeInSeconds", DEFAULT_AGE_S))

    def described(self) -> dict[str, Any]:
        """As GetSchedule shows it."""
        found: dict[str, Any] = {"Arn": self.arn, "GroupName": self.group, "Name": self.name}
        found |= {name: self.given[name] for name in _SHOWN if name in self.given}
        for name, at in (("StartDate", self.begins_at), ("EndDate", self.ends_at)):
            if at is not None:
                found[name] = moment(at)
        return {**found, "CreationDate": moment(self.created_at), "LastModificationDate": moment(self.changed_at)}

    def after(self, at: float) -> float | None:
        """When it comes round behind a moment; None when it is over, and while it is disabled."""
        if self.given["State"] != "ENABLED":
            return None
        schedule, zone = parse_schedule(self.given["ScheduleExpression"], of_scheduler=True), zone_of(self.given)
        if isinstance(schedule, Once):
            return schedule.after(at, anchor=self.anchored_at, zone=zone)
        found = schedule.after(self._begins(at), anchor=self._anchor(schedule), zone=zone)
        return None if found is None or (self.ends_at is not None and found > self.ends_at) else found

    def last(self, span: tuple[float, float]) -> float | None:
        """When it comes round for the last time behind the first moment of a span, up to the second one."""
        if self.given["State"] != "ENABLED":
            return None
        schedule, zone = parse_schedule(self.given["ScheduleExpression"], of_scheduler=True), zone_of(self.given)
        ends_at = span[1] if self.ends_at is None or isinstance(schedule, Once) else min(span[1], self.ends_at)
        if ends_at <= span[0]:
            return None
        return schedule.last((self._begins(span[0]), ends_at), anchor=self._anchor(schedule), zone=zone)

    def _begins(self, at: float) -> float:
        return at if self.begins_at is None else max(at, self.begins_at - 1e-3)

    def _anchor(self, schedule: Schedule) -> float:
        """Of a rate: the first time is the start date itself, or at once."""
        if not isinstance(schedule, Rate):
            return self.anchored_at
        return (self.anchored_at if self.begins_at is None else self.begins_at) - schedule.period_s


def schedule_arn(scope: Scope, group: str, name: str) -> str:
    """The ARN of a schedule."""
    return f"arn:aws:scheduler:{scope.region}:{scope.account_id}:schedule/{group}/{name}"


def zone_of(given: Mapping[str, Any]) -> tzinfo:
    """The time zone that an expression is read in. Raises ValidationException."""
    name = given.get("ScheduleExpressionTimezone") or "UTC"
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid("Provided ScheduleExpressionTimezone is invalid.") from None


def expression_of(text: str) -> Schedule:
    """Raises ValidationException."""
    try:
        return parse_schedule(text, of_scheduler=True)
    except InvalidSchedule:
        raise invalid(f"Invalid Schedule Expression {text}.") from None


def group_of(row: Row) -> Group:
    """What a row of scheduler_group says."""
    return Group(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        tags=json.loads(row["tags"]),
        made_by=MadeBy(row["token"], row["digest"]),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


def planned_of(row: Row) -> Planned:
    """What a row of scheduler_schedule says."""
    return Planned(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        group=row["grp"],
        name=row["name"],
        given=json.loads(row["given"]),
        begins_at=row["begins_at"],
        ends_at=row["ends_at"],
        made_by=MadeBy(row["token"], row["digest"]),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        anchored_at=row["anchored_at"],
    )
