"""A delivery: one event on its way to one target, durable from the commit that caused it (I6).

Frozen data and the two protocols by which the router speaks to targets. Knows no service.
"""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal, Protocol, runtime_checkable

from undercast.core.arn import Scope, is_fifo
from undercast.core.context import EXTERNAL, Cause
from undercast.core.record import record


@record
class Delivery:
    """One event for one target. All times are platform-clock seconds.

    `id` is fixed at commit and is the request id of the asynchronous invoke, the same on every retry.
    """

    id: str
    kind: str
    """Which target adapter takes it: "lambda", "sqs", ..."""
    target_arn: str
    """Deliveries of one target_arn, at a FIFO target of one message group, form one queue; no queue delays another."""
    payload: bytes
    scope: Scope
    """Account and region of the target."""
    created_at: float
    cause: Cause = EXTERNAL
    source_arn: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What the adapter needs besides, e.g. {"client_context": ..., "qualifier": ...}."""
    due_at: float = 0.0
    attempts: int = 0
    """Attempts that the target has counted so far."""
    throttles: int = 0
    """Attempts that were turned away without counting (429, 5xx); they drive the back-off."""

    @property
    def message_group(self) -> str:
        """Within which it keeps its order at a FIFO target; "" at any other."""
        return self.attributes.get(GROUP, "") if is_fifo(self.target_arn) else ""


GROUP = "group_id"
"""Attribute: the message group."""
FORGIVEN = "forgiven_s"
"""Attribute: seconds of its age that count for nothing, because the platform's clock was moved over them."""
UNFINISHED = "unfinished"
"""Attribute of a delivery whose payload lacks something that its sender puts in before each attempt."""
ORDERED = "ordered"
"""Attribute of a delivery that holds its message group until it is done: none behind it is tried before."""


OutcomeKind = Literal["done", "retry", "dead"]


@record
class Outcome:
    """What became of one attempt.

    `retry`: try again at `due_at`; `counted` says whether it was an attempt or a throttle. `dead`: give up.
    `follow_ups` (destinations, dead letters) are committed in the transaction that removes the delivery.
    """

    kind: OutcomeKind
    due_at: float = 0.0
    counted: bool = True
    reason: str = ""
    follow_ups: tuple[Delivery, ...] = ()
    noted: Mapping[str, str] = field(default_factory=dict)
    """Of a retry: attributes that the delivery has from then on, beside its own; what the target has to know later."""
    is_refused: bool = False
    """Whether the target did not take it, whatever became of what it took."""


Refusal = Literal["", "missing", "forbidden"]
"""Why a target refuses, where that is one of these: it does not exist, or it does not let the sender in."""


def refused(delivery: Delivery, reason: str, now: float, why: Refusal = "") -> Outcome:
    """Give up a delivery that its target refuses. Who sent it may have said where it goes then, by two attributes.

    `failure_kind` is the adapter that takes it, `failure_arn` the queue, e.g. of an SNS subscription's RedrivePolicy.
    """
    kind, arn = delivery.attributes.get("failure_kind"), delivery.attributes.get("failure_arn")
    if not kind or not arn:
        return Outcome(kind="dead", reason=reason, is_refused=True)
    ends = ("failure_kind", "failure_arn")
    carried = {name: value for name, value in delivery.attributes.items() if name not in ends}
    letter = replace(
        delivery,
        id=f"{delivery.id}-dead-letter",
        kind=kind,
        target_arn=arn,
        created_at=now,
        cause=Cause(kind="delivery", id=delivery.id),
        attributes={**carried, "failed_kind": delivery.kind, "reason": reason[:1024], "refusal": why},
        due_at=0.0,
        attempts=0,
        throttles=0,
    )
    return Outcome(kind="dead", reason=reason, follow_ups=(letter,), is_refused=True)


@runtime_checkable
class Wide(Protocol):
    """A target that knows how many deliveries it can take at once, where that is more than the router's number."""

    def at_once(self, delivery: Delivery) -> int:
        """Of those to this delivery's target, as far as is known now."""
        ...


class Target(Protocol):
    """An adapter that a service hands to the router in its manifest."""

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. An exception counts as a throttle and is retried with back-off."""
        ...
