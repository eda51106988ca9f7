"""DynamoDB's manifest: what the service offers to the platform.

AWS: DynamoDB API Reference.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.record import record
from undercast.core.service import Manifest, operations_of
from undercast.services.dynamodb import exporting, importing
from undercast.services.dynamodb.access import access, policy_of, tags_of
from undercast.services.dynamodb.encryption import under_keys
from undercast.services.dynamodb.expiry import Expiry
from undercast.services.dynamodb.forwarding import KIND, KinesisTarget
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.measures import ON_ITEMS, Measures, measured
from undercast.services.dynamodb.members import EFFECTIVE, REFUSED, STORED
from undercast.services.dynamodb.operations import (
    backups,
    batches,
    exports,
    forwarding,
    imports,
    items,
    policies,
    reading,
    restoring,
    statements,
    tables,
    tagging,
    transactions,
)
from undercast.services.dynamodb.tables import Tables
from undercast.services.dynamodb.throttle import Throttle
from undercast.services.parts import Parts


@record
class RunningDynamo(Dynamo):
    """With the task that deletes expired items."""

    expiry: Expiry


def build(parts: Parts) -> RunningDynamo:
    """The instance that every operation gets."""
    measures = Measures(parts.metrics, parts.platform_clock)
    dynamo = Dynamo(
        database=parts.database,
        tables=Tables(parts.database),
        causality=parts.causality,
        arrivals=parts.arrivals,
        outbox=parts.outbox,
        throttle=Throttle(parts.platform_clock, measures, enabled=parts.config.throttle_tables),
        measures=measures,
        clock=parts.platform_clock,
        ids=parts.ids,
        internal=parts.internal,
    )
    return RunningDynamo(
        database=dynamo.database,
        tables=dynamo.tables,
        causality=dynamo.causality,
        arrivals=dynamo.arrivals,
        outbox=dynamo.outbox,
        throttle=dynamo.throttle,
        measures=dynamo.measures,
        clock=dynamo.clock,
        ids=dynamo.ids,
        internal=dynamo.internal,
        tasks=dynamo.tasks,
        expiry=Expiry(dynamo),
    )


def _targets(dynamo: RunningDynamo) -> Mapping[str, Any]:
    return {KIND: KinesisTarget(dynamo.internal)}


async def _start(dynamo: RunningDynamo) -> None:
    dynamo.expiry.rounds.start(at_once=True)
    exporting.resume(dynamo)
    importing.resume(dynamo)


async def _stop(dynamo: RunningDynamo) -> None:
    dynamo.tasks.cancel()
    await dynamo.tasks.ended()
    await dynamo.expiry.rounds.stop()


def _reset(dynamo: RunningDynamo) -> None:
    dynamo.tasks.cancel()
    dynamo.tables.forget()


MANIFEST = Manifest(
    name="dynamodb",
    build=build,
    largest={"": 16 * 1024 * 1024},  # Developer Guide, BatchWriteItem: a request has 16 MB at most
    operations=measured(
        under_keys(
            operations_of(
                backups,
                batches,
                exports,
                forwarding,
                imports,
                items,
                policies,
                reading,
                restoring,
                statements,
                tables,
                tagging,
                transactions,
            ),
            ON_ITEMS,
        )
    ),
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    targets=_targets,
    start=_start,
    stop=_stop,
    reset=_reset,
    differences=(
        "A table, an index and a change of either are ready at once; only the changing call itself answers CREATING, "
        "UPDATING or DELETING.",
        "Every read is consistent, also one of a global secondary index; capacity is counted as AWS does.",
        "Tables are held to their provisioned throughput only with --throttle-tables, those on demand never.",
        "OnDemandThroughput and WarmThroughput of an import's table and of an index are kept or left out without "
        "effect, as those of CreateTable: requests are not limited.",
        "Items are not encrypted with a customer managed key of SSESpecification. KMS is asked about it at each "
        "request on items, in the caller's name (kms:Decrypt), when a table gets it, and when the table is described; "
        "reading a stream, backups, exports and a restored table's making do not ask, and a table is not archived.",
        "DescribeLimits gives AWS's default quotas; nothing here is limited by them.",
        "ItemCount is exact, TableSizeBytes an estimate beyond 5,000 items; an index shows those of its table.",
        "A Kinesis destination is ACTIVE at once; a change is not told to a stream that was deleted meanwhile.",
        "Expired items are deleted within a minute of the platform's clock, on AWS within some days.",
        "The item collection's size is always estimated as 0 to 1 GB, and an item collection is not limited to 10 GB.",
        "The order of a Scan is that of the hash of the partition key, but AWS's hash is another one.",
        "With point-in-time recovery a table can be restored to any moment up to now, not only up to five minutes ago.",
        "A SELECT with IN on the partition key goes over the whole table.",
        "Exports and imports take seconds. Amazon Ion and Zstandard are refused. The ETag of an export's "
        "file is that of a whole object, not of parts.",
        "An empty field of a CSV file is imported as an empty string; an import of no objects is COMPLETED.",
        "CloudWatch is told ConsumedReadCapacityUnits and ConsumedWriteCapacityUnits of tables and global indexes, "
        "SuccessfulRequestLatency, ReturnedItemCount, ThrottledRequests, ReadThrottleEvents, WriteThrottleEvents, "
        "ConditionalCheckFailedRequests, UserErrors and SystemErrors; of statements and transactions, whose tables are "
        "inside, the capacity alone. A request that breaks a constraint of the model is no UserError.",
        'dynamodb:Attributes has "*" besides in a read without a projection: who may read certain attributes must name '
        "them.",
    ),
)
