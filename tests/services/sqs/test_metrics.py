"""Metrics of queues, on the real platform.

AWS: SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS".
"""

from typing import Any

from tests.platform import RunningPlatform, running
from tests.services.lambda_.queues import until
from tests.services.measured import measured


def test_requests_are_counted(platform: RunningPlatform, account: str, sqs: Any, queue: str) -> None:
    """Messages sent, with the size of body and attributes, received, deleted; receives that found nothing."""
    cloudwatch, name = platform.client("cloudwatch", account=account), queue.rpartition("/")[2]

    def counted(metric: str) -> float | None:
        return measured(cloudwatch, "AWS/SQS", metric, QueueName=name)

    assert counted("NumberOfMessagesSent") is None
    sqs.receive_message(QueueUrl=queue)
    attributes = {"n": {"DataType": "String", "StringValue": "xy"}}
    sqs.send_message(QueueUrl=queue, MessageBody="a", MessageAttributes=attributes)
    sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": "1", "MessageBody": "b"}, {"Id": "2", "MessageBody": "c"}])
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    for message in received[:2]:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert counted("NumberOfMessagesSent") == 3
    assert counted("SentMessageSize") == len("a" + "n" + "String" + "xy") + len("b") + len("c")
    assert counted("NumberOfMessagesReceived") == len(received) == 3
    assert counted("NumberOfMessagesDeleted") == 2
    assert counted("NumberOfEmptyReceives") == 1


def test_what_is_in_a_queue_is_told_every_minute() -> None:
    """The approximate numbers and the age of the oldest message, which an alarm goes by; 0 in a queue that is used."""
    with running() as platform:
        sqs, cloudwatch = platform.client("sqs"), platform.client("cloudwatch")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        empty = sqs.create_queue(QueueName="empty")["QueueUrl"]
        sqs.receive_message(QueueUrl=empty)
        sqs.create_queue(QueueName="unused")
        cloudwatch.put_metric_alarm(
            AlarmName="late",
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": "q"}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=100,
            ComparisonOperator="GreaterThanThreshold",
        )
        for body in "ab":
            sqs.send_message(QueueUrl=url, MessageBody=body)
        sqs.send_message(QueueUrl=url, MessageBody="c", DelaySeconds=900)
        sqs.receive_message(QueueUrl=url, VisibilityTimeout=900)
        platform.advance(120)

        def told(metric: str, name: str = "q") -> float | None:
            return measured(cloudwatch, "AWS/SQS", metric, "Maximum", QueueName=name)

        until(lambda: (told("ApproximateAgeOfOldestMessage") or 0) >= 120)
        assert told("ApproximateNumberOfMessagesVisible") == 1
        assert told("ApproximateNumberOfMessagesNotVisible") == 1
        assert told("ApproximateNumberOfMessagesDelayed") == 1
        assert told("ApproximateNumberOfMessagesVisible", "empty") == 0
        assert told("ApproximateNumberOfMessagesVisible", "unused") is None
        platform.advance(60)
        until(lambda: cloudwatch.describe_alarms(AlarmNames=["late"])["MetricAlarms"][0]["StateValue"] == "ALARM")
