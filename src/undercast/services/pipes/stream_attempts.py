"""How a pipe does the records of a stream: each attempt is an execution, which names what the target has not taken.

AWS: EventBridge User Guide, "Amazon DynamoDB stream as a source", "Amazon Kinesis stream as a source" (retries, on
partial batch item failure, dead-letter queue).
"""

import json
from collections.abc import Sequence
from typing import Any

from undercast.core.arn import Arn
from undercast.core.clock import iso_millis
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.events.delivery import Delivery
from undercast.services.event_sources.lane import Batch
from undercast.services.event_sources.queue_events import patterns_of
from undercast.services.event_sources.records import Record
from undercast.services.event_sources.work import Attempt, GivenUp
from undercast.services.pipes.consumer import Consumer
from undercast.services.pipes.events import event_of, view_of
from undercast.services.pipes.execution import Execution
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.models import SOURCE_PARAMETERS, Pipe
from undercast.services.target_calls import scope_of

DEAD_LETTERS = "pipes-dead-letter"


class StreamAttempts:
    """Of one pipe. See `event_sources.work.Attempts`."""

    failure = "PROBLEM: the pipe's target or enrichment failed"
    too_old = "MaximumRecordAgeExceeded"

    def __init__(self, pipes: Pipes, pipe: Pipe, consumer: Consumer, execution: Execution) -> None:
        parameters = pipe.given.get("SourceParameters") or {}
        settings = parameters.get(SOURCE_PARAMETERS[pipe.source_service]) or {}
        self._pipes = pipes
        self._pipe = pipe
        self._consumer = consumer
        self._execution = execution
        self._patterns = patterns_of(parameters.get("FilterCriteria") or {})
        self._dead_letter_arn: str = (settings.get("DeadLetterConfig") or {}).get("Arn", "")

    def wanted(self, records: Sequence[Record]) -> Sequence[Record]:
        """See `Attempts`."""
        if not self._patterns:
            return records
        wanted = [record for record in records if self._wants(record)]
        if len(wanted) < len(records):
            kept = {record.sequence for record in wanted}
            others = [record.id for record in records if record.sequence not in kept]
            self._consumer.left_out("record", len(others), others)
        return wanted

    def _wants(self, record: Record) -> bool:
        """Filters see the event as the pipe has it, with its data as JSON."""
        view = view_of(_event(record))
        return any(pattern.matches(view) for pattern in self._patterns)

    async def attempt(self, batch: Batch, records: Sequence[Record]) -> Attempt[None]:
        """See `Attempts`. Done is all before the first record that failed."""
        try:
            failed = await self._execution.run([_event(record) for record in records], "record")
        except ServiceError:
            return Attempt(failed=True)
        done = next((place for place, one in enumerate(records) if one.id in failed), len(records))
        return Attempt(failed=done < len(records), done=done)

    async def letter(self, given_up: GivenUp[None]) -> Delivery | None:
        """See `Attempts`."""
        if not self._dead_letter_arn:
            return None
        now = self._pipes.clock.now()
        told: dict[str, Any] = {
            "context": {"partnerResourceArn": self._pipe.arn, "condition": given_up.condition},
            "version": "1.0",
            "timestamp": iso_millis(now),
            **given_up.batch_info(self._pipe.source),
        }
        return Delivery(
            id=self._pipes.ids.uuid(),
            kind=DEAD_LETTERS,
            target_arn=self._dead_letter_arn,
            payload=json.dumps(told).encode(),
            scope=scope_of(self._dead_letter_arn, self._pipe.scope),
            created_at=now,
            cause=Cause(kind="internal"),
            source_arn=self._pipe.arn,
            attributes={"role_arn": self._pipe.given["RoleArn"], "service": Arn.parse(self._dead_letter_arn).service},
        )


def _event(record: Record) -> dict[str, Any]:
    """Of a record's JSON, in which blobs are base64."""
    return event_of(json.loads(record.text))
