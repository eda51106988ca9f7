"""Topics between the other services: functions, buckets, queues for what cannot be delivered.

AWS: Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS notifications"; S3 User Guide, "Walkthrough:
Configuring a bucket for notifications"; SNS Developer Guide, "Amazon SNS dead-letter queues".
"""

import json
import time
from typing import Any

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.services.sns.actions import Queue, make_queue, refusal, subscribe, text

KEEP = """
import json, os, boto3

def handler(event, context):
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="event", Body=json.dumps(event))
"""
FAIL = """
def handler(event, context):
    raise ValueError("no")
"""


def kept(platform: RunningPlatform, account: str, bucket: str) -> Any:
    """The event that the function has put."""
    s3 = platform.client("s3", account=account)
    for _ in range(200):
        if s3.list_objects_v2(Bucket=bucket).get("KeyCount"):
            return json.loads(s3.get_object(Bucket=bucket, Key="event")["Body"].read())
        time.sleep(0.1)
    raise AssertionError("the function was not invoked")


def test_a_function_gets_the_event_of_section_4(
    platform: RunningPlatform, account: str, sns: Any, topic: str, queue: Queue
) -> None:
    """EventSource, EventVersion, EventSubscriptionArn and Sns with its spelling of URLs; refused without permission."""
    platform.client("s3", account=account).create_bucket(Bucket=f"events-{account}")
    environment = {"Variables": {"BUCKET": f"events-{account}"}}
    function = create_function(platform, account, "keep", KEEP, Environment=environment, Timeout=30)
    attributes = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": queue.arn})}
    params = {"TopicArn": topic, "Protocol": "lambda", "Endpoint": function, "Attributes": attributes}
    arn = sns.subscribe(**params)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="not allowed yet")
    (letter,) = queue.letters()
    assert (letter["Message"], letter["Type"]) == ("not allowed yet", "Notification")
    platform.client("lambda", account=account).add_permission(
        FunctionName="keep", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
        SourceArn=topic,
    )  # fmt: skip
    sent = sns.publish(TopicArn=topic, Message="hello", MessageAttributes={"a": text("b")})
    (record,) = kept(platform, account, f"events-{account}")["Records"]
    assert list(record) == ["EventSource", "EventVersion", "EventSubscriptionArn", "Sns"]
    assert (record["EventSource"], record["EventVersion"], record["EventSubscriptionArn"]) == ("aws:sns", "1.0", arn)
    told = record["Sns"]
    assert list(told) == ["Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion",
                          "Signature", "SigningCertUrl", "UnsubscribeUrl", "MessageAttributes"]  # fmt: skip
    assert (told["MessageId"], told["Message"], told["Subject"]) == (sent["MessageId"], "hello", None)
    assert told["MessageAttributes"] == {"a": {"Type": "String", "Value": "b"}}
    assert told["SigningCertUrl"].startswith("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-")


def test_what_a_queue_refuses_goes_to_the_dead_letter_queue(
    platform: RunningPlatform, account: str, sns: Any, topic: str, queue: Queue
) -> None:
    """A client error is not retried: the queue's policy does not let SNS in, or the queue is gone."""
    closed = make_queue(platform, account, allowed=False)
    redrive = json.dumps({"deadLetterTargetArn": queue.arn})
    subscribe(sns, topic, closed, RedrivePolicy=redrive, RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="one", MessageAttributes={"a": text("b")})
    (message,) = queue.messages()
    assert (message["Body"], message["MessageAttributes"]) == ("one", {"a": text("b")})
    closed.sqs.delete_queue(QueueUrl=closed.url)
    sns.publish(TopicArn=topic, Message="two")
    assert [message["Body"] for message in queue.messages()] == ["two"]
    for wrong in ("{", "{}x", '{"deadLetterTargetArn": "queue"}'):
        params = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue.arn, "Attributes": {"RedrivePolicy": wrong}}
        assert refusal(sns.subscribe, **params)[0] == "InvalidParameter"


def test_a_buckets_events_go_through_a_topic_to_a_queue(
    platform: RunningPlatform, account: str, sns: Any, topic: str, queue: Queue
) -> None:
    """s3:TestEvent first, then the objects' events (S4-04); a topic that does not let S3 in is refused."""
    s3, bucket = platform.client("s3", account=account), f"b{account}"
    s3.create_bucket(Bucket=bucket)
    subscribe(sns, topic, queue)
    wanted = {"Bucket": bucket, "NotificationConfiguration": {
        "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}],
    }}  # fmt: skip
    assert refusal(s3.put_bucket_notification_configuration, **wanted) == (
        "InvalidArgument", "Unable to validate the following destination configurations",
    )  # fmt: skip
    statement = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish",
                 "Resource": topic, "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}}}  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    s3.put_bucket_notification_configuration(**wanted)
    (letter,) = queue.letters()
    assert (letter["Subject"], json.loads(letter["Message"])["Event"]) == ("Amazon S3 Notification", "s3:TestEvent")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    (letter,) = queue.letters()
    (record,) = json.loads(letter["Message"])["Records"]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectCreated:Put", "k")


def test_records_and_dead_letters_of_a_function_go_to_a_topic_and_a_queue(
    platform: RunningPlatform, account: str, sns: Any, topic: str, queue: Queue
) -> None:
    """OnFailure to a topic, DeadLetterConfig to a queue with its three attributes (S4-27)."""
    dead, functions = make_queue(platform, account), platform.client("lambda", account=account)
    subscribe(sns, topic, queue)
    create_function(platform, account, "fail", FAIL, DeadLetterConfig={"TargetArn": dead.arn})
    functions.put_function_event_invoke_config(
        FunctionName="fail", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": topic}}
    )
    functions.invoke(FunctionName="fail", InvocationType="Event", Payload=b'{"n": 1}')
    (letter,) = queue.letters(20)
    record = json.loads(letter["Message"])
    assert (record["requestContext"]["condition"], record["requestPayload"]) == ("RetriesExhausted", {"n": 1})
    (message,) = dead.messages(20)
    assert json.loads(message["Body"]) == {"n": 1}
    assert message["MessageAttributes"]["ErrorCode"] == {"DataType": "Number", "StringValue": "200"}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no"
