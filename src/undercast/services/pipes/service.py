"""EventBridge Pipes' manifest: what the service offers to the platform.

AWS: EventBridge Pipes API Reference.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.service import Manifest, operations_of
from undercast.events.poller import Source
from undercast.services.event_sources.queue_source import QueueSource
from undercast.services.event_sources.reading import Reading
from undercast.services.event_sources.stream_source import StreamSource
from undercast.services.parts import Parts
from undercast.services.pipes.access import access
from undercast.services.pipes.consumer import Consumer
from undercast.services.pipes.dead_letters import DeadLetterTarget
from undercast.services.pipes.execution import Execution
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.measures import Measures
from undercast.services.pipes.members import EFFECTIVE, REFUSED, STORED
from undercast.services.pipes.models import Pipe
from undercast.services.pipes.operations import pipes as operations
from undercast.services.pipes.queue_work import QueueWork
from undercast.services.pipes.running import running
from undercast.services.pipes.stream_attempts import DEAD_LETTERS, StreamAttempts
from undercast.services.pipes.troubles import Troubles, Watched


def build(parts: Parts) -> Pipes:
    """The instance that every operation gets."""
    return Pipes(
        database=parts.database,
        arrivals=parts.arrivals,
        outbox=parts.outbox,
        causality=parts.causality,
        internal=parts.internal,
        clock=parts.platform_clock,
        ids=parts.ids,
        running=running(parts.database, parts.platform_clock),
        troubles=Troubles(),
        measures=Measures(parts.metrics, parts.platform_clock, parts.host_clock),
    )


def _source(pipes: Pipes, pipe: Pipe) -> Source:
    """A stream's filters are asked by its attempts: they see more of a record than a function's do."""
    consumer, settings = Consumer(pipes, pipe), pipe.reading()
    execution = Execution(pipes, pipe, consumer)
    if pipe.source_service == "sqs":
        reading = Reading(source_arn=pipe.source, settings=settings, consumer=consumer, progress=pipe.progress)
        return QueueSource(pipes.clock, reading, QueueWork(execution))
    settings.pop("FilterCriteria", None)
    reading = Reading(source_arn=pipe.source, settings=settings, consumer=consumer, progress=pipe.progress)
    return StreamSource(pipes, reading, StreamAttempts(pipes, pipe, consumer, execution))


async def _start(pipes: Pipes) -> None:
    pipes.running.start(
        lambda pipe: _source(pipes, pipe), watched=lambda pipe, source: Watched(source, pipes.troubles, pipe)
    )


async def _quiesce(pipes: Pipes) -> None:
    await pipes.running.stop()


def _targets(pipes: Pipes) -> Mapping[str, Any]:
    return {DEAD_LETTERS: DeadLetterTarget(pipes)}


def _reset(pipes: Pipes) -> None:
    pipes.running.clear()


MANIFEST = Manifest(
    name="pipes",
    build=build,
    operations=operations_of(operations),
    access=access,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    targets=_targets,
    start=_start,
    quiesce=_quiesce,
    reset=_reset,
    differences=(
        "Sources are queues, streams of tables and of Kinesis; functions enrich; targets are functions, queues, "
        "topics, event buses, streams of Kinesis and log groups. Every other one is refused by name.",
        "LogConfiguration is refused but for Level OFF.",
        "A template that is a path alone to a JSON body gives JSON; AWS takes the quotes in it away.",
        "An execution is not ended after 5 minutes.",
        "Sources and targets are not looked for when a pipe is made. A pipe whose source or target is missing, or may "
        "not be used, goes on to be RUNNING and tries again, where AWS may disable it; StateReason says what fails, "
        "and the platform's log says it once.",
        "Of the metrics, CloudWatch is told Invocations, EventCount, Duration, ExecutionFailed, "
        "ExecutionPartiallyFailed and those of the enrichment's and the target's stage; not Concurrency and EventSize.",
    ),
)
