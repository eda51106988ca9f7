"""Kinesis's manifest: what the service offers to the platform.

AWS: Kinesis Data Streams API Reference.
"""

from undercast.core.service import Manifest, operations_of
from undercast.services.kept import Kept
from undercast.services.kinesis import store
from undercast.services.kinesis.access import access, policy_of, tags_of
from undercast.services.kinesis.housekeeping import Housekeeping
from undercast.services.kinesis.instance import Kinesis
from undercast.services.kinesis.measures import Measures
from undercast.services.kinesis.members import EFFECTIVE, REFUSED, STORED
from undercast.services.kinesis.operations import consumers, policies, records, settings, shards, streams, tags
from undercast.services.kinesis.subscriptions import Subscriptions
from undercast.services.kinesis.throttle import Throttle
from undercast.services.parts import Parts


def build(parts: Parts) -> Kinesis:
    """The instance that every operation gets."""
    return Kinesis(
        database=parts.database,
        arrivals=parts.arrivals,
        causality=parts.causality,
        streams=Kept(parts.database, store.opened),
        policies=Kept(parts.database, store.policy),
        subscriptions=Subscriptions(parts.platform_clock, parts.arrivals),
        housekeeping=Housekeeping(parts.database, parts.platform_clock),
        throttle=Throttle(parts.platform_clock, enabled=parts.config.throttle_streams),
        measures=Measures(parts.metrics, parts.platform_clock),
        clock=parts.platform_clock,
        ids=parts.ids,
    )


async def _start(kinesis: Kinesis) -> None:
    kinesis.housekeeping.rounds.start()


def _release(kinesis: Kinesis) -> None:
    kinesis.subscriptions.end_all()


async def _stop(kinesis: Kinesis) -> None:
    await kinesis.housekeeping.rounds.stop()


def _reset(kinesis: Kinesis) -> None:
    kinesis.subscriptions.end_all()
    kinesis.throttle.forget()
    kinesis.streams.forget()
    kinesis.policies.forget()


MANIFEST = Manifest(
    name="kinesis",
    build=build,
    largest={"": 32 * 1024 * 1024},  # 10 MiB of records in base64, and as many again to be told so in its own words
    operations=operations_of(consumers, policies, records, settings, shards, streams, tags),
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    start=_start,
    release=_release,
    stop=_stop,
    reset=_reset,
    differences=(
        "Streams and consumers are ACTIVE at once, resharding is done when its request is answered, and a deleted "
        "stream is gone at once: CREATING, UPDATING and DELETING are never seen.",
        "Shards are held to their throughput only with --throttle-streams; rates of the other requests are not "
        "limited.",
        "CloudWatch is told IncomingRecords, IncomingBytes, GetRecords.Records, -.Bytes, -.IteratorAgeMilliseconds and "
        "-.Success, WriteProvisionedThroughputExceeded and ReadProvisionedThroughputExceeded of streams, and what is "
        "enabled of shards; nothing of consumers, and no latencies.",
        "A stream on demand keeps its four shards, however much is written.",
        "Records are not encrypted on disk. KMS is asked in the caller's name at each put and each read, and when a "
        "subscription to a shard begins, about the key that the stream has then; what was written under an earlier key "
        "needs that one no more.",
        "SubscribeToShard is served over HTTP/1.1, too.",
        "UpdateShardCount is not limited to ten calls a day.",
        "Channels, queues, account settings and warm throughput are missing, and named.",
    ),
)
