"""EventBridge Scheduler's manifest: what the service offers to the platform.

AWS: EventBridge Scheduler API Reference.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.service import Manifest, operations_of
from undercast.events.alarm import Alarm
from undercast.services.parts import Parts
from undercast.services.scheduler.access import access
from undercast.services.scheduler.instance import Scheduler
from undercast.services.scheduler.measures import Measures
from undercast.services.scheduler.members import EFFECTIVE, REFUSED, STORED
from undercast.services.scheduler.operations import groups, schedules
from undercast.services.scheduler.rounds import KIND, Rounds
from undercast.services.scheduler.store import next_round
from undercast.services.scheduler.target import DEAD_LETTERS, DeadLetterTarget, ScheduleTarget


def build(parts: Parts) -> Scheduler:
    """The instance that every operation gets."""
    return Scheduler(
        database=parts.database,
        outbox=parts.outbox,
        internal=parts.internal,
        clock=parts.platform_clock,
        ids=parts.ids,
        sdk=parts.sdk,
        measures=Measures(parts.metrics, parts.platform_clock),
        alarm=Alarm(parts.database, parts.platform_clock, next_round),
    )


def _targets(scheduler: Scheduler) -> Mapping[str, Any]:
    return {KIND: ScheduleTarget(scheduler), DEAD_LETTERS: DeadLetterTarget(scheduler)}


async def _start(scheduler: Scheduler) -> None:
    scheduler.tasks.spawn(Rounds(scheduler).run())


async def _stop(scheduler: Scheduler) -> None:
    scheduler.tasks.cancel()
    await scheduler.tasks.ended()


def _reset(scheduler: Scheduler) -> None:
    scheduler.alarm.changed()


MANIFEST = Manifest(
    name="scheduler",
    build=build,
    operations=operations_of(groups, schedules),
    access=access,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    targets=_targets,
    start=_start,
    stop=_stop,
    reset=_reset,
    differences=(
        "Templated targets are functions, queues, topics, event buses, Kinesis streams and state machines where those "
        "services are here; every other one is refused by name. Universal ones are the operations that are here; an "
        "invocation of one that is not goes to the dead-letter queue.",
        "A schedule fires on the second, without AWS's 60 s of play. Of the times at which the platform did not run, "
        "the last one fires.",
        "A one-time schedule for a time that has passed is taken, as on AWS, and never fires. AWS does not document "
        "what becomes of it there.",
        "Only throttles and faults are retried: 1 s, doubled up to 10 minutes. Refusals go to the dead-letter queue at "
        "once.",
        "A deleted group and its schedules are gone at once; ActionAfterCompletion deletes when the last invocation "
        "begins.",
        "Quotas and rates of requests are not limited.",
        "InvocationThrottleCount is never told: nothing throttles schedules. InvocationDroppedCount counts every "
        "invocation that is given up.",
    ),
)
