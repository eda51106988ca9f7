"""SQS's manifest: what the service offers to the platform.

AWS: SQS API Reference.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.service import Manifest, operations_of
from undercast.services.parts import Parts
from undercast.services.sqs.access import access, policy_of, tags_of
from undercast.services.sqs.housekeeping import Housekeeping
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.measures import Measures
from undercast.services.sqs.members import EFFECTIVE
from undercast.services.sqs.moving import Moves
from undercast.services.sqs.operations import batches, messages, moves, permissions, queues
from undercast.services.sqs.queues import Queues
from undercast.services.sqs.target import KIND, QueueTarget
from undercast.services.sqs.waiting import Waiting


def build(parts: Parts) -> Sqs:
    """The instance that every operation gets."""
    known, waiting = Queues(parts.database), Waiting(parts.platform_clock)
    return Sqs(
        database=parts.database,
        queues=known,
        waiting=waiting,
        moves=Moves(parts.database, waiting, parts.causality, parts.ids),
        housekeeping=Housekeeping(parts.database, parts.platform_clock),
        measures=Measures(parts.metrics, parts.database, parts.platform_clock),
        causality=parts.causality,
        internal=parts.internal,
        clock=parts.platform_clock,
        ids=parts.ids,
    )


def _targets(sqs: Sqs) -> Mapping[str, Any]:
    return {KIND: QueueTarget(sqs)}


async def _start(sqs: Sqs) -> None:
    sqs.housekeeping.rounds.start()
    sqs.measures.rounds.start()
    await sqs.moves.resume()


def _release(sqs: Sqs) -> None:
    sqs.waiting.end()


async def _stop(sqs: Sqs) -> None:
    await sqs.housekeeping.rounds.stop()
    await sqs.measures.rounds.stop()
    await sqs.moves.stop()
    await sqs.waiting.stop()


def _reset(sqs: Sqs) -> None:
    sqs.queues.forget()
    sqs.waiting.wake_everybody()


MANIFEST = Manifest(
    name="sqs",
    build=build,
    operations=operations_of(batches, messages, moves, permissions, queues),
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    waits=frozenset({"ReceiveMessage"}),
    targets=_targets,
    start=_start,
    release=_release,
    stop=_stop,
    reset=_reset,
    differences=(
        "AWS CLI 1 sends the commands of sqs to queue.amazonaws.com, whatever AWS_ENDPOINT_URL says: give it "
        "--endpoint-url, or use AWS CLI 2.",
        "A queue's name can be used again at once after DeleteQueue; AWS makes one wait 60 seconds.",
        "The approximate numbers of GetQueueAttributes are exact, and changes of attributes hold at once.",
        "Standard queues give each message once per visibility timeout and in the order in which they became visible.",
        "Messages are not encrypted on disk. KMS is asked in the caller's name at each send and receive about the key "
        "that the queue has then; KmsDataKeyReusePeriodSeconds is kept and shown.",
        "Request rates and the number of messages in flight are not limited (RequestThrottled and OverLimit are never "
        "raised for them).",
        "CloudWatch is told NumberOfMessagesSent, -Received, -Deleted, NumberOfEmptyReceives, SentMessageSize "
        "(body and attributes) and, once a minute, the three approximate numbers and ApproximateAgeOfOldestMessage, in "
        "which a message counts however often it was received; not the metrics of fair queues.",
        "A receipt handle that is not the latest never deletes a message of a standard queue; on AWS it may.",
    ),
)
