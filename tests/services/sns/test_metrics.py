"""Metrics of topics, on the real platform.

AWS: SNS Developer Guide, "Monitoring Amazon SNS topics using CloudWatch".
"""

import json
from typing import Any

from tests.platform import RunningPlatform
from tests.services.lambda_.queues import until
from tests.services.measured import measured
from tests.services.sns.actions import Queue, make_queue, subscribe, text


def test_what_is_published_and_what_becomes_of_it_is_told(
    platform: RunningPlatform, account: str, sns: Any, topic: str, queue: Queue
) -> None:
    """Delivered, filtered out, failed, and of what failed: redriven or not."""
    cloudwatch, name = platform.client("cloudwatch", account=account), topic.rpartition(":")[2]
    closed, letters = make_queue(platform, account, allowed=False), make_queue(platform, account)
    subscribe(sns, topic, queue, FilterPolicy=json.dumps({"a": ["b"]}))
    subscribe(sns, topic, closed, RedrivePolicy=json.dumps({"deadLetterTargetArn": letters.arn}))
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    sns.publish(TopicArn=topic, Message="one", MessageAttributes={"a": text("b")})
    entries = [{"Id": "1", "Message": "22"}, {"Id": "2", "Message": "333"}]
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)

    def told(metric: str) -> float | None:
        return measured(cloudwatch, "AWS/SNS", metric, TopicName=name)

    assert told("NumberOfMessagesPublished") == 3
    assert told("NumberOfNotificationsFilteredOut") == 2
    until(lambda: told("NumberOfNotificationsDelivered") == 1)
    until(lambda: told("NumberOfNotificationsFailed") == 3)
    until(lambda: told("NumberOfNotificationsRedrivenToDlq") == 3)
    letters.sqs.delete_queue(QueueUrl=letters.url)
    sns.publish(TopicArn=topic, Message="lost")
    until(lambda: told("NumberOfNotificationsFailedToRedriveToDlq") == 1)
    assert (told("NumberOfNotificationsFailed"), told("NumberOfNotificationsDelivered")) == (4, 1)
