"""Composite alarms follow the alarms that their rules name.

Each change of an alarm leads to those that look at it, and so on; an alarm that would be evaluated again on the same
way is in a cycle, and there the evaluation ends. All of it is in the transaction of the first change.
AWS: CloudWatch User Guide, "Create a composite alarm"; API Reference, PutCompositeAlarm.
"""

import json
from collections.abc import Mapping

from undercast.core.clock import PlatformClock, moment
from undercast.services.cloudwatch import alarm_store
from undercast.services.cloudwatch.alarms import ALARM, COMPOSITE, OK, Alarm
from undercast.services.cloudwatch.notices import stamp
from undercast.services.cloudwatch.rules import Rule, parse
from undercast.services.cloudwatch.transitions import Change, Transitions
from undercast.store.database import Tx


class Composites:
    """Evaluates them."""

    def __init__(self, clock: PlatformClock, transitions: Transitions) -> None:
        self._clock = clock
        self._transitions = transitions

    def follow(self, tx: Tx, changed: Alarm) -> None:
        """Evaluate what looks at an alarm that has changed."""
        self._follow(tx, changed, frozenset())

    def look_at(self, tx: Tx, composite: Alarm) -> None:
        """Evaluate one that was put."""
        self._evaluate(tx, composite, None, frozenset())

    def _follow(self, tx: Tx, changed: Alarm, way: frozenset[str]) -> None:
        if changed.name in way:
            return
        for composite in parents_of(tx, changed):
            current = alarm_store.find(tx, composite.scope, composite.name)
            if current is not None:
                self._evaluate(tx, current, changed, way | {changed.name})

    def _evaluate(self, tx: Tx, composite: Alarm, trigger: Alarm | None, way: frozenset[str]) -> None:
        rule = rule_of(composite)
        children = {name: alarm_store.find(tx, composite.scope, name) for name in rule.children}
        states = {name: child.state.value for name, child in children.items() if child is not None}
        value = ALARM if rule.holds(states.get) else OK
        if value == composite.state.value:
            return
        now_s = self._clock.now()
        change = Change(
            value=value,
            reason=_reason(composite, trigger, value, now_s),
            data=_data(children, trigger),
            at=now_s,
        )
        self._follow(tx, self._transitions.write(tx, composite, change), way)


def rule_of(composite: Alarm) -> Rule:
    """Its rule, which was checked when it was put."""
    return parse(composite.settings["AlarmRule"])


def parents_of(tx: Tx, alarm: Alarm) -> list[Alarm]:
    """The composite alarms whose rules name an alarm."""
    return [one for one in alarm_store.of_scope(tx, alarm.scope, COMPOSITE) if alarm.name in rule_of(one).children]


def _reason(composite: Alarm, trigger: Alarm | None, value: str, now_s: float) -> str:
    if trigger is None:
        return f"{composite.arn} was created or updated and its alarm rule evaluates to {value}"
    at = f"{moment(now_s):%A %d %B, %Y %H:%M:%S} UTC"
    return f"{trigger.arn} transitioned to {trigger.state.value} at {at}"


def _data(children: Mapping[str, Alarm | None], trigger: Alarm | None) -> str:
    telling = [trigger] if trigger is not None else [one for one in children.values() if one is not None]
    shown = [
        {"arn": one.arn, "state": {"value": one.state.value, "timestamp": stamp(one.state.transitioned_at)}}
        for one in telling
    ]
    return json.dumps({"triggeringAlarms": shown})
