"""Queues as destinations of S3's events.

AWS: S3 User Guide, "Walkthrough: Configuring a bucket for notifications (SNS topic or SQS queue)".
"""

import json
from typing import Any

from tests.platform import RunningPlatform
from tests.services.sqs.actions import arn, delete, receive, refusal


def allow(sqs: Any, queue: str, bucket: str) -> None:
    """Let S3 send for this bucket."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn(sqs, queue),
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})


def configuration(sqs: Any, queue: str) -> dict[str, Any]:
    """Every created object goes to the queue."""
    return {"QueueConfigurations": [{"QueueArn": arn(sqs, queue), "Events": ["s3:ObjectCreated:*"]}]}


def test_an_objects_event_arrives_in_the_queue(platform: RunningPlatform, account: str, sqs: Any, queue: str) -> None:
    """First s3:TestEvent, then the event of each object; who sent it is S3."""
    s3, bucket = platform.client("s3", account=account), f"b{account}"
    s3.create_bucket(Bucket=bucket)
    code, text = refusal(
        s3.put_bucket_notification_configuration, Bucket=bucket, NotificationConfiguration=configuration(sqs, queue)
    )
    assert (code, text) == ("InvalidArgument", "Unable to validate the following destination configurations")
    allow(sqs, queue, bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration(sqs, queue))
    (told,) = receive(sqs, queue, WaitTimeSeconds=10)
    first = json.loads(told["Body"])
    assert (first["Event"], first["Bucket"], first["Service"]) == ("s3:TestEvent", bucket, "Amazon S3")
    delete(sqs, queue, told)
    s3.put_object(Bucket=bucket, Key="a b.txt", Body=b"x")
    (message,) = receive(sqs, queue, WaitTimeSeconds=10)
    (record,) = json.loads(message["Body"])["Records"]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Put", "a+b.txt")
    kept = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert kept["QueueConfigurations"][0]["QueueArn"] == arn(sqs, queue)


def test_an_event_that_the_queue_no_longer_allows_is_dropped(
    platform: RunningPlatform, account: str, sqs: Any, queue: str
) -> None:
    """The policy is asked at each delivery."""
    s3, bucket = platform.client("s3", account=account), f"c{account}"
    s3.create_bucket(Bucket=bucket)
    allow(sqs, queue, bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration(sqs, queue))
    (told,) = receive(sqs, queue, WaitTimeSeconds=10)
    delete(sqs, queue, told)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    platform.drain()
    assert receive(sqs, queue) == []
