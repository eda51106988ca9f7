"""`undercast clock advance 6h`: every timer of six hours goes off, in one platform, at once (I5).

Retries of an event, the visibility of a message, a delay, an item's expiry, schedules of rules and of Scheduler, an
alarm.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform, running
from tests.services.lambda_.queues import until

ACCOUNT = "000000000000"
FAIL = "def handler(event, context):\n    print('ATTEMPT')\n    raise ValueError('no')\n"


class Waiting:
    """What waits for its time in a new platform."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.platform = platform
        self.sqs, self.logs = platform.client("sqs"), platform.client("logs")
        self.dynamo, self.cloudwatch = platform.client("dynamodb"), platform.client("cloudwatch")
        self.now = platform.ask("/_undercast/status")["clock"]["now"]

    def queue(self, name: str) -> tuple[str, str]:
        """URL and ARN of a queue that everybody may send to."""
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return self.sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], arn

    def bodies(self, url: str) -> list[str]:
        """What is visible now, taken out of the queue."""
        found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ())
        for message in found:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in found]

    def come(self, url: str, count: int) -> Callable[[], bool]:
        """Whether so many messages have come to a queue."""
        came: list[str] = []

        def have() -> bool:
            came.extend(self.bodies(url))
            return len(came) == count

        return have

    def retry(self) -> Callable[[], bool]:
        """An event whose first attempt has failed."""
        create_function(self.platform, ACCOUNT, "fail", FAIL)
        self.platform.client("lambda").invoke(FunctionName="fail", InvocationType="Event")
        until(lambda: self.attempts() == 1)
        self.platform.drain()
        return lambda: self.attempts() == 3

    def attempts(self) -> int:
        try:
            found = self.logs.filter_log_events(logGroupName="/aws/lambda/fail", filterPattern='"ATTEMPT"')
        except self.logs.exceptions.ResourceNotFoundException:
            return 0
        return len(found["events"])

    def visibility(self) -> Callable[[], bool]:
        """A message that was received for five hours, and one that is delayed by a quarter of one."""
        url, _ = self.queue("hidden")
        self.sqs.send_message(QueueUrl=url, MessageBody="hidden")
        (message,) = self.sqs.receive_message(QueueUrl=url)["Messages"]
        self.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=5 * 3600
        )
        self.sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=900)
        assert self.bodies(url) == []
        return self.come(url, 2)

    def expiry(self) -> Callable[[], bool]:
        """An item that expires in an hour."""
        self.dynamo.create_table(
            TableName="items",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.dynamo.update_time_to_live(
            TableName="items", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )
        self.dynamo.put_item(TableName="items", Item={"id": {"S": "a"}, "expires": {"N": str(int(self.now) + 3600)}})
        return lambda: self.dynamo.scan(TableName="items")["Count"] == 0

    def rule(self) -> Callable[[], bool]:
        """A rule of EventBridge that comes round every two hours."""
        url, arn = self.queue("rule")
        events = self.platform.client("events")
        events.put_rule(Name="r", ScheduleExpression="rate(2 hours)")
        events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
        assert self.bodies(url) == []
        return self.come(url, 3)

    def schedule(self) -> Callable[[], bool]:
        """A schedule of Scheduler that comes round every three hours, the first time at once."""
        url, arn = self.queue("schedule")
        self.platform.client("scheduler").create_schedule(
            Name="s",
            ScheduleExpression="rate(3 hours)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/unknown"},
        )
        until(lambda: self.bodies(url) != [])
        return self.come(url, 2)

    def alarm(self) -> Callable[[], bool]:
        """An alarm on a metric that has no data for an hour."""
        self.cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "m", "Value": 1.0}])
        self.cloudwatch.put_metric_alarm(
            AlarmName="a", Namespace="App", MetricName="m", Statistic="Sum", Period=3600, EvaluationPeriods=1,
            Threshold=0.0, ComparisonOperator="LessThanOrEqualToThreshold", TreatMissingData="breaching",
        )  # fmt: skip
        return lambda: self.cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"][0]["StateValue"] == "ALARM"


def test_six_hours_pass_at_once_for_everything_that_waits() -> None:
    """By the command, as a user's test calls it."""
    with running() as platform:
        waiting = Waiting(platform)
        kinds = (waiting.retry, waiting.visibility, waiting.expiry, waiting.rule, waiting.schedule, waiting.alarm)
        happened = {kind.__name__: kind() for kind in kinds}
        moved: Any = subprocess.run(
            [sys.executable, "-m", "undercast", "clock", "advance", "6h", "--json"],
            env={**os.environ, "AWS_ENDPOINT_URL": platform.url},
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert json.loads(moved.stdout)["ahead_s"] == 6 * 3600
        for name, has in happened.items():
            print(f"waiting for {name}")  # shown where it does not happen
            until(has)
