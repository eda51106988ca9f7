"""Archives and replays.

AWS: EventBridge User Guide, "Archiving and replaying events in Amazon EventBridge".
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.platform import RunningPlatform
from tests.services.events.actions import put, queue_of, rule
from tests.services.sns.actions import Queue, refusal


def ended(events: Any, name: str) -> dict[str, Any]:
    """The replay, once it has."""
    for _ in range(800):
        found: dict[str, Any] = events.describe_replay(ReplayName=name)
        if "ReplayEndTime" in found:
            return found
        time.sleep(0.05)
    raise AssertionError("the replay does not end")


def test_archived_events_are_replayed_to_the_rules_that_are_named(
    platform: RunningPlatform, account: str, events: Any, queue: Queue
) -> None:
    """In their order, with replay-name; what is replayed is not archived again."""
    other = queue_of(platform, account)
    bus = f"arn:aws:events:us-east-1:{account}:event-bus/default"
    events.create_archive(ArchiveName="a", EventSourceArn=bus, EventPattern='{"detail": {"keep": [true]}}')
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for place in (2, 0, 1):
        put(events, {"keep": True, "n": place}, Time=begin + timedelta(minutes=place))
    put(events, {"keep": False}, Time=begin)
    described = events.describe_archive(ArchiveName="a")
    assert (described["EventCount"], described["State"], described["RetentionDays"]) == (3, "ENABLED", 0)
    assert described["SizeBytes"] > 300
    wanted = rule(events, {"source": ["app"]}, {"Arn": queue.arn})
    rule(events, {"source": ["app"]}, {"Arn": other.arn})
    params = {
        "ReplayName": "r", "EventSourceArn": described["ArchiveArn"], "EventStartTime": begin,
        "EventEndTime": begin + timedelta(minutes=2), "Destination": {"Arn": bus, "FilterArns": [wanted]},
    }  # fmt: skip
    elsewhere = {**params, "Destination": {"Arn": bus.replace("default", "other")}}
    assert refusal(events.start_replay, **elsewhere)[1] == (
        "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted."
    )
    assert refusal(events.start_replay, **{**params, "EventEndTime": begin})[1] == (
        "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime."
    )
    assert events.start_replay(**params)["State"] == "STARTING"
    replay = ended(events, "r")
    assert (replay["State"], replay["EventLastReplayedTime"]) == ("COMPLETED", begin + timedelta(minutes=1))
    came: list[Any] = []
    while len(came) < 2:
        came += queue.letters()
    assert {(one["replay-name"], one["detail"]["n"]) for one in came} == {("r", 0), ("r", 1)}
    platform.drain()
    assert other.messages(0) == []
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 3
    assert refusal(events.start_replay, **params)[0] == "ResourceAlreadyExistsException"
    assert refusal(events.cancel_replay, ReplayName="r")[0] == "IllegalStatusException"
    assert [one["ReplayName"] for one in events.list_replays(State="COMPLETED")["Replays"]] == ["r"]


def test_an_archive_forgets_what_is_older_than_it_keeps(clocked: RunningPlatform) -> None:
    """RetentionDays on the platform's clock; UpdateArchive, ListArchives, DeleteArchive."""
    account = "123400009999"
    events = clocked.client("events", account=account)
    bus = events.create_event_bus(Name="kept")["EventBusArn"]
    events.create_archive(ArchiveName="a", EventSourceArn=bus, RetentionDays=1)
    put(events, {}, EventBusName="kept")
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 1
    clocked.advance(86_400 + 7200)
    for _ in range(800):
        if events.describe_archive(ArchiveName="a")["EventCount"] == 0:
            break
        time.sleep(0.05)
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 0
    events.update_archive(ArchiveName="a", Description="d", EventPattern='{"source": ["other"]}')
    put(events, {}, EventBusName="kept")
    (listed,) = events.list_archives(EventSourceArn=bus)["Archives"]
    assert (listed["ArchiveName"], listed["EventCount"], listed["RetentionDays"]) == ("a", 0, 1)
    assert refusal(events.create_archive, ArchiveName="a", EventSourceArn=bus)[0] == "ResourceAlreadyExistsException"
    events.delete_archive(ArchiveName="a")
    assert refusal(events.describe_archive, ArchiveName="a")[0] == "ResourceNotFoundException"
