"""Rules that run on a schedule, on the platform's clock (S3d-41).

AWS: EventBridge User Guide, "Creating a rule that runs on a schedule".
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tests import platform as platforms
from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.events.actions import first, queue_of, rule
from tests.services.sns.actions import Queue, refusal

ACCOUNT = "123400005678"


def scheduled(platform: RunningPlatform, expression: str, name: str) -> tuple[Any, Queue]:
    """A rule with a queue as target."""
    events, queue = platform.client("events", account=ACCOUNT), queue_of(platform, ACCOUNT)
    events.put_rule(Name=name, ScheduleExpression=expression)
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn}])
    return events, queue


def test_a_rate_comes_round_with_the_platforms_clock(clocked: RunningPlatform) -> None:
    """One event a period, with its time; a disabled rule sends none; only the default bus has schedules."""
    events, queue = scheduled(clocked, "rate(5 minutes)", "every")
    clocked.advance(200)
    clocked.drain()
    assert queue.messages(0) == []
    clocked.advance(101)
    (event,) = queue.letters()
    assert (event["detail-type"], event["source"], event["detail"]) == ("Scheduled Event", "aws.events", {})
    assert event["resources"] == [f"arn:aws:events:us-east-1:{ACCOUNT}:rule/every"]
    clocked.advance(900)
    times: list[str] = []
    while len(times) < 3:
        times += [one["time"] for one in queue.letters()]
    assert len(set(times)) == 3
    events.disable_rule(Name="every")
    clocked.advance(3600)
    clocked.drain()
    assert queue.messages(0) == []
    events.create_event_bus(Name="own")
    assert refusal(events.put_rule, Name="x", ScheduleExpression="rate(1 day)", EventBusName="own") == (
        "ValidationException", "ScheduleExpression is supported only on the default event bus.",
    )  # fmt: skip


def test_a_cron_comes_round_at_its_hour_in_utc(clocked: RunningPlatform) -> None:
    """cron(0 12 * * ? *): at noon of each day."""
    _, queue = scheduled(clocked, "cron(0 12 * * ? *)", "noon")
    clocked.advance(86_400)
    (event,) = queue.letters()
    assert event["time"].endswith("T12:00:00Z")


def test_a_function_runs_each_minute(clocked: RunningPlatform) -> None:
    """put-rule, put-targets, add-permission for events.amazonaws.com: the function gets event["time"]."""
    queue = queue_of(clocked, ACCOUNT)
    source = f"""
import boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl={queue.url!r}, MessageBody=event["time"])
"""
    function = create_function(clocked, ACCOUNT, "tick", source, Timeout=30)
    events = clocked.client("events", account=ACCOUNT)
    arn = events.put_rule(Name="minutely", ScheduleExpression="rate(1 minute)")["RuleArn"]
    events.put_targets(Rule="minutely", Targets=[{"Id": "f", "Arn": function}])
    clocked.client("lambda", account=ACCOUNT).add_permission(
        FunctionName="tick", StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=arn,
    )  # fmt: skip
    times: list[str] = []
    for _ in range(2):
        clocked.advance(60)
        times += [message["Body"] for message in first(queue)]
    moments = sorted(datetime.fromisoformat(text.replace("Z", "+00:00")) for text in times)
    assert (moments[1] - moments[0]).total_seconds() == 60
    events.disable_rule(Name="minutely")


def test_events_and_schedules_survive_a_crash(tmp_path: Path) -> None:
    """What was acknowledged is delivered by the next start; the next time of a schedule is in the store."""
    platform = platforms.start(tmp_path)
    try:
        events, queue = scheduled(platform, "rate(1 hour)", "hourly")
        every = queue_of(platform, ACCOUNT)
        rule(events, {"source": ["app"]}, {"Arn": every.arn})
        entries = [{"Source": "app", "DetailType": "d", "Detail": "{}"}] * 10
        put = [one["EventId"] for _ in range(5) for one in events.put_events(Entries=entries)["Entries"]]
        platform.kill()
        platform = platforms.start(tmp_path)
        assert ids(platform, every.arn, 50) == set(put)
        platform.advance(3601)
        assert len(ids(platform, queue.arn, 1)) == 1
    finally:
        platforms.stop(platform)


def ids(platform: RunningPlatform, queue_arn: str, count: int) -> set[str]:
    """Of so many events in a queue."""
    sqs, found = platform.client("sqs", account=ACCOUNT), set[str]()
    url = sqs.get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"]
    for _ in range(20):
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10, MaxNumberOfMessages=10)
        found |= {json.loads(message["Body"])["id"] for message in answer.get("Messages", [])}
        if len(found) >= count:
            break
    return found
