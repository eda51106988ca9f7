"""Alarms as data: what was put, the state they are in, and what of them goes into their history.

AWS: CloudWatch API Reference, MetricAlarm, CompositeAlarm, AlarmHistoryItem.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.arn import Arn, Scope
from undercast.core.clock import moment
from undercast.core.record import record

METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"
OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
ACTIONS: Mapping[str, str] = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}
UNCHECKED = "Unchecked: Initial alarm creation"
ARN_PREFIX = "alarm:"


@record
class State:
    """What an alarm says, and why. Times are platform-clock seconds."""

    value: str
    reason: str
    data: str = ""
    """StateReasonData, as JSON text."""
    updated_at: float
    transitioned_at: float


@record
class Suppression:
    """What a composite alarm holds back; see `suppression`."""

    told: State | None = None
    """The state whose actions were taken last, while those of another wait."""
    since: float = 0.0
    """When the state changed."""
    left_at: float = 0.0
    """When the suppressor left ALARM; 0 when it never did."""
    by: str = ""


NOTHING_HELD = Suppression()


@record
class Alarm:
    """One alarm."""

    scope: Scope
    name: str
    kind: str
    settings: Mapping[str, Any]
    """The members of PutMetricAlarm or PutCompositeAlarm that it was made of, with defaults."""
    actions_enabled: bool
    state: State
    configured_at: float
    tags: Mapping[str, str]
    suppression: Suppression = NOTHING_HELD

    @property
    def arn(self) -> str:
        """arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME"""
        return alarm_arn(self.scope, self.name)

    @property
    def actions(self) -> list[str]:
        """ARNs of what is to be done in its present state."""
        return list(self.settings.get(ACTIONS[self.state.value], ()))

    @property
    def every_action(self) -> list[str]:
        """ARNs of what is to be done in any state."""
        return [arn for member in ACTIONS.values() for arn in self.settings.get(member, ())]

    @property
    def suppressor(self) -> str:
        """The name of the alarm that suppresses its actions; "" for none."""
        return name_of(self.settings.get("ActionsSuppressor", ""))

    def shown(self) -> dict[str, Any]:
        """As DescribeAlarms has it."""
        data = {"StateReasonData": self.state.data} if self.state.data else {}
        if by := self.suppression.by:
            data |= {"ActionsSuppressedBy": by, "ActionsSuppressedReason": f"Actions suppressed by {by}"}
        return {
            **self.settings,
            "AlarmName": self.name,
            "AlarmArn": self.arn,
            "ActionsEnabled": self.actions_enabled,
            "AlarmConfigurationUpdatedTimestamp": moment(self.configured_at),
            "StateValue": self.state.value,
            "StateReason": self.state.reason,
            **data,
            "StateUpdatedTimestamp": moment(self.state.updated_at),
            "StateTransitionedTimestamp": moment(self.state.transitioned_at),
        }


def alarm_arn(scope: Scope, name: str) -> str:
    """The ARN of an alarm of this scope."""
    return str(Arn.of(scope, "cloudwatch", f"{ARN_PREFIX}{name}"))


def name_of(text: str) -> str:
    """The name of an alarm that a name or an ARN means."""
    return text.split(f":{ARN_PREFIX}", 1)[1] if text.startswith("arn:") and f":{ARN_PREFIX}" in text else text


@record
class HistoryItem:
    """One entry of an alarm's history."""

    scope: Scope
    name: str
    kind: str
    at: float
    type: str
    """ConfigurationUpdate, StateUpdate or Action."""
    summary: str
    data: str

    def shown(self) -> dict[str, Any]:
        """As DescribeAlarmHistory has it."""
        return {
            "AlarmName": self.name,
            "AlarmType": self.kind,
            "Timestamp": moment(self.at),
            "HistoryItemType": self.type,
            "HistorySummary": self.summary[:255],
            "HistoryData": self.data,
        }
