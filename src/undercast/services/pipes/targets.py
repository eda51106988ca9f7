"""The targets of pipes that take several events at once: queues, topics, buses, streams, log groups.

Each gives the places of the events that it did not take, and why. An error may quote what the target was given: where a
parameter is a path into the event, the error's code is told, and its text is not.
AWS: EventBridge User Guide, "Amazon EventBridge Pipes targets", "Batching behavior" (batch sizes); Pipes API Reference,
PipeTargetParameters.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from undercast.core.arn import Arn
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.pipes.events import dynamic, is_dynamic
from undercast.services.pipes.models import Pipe
from undercast.services.pipes.troubles import told, withheld
from undercast.services.target_calls import queue_url, scope_of

MOST: Mapping[str, int] = MappingProxyType({"sqs": 10, "sns": 10, "events": 10, "kinesis": 500, "logs": 10_000})
"""Events at once, by the target's service; a function takes what fits into its event."""
_LOG_SPAN_MS = 24 * 3_600_000
_LOG_BYTES = 1_048_576
"""Limits of one PutLogEvents. AWS: CloudWatch Logs API Reference, PutLogEvents."""
Failed = Mapping[int, str]
"""Why, by the event's place."""


@record
class Sending:
    """A batch for a target: events, and the texts that were made of them."""

    pipe: Pipe
    events: tuple[Any, ...]
    texts: tuple[str, ...]
    now: float

    def parameters(self, member: str) -> Mapping[str, Any]:
        """TargetParameters of one kind."""
        found: Mapping[str, Any] = self.pipe.target_parameters.get(member) or {}
        return found

    @property
    def of_event(self) -> tuple[str, ...]:
        """The names of the parameters that are paths into the event."""
        given = [one for one in self.pipe.target_parameters.values() if isinstance(one, Mapping)]
        return tuple(name for one in given for name, value in one.items() if _is_path(value))

    def why(self, code: str, message: str | None) -> str:
        """What is told of an error of the target."""
        if names := self.of_event:
            return withheld(code, names)
        return f"{code}: {message}" if message else code


def _is_path(value: Any) -> bool:
    return any(isinstance(one, str) and is_dynamic(one) for one in (value if isinstance(value, list) else [value]))


def iso_seconds(at: float) -> str:
    """2026-11-29T14:10:00Z."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


async def _call(
    ctx: RequestContext, sending: Sending, service: str, operation: str, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Raises the target's error, in words that may be told."""
    try:
        return await ctx.checked_call(service, operation, params, scope=scope_of(sending.pipe.target, ctx.scope))
    except ServiceError as error:
        if not sending.of_event:
            raise
        raise ServiceError(error.code, sending.why(error.code, None), error.status) from None


def _failed(sending: Sending, answer: Mapping[str, Any]) -> Failed:
    """Those of SendMessageBatch and PublishBatch."""
    return {int(one["Id"]): sending.why(one["Code"], one.get("Message")) for one in answer.get("Failed", ())}


def _refused(sending: Sending, entries: Sequence[Mapping[str, Any]]) -> Failed:
    """Those of PutEvents and PutRecords."""
    refused = {place: (one.get("ErrorCode"), one.get("ErrorMessage")) for place, one in enumerate(entries)}
    return {place: sending.why(code, message) for place, (code, message) in refused.items() if code}


async def _to_queue(ctx: RequestContext, sending: Sending) -> Failed:
    given = sending.parameters("SqsQueueParameters")
    entries = []
    for place, (event, text) in enumerate(zip(sending.events, sending.texts, strict=True)):
        entry = {"Id": str(place), "MessageBody": text}
        entry |= {
            name: dynamic(given[name], event) for name in ("MessageGroupId", "MessageDeduplicationId") if name in given
        }
        entries.append(entry)
    params = {"QueueUrl": queue_url(sending.pipe.target), "Entries": entries}
    answer = await _call(ctx, sending, "sqs", "SendMessageBatch", params)
    return _failed(sending, answer)


async def _to_topic(ctx: RequestContext, sending: Sending) -> Failed:
    entries = [{"Id": str(place), "Message": text} for place, text in enumerate(sending.texts)]
    params = {"TopicArn": sending.pipe.target, "PublishBatchRequestEntries": entries}
    answer = await _call(ctx, sending, "sns", "PublishBatch", params)
    return _failed(sending, answer)


async def _to_bus(ctx: RequestContext, sending: Sending) -> Failed:
    given, pipe = sending.parameters("EventBridgeEventBusParameters"), sending.pipe
    entries = []
    for event, text in zip(sending.events, sending.texts, strict=True):
        entry: dict[str, Any] = {
            "EventBusName": pipe.target,
            "Source": dynamic(given.get("Source") or f"Pipe {pipe.name}", event),
            "DetailType": dynamic(given.get("DetailType") or f"Event from aws:{pipe.source_service}", event),
            "Detail": text,
            "Resources": [dynamic(one, event) for one in given.get("Resources") or ()],
        }
        if given.get("Time"):
            entry["Time"] = _moment(dynamic(given["Time"], event))
        entries.append(entry)
    answer = await _call(ctx, sending, "events", "PutEvents", {"Entries": entries})
    return _refused(sending, answer["Entries"])


def _moment(text: str) -> datetime:
    """ISO 8601, or seconds or milliseconds since the epoch. Raises ValidationException."""
    if text.isascii() and text.isdigit() and len(text) < 15:
        seconds = int(text) / (1000 if len(text) > 11 else 1)
        return datetime.fromtimestamp(seconds, UTC)
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ServiceError("ValidationException", "The event's timestamp is no time.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


async def _to_stream(ctx: RequestContext, sending: Sending) -> Failed:
    key = sending.parameters("KinesisStreamParameters")["PartitionKey"]
    records = [
        {"Data": text.encode(), "PartitionKey": dynamic(key, event)}
        for event, text in zip(sending.events, sending.texts, strict=True)
    ]
    answer = await _call(ctx, sending, "kinesis", "PutRecords", {"StreamARN": sending.pipe.target, "Records": records})
    return _refused(sending, answer["Records"])


@record
class _Line:
    """An event for a log group, by its place in the batch."""

    place: int
    at_ms: int
    text: str


async def _to_logs(ctx: RequestContext, sending: Sending) -> Failed:
    """Each event to the stream that it names; one for each pipe where none is named.

    Raises where nothing was taken; else what a stream refuses is told by its places.
    """
    given = sending.parameters("CloudWatchLogsParameters")
    streams: dict[str, list[_Line]] = {}
    failed: dict[int, str] = {}
    refusals: list[ServiceError] = []
    for place, (event, text) in enumerate(zip(sending.events, sending.texts, strict=True)):
        try:
            at = _moment(dynamic(given["Timestamp"], event)).timestamp() if given.get("Timestamp") else sending.now
        except ServiceError as error:
            failed[place] = told(error)
            refusals.append(error)
            continue
        stream = dynamic(given.get("LogStreamName") or sending.pipe.name, event)
        streams.setdefault(stream, []).append(_Line(place=place, at_ms=round(at * 1000), text=text))
    for stream, lines in streams.items():
        for one in _puts(lines):
            try:
                failed |= await _put_lines(ctx, sending, stream, one)
            except ServiceError as error:
                failed |= dict.fromkeys((line.place for line in one), told(error))
                refusals.append(error)
    if refusals and len(failed) == len(sending.events):
        raise refusals[0]
    return failed


def _puts(lines: list[_Line]) -> list[list[_Line]]:
    """What one PutLogEvents takes: in the order of time, within 24 hours, 1 MiB with 26 bytes more for each event."""
    puts: list[list[_Line]] = []
    size = 0
    for line in sorted(lines, key=lambda one: one.at_ms):
        own = len(line.text.encode()) + 26
        if not puts or line.at_ms - puts[-1][0].at_ms > _LOG_SPAN_MS or size + own > _LOG_BYTES:
            puts.append([])
            size = 0
        puts[-1].append(line)
        size += own
    return puts


async def _put_lines(ctx: RequestContext, sending: Sending, stream: str, lines: list[_Line]) -> Failed:
    """Those that are too old, expired or too new. Raises the error of Logs."""
    group = Arn.parse(sending.pipe.target).resource.removeprefix("log-group:").removesuffix(":*")
    where = {"logGroupName": group, "logStreamName": stream}
    try:
        await _call(ctx, sending, "logs", "CreateLogStream", where)
    except ServiceError as error:
        if error.code != "ResourceAlreadyExistsException":
            raise
    events = [{"timestamp": line.at_ms, "message": line.text} for line in lines]
    answer = await _call(ctx, sending, "logs", "PutLogEvents", {**where, "logEvents": events})
    info = answer.get("rejectedLogEventsInfo") or {}
    first = max(info.get("tooOldLogEventEndIndex", 0), info.get("expiredLogEventEndIndex", 0))
    rejected = lines[:first] + lines[info.get("tooNewLogEventStartIndex", len(lines)) :]
    return dict.fromkeys((line.place for line in rejected), "the log group takes no event of this time")


SENDERS: Mapping[str, Callable[[RequestContext, Sending], Awaitable[Failed]]] = MappingProxyType(
    {"sqs": _to_queue, "sns": _to_topic, "events": _to_bus, "kinesis": _to_stream, "logs": _to_logs}
)
