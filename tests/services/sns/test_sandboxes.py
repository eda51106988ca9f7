"""SNS as a function sees it: AWS's own names, the certificate that verifying code fetches, and what stays out of reach.

AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages"; EC2 User Guide, "Instance metadata".
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.functions import create_function
from tests.machine import lacking
from tests.platform import RunningPlatform
from tests.services.sns import signatures
from tests.services.sns.actions import Queue, subscribe
from tests.services.sns.web import Endpoint, listening

FETCH = """
import json, os, urllib.request, boto3

def handler(event, context):
    told = event["Records"][0]["Sns"]
    with urllib.request.urlopen(told["SigningCertUrl"], timeout=10) as answer:
        found = {"event": event, "certificate": answer.read().decode()}
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="found", Body=json.dumps(found))
"""
CALL = """
import boto3

def handler(event, context):
    answer = getattr(boto3.client("sns"), event["call"])(**event["params"])
    return {"id": context.aws_request_id, "arn": answer.get("SubscriptionArn")}
"""
WORKER = """
import base64, json, os, urllib.request, boto3

def handler(event, context):
    body = base64.b64decode(event["body"]).decode() if event.get("isBase64Encoded") else event["body"]
    told = json.loads(body)
    if told["Type"] == "SubscriptionConfirmation":
        urllib.request.urlopen(told["SubscribeURL"], timeout=10).read()
    else:
        boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=told["Type"], Body=told["Message"])
    return {"statusCode": 204}
"""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A server on the machine's own loopback."""
    with listening() as made:
        yield made


def call(platform: RunningPlatform, account: str, name: str, **params: Any) -> Any:
    """What the function answered that called SNS."""
    payload = json.dumps({"call": name, "params": params}).encode()
    answer = platform.client("lambda", account=account).invoke(FunctionName="call", Payload=payload)
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read())


def test_a_function_finds_the_certificate_at_awss_name(
    platform: RunningPlatform, account: str, sns: Any, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """https://sns.REGION.amazonaws.com/SimpleNotificationService-....pem, trusted by the platform's authority."""
    if platform.driver == "process":
        lacking("the process driver has no resolver of its own")
    s3, bucket = platform.client("s3", account=account), f"found-{account}"
    s3.create_bucket(Bucket=bucket)
    function = create_function(
        platform, account, "fetch", FETCH, Environment={"Variables": {"BUCKET": bucket}}, Timeout=30
    )
    platform.client("lambda", account=account).add_permission(
        FunctionName="fetch", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.publish(TopicArn=topic, Message="x", Subject="s")
    for _ in range(200):
        if s3.list_objects_v2(Bucket=bucket).get("KeyCount"):
            break
        time.sleep(0.1)
    found = json.loads(s3.get_object(Bucket=bucket, Key="found")["Body"].read())
    told = found["event"]["Records"][0]["Sns"]
    monkeypatch.setattr(signatures, "fetched", lambda url: found["certificate"].encode())
    signatures.verify({**told, "SigningCertURL": told["SigningCertUrl"]})


def test_a_function_cannot_make_sns_knock_at_the_machines_own_ports(
    platform: RunningPlatform, account: str, sns: Any, topic: str, endpoint: Endpoint
) -> None:
    """A subscription that a function makes reaches what the function may reach: forwarded ports only.

    When all that is due has been tried, the first to knock is a subscription from outside.
    """
    create_function(platform, account, "call", CALL, Timeout=30)
    for host in ("127.0.0.1", "localhost", "host.undercast.internal"):
        url = endpoint.url.replace("127.0.0.1", host)
        call(platform, account, "subscribe", TopicArn=topic, Protocol="http", Endpoint=url)
    platform.drain()
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"{endpoint.url}/from-outside")
    assert endpoint.next().path == "/from-outside"


def test_a_trace_leads_from_the_function_to_the_queue(
    platform: RunningPlatform, account: str, sns: Any, topic: str, queue: Queue
) -> None:
    """Invocation, call, message, delivery, message in the queue: one chain (I10)."""
    create_function(platform, account, "call", CALL, Timeout=30)
    subscribe(sns, topic, queue)
    invocation = call(platform, account, "publish", TopicArn=topic, Message="x")["id"]
    (message,) = queue.messages()
    told = platform.ask(f"/_undercast/trace/{invocation}")
    nodes = {node["id"] for node in told["nodes"]}
    assert {invocation, json.loads(message["Body"])["MessageId"], message["MessageId"]} <= nodes


def test_a_function_url_is_an_https_endpoint(platform: RunningPlatform, account: str, sns: Any, topic: str) -> None:
    """SNS trusts the platform's authority; the function confirms by the link and then gets notifications."""
    functions, s3, bucket = (
        platform.client("lambda", account=account),
        platform.client("s3", account=account),
        f"u{account}",
    )
    s3.create_bucket(Bucket=bucket)
    create_function(platform, account, "worker", WORKER, Environment={"Variables": {"BUCKET": bucket}}, Timeout=30)
    url = functions.create_function_url_config(FunctionName="worker", AuthType="NONE")["FunctionUrl"]
    functions.add_permission(
        FunctionName="worker", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
        FunctionUrlAuthType="NONE",
    )  # fmt: skip
    functions.add_permission(
        FunctionName="worker", StatementId="invoke", Action="lambda:InvokeFunction", Principal="*",
        InvokedViaFunctionUrl=True,
    )  # fmt: skip
    port = platform.url.rpartition(":")[2]
    secure = f"https://{url.partition('://')[2].partition('/')[0].partition(':')[0]}:{port}/"
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=secure)
    for _ in range(200):
        if sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"] == "1":
            break
        time.sleep(0.1)
    sns.publish(TopicArn=topic, Message="over TLS")
    for _ in range(200):
        if s3.list_objects_v2(Bucket=bucket).get("KeyCount"):
            break
        time.sleep(0.1)
    assert s3.get_object(Bucket=bucket, Key="Notification")["Body"].read() == b"over TLS"
