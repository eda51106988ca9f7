"""SNS -> Lambda across two accounts, by the AWS CLI calls of the seed (S3d-24).

AWS: Lambda Developer Guide, "Tutorial: Using AWS Lambda with Amazon Simple Notification Service".
"""

import json
import random
import time
from pathlib import Path

import pytest

from tests.e2e.functions import RUNTIME, package
from tests.e2e.test_aws_cli_flow import Cli
from tests.platform import RunningPlatform

SOURCE = """
def handler(event, context):
    print("From SNS : " + event["Records"][0]["Sns"]["Message"])
"""
TEXT = "Hello, Michael!\nThis a subscribed message from SNS! "


@pytest.fixture
def accounts() -> tuple[str, str]:
    """The topic's and the function's: those of the seed with three digits of this run's own."""
    run = f"{random.randrange(1000):03d}"
    return f"444253827{run}", f"396803809{run}"


def test_a_topic_invokes_a_function_of_another_account(
    platform: RunningPlatform, accounts: tuple[str, str], tmp_path: Path
) -> None:
    """Without sns add-permission the subscription is denied; without lambda add-permission nothing is invoked."""
    topics, functions = (Cli(platform, account, tmp_path, region="us-west-2") for account in accounts)
    (tmp_path / "message.txt").write_text(TEXT)
    (tmp_path / "code.zip").write_bytes(package(SOURCE))
    topic = json.loads(topics("sns create-topic --name lambda-x-account"))["TopicArn"]
    functions(
        f"lambda create-function --function-name LambdaWithSNS_easwy --runtime {RUNTIME} --handler app.handler"
        f" --role arn:aws:iam::{accounts[1]}:role/lambda-s3-exec-role --zip-file fileb://code.zip --timeout 10"
        " --memory-size 1024"
    )
    functions("lambda wait function-active-v2 --function-name LambdaWithSNS_easwy")
    function = f"arn:aws:lambda:us-west-2:{accounts[1]}:function:LambdaWithSNS_easwy"
    subscribe = f"sns subscribe --topic-arn {topic} --protocol lambda --notification-endpoint {function}"
    with pytest.raises(AssertionError, match="AuthorizationError"):
        functions(subscribe)
    topics(
        f"sns add-permission --label lambda-access --aws-account-id {accounts[1]} --topic-arn {topic}"
        " --action-name Subscribe ListSubscriptionsByTopic Receive"
    )
    functions(subscribe)
    publish = f"sns publish --message file://./message.txt --subject Test --topic-arn {topic}"
    topics(publish)
    platform.drain()
    assert logged(platform, accounts[1]) == ""
    functions(
        "lambda add-permission --function-name LambdaWithSNS_easwy --statement-id sns-x-account"
        f" --action lambda:InvokeFunction --principal sns.amazonaws.com --source-arn {topic}"
    )
    listed = json.loads(functions(f"sns list-subscriptions-by-topic --topic-arn {topic}"))["Subscriptions"]
    assert [(one["Owner"], one["Endpoint"]) for one in listed] == [(accounts[1], function)]
    topics(publish)
    for _ in range(100):
        if f"From SNS : {TEXT}" in logged(platform, accounts[1]):
            return
        time.sleep(0.1)
    raise AssertionError(logged(platform, accounts[1]))


def logged(platform: RunningPlatform, account: str) -> str:
    """What the function has printed."""
    logs = platform.client("logs", account=account, region="us-west-2")
    if not logs.describe_log_groups()["logGroups"]:
        return ""
    events = logs.filter_log_events(logGroupName="/aws/lambda/LambdaWithSNS_easwy")["events"]
    return "".join(event["message"] for event in events).replace("\r", "\n")
