"""A change of an alarm's state: the row, its history, and a delivery for each action, in one transaction.

AWS: CloudWatch User Guide, "Alarm actions"; API Reference, SetAlarmState (actions are taken when the value differs).
"""

import json
from dataclasses import replace

from undercast.core import json_values
from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.context import Cause
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.events.delivery import Delivery
from undercast.events.outbox import Outbox
from undercast.services.cloudwatch import alarm_store, notices
from undercast.services.cloudwatch.alarms import ALARM, Alarm, HistoryItem, State
from undercast.services.cloudwatch.suppression import Decision, changed, decide
from undercast.services.cloudwatch.ties import Ties
from undercast.store.database import Tx

KIND = "cloudwatch-action"
BUSES = "events"
"""Kind of the deliveries to EventBridge's buses."""
FUNCTIONS, TOPICS = "lambda", "sns"
"""Services of actions that can be taken here, as their ARNs name them."""


@record
class Change:
    """What an alarm is to say from now on."""

    value: str
    reason: str
    data: str
    at: float


class Transitions:
    """Writes changes."""

    def __init__(self, outbox: Outbox, ids: Ids) -> None:
        self._outbox = outbox
        self._ids = ids

    def write(self, tx: Tx, alarm: Alarm, change: Change, ties: Ties) -> Alarm:
        """The alarm as it is afterwards. A state that stays only gets another reason, and asks for no ties."""
        before = alarm.state
        differs = change.value != before.value
        state = State(
            value=change.value,
            reason=change.reason[:1023],
            data=change.data[:4000],
            updated_at=change.at,
            transitioned_at=change.at if differs else before.transitioned_at,
        )
        after = replace(alarm, state=state)
        alarm_store.put(tx, after)
        if not differs:
            return after
        self._note(tx, after, before)
        self._tell_bus(tx, after, before)
        if after.suppressor:
            after = self._settle(tx, after, changed(after, before, self._suppressor(tx, after), change.at))
        else:
            self._act(tx, after, before)
        self._tell_suppressed(tx, after, before, ties)
        return after

    def settle(self, tx: Tx, alarm: Alarm, now_s: float) -> None:
        """A composite alarm holds something back: take its actions when it is time."""
        self._settle(tx, alarm, decide(alarm.suppression, alarm.settings, self._suppressor(tx, alarm), now_s))

    def _settle(self, tx: Tx, alarm: Alarm, decision: Decision) -> Alarm:
        after = replace(alarm, suppression=decision.keep)
        if after != alarm:
            alarm_store.put(tx, after)
        if decision.act_on is not None:
            self._act(tx, after, decision.act_on)
        return after

    def _suppressor(self, tx: Tx, alarm: Alarm) -> State | None:
        found = alarm_store.find(tx, alarm.scope, alarm.suppressor)
        return found.state if found is not None else None

    def _tell_suppressed(self, tx: Tx, alarm: Alarm, before: State, ties: Ties) -> None:
        """To the composite alarms whose suppressor has changed."""
        now_s = alarm.state.updated_at
        for name in ties.suppressed.get(alarm.name, ()):
            composite = alarm_store.find(tx, alarm.scope, name)
            assert composite is not None
            if before.value == ALARM:
                composite = replace(composite, suppression=replace(composite.suppression, left_at=now_s))
                alarm_store.put(tx, composite)
            self.settle(tx, composite, now_s)

    def _tell_bus(self, tx: Tx, alarm: Alarm, before: State) -> None:
        """EventBridge's default bus hears of every change."""
        event_id = self._ids.uuid()
        delivery = Delivery(
            id=event_id,
            kind=BUSES,
            target_arn=str(Arn.of(alarm.scope, "events", "event-bus/default")),
            payload=notices.bus_event(alarm, before, event_id).encode(),
            scope=alarm.scope,
            created_at=alarm.state.updated_at,
            cause=Cause(kind="internal"),
            source_arn=alarm.arn,
        )
        self._outbox.add(tx, delivery, ("alarm", alarm.arn))

    def _act(self, tx: Tx, alarm: Alarm, before: State) -> None:
        """Deliver the actions of the state that it is in."""
        if not alarm.actions_enabled:
            return
        for arn in alarm.actions:
            self._outbox.add(tx, self._delivery(alarm, before, arn), ("alarm", alarm.arn))

    def _note(self, tx: Tx, alarm: Alarm, before: State) -> None:
        data = {
            "version": "1.0",
            "oldState": _told(before),
            "newState": _told(alarm.state),
        }
        summary = f"Alarm updated from {before.value} to {alarm.state.value}"
        alarm_store.note(tx, item_of(alarm, alarm.state.updated_at, "StateUpdate", summary, json.dumps(data)))

    def _delivery(self, alarm: Alarm, before: State, arn: str) -> Delivery:
        parts = Arn.parse(arn)
        write = notices.function_event if parts.service == FUNCTIONS else notices.topic_message
        return Delivery(
            id=self._ids.uuid(),
            kind=KIND,
            target_arn=arn,
            payload=write(alarm, before).encode(),
            scope=Scope(AccountId(parts.account_id), Region(parts.region)),
            created_at=alarm.state.updated_at,
            cause=Cause(kind="internal"),
            source_arn=alarm.arn,
            attributes={"subject": notices.subject(alarm), "alarm": alarm.name, "alarm_kind": alarm.kind},
        )


def _told(state: State) -> dict[str, object]:
    told: dict[str, object] = {"stateValue": state.value, "stateReason": state.reason}
    if state.data:
        try:
            told["stateReasonData"] = json_values.parse(state.data)
        except ValueError:
            told["stateReasonData"] = state.data
    return told


def item_of(alarm: Alarm, at: float, item_type: str, summary: str, data: str) -> HistoryItem:
    """An entry of the alarm's history."""
    return HistoryItem(
        scope=alarm.scope, name=alarm.name, kind=alarm.kind, at=at, type=item_type, summary=summary, data=data
    )
