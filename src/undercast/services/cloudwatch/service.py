"""CloudWatch's manifest: what the service offers to the platform.

AWS: CloudWatch API Reference.
"""

from undercast.core.service import Manifest, operations_of
from undercast.services.cloudwatch.access import access
from undercast.services.cloudwatch.housekeeping import Housekeeping
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.services.cloudwatch.intake import Intake
from undercast.services.cloudwatch.members import EFFECTIVE, REFUSED, STORED
from undercast.services.cloudwatch.operations import metric_data, metrics
from undercast.services.parts import Parts


def build(parts: Parts) -> CloudWatch:
    """The instance that every operation gets."""
    intake = Intake(parts.journal, parts.metrics)
    return CloudWatch(
        journal=parts.journal,
        intake=intake,
        housekeeping=Housekeeping(intake, parts.platform_clock),
        clock=parts.platform_clock,
    )


async def _start(instance: CloudWatch) -> None:
    instance.intake.start()
    instance.housekeeping.start()


async def _stop(instance: CloudWatch) -> None:
    await instance.housekeeping.stop()
    await instance.intake.stop()


def _reset(instance: CloudWatch) -> None:
    instance.intake.drop()


MANIFEST = Manifest(
    name="cloudwatch",
    build=build,
    operations=operations_of(metric_data, metrics),
    access=access,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    start=_start,
    stop=_stop,
    reset=_reset,
    differences=(
        "A metric is listed, and its data are read, at once.",
        "Percentiles and the other statistics of ranks go by whole samples; above 200 different values a minute they "
        "are taken from values rounded to two digits.",
        "A SIGKILL of the platform may lose the last second of what services measure; PutMetricData is durable.",
        "Metrics Insights (SELECT), anomaly detection, Contributor Insights, metric streams, service quotas in "
        "expressions, and entities are not supported.",
    ),
)
