"""CloudWatch's manifest: what the service offers to the platform.

AWS: CloudWatch API Reference.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.service import Manifest, operations_of
from undercast.services.cloudwatch.access import access
from undercast.services.cloudwatch.actions import ActionTarget
from undercast.services.cloudwatch.composites import Composites
from undercast.services.cloudwatch.evaluator import Evaluator
from undercast.services.cloudwatch.housekeeping import Housekeeping
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.services.cloudwatch.intake import Intake
from undercast.services.cloudwatch.members import EFFECTIVE, REFUSED, STORED
from undercast.services.cloudwatch.operations import (
    alarm_states,
    alarms,
    dashboards,
    detectors,
    metric_data,
    metrics,
    tags,
)
from undercast.services.cloudwatch.transitions import KIND, Transitions
from undercast.services.parts import Parts


def build(parts: Parts) -> CloudWatch:
    """The instance that every operation gets."""
    intake = Intake(parts.journal, parts.metrics)
    transitions = Transitions(parts.outbox, parts.ids)
    composites = Composites(parts.platform_clock, transitions)
    return CloudWatch(
        database=parts.database,
        journal=parts.journal,
        evaluator=Evaluator(intake, parts.database, parts.platform_clock, transitions, composites),
        composites=composites,
        transitions=transitions,
        actions=ActionTarget(parts.database, parts.platform_clock, parts.internal),
        intake=intake,
        housekeeping=Housekeeping(intake, parts.platform_clock),
        clock=parts.platform_clock,
    )


async def _start(instance: CloudWatch) -> None:
    instance.intake.start()
    instance.housekeeping.rounds.start()
    instance.evaluator.start()


async def _quiesce(instance: CloudWatch) -> None:
    await instance.evaluator.stop()


def _targets(instance: CloudWatch) -> Mapping[str, Any]:
    return {KIND: instance.actions}


async def _stop(instance: CloudWatch) -> None:
    await instance.housekeeping.rounds.stop()
    await instance.intake.stop()


def _reset(instance: CloudWatch) -> None:
    instance.intake.drop()


MANIFEST = Manifest(
    name="cloudwatch",
    build=build,
    operations=operations_of(alarm_states, alarms, dashboards, detectors, metric_data, metrics, tags),
    access=access,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    targets=_targets,
    start=_start,
    quiesce=_quiesce,
    stop=_stop,
    reset=_reset,
    differences=(
        "A metric is listed, and its data are read, at once.",
        "A request, or an alarm, whose queries take too much computing is refused: some 900,000 stored points that "
        "searches, Metrics Insights queries and bands read, or ten million additions.",
        "Percentiles and the other statistics of ranks go by whole samples; above 200 different values a minute they "
        "are taken from values rounded to two digits.",
        "Alarms are evaluated at the end of each minute (ten seconds for shorter periods) over two periods more than "
        "they have; what the clock jumps over is not evaluated.",
        "Actions of alarms are topics and functions; others are refused by name. Of changes of an alarm's "
        "configuration EventBridge hears nothing. Mails of alarms have the JSON that SNS gets as their text, where AWS "
        "writes sentences. Dashboards are checked for their widgets' types only.",
        "A SIGKILL of the platform may lose the last second of what services measure; PutMetricData is durable.",
        "An anomaly detection band is the mean of what was measured before, in the last two weeks, so many standard "
        "deviations wide: at this hour of the week, else of the day, else at all. AWS's model is another one, and not "
        "public. A band needs no detector; three data points make one.",
        "Alarms on Metrics Insights queries with GROUP BY, conditions on tags in queries, Contributor Insights, metric "
        "streams, service quotas in expressions, and entities are not supported.",
    ),
)
