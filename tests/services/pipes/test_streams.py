"""Streams as sources of pipes: where they begin, what is too old, how a batch that failed is split.

AWS: EventBridge User Guide, "Amazon Kinesis stream as a source"; Pipes API Reference,
PipeSourceKinesisStreamParameters.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.platform import running
from tests.services.lambda_.queues import until
from tests.services.pipes.actions import Plumber, bodies, bodies_as_time_goes, from_stream
from tests.services.sns.actions import Queue

DATA = {"InputTemplate": "<$.data>"}


def test_where_a_pipe_begins_to_read(timed: Plumber) -> None:
    """TRIM_HORIZON the oldest, AT_TIMESTAMP what came since, LATEST what comes after the pipe was made."""
    stream = timed.stream()
    timed.put({"n": 1})
    timed.platform.advance(100)
    between = datetime.fromtimestamp(timed.now() - 50, UTC)
    timed.put({"n": 2})
    timed.platform.advance(100)
    places: tuple[tuple[dict[str, Any], list[int]], ...] = (
        ({"StartingPosition": "TRIM_HORIZON"}, [1, 2, 3]),
        ({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": between}, [2, 3]),
        ({"StartingPosition": "LATEST"}, [3]),
    )
    targets = [timed.queue() for _ in places]
    for (place, _), target in zip(places, targets, strict=True):
        name = f"from-{place['StartingPosition']}"
        timed.lay(stream, target.arn, name, SourceParameters=from_stream(**place), TargetParameters=DATA)
    timed.platform.advance(1)
    timed.put({"n": 3})
    for (_, expected), target in zip(places, targets, strict=True):
        assert sorted(one["n"] for one in bodies(target, len(expected))) == expected


def test_a_record_beyond_its_age_is_given_up(timed: Plumber) -> None:
    """MaximumRecordAgeInSeconds: to the dead letters without an attempt; the younger ones go on."""
    stream, dead, target = timed.stream(), timed.queue(), timed.queue()
    numbers = timed.put({"n": 1}, {"n": 2})
    timed.platform.advance(120)
    timed.put({"n": 3})
    timed.lay(
        stream, target.arn, "aged", SourceParameters=from_stream(dead, MaximumRecordAgeInSeconds=60),
        TargetParameters=DATA,
    )  # fmt: skip
    (letter,) = bodies(dead, 1)
    assert letter["context"]["condition"] == "MaximumRecordAgeExceeded"
    told = letter["KinesisBatchInfo"]
    assert [told["startSequenceNumber"], told["endSequenceNumber"], told["batchSize"]] == [*numbers, 2]
    assert [one["n"] for one in bodies(target, 1)] == [3]


def test_a_batch_that_failed_is_split(timed: Plumber) -> None:
    """OnPartialBatchItemFailure AUTOMATIC_BISECT: halves, until the record that fails is alone. A split is no retry."""
    stream, dead, target = timed.stream(), timed.queue(), timed.stream("halves")
    keys = ("a", "b", "x" * 300, "d")
    numbers = timed.put(*({"k": key} for key in keys))
    own = {"BatchSize": 4, "MaximumRetryAttempts": 0, "OnPartialBatchItemFailure": "AUTOMATIC_BISECT"}
    timed.lay(
        stream, target, "split", SourceParameters=from_stream(dead, **own),
        TargetParameters={"KinesisStreamParameters": {"PartitionKey": "$.data.k"}},
    )  # fmt: skip
    (letter,) = bodies_as_time_goes(timed, dead, 1, 70)
    told = letter["KinesisBatchInfo"]
    assert (told["startSequenceNumber"], told["batchSize"]) == (numbers[2], 1)
    seen = timed.queue()
    timed.lay(target, seen.arn, "seen", SourceParameters=from_stream())
    assert [event["partitionKey"] for event in bodies(seen, 3)] == ["a", "b", "d"]


def test_a_stream_whose_stored_filter_is_refused_now_waits_for_another(tmp_path: Path) -> None:
    """An older version took a cidr of one address. StateReason says it, and no record is passed over."""
    filters = {"Filters": [{"Pattern": '{"data": {"ip": [{"cidr": "10.0.0.0/31"}]}}'}]}
    with running(tmp_path) as platform:
        plumber = Plumber(platform)
        target = plumber.queue()
        parameters = from_stream() | {"FilterCriteria": filters}
        plumber.lay(plumber.stream(), target.arn, SourceParameters=parameters, TargetParameters=DATA)
        plumber.put({"ip": "10.0.0.0"})
        assert bodies(target, 1) == [{"ip": "10.0.0.0"}]
    with closing(sqlite3.connect(tmp_path / "state.db")) as state, state:
        state.execute("UPDATE pipes_pipe SET given = replace(given, '.0/31', '.0/32')")
    with running(tmp_path) as platform:
        later = Plumber(platform)
        later.account = plumber.account
        later.pipes = later.client("pipes")
        target = Queue(later.client("sqs"), target.url, target.arn)
        later.put({"ip": "10.0.0.1"})
        reason = "The source: it cannot be read with the settings that it has"
        until(lambda: later.pipes.describe_pipe(Name="p").get("StateReason", "").startswith(reason))
        later.pipes.update_pipe(Name="p", RoleArn=plumber.role, SourceParameters={"FilterCriteria": filters})
        assert bodies(target, 1) == [{"ip": "10.0.0.1"}]
