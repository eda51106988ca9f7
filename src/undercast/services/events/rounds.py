"""Schedules of rules: an event for each time that one comes round, on the platform's clock.

The event's deliveries and the next time are one commit. When the clock is moved, every time that it passes counts; of
the times at which the platform did not run, the last one (ADR 0042).
AWS: EventBridge User Guide, "Creating a scheduled rule (legacy) in Amazon EventBridge".
"""

from datetime import UTC
from functools import partial

from undercast.core.context import Cause
from undercast.events.alarm import fire_each
from undercast.events.schedules import parse_schedule
from undercast.services.events import dispatch, store
from undercast.services.events.event import Event, envelope, event_of
from undercast.services.events.instance import Events
from undercast.services.events.models import Rule
from undercast.services.events.store import Due
from undercast.store.database import Tx

_LITTLE_S = 120.0


def next_time(rule: Rule, moment: float) -> float | None:
    """When the rule's schedule comes round behind the moment; None for none, and for a disabled rule."""
    if not rule.schedule or not rule.is_enabled:
        return None
    return parse_schedule(rule.schedule).after(moment, anchor=rule.anchored_at, zone=UTC)


def scheduled_event(rule: Rule, at: float, identifier: str) -> Event:
    """AWS: "Events from Amazon EventBridge", Scheduled Event."""
    what = {"detail-type": "Scheduled Event", "source": "aws.events", "resources": [rule.name.arn], "detail": {}}
    return event_of(envelope(rule.name.bus.scope, at, identifier, what))


class Rounds:
    """One task; see the module."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._began_at = events.clock.now()

    async def run(self) -> None:
        """Without end."""
        await self._events.alarm.ring("EventBridge's schedules", self.round)

    async def round(self) -> None:
        """Everything that is due, however long it takes; what is more than a little goes to the store's thread."""
        events = self._events
        while due := await events.database.read(lambda tx: store.due(tx, events.clock.now())):
            is_long = len(due) > 1 or due[0].at < events.clock.now() - _LITTLE_S
            await events.database.write(self._fire, long=is_long)

    def _fire(self, tx: Tx) -> None:
        due = store.due(tx, self._events.clock.now())
        fire_each(tx, due, partial(self._fire_one, tx), partial(self._pass_over, tx), partial(_end, tx))

    def _fire_one(self, tx: Tx, due: Due) -> None:
        rule = store.planned(tx, due.name)
        at = self._last_missed(rule, due.at)
        event = scheduled_event(rule, at, self._events.ids.uuid())
        named = f"event Scheduled Event of {rule.name.arn}"
        one = dispatch.Arrival(event=event, rules=(rule,), cause=Cause(kind="internal"), named=named)
        dispatch.store(self._events, tx, one)
        store.comes_round(tx, rule.name, next_time(rule, at))

    def _last_missed(self, rule: Rule, at: float) -> float:
        """Of the times before the platform began to run, the last."""
        if at >= self._began_at or not rule.schedule or not rule.is_enabled:
            return at
        span = (at, self._began_at)
        return parse_schedule(rule.schedule).last(span, anchor=rule.anchored_at, zone=UTC) or at

    def _pass_over(self, tx: Tx, due: Due) -> None:
        """It goes on with its next time."""
        store.comes_round(tx, due.name, next_time(store.planned(tx, due.name), self._events.clock.now()))


def _end(tx: Tx, due: Due) -> None:
    """It does not come round any more, until it is changed."""
    store.comes_round(tx, due.name, None)
