"""An event on a bus: which rules it matches, and the deliveries to their targets, all in one transaction.

PutEvents, events of other services and buses, schedules and replays take this one way.
AWS: EventBridge User Guide, "How Amazon EventBridge works".
"""

import logging
from collections.abc import Iterable

from undercast.core.arn import Arn
from undercast.core.context import Cause, RequestContext
from undercast.core.json_text import SMALL_CHARACTERS
from undercast.core.listing import first_few
from undercast.core.record import record
from undercast.events.causality import Edge
from undercast.events.delivery import Delivery, Outcome
from undercast.events.inputs import json_error
from undercast.services.events import archives
from undercast.services.events.addressing import BUSES, Sending, delivery
from undercast.services.events.event import Event
from undercast.services.events.failures import give_up
from undercast.services.events.instance import Events
from undercast.services.events.models import Archive, Bus, BusName, Rule, Target
from undercast.store.database import Tx

log = logging.getLogger(__name__)

LONG = 32
"""From so many deliveries on, events are written in the store's thread."""


@record
class Arrival:
    """An event that has come to a bus, with the rules that it matches."""

    event: Event
    rules: tuple[Rule, ...]
    cause: Cause
    unmatched: tuple[Rule, ...] = ()
    """Those that would have sent it on, had it matched."""
    archives: tuple[Archive, ...] = ()
    named: str = ""
    """What it is in a trace, where neither a call nor a delivery brought it."""

    @property
    def deliveries(self) -> int:
        """How many it causes."""
        return sum(len(rule.targets) for rule in self.rules)

    @property
    def checked_characters(self) -> int:
        """How long the texts that templates make of it may about be: each is looked at whether it is JSON."""
        targets = (target for rule in self.rules for target in rule.targets)
        templates = (one.given["InputTransformer"]["InputTemplate"] for one in targets if _is_transformed(one))
        return sum(len(one) + one.count("<") * len(self.event.text) for one in templates)


def arrival(bus: Bus, event: Event, cause: Cause) -> Arrival:
    """Ask the rules and the archives."""
    matching: list[Rule] = []
    unmatched: list[Rule] = []
    for rule in bus.rules:
        if rule.is_enabled and rule.targets and rule.compiled is not None:
            (matching if rule.compiled.matches(event.document) else unmatched).append(rule)
    wanting = tuple(archive for archive in bus.archives if archive.wants(event.document))
    return Arrival(event=event, rules=tuple(matching), cause=cause, unmatched=tuple(unmatched), archives=wanting)


def is_long(arrivals: Iterable[Arrival]) -> bool:
    """Whether writing them takes more than the event loop may be kept."""
    deliveries = characters = 0
    for one in arrivals:
        deliveries += one.deliveries
        characters += one.checked_characters
    return deliveries > LONG or characters > SMALL_CHARACTERS


def store(events: Events, tx: Tx, one: Arrival) -> None:
    """The deliveries of an event to every target of every rule that it matches."""
    now = events.clock.now()
    if one.rules:
        tx.after_commit(lambda: events.measures.triggered(one.rules))
    for archive in one.archives:
        archives.keep(tx, archive, one.event, now)
    for rule in one.rules:
        sending = Sending(rule=rule, event=one.event, now=now, cause=one.cause)
        for target in rule.targets:
            made = delivery(sending, target, events.ids.uuid())
            for added in _checked(made, target, now):
                events.outbox.add(tx, added, origin=("event", one.event.id), named=one.named)


def _checked(made: Delivery, target: Target, now: float) -> tuple[Delivery, ...]:
    """The delivery; what cannot be one goes where its target's failures go."""
    problem: Outcome | None = None
    if made.kind == BUSES and "hop" in made.attributes:
        text = "An event that came from another event bus is not sent to a third one."
        problem = give_up(made, "THIRD_ACCOUNT_HOP_DETECTED", text, now)
    elif _is_transformed(target) and not _is_taken(made.payload.decode(), target):
        problem = give_up(made, "INVALID_JSON", "Invalid input for target.", now)  # recorded from AWS: of any target
    return (made,) if problem is None else problem.follow_ups


def _is_taken(text: str, target: Target) -> bool:
    """A queue gets values one behind the other, as was recorded; a function's event is one (Invoke, Payload)."""
    return json_error(text, several=Arn.parse(target.arn).service != "lambda") is None


def _is_transformed(target: Target) -> bool:
    return "InputTransformer" in target.given


def note_call(events: Events, tx: Tx, ctx: RequestContext, one: Arrival, bus: BusName) -> None:
    """The edge that tells which call put the event; of an event from outside only where there are rules."""
    if one.rules or one.unmatched or ctx.cause.id:
        events.causality.asked(tx, ctx, _edge(events, ("call", ctx.request_id), one.event, bus), bus.arn)
    _note_unmatched(events, tx, one, bus)


def note_delivery(events: Events, tx: Tx, made: Delivery, one: Arrival, bus: BusName) -> None:
    """The edge from a delivery to the event that it brought."""
    events.causality.record(tx, _edge(events, ("delivery", made.id), one.event, bus))
    _note_unmatched(events, tx, one, bus)


def _note_unmatched(events: Events, tx: Tx, one: Arrival, bus: BusName) -> None:
    """Why targets do not get the event: one row, however many rules there are."""
    if not one.unmatched:
        return
    number = len(one.unmatched)
    names = first_few((rule.name.name for rule in one.unmatched), number)
    note = f"not matched by {number} of {number + len(one.rules)} rules: {names}"
    tx.after_commit(lambda: events.causality.filtered_out("event", (one.event.id,), note, bus.scope))


def _edge(events: Events, origin: tuple[str, str], event: Event, bus: BusName) -> Edge:
    return Edge(
        from_kind=origin[0],
        from_id=origin[1],
        to_kind="event",
        to_id=event.id,
        label=f"event {event.document['detail-type']} on {bus.arn}",
        at=events.clock.now(),
        scope=bus.scope,
    )
