"""X-Ray's manifest: what the service offers to the platform.

AWS: X-Ray API Reference.
"""

from undercast.core.service import Manifest, operations_of
from undercast.services.parts import Parts
from undercast.services.xray.access import access
from undercast.services.xray.export import exporter_to
from undercast.services.xray.instance import XRay
from undercast.services.xray.intake import Intake
from undercast.services.xray.members import EFFECTIVE, REFUSED, STORED
from undercast.services.xray.operations import groups, rules, segments, traces
from undercast.services.xray.upkeep import Upkeep


def build(parts: Parts) -> XRay:
    """The instance that every operation gets."""
    exporter = exporter_to(parts.config.otlp_endpoint)
    return XRay(
        exporter=exporter,
        database=parts.database,
        journal=parts.journal,
        intake=Intake(parts.journal, parts.platform_clock, exporter),
        upkeep=Upkeep(parts.journal, parts.platform_clock),
        internal=parts.internal,
        clock=parts.platform_clock,
        ids=parts.ids,
    )


async def _start(xray: XRay) -> None:
    xray.upkeep.rounds.start(at_once=True)
    if xray.exporter is not None:
        xray.exporter.start()


async def _stop(xray: XRay) -> None:
    await xray.upkeep.rounds.stop()
    if xray.exporter is not None:
        await xray.exporter.stop()


def _reset(xray: XRay) -> None:
    xray.reservoirs.clear()


MANIFEST = Manifest(
    name="xray",
    build=build,
    access=access,
    operations=operations_of(segments, traces, groups, rules),
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    start=_start,
    stop=_stop,
    reset=_reset,
    differences=(
        "GetServiceGraph tells of the newest 10,000 traces of its range, or 64 MiB of documents; one answer of "
        "GetTraceSummaries has looked at 2,000 traces at most, and may have a NextToken with few or no summaries.",
        "GetTimeSeriesServiceStatistics tells of the same traces; a Period that is not said is 60 seconds.",
        "Segments that functions and Lambda itself send are kept whatever the function's role allows; a SIGKILL of the "
        "platform may lose those of the last 100 ms. PutTraceSegments is on disk when it answers.",
        "A trace can be read as soon as it was sent; AWS takes some seconds.",
        "Filter expressions have the keywords of traces, segments, annotations, service() and edge(); rootcause and "
        "its words (message, remote, root, index, coverage), json, group and account.id are refused by name.",
        "TraceSummary has no root causes, Service and Edge no percentiles beyond the histograms.",
        "A function of Mode PassThrough gets the trace header as it came: its SDK's subsegments are in its caller's.",
        "Links to the traces of a batch's messages are in the AWS::Lambda segment.",
        "Insights, indexing rules, trace retrieval, encryption and resource policies are not supported.",
    ),
)
