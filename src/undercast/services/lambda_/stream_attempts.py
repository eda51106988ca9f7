"""How a function does the records of a stream: each attempt is an invocation, whose answer says what is done.

AWS: Lambda Developer Guide, "Handling errors for a Kinesis event source in Lambda", "Configuring partial batch
response", "Implementing stateful Kinesis Data Streams processing in Lambda"; the same for DynamoDB.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from undercast.core.errors import ServiceError
from undercast.events.delivery import Delivery
from undercast.events.poller import Unavailable
from undercast.sandbox.model import InvocationResult
from undercast.services.event_sources.lane import Batch
from undercast.services.event_sources.queue_events import REPORTS, failed_items
from undercast.services.event_sources.records import Record
from undercast.services.event_sources.tumbling import state_of
from undercast.services.event_sources.work import EXHAUSTED, Attempt, GivenUp
from undercast.services.lambda_.consumer import FAILED, Consumer
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.mapping_measures import MappingMeasures
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.services.lambda_.measures import MILLISECONDS
from undercast.services.lambda_.stream_letter import Ran, destination_of, letter_of


class StreamAttempts:
    """Of one mapping. See `event_sources.work.Attempts`."""

    failure = FAILED
    too_old = "RecordAgeExceeded"

    def __init__(
        self, functions: Lambda, mapping: EventSourceMapping, consumer: Consumer, measures: MappingMeasures
    ) -> None:
        settings = mapping.configuration
        self._measures = measures
        self._age_s: int = settings.get("MaximumRecordAgeInSeconds", -1)
        self._functions = functions
        self._mapping = mapping
        self._consumer = consumer
        self._reports = REPORTS in settings.get("FunctionResponseTypes", ())
        self._tells = bool(destination_of(mapping))

    def wanted(self, records: Sequence[Record]) -> Sequence[Record]:
        """See `Attempts`. What the filters leave out is not read (`event_sources.lane.Rules`)."""
        return records

    async def attempt(self, batch: Batch, records: Sequence[Record]) -> Attempt[Ran]:
        """See `Attempts`. What is not done is counted as failed."""
        attempt = await self._attempt(batch, records)
        if attempt.failed:
            self._functions.mappings.told(self._mapping, self.failure)
        if attempt.failed and records:
            self._measures.failed(len(records) - attempt.done)
        return attempt

    async def _attempt(self, batch: Batch, records: Sequence[Record]) -> Attempt[Ran]:
        """AWS: a batch is split only where nothing of it is done."""
        ran = await self._invoked(batch, records)
        if ran is None:
            return Attempt(failed=True, counted=False, splits=False)
        if not records:
            return Attempt(failed=ran.result.function_error is not None, known=ran)
        state = state_of(ran.result.payload) if batch.window is not None else ""
        done = 0 if state is None else self._first_failure(records, ran.result)
        return Attempt(failed=done < len(records), done=done, splits=not done, state=state or "", known=ran)

    async def letter(self, given_up: GivenUp[Ran]) -> Delivery | None:
        """See `Attempts`."""
        dropped = self._dropped(given_up)
        if not self._tells:
            self._measures.dropped(dropped)
            return None
        resolved = given_up.known.resolved if given_up.known is not None else await self._consumer.resolve()
        event = self._payload(given_up.batch, given_up.records)
        letter = letter_of(self._functions, self._mapping, resolved.function, given_up, event)
        if not self._measures.counts:
            return letter
        counted = {"mapping": self._mapping.id, "sent": str(len(given_up.records)), "dropped": str(dropped)}
        return replace(letter, attributes={**letter.attributes, **counted})

    def _dropped(self, given_up: GivenUp[Ran]) -> int:
        """AWS: those that exceed the mapping's own limits, not those that only the stream keeps no longer."""
        if given_up.condition == EXHAUSTED:
            return len(given_up.records)
        now = self._functions.clock.now()
        return sum(1 for record in given_up.records if 0 < self._age_s < now - record.arrived_at)

    async def _invoked(self, batch: Batch, records: Sequence[Record]) -> Ran | None:
        """None when the function could not be asked: throttled, missing, or a fault of the sandbox."""
        request_id = self._functions.ids.uuid()
        self._consumer.note(request_id, "record", tuple(record.id for record in records))
        try:
            resolved = await self._consumer.resolve()
            if records:
                self._measures.invoked(len(records))
                age_ms = 1000 * max(0.0, self._functions.clock.now() - records[-1].arrived_at)
                self._functions.measures.note(resolved.invoked_arn, "IteratorAge", age_ms, MILLISECONDS)
            payload = self._payload(batch, records)
            return Ran(request_id, resolved, await self._consumer.run(resolved, request_id, payload))
        except (ServiceError, Unavailable) as error:
            self._consumer.not_delivered(request_id, error)
            return None

    def _payload(self, batch: Batch, records: Sequence[Record]) -> bytes:
        text = f'{{"Records": [{", ".join(record.text for record in records)}]'
        if batch.window is not None:
            members: dict[str, Any] = {
                **batch.window.members(batch.reader.progress.state),
                "shardId": batch.reader.lane.shard_id,
                "eventSourceARN": self._mapping.source_arn,
            }
            text += ", " + json.dumps(members, ensure_ascii=False)[1:-1]
        return f"{text}}}".encode()

    def _first_failure(self, records: Sequence[Record], result: InvocationResult) -> int:
        """How many records are done: all before the lowest failed one. A malformed report is a failure of all."""
        if result.function_error is not None:
            return 0
        numbers = [record.sequence for record in records]
        failed = failed_items(result.payload, frozenset(numbers)) if self._reports else frozenset()
        if failed is None:
            return 0
        return min((numbers.index(one) for one in failed), default=len(numbers))
