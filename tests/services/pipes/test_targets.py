"""What the targets of pipes take, and what becomes of the events that they refuse.

AWS: EventBridge User Guide, "Amazon EventBridge Pipes targets", "Amazon EventBridge Pipes batching and concurrency".
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.platform import running
from tests.services.lambda_.queues import until
from tests.services.pipes.actions import Plumber, bodies, from_stream
from tests.services.sns.actions import Queue

DAY_S = 24 * 3600


def log_group(plumber: Plumber) -> str:
    """The ARN of a new log group."""
    plumber.client("logs").create_log_group(logGroupName="g")
    return f"arn:aws:logs:us-east-1:{plumber.account}:log-group:g"


def lines(plumber: Plumber, stream: str) -> list[tuple[int, Any]]:
    """Time and text of the events in a log stream; texts are JSON."""
    found = plumber.client("logs").get_log_events(logGroupName="g", logStreamName=stream, startFromHead=True)
    return [(event["timestamp"], json.loads(event["message"])) for event in found["events"]]


def wait_for_left(queue: Queue, hidden: int = 0) -> None:
    """Until a queue has nothing but so many messages that were received."""
    for _ in range(1000):
        told = queue.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
        counts = [int(told[f"ApproximateNumberOfMessages{which}"]) for which in ("", "NotVisible")]
        if counts == [0, hidden]:
            return
        time.sleep(0.02)
    raise AssertionError(f"there are {counts}")


def test_a_log_stream_and_a_time_for_each_event(plumber: Plumber) -> None:
    """LogStreamName and Timestamp are paths into each event; what the group rejects as too old has failed."""
    stream, dead, group = plumber.stream(), plumber.queue(), log_group(plumber)
    now = int(plumber.now() * 1000)
    times = {"late": now, "early": now - 5000, "before": now - 3 * DAY_S * 1000, "other": now - 60_000}
    numbers = plumber.put(
        *({"s": "b" if text == "other" else "a", "t": at, "text": text} for text, at in times.items()),
        {"s": "a", "t": 1_577_836_800_000, "text": "too old"},
        {"s": "a", "t": now, "text": "behind it"},
    )
    plumber.lay(
        stream, group, SourceParameters=from_stream(dead, BatchSize=10, MaximumRetryAttempts=0),
        TargetParameters={
            "InputTemplate": "<$.data.text>",
            "CloudWatchLogsParameters": {"LogStreamName": "$.data.s", "Timestamp": "$.data.t"},
        },
    )  # fmt: skip
    (letter,) = bodies(dead, 1)
    told = letter["KinesisBatchInfo"]
    assert (told["startSequenceNumber"], told["batchSize"]) == (numbers[4], 2)
    assert lines(plumber, "b") == [(times["other"], "other")]
    expected = [(times[text], text) for text in ("before", "early", "late")] + [(now, "behind it")]
    assert lines(plumber, "a") == expected


def test_a_line_without_a_time_comes_again_alone(timed: Plumber) -> None:
    """The other of the batch is taken: to the stream with the pipe's name, where none is named."""
    source, dead, group = timed.queue(), timed.queue(), log_group(timed)
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1})
    source.sqs.set_queue_attributes(QueueUrl=source.url, Attributes={"RedrivePolicy": redrive})
    now = int(timed.now())
    bodies_of = [json.dumps({"t": moment}) for moment in ("never", now)]
    entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies_of)]
    source.sqs.send_message_batch(QueueUrl=source.url, Entries=entries)
    parameters = {"CloudWatchLogsParameters": {"Timestamp": "$.body.t"}, "InputTemplate": "<$.body.t>"}
    timed.lay(source.arn, group, "lines", TargetParameters=parameters)
    wait_for_left(source, hidden=1)
    assert lines(timed, "lines") == [(now * 1000, now)]
    timed.platform.advance(31)
    assert bodies(dead, 1) == [{"t": "never"}]


def test_a_line_has_the_time_of_its_execution(timed: Plumber) -> None:
    """Where the pipe has no Timestamp."""
    source, group = timed.queue(), log_group(timed)
    before = timed.now()
    source.sqs.send_message(QueueUrl=source.url, MessageBody='{"n": 1}')
    timed.lay(source.arn, group, "lines", TargetParameters={"InputTemplate": "<$.body.n>"})
    wait_for_left(source)
    ((at, number),) = lines(timed, "lines")
    assert number == 1
    assert before - 1 <= at / 1000 <= timed.now() + 1


def test_what_a_request_may_not_say_a_pipe_may_not_either(plumber: Plumber) -> None:
    """A PartitionKey that a path makes is held to the API's lengths: 1 to 256 characters."""
    stream, dead, target = plumber.stream(), plumber.queue(), plumber.stream("t")
    plumber.put({"n": 1}, {"k": "x" * 300}, {"k": "good"})
    plumber.lay(
        stream, target, SourceParameters=from_stream(dead, BatchSize=1, MaximumRetryAttempts=0),
        TargetParameters={"KinesisStreamParameters": {"PartitionKey": "$.data.k"}},
    )  # fmt: skip
    letters = bodies(dead, 2)
    assert [letter["context"]["condition"] for letter in letters] == ["RetryAttemptsExhausted"] * 2
    plumber.put({"k": "last"})
    plumber.lay(target, dead.arn, "q", SourceParameters=from_stream())
    assert {event["partitionKey"] for event in bodies(dead, 2)} == {"good", "last"}


def test_records_that_a_full_shard_refuses_have_failed() -> None:
    """PutRecords takes what a second's throughput lets through; the first refused record and all behind it failed."""
    with running(options=["--throttle-streams"]) as platform:
        plumber = Plumber(platform)
        stream, dead, target = plumber.stream(), plumber.queue(), plumber.stream("t")
        numbers: list[str] = []
        for _ in range(5):
            numbers += plumber.put("x" * 300_000)
            platform.advance(2)
        plumber.lay(
            stream, target, SourceParameters=from_stream(dead, BatchSize=5, MaximumRetryAttempts=0),
            TargetParameters={"KinesisStreamParameters": {"PartitionKey": "k"}},
        )  # fmt: skip
        (letter,) = bodies(dead, 1)
        told = letter["KinesisBatchInfo"]
        # Each has 400 kB, as base64 in its event.
        assert (told["startSequenceNumber"], told["batchSize"]) == (numbers[2], 3)
        assert len(plumber.records("t")) == 2


def test_a_batch_is_what_the_target_takes(plumber: Plumber) -> None:
    """Without a BatchSize a stream's batch is 100, but ten for a queue."""
    stream, target = plumber.stream(), plumber.queue()
    plumber.put(*({"n": number} for number in range(30)))
    plumber.lay(
        stream, target.arn, SourceParameters=from_stream(), TargetParameters={"InputTemplate": "<$.data>"}
    )  # fmt: skip
    assert plumber.settled()["SourceParameters"]["KinesisStreamParameters"]["BatchSize"] == 10
    assert sorted(one["n"] for one in bodies(target, 30)) == list(range(30))


SECRET = "sesame"
QUOTED = {
    "text": f"open, {SECRET}", "token": f"{SECRET}-1", "long": SECRET * 50, "stream": f"{SECRET}:*",
}  # fmt: skip


def test_no_error_of_a_target_tells_a_value_of_the_event(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither in StateReason, nor in the trace, nor in the log, whatever the service's text quotes."""
    with running() as platform:
        plumber = Plumber(platform)
        names: list[str] = []
        for target, parameters, code in _quoting(plumber):
            source, name = plumber.queue(), f"p{len(names)}"
            sent = source.sqs.send_message(QueueUrl=source.url, MessageBody=json.dumps(QUOTED))["MessageId"]
            plumber.lay(source.arn, target, name, TargetParameters=parameters)
            told = _told(plumber, name, sent)
            assert all(code in one for one in told), told
            assert SECRET not in str(told)
            names.append(name)
    log = "".join(capfd.readouterr())
    assert [name for name in names if f"pipe {name} cannot use its enrichment or target" in log] == names
    assert SECRET not in log


def _quoting(plumber: Plumber) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Targets, each with a parameter that it refuses, and with its error's code."""
    here = f"us-east-1:{plumber.account}"
    for fifo, given in (
        (True, {"MessageGroupId": "$.body.text", "MessageDeduplicationId": "$.messageId"}),
        (True, {"MessageGroupId": "g", "MessageDeduplicationId": "$.body.text"}),
        (False, {"MessageGroupId": "$.body.text"}),
        (False, {"MessageDeduplicationId": "$.body.token"}),
    ):
        yield plumber.queue(fifo=fifo).arn, {"SqsQueueParameters": given}, "InvalidParameterValue"
    bus = f"arn:aws:events:{here}:event-bus/default"
    for given, code in (
        ({"Source": "s", "DetailType": "$.body.long"}, "InvalidArgument"),
        ({"Source": "s", "DetailType": "d", "Time": "$.body.text"}, "is no time"),
    ):
        yield bus, {"EventBridgeEventBusParameters": given}, code
    stream = plumber.stream()
    yield stream, {"KinesisStreamParameters": {"PartitionKey": "$.body.long"}}, "ValidationException"
    group = log_group(plumber)
    yield group, {"CloudWatchLogsParameters": {"LogStreamName": "$.body.stream"}}, "InvalidParameterException"
    yield group, {"CloudWatchLogsParameters": {"Timestamp": "$.body.text"}}, "is no time"


def _told(plumber: Plumber, name: str, message_id: str) -> tuple[str, ...]:
    """StateReason, and the errors of the message's trace, once both are there."""

    def found() -> tuple[str, ...]:
        nodes = plumber.platform.ask(f"/_undercast/trace/{message_id}")["nodes"]
        errors = [node["label"] for node in nodes if node["kind"] == "error"]
        return (plumber.pipes.describe_pipe(Name=name).get("StateReason", ""), "".join(errors))

    until(lambda: all(found()))
    return found()
