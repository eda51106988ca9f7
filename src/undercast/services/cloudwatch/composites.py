"""Composite alarms follow the alarms that their rules name.

A change of an alarm leads to those that look at it, and so on, in topological order: each is evaluated once, behind all
that it looks at. AWS allows cycles and stops evaluating where it finds one; here an alarm that has changed is not
evaluated again. All of it is in the transaction of the first change, which is a long one.
AWS: CloudWatch User Guide, "Create a composite alarm"; API Reference, PutCompositeAlarm.
"""

import json
from collections.abc import Mapping
from heapq import heappop, heappush

from undercast.core.clock import PlatformClock, moment
from undercast.services.cloudwatch import alarm_store
from undercast.services.cloudwatch.alarms import ALARM, OK, Alarm
from undercast.services.cloudwatch.notices import stamp
from undercast.services.cloudwatch.ties import NO_TIES, Ties, rule_of, ties_of
from undercast.services.cloudwatch.transitions import Change, Transitions
from undercast.store.database import Tx


class Composites:
    """Evaluates them."""

    def __init__(self, clock: PlatformClock, transitions: Transitions) -> None:
        self._clock = clock
        self._transitions = transitions

    def change(self, tx: Tx, alarm: Alarm, change: Change) -> None:
        """Write an alarm's state, and what follows of it where the value differs.

        AWS: API Reference, SetAlarmState (a composite alarm returns to its actual state once a child changes state).
        """
        if change.value == alarm.state.value:
            self._transitions.write(tx, alarm, change, NO_TIES)
            return
        ties = ties_of(tx, alarm.scope)
        self._follow(tx, self._transitions.write(tx, alarm, change, ties), ties)

    def look_at(self, tx: Tx, composite: Alarm) -> None:
        """Evaluate one that was put."""
        ties = ties_of(tx, composite.scope)
        changed = self._evaluate(tx, composite, None, ties)
        if changed is not None:
            self._follow(tx, changed, ties)

    def _follow(self, tx: Tx, first: Alarm, ties: Ties) -> None:
        places = ties.places_behind(first.name)
        over: set[str] = set()
        """Have changed."""
        waiting: list[tuple[int, str]] = []
        triggers: dict[str, Alarm] = {}
        """For each that waits: what it looks at and has changed last."""

        def tell(changed: Alarm) -> None:
            over.add(changed.name)
            for parent in ties.parents.get(changed.name, ()):
                if parent in over:
                    continue
                if parent not in triggers:
                    heappush(waiting, (places[parent], parent))
                triggers[parent] = changed

        tell(first)
        while waiting:
            _, name = heappop(waiting)
            composite = alarm_store.find(tx, first.scope, name)
            assert composite is not None
            changed = self._evaluate(tx, composite, triggers.pop(name), ties)
            if changed is not None:
                tell(changed)

    def _evaluate(self, tx: Tx, composite: Alarm, trigger: Alarm | None, ties: Ties) -> Alarm | None:
        """As it is afterwards; None where its state stays."""
        rule = rule_of(composite)
        children = {name: alarm_store.find(tx, composite.scope, name) for name in rule.children}
        states = {name: child.state.value for name, child in children.items() if child is not None}
        value = ALARM if rule.holds(states.get) else OK
        if value == composite.state.value:
            return None
        now_s = self._clock.now()
        change = Change(
            value=value,
            reason=_reason(composite, trigger, value, now_s),
            data=_data(children, trigger),
            at=now_s,
        )
        return self._transitions.write(tx, composite, change, ties)


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
