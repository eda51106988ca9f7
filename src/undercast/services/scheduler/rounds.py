"""Calls the targets of schedules that come round, on the platform's clock.

The invocation is a delivery, committed with the schedule's next time. When the clock is moved, every time that passes
counts; of the times at which the platform did not run, the last one (ADR 0042).
AWS: EventBridge Scheduler User Guide, "Configuring flexible time windows", "Deletion after schedule completion".
"""

from functools import partial

from undercast.core.context import Cause
from undercast.events.alarm import fire_each
from undercast.events.delivery import Delivery
from undercast.services.scheduler import store
from undercast.services.scheduler.inputs import iso_seconds
from undercast.services.scheduler.instance import Scheduler
from undercast.services.scheduler.models import Planned
from undercast.services.scheduler.store import Due, Turn
from undercast.store.database import Tx

KIND = "scheduler"
_LITTLE_S = 120.0


def turn_of(scheduler: Scheduler, one: Planned, at: float) -> Turn | None:
    """The turn behind a moment. Within a flexible window each second is as likely as any other."""
    nominal_at = one.after(at)
    if nominal_at is None:
        return None
    window = one.given["FlexibleTimeWindow"]
    width_s = 60.0 * window.get("MaximumWindowInMinutes", 0) if window["Mode"] == "FLEXIBLE" else 0.0
    return Turn(nominal_at, nominal_at + width_s * scheduler.ids.random())


class Rounds:
    """One task; see the module."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._began_at = scheduler.clock.now()

    async def run(self) -> None:
        """Without end."""
        await self._scheduler.alarm.ring("Scheduler's schedules", self.round)

    async def round(self) -> None:
        """Everything that is due, however long it takes; what is more than a little goes to the store's thread."""
        database, clock = self._scheduler.database, self._scheduler.clock
        while due := await database.read(lambda tx: store.due(tx, clock.now())):
            await database.write(self._fire, long=len(due) > 1 or due[0].turn.next_at < clock.now() - _LITTLE_S)

    def _fire(self, tx: Tx) -> None:
        due = store.due(tx, self._scheduler.clock.now())
        fire_each(tx, due, partial(self._fire_one, tx), partial(self._pass_over, tx), partial(_end, tx))

    def _fire_one(self, tx: Tx, due: Due) -> None:
        one = store.existing(tx, *due.key)
        at = self._last_missed(one, due.turn)
        self._scheduler.outbox.add(tx, self._invocation(one, at))
        turn = turn_of(self._scheduler, one, at)
        if turn is None and one.given["ActionAfterCompletion"] == "DELETE":
            store.remove(tx, one)
        else:
            store.comes_round(tx, due.key, turn)

    def _pass_over(self, tx: Tx, due: Due) -> None:
        """It goes on with its next time."""
        one = store.existing(tx, *due.key)
        store.comes_round(tx, due.key, turn_of(self._scheduler, one, self._scheduler.clock.now()))

    def _invocation(self, one: Planned, at: float) -> Delivery:
        scheduler = self._scheduler
        return Delivery(
            id=scheduler.ids.uuid(),
            kind=KIND,
            target_arn=one.arn,
            payload=str(one.target.get("Input", "")).encode(),
            scope=one.scope,
            created_at=scheduler.clock.now(),
            cause=Cause(kind="internal"),
            source_arn=one.arn,
            attributes=_carried(one, at),
        )

    def _last_missed(self, one: Planned, came: Turn) -> float:
        """Of the times before the platform began to run, the last."""
        if came.next_at >= self._began_at:
            return came.nominal_at
        return one.last((came.nominal_at, self._began_at)) or came.nominal_at


def _end(tx: Tx, due: Due) -> None:
    """It does not come round any more, until it is changed."""
    store.comes_round(tx, due.key, None)


def _carried(one: Planned, at: float) -> dict[str, str]:
    target = one.target
    found = {
        "arn": target["Arn"],
        "role_arn": target["RoleArn"],
        "scheduled_time": iso_seconds(at),
        "max_attempts": str(one.attempts),
        "max_age_s": str(one.age_s),
        "has_input": "true" if "Input" in target else "",
        "dead_letter_arn": (target.get("DeadLetterConfig") or {}).get("Arn", ""),
        "group_id": (target.get("SqsParameters") or {}).get("MessageGroupId", ""),
        "partition_key": (target.get("KinesisParameters") or {}).get("PartitionKey", ""),
        "detail_type": (target.get("EventBridgeParameters") or {}).get("DetailType", ""),
        "source": (target.get("EventBridgeParameters") or {}).get("Source", ""),
    }
    return {name: value for name, value in found.items() if value}
