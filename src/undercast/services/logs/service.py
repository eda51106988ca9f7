"""CloudWatch Logs' manifest: what the service offers to the platform.

AWS: CloudWatch Logs API Reference.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.service import Manifest, operations_of
from undercast.services.logs.access import access, policy_of, tags_of
from undercast.services.logs.destination import KIND, StreamTarget
from undercast.services.logs.embedded import EmbeddedMetrics
from undercast.services.logs.exports import Exports
from undercast.services.logs.housekeeping import Housekeeping
from undercast.services.logs.instance import Logs
from undercast.services.logs.intake import Intake
from undercast.services.logs.live_tail import LiveTails
from undercast.services.logs.members import EFFECTIVE, REFUSED, STORED
from undercast.services.logs.metric_filters import MetricFilters
from undercast.services.logs.operations import (
    destinations,
    events,
    exports,
    groups,
    keys,
    listing,
    live_tail,
    metric_filters,
    queries,
    query_definitions,
    resource_policies,
    streams,
    subscriptions,
)
from undercast.services.logs.queries import Queries
from undercast.services.logs.subscriptions import Subscriptions
from undercast.services.parts import Parts


def build(parts: Parts) -> Logs:
    """The instance that every operation gets."""
    embedded = EmbeddedMetrics(parts.metrics)
    intake = Intake(parts.journal, parts.platform_clock, parts.ids, embedded, parts.causality.cause_of)
    return Logs(
        journal=parts.journal,
        intake=intake,
        housekeeping=Housekeeping(parts.journal, parts.platform_clock),
        subscriptions=Subscriptions(parts.outbox, intake.followers, parts.platform_clock, parts.ids),
        metric_filters=MetricFilters(parts.database, intake.followers, parts.metrics, parts.platform_clock),
        live_tails=LiveTails(),
        queries=Queries(parts.journal),
        exports=Exports(parts.database, parts.journal, parts.internal, parts.platform_clock),
        database=parts.database,
        internal=parts.internal,
        clock=parts.platform_clock,
    )


def _targets(instance: Logs) -> Mapping[str, Any]:
    return {KIND: StreamTarget(instance.internal, instance.clock)}


async def _start(instance: Logs) -> None:
    await instance.subscriptions.start()
    await instance.metric_filters.start()
    await instance.exports.start()
    instance.housekeeping.start()


def _release(instance: Logs) -> None:
    instance.live_tails.end()


async def _stop(instance: Logs) -> None:
    await instance.housekeeping.stop()
    await instance.queries.stop()
    await instance.exports.stop()
    await instance.metric_filters.settled()
    await instance.subscriptions.stop()
    await instance.intake.stop()


def _reset(instance: Logs) -> None:
    instance.subscriptions.clear()
    instance.metric_filters.clear()
    instance.queries.clear()
    instance.exports.clear()
    instance.intake.clear()


MANIFEST = Manifest(
    name="logs",
    build=build,
    operations=operations_of(
        destinations,
        events,
        exports,
        groups,
        keys,
        listing,
        live_tail,
        metric_filters,
        queries,
        query_definitions,
        resource_policies,
        streams,
        subscriptions,
    ),
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    start=_start,
    targets=_targets,
    release=_release,
    stop=_stop,
    reset=_reset,
    differences=(
        "The platform writes a function's log whatever the function's role allows.",
        "A SIGKILL of the platform may lose the log events of the last 100 ms.",
        "Subscription filters: what is heard within half a second goes together. Destinations are functions, Kinesis "
        "streams and, by logical destinations, those of other accounts; Firehose is refused by name. Of lines that "
        "lead to their own function again, 16 messages are delivered; AWS goes on for ever where the group has another "
        "name than the function's own. A filter that a stream refuses is not disabled meanwhile.",
        "StartLiveTail: SDKs put a prefix before host names. stream-localhost leads here inside sandboxes only; on the "
        "host put the line `127.0.0.1 stream-localhost` into /etc/hosts, take the endpoint "
        "http://logs.localhost.localstack.cloud:4566, or Config(inject_host_prefix=False) of boto3. `undercast logs "
        "FUNCTION --tail` needs none of these.",
        "Embedded metrics in functions' logs: the platform's clock may be ahead of a function's; then their times are "
        "moved to the platform's.",
        "Embedded metrics: 100 directives of a document count, 30 dimension sets of a directive, and of all that as "
        "many metrics as the loop has time for: 3,000 with three dimensions and one value each.",
        "Metric filters: a metric is not disabled for having too many values of its dimensions.",
        "Logs Insights: the commands fields, display, filter, parse, stats, sort, limit and dedup; others are refused "
        "by name. Regular expressions are RE2's: no look-around, no back-references. A comparison with a field that is "
        "missing never holds. Percentiles are exact. stddev is the population's. Queries and results are in memory "
        "and forgotten at a restart. Rows are read without a bound. At most 64 MiB of rows and groups are kept (60,000 "
        "groups that are counted), and 200,000 rows where a sort stands before filter, dedup, stats or another sort; a "
        "query that has to keep more fails, and the platform's log says why.",
        "Log groups of class INFREQUENT_ACCESS can be exported, and embedded metrics are taken out of their events and "
        "out of those of class DELIVERY; those of class DELIVERY can be read and followed. ESSENTIALS is as STANDARD "
        "is: which operations it has is not documented.",
        "Resource policies are asked by EventBridge, when it writes to a log group; no other service writes here.",
        "storedBytes is exact; AWS shows it with some hours of delay.",
    ),
)
