"""Schedules that call their targets on the platform's clock.

AWS: EventBridge Scheduler User Guide, "Schedule types", "Managing targets", "Configuring a dead-letter queue".
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import platform as platforms
from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.events.actions import allow, queue_of, rule, trusting
from tests.services.lambda_.queues import until
from tests.services.measured import measured
from tests.services.sns.actions import Queue, make_queue, refusal

OFF = {"Mode": "OFF"}


@pytest.fixture(scope="module")
def clocked() -> Iterator[RunningPlatform]:
    """A platform whose clock these tests move."""
    with platforms.running() as running:
        yield running


class Clerk:
    """One account with a role that may do what it is told."""

    def __init__(self, platform: RunningPlatform, *allowed: dict[str, str]) -> None:
        self.platform = platform
        self.account = f"{random.randrange(10**11, 10**12)}"
        self.scheduler = platform.client("scheduler", account=self.account)
        iam = platform.client("iam", account=self.account)
        self.role = trusting(iam, "clerk", *(allowed or [allow("*", "*")]), service="scheduler")

    def queue(self, **kind: bool) -> Queue:
        """One whose policy lets nobody in: the role is enough."""
        return make_queue(self.platform, self.account, allowed=False, **kind)

    def now(self) -> datetime:
        """The platform's."""
        at: float = self.platform.ask("/_undercast/status")["clock"]["now"]
        return datetime.fromtimestamp(at, UTC)

    def plan(self, expression: str, arn: str, name: str = "s", **params: Any) -> str:
        """The ARN of a schedule. `target` has further members of its target."""
        target = {"Arn": arn, "RoleArn": self.role, **params.pop("target", {})}
        made: str = self.scheduler.create_schedule(
            Name=name, ScheduleExpression=expression, Target=target,
            **{"FlexibleTimeWindow": OFF, **params},
        )["ScheduleArn"]  # fmt: skip
        return made


def test_a_one_time_schedule_fires_once_and_deletes_itself(clocked: RunningPlatform) -> None:
    """at() in a time zone; the words of the input; ActionAfterCompletion; the role alone lets it in."""
    clerk = Clerk(clocked)
    queue, at = clerk.queue(), clerk.now() + timedelta(hours=2)
    berlin = (at + timedelta(hours=1)).replace(microsecond=0)  # no summer: the clock only moves by some days
    words = "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time> <aws.scheduler.attempt-number>"
    arn = clerk.plan(
        f"at({at:%Y-%m-%dT%H:%M:%S})", queue.arn, target={"Input": words}, ActionAfterCompletion="DELETE",
    )  # fmt: skip
    clerk.plan(f"at({berlin:%Y-%m-%dT%H:%M:%S})", queue.arn, "zone", ScheduleExpressionTimezone="Africa/Lagos",
               target={"Input": "lagos"})  # fmt: skip
    clocked.advance(3000)
    clocked.drain()
    assert queue.messages(0) == []
    clocked.advance(7200)
    bodies: list[str] = []
    while len(bodies) < 2:
        bodies += [message["Body"] for message in queue.messages()]
    assert sorted(bodies) == [f"{arn} {at:%Y-%m-%dT%H:%M:%SZ} 1", "lagos"]
    assert refusal(clerk.scheduler.get_schedule, Name="s") == (
        "ResourceNotFoundException", "Schedule s does not exist.",
    )  # fmt: skip
    assert clerk.scheduler.get_schedule(Name="zone")["ScheduleExpressionTimezone"] == "Africa/Lagos"


def test_a_rate_begins_at_once_and_ends_at_its_end(clocked: RunningPlatform) -> None:
    """Without StartDate the first invocation is now; AWS's own event where there is no input; EndDate; DISABLED."""
    clerk = Clerk(clocked)
    queue = clerk.queue()
    arn = clerk.plan("rate(1 hour)", queue.arn, EndDate=clerk.now() + timedelta(hours=2, minutes=30))
    (message,) = queue.messages()
    event = json.loads(message["Body"])
    root = clocked.ask(f"/_undercast/trace/{message['MessageId']}")["nodes"][0]
    assert (root["kind"], root["label"]) == ("delivery", f"scheduler {arn}")
    assert (event["detail-type"], event["source"], event["detail"]) == ("Scheduled Event", "aws.scheduler", "{}")
    assert (event["resources"], event["account"], event["region"]) == ([arn], clerk.account, "us-east-1")
    clocked.advance(6 * 3600)
    events: list[Any] = []
    while len(events) < 2:
        events += queue.letters()
    clocked.drain()
    assert (len(events), queue.messages(0)) == (2, [])
    kept = clerk.scheduler.get_schedule(Name="s")
    clerk.scheduler.update_schedule(
        Name="s", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow=OFF, Target=kept["Target"], State="DISABLED"
    )
    assert "EndDate" not in clerk.scheduler.get_schedule(Name="s")
    clocked.advance(3 * 3600)
    clocked.drain()
    assert queue.messages(0) == []


def test_a_flexible_window_is_some_time_after(clocked: RunningPlatform) -> None:
    """Not before the time, and not after the window."""
    clerk = Clerk(clocked)
    queue, at = clerk.queue(), clerk.now() + timedelta(minutes=30)
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 60}
    clerk.plan(f"at({at:%Y-%m-%dT%H:%M:%S})", queue.arn, FlexibleTimeWindow=window)
    clocked.advance(1200)
    clocked.drain()
    assert queue.messages(0) == []
    clocked.advance(4300)
    (event,) = queue.letters()
    assert event["time"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"


def test_what_fails_goes_to_the_dead_letter_queue(clocked: RunningPlatform) -> None:
    """A role that may only send to that queue; its attributes tell what happened."""
    clerk = Clerk(clocked, allow("sqs:SendMessage", "arn:aws:sqs:*:*:q0*"))
    sqs = clocked.client("sqs", account=clerk.account)
    url = sqs.create_queue(QueueName="q0")["QueueUrl"]
    dead = Queue(sqs, url, f"arn:aws:sqs:us-east-1:{clerk.account}:q0")
    closed = clerk.queue()
    letters = {"DeadLetterConfig": {"Arn": dead.arn}, "Input": "hello"}
    arn = clerk.plan("rate(1 day)", closed.arn, target=letters)
    (message,) = dead.messages()
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (message["Body"], told["SCHEDULE_ARN"], told["TARGET_ARN"]) == ("hello", arn, closed.arn)
    assert (told["ERROR_CODE"], told["RETRY_ATTEMPTS"]) == ("AccessDenied", "0")
    assert told["IS_PAYLOAD_TRUNCATED"] == "false" and told["SCHEDULED_TIME"].endswith("Z")

    def counted(name: str, **dimensions: str) -> float | None:
        return measured(clocked.client("cloudwatch", account=clerk.account), "AWS/Scheduler", name, **dimensions)

    for name in ("InvocationAttemptCount", "TargetErrorCount", "InvocationDroppedCount"):
        assert counted(name, ScheduleGroup="default") == counted(name) == 1
    until(lambda: counted("InvocationsSentToDeadLetterCount", ScheduleGroup="default") == 1)
    assert counted("TargetErrorThrottledCount") is None
    sqs.delete_queue(QueueUrl=url)
    clocked.advance(86_400)
    until(lambda: counted("InvocationsFailedToBeSentToDeadLetterCount", ScheduleGroup="default") == 1)
    assert counted("InvocationsSentToDeadLetterCount") == 1


def test_universal_targets_call_any_operation(clocked: RunningPlatform) -> None:
    """By the SDK's names, with parameters as JSON, as the role; read-only actions are refused."""
    clerk = Clerk(clocked)
    queue = clerk.queue()
    table = clocked.client("dynamodb", account=clerk.account)
    table.create_table(
        TableName="table", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    item = {"TableName": "table", "Item": {"id": {"S": "<aws.scheduler.execution-id>"}, "b": {"B": "text"}}}
    clerk.plan(
        "rate(1 day)", "arn:aws:scheduler:::aws-sdk:dynamodb:putItem", "item", target={"Input": json.dumps(item)}
    )
    letter = {"QueueUrl": queue.url, "MessageBody": "hello"}
    clerk.plan("rate(1 day)", "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "letter",
               target={"Input": json.dumps(letter)})  # fmt: skip
    (message,) = queue.messages()
    assert message["Body"] == "hello"
    clocked.drain()
    (found,) = table.scan(TableName="table")["Items"]
    assert found["b"]["B"] == b"text"
    wrong = {"DeadLetterConfig": {"Arn": queue.arn}, "Input": '{"QueueUrl": 5}'}
    clerk.plan("rate(1 day)", "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "wrong", target=wrong)
    (message,) = queue.messages()
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "SerializationException"
    for action in ("sqs:getQueueUrl", "sqs:fly", "nothing:atAll"):
        code, _ = refusal(clerk.plan, expression="rate(1 day)", arn=f"arn:aws:scheduler:::aws-sdk:{action}", name="x")
        assert code == "ValidationException"


def test_templated_targets_of_buses_streams_and_fifo_queues(clocked: RunningPlatform) -> None:
    """EventBridgeParameters, KinesisParameters, SqsParameters."""
    clerk = Clerk(clocked)
    events, kinesis = (clocked.client(name, account=clerk.account) for name in ("events", "kinesis"))
    seen, fifo = queue_of(clocked, clerk.account), clerk.queue(fifo=True)
    fifo.sqs.set_queue_attributes(QueueUrl=fifo.url, Attributes={"ContentBasedDeduplication": "true"})
    rule(events, {"source": ["clerk"]}, {"Arn": seen.arn})
    bus = f"arn:aws:events:us-east-1:{clerk.account}:event-bus/default"
    event = {"EventBridgeParameters": {"DetailType": "Tick", "Source": "clerk"}, "Input": '{"n": 1}'}
    clerk.plan("rate(1 day)", bus, "bus", target=event)
    clerk.plan("rate(1 day)", fifo.arn, "fifo", target={"SqsParameters": {"MessageGroupId": "g"}, "Input": "x"})
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="s", WaiterConfig={"Delay": 1})
    stream = f"arn:aws:kinesis:us-east-1:{clerk.account}:stream/s"
    clerk.plan("rate(1 day)", stream, "stream", target={"KinesisParameters": {"PartitionKey": "k"}, "Input": "data"})
    (letter,) = seen.letters()
    assert (letter["detail-type"], letter["detail"]) == ("Tick", {"n": 1})
    (message,) = fifo.messages()
    assert (message["Body"], message["Attributes"]["MessageGroupId"]) == ("x", "g")
    clocked.drain()
    shard = kinesis.list_shards(StreamName="s")["Shards"][0]["ShardId"]
    begin = kinesis.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    (record,) = kinesis.get_records(ShardIterator=begin["ShardIterator"])["Records"]
    assert (record["Data"], record["PartitionKey"]) == (b"data", "k")


def test_a_throttled_target_is_tried_as_the_retry_policy_says(clocked: RunningPlatform) -> None:
    """MaximumRetryAttempts and MaximumEventAgeInSeconds, on the platform's clock; a function that nobody may run."""
    clerk = Clerk(clocked)
    dead = clerk.queue()
    create_function(clocked, clerk.account, "f", "def handler(event, context): pass")
    clocked.client("lambda", account=clerk.account).put_function_concurrency(
        FunctionName="f", ReservedConcurrentExecutions=0
    )
    policies = {
        "never": {"MaximumRetryAttempts": 0},
        "twice": {"MaximumRetryAttempts": 2},
        "minute": {"MaximumEventAgeInSeconds": 60},
    }
    for name, policy in policies.items():
        target = {"Input": '{"FunctionName": "f"}', "DeadLetterConfig": {"Arn": dead.arn}, "RetryPolicy": policy}
        clerk.plan("rate(30 days)", "arn:aws:scheduler:::aws-sdk:lambda:invoke", name, target=target)
    told: dict[str, dict[str, str]] = {}
    for _ in range(12):
        for message in dead.messages(2):
            given = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
            told[given["SCHEDULE_ARN"].rpartition("/")[2]] = given
        if told.keys() == policies.keys():
            break
        clocked.advance(40)
    assert {given["ERROR_CODE"] for given in told.values()} == {"TooManyRequestsException"}
    ended = {name: given["EXHAUSTED_RETRY_CONDITION"] for name, given in told.items()}
    assert ended == {
        "never": "MaximumRetryAttempts", "twice": "MaximumRetryAttempts", "minute": "MaximumEventAgeInSeconds",
    }  # fmt: skip
    assert (told["never"]["RETRY_ATTEMPTS"], told["twice"]["RETRY_ATTEMPTS"]) == ("0", "2")
    cloudwatch = clocked.client("cloudwatch", account=clerk.account)
    throttled = measured(cloudwatch, "AWS/Scheduler", "TargetErrorThrottledCount", ScheduleGroup="default")
    assert throttled == measured(cloudwatch, "AWS/Scheduler", "InvocationAttemptCount", ScheduleGroup="default")


def test_parameters_are_those_of_the_targets_kind(platform: RunningPlatform) -> None:
    """ValidationException for what the target does not take, and for a FIFO queue without its group."""
    clerk = Clerk(platform)
    plain, fifo = clerk.queue(), clerk.queue(fifo=True)
    universal = "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"
    for arn, parameters in (
        (plain.arn, {"SqsParameters": {"MessageGroupId": "g"}}),
        (fifo.arn, {}),
        (plain.arn, {"KinesisParameters": {"PartitionKey": "k"}}),
        (universal, {"KinesisParameters": {"PartitionKey": "k"}}),
        (universal, {"SqsParameters": {"MessageGroupId": "g"}}),
        (universal, {"EventBridgeParameters": {"DetailType": "d", "Source": "s"}}),
    ):
        code, _ = refusal(clerk.plan, expression="rate(1 day)", arn=arn, target=parameters)
        assert code == "ValidationException", (arn, parameters)


def test_a_rate_may_be_plural_whatever_it_is(platform: RunningPlatform) -> None:
    """Both forms of a unit for any value: Terraform's example of a schedule says rate(1 hours)."""
    clerk = Clerk(platform)
    for expression in ("rate(1 hours)", "rate(5 minute)"):
        clerk.plan(expression, clerk.queue().arn, expression[5])
        assert clerk.scheduler.get_schedule(Name=expression[5])["ScheduleExpression"] == expression


def test_a_start_date_may_be_in_the_last_year_there_is(platform: RunningPlatform) -> None:
    """A schedule that never comes round, in a time zone where it is the year 10000 already."""
    clerk = Clerk(platform)
    begins = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    dates: dict[str, Any] = {"ScheduleExpressionTimezone": "Asia/Tokyo", "StartDate": begins}
    clerk.plan("cron(0 12 * * ? *)", clerk.queue().arn, **dates)
    assert clerk.scheduler.get_schedule(Name="s")["StartDate"] == begins


def test_a_groups_arn_says_whose_it_is(platform: RunningPlatform) -> None:
    """One of the same name of another account or region is not the caller's own."""
    clerk = Clerk(platform)
    scheduler, tags = clerk.scheduler, [{"Key": "l", "Value": "w"}]
    group = scheduler.create_schedule_group(Name="g", Tags=tags)["ScheduleGroupArn"]
    elsewhere = group.replace("us-east-1", "eu-west-1")
    assert refusal(scheduler.list_tags_for_resource, ResourceArn=elsewhere)[0] == "ResourceNotFoundException"
    assert refusal(scheduler.untag_resource, ResourceArn=elsewhere, TagKeys=["l"])[0] == "ResourceNotFoundException"
    theirs = {"ResourceArn": group.replace(clerk.account, "111122223333"), "TagKeys": ["l"]}
    assert refusal(scheduler.untag_resource, **theirs)[0] == "AccessDeniedException"
    assert scheduler.list_tags_for_resource(ResourceArn=group)["Tags"] == [{"Key": "l", "Value": "w"}]


def test_schedules_and_groups_are_kept(platform: RunningPlatform) -> None:
    """AWS's errors; idempotent by ClientToken; groups with tags; pages; a deleted group takes its schedules along."""
    clerk = Clerk(platform)
    scheduler, queue = clerk.scheduler, clerk.queue()
    arn = clerk.plan("cron(0 12 * * ? *)", queue.arn, Description="d", ClientToken="t")
    assert clerk.plan("cron(0 12 * * ? *)", queue.arn, Description="d", ClientToken="t") == arn
    assert refusal(clerk.plan, expression="rate(1 day)", arn=queue.arn, ClientToken="t")[0] == "ConflictException"
    assert refusal(clerk.plan, expression="rate(1 day)", arn=queue.arn) == (
        "ConflictException", "Schedule s already exists.",
    )  # fmt: skip
    assert arn == f"arn:aws:scheduler:us-east-1:{clerk.account}:schedule/default/s"
    shown = scheduler.get_schedule(Name="s")
    assert (shown["State"], shown["ActionAfterCompletion"], shown["Description"]) == ("ENABLED", "NONE", "d")
    for expression in ("rate(0 days)", "cron(0 12 * * * *)", "at(2026-01-01)", "every day"):
        assert refusal(clerk.plan, expression=expression, arn=queue.arn, name="x") == (
            "ValidationException", f"Invalid Schedule Expression {expression}.",
        )  # fmt: skip
    zone = {"expression": "rate(1 day)", "arn": queue.arn, "name": "x", "ScheduleExpressionTimezone": "Mars/Base"}
    assert refusal(clerk.plan, **zone)[0] == "ValidationException"
    for minutes, late in ((4, False), (6, True)):
        began: dict[str, Any] = {
            "StartDate": clerk.now() - timedelta(minutes=minutes),
            "expression": "rate(1 day)",
            "arn": queue.arn,
        }
        if late:
            text = "The StartDate you specify cannot be earlier than 5 minutes ago."
            assert refusal(clerk.plan, **began, name="x") == ("ValidationException", text)
        else:
            clerk.plan(**began, name="late")
            scheduler.delete_schedule(Name="late")
    stranger = trusting(platform.client("iam", account=clerk.account), "stranger", service="lambda")
    wrong = {"expression": "rate(1 day)", "arn": queue.arn, "name": "x", "target": {"RoleArn": stranger}}
    assert refusal(clerk.plan, **wrong) == (
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    )
    assert refusal(clerk.plan, expression="rate(1 day)", arn=queue.arn, name="x", GroupName="none") == (
        "ResourceNotFoundException", "Schedule group none does not exist.",
    )  # fmt: skip
    asked = {"Name": "g", "Tags": [{"Key": "k", "Value": "v"}], "ClientToken": "t"}
    group = scheduler.create_schedule_group(**asked)["ScheduleGroupArn"]
    assert scheduler.create_schedule_group(**asked)["ScheduleGroupArn"] == group
    assert refusal(scheduler.create_schedule_group, **{**asked, "Tags": []})[0] == "ConflictException"
    scheduler.tag_resource(ResourceArn=group, Tags=[{"Key": "l", "Value": "w"}])
    scheduler.untag_resource(ResourceArn=group, TagKeys=["k"])
    for name in ("a", "b"):
        clerk.plan("rate(1 day)", queue.arn, name, GroupName="g", State="DISABLED")
    first = scheduler.list_schedules(MaxResults=2)
    assert [one["Name"] for one in first["Schedules"]] == ["s", "a"]
    assert [one["Name"] for one in scheduler.list_schedules(NextToken=first["NextToken"])["Schedules"]] == ["b"]
    assert [one["Name"] for one in scheduler.list_schedules(GroupName="g", State="DISABLED")["Schedules"]] == ["a", "b"]
    assert [one["Name"] for one in scheduler.list_schedule_groups()["ScheduleGroups"]] == ["default", "g"]
    scheduler.delete_schedule_group(Name="g")
    assert refusal(scheduler.get_schedule, Name="a", GroupName="g")[0] == "ResourceNotFoundException"
    scheduler.delete_schedule(Name="s")
    assert scheduler.list_schedules()["Schedules"] == []
