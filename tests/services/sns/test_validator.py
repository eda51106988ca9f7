"""AWS's own validator of messages (npm sns-validator), unmodified, in functions that get messages of each kind.

It takes certificates of https://sns.REGION.amazonaws.com alone, and verifies signatures of both versions.
AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages"; aws/aws-js-sns-message-validator.
"""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests import platform as platforms
from tests.conformance.sdks.programs import installed
from tests.e2e.functions import create_function
from tests.machine import lacking, program
from tests.platform import RunningPlatform
from tests.services.sns.web import Endpoint, listening

VALIDATES = """
const https = require("https");
const MessageValidator = require("sns-validator");
const validator = new MessageValidator();

const judged = (letter) =>
  new Promise((resolve) => validator.validate(letter, (error) => resolve(error ? error.message : "valid")));
const asked = (url) =>
  new Promise((resolve, reject) => https.get(url, (answer) => answer.resume().on("end", resolve)).on("error", reject));

exports.handler = async (event) => {
  const letter = event.Records ? event.Records[0].Sns : event;
  const forged = await judged({ ...letter, Message: letter.Message + "." });
  const told = await judged({ ...letter });
  if (letter.Type === "SubscriptionConfirmation") await asked(letter.SubscribeURL);
  const found = [letter.Type, letter.SignatureVersion, told, forged];
  console.log("JUDGED " + JSON.stringify(found));
  return found;
};
"""
SUBSCRIBES = """
import boto3

def handler(event, context):
    region = "us-east-1"
    client = boto3.client("sns", region_name=region, endpoint_url=f"https://sns.{region}.amazonaws.com")
    return client.subscribe(**event)["SubscriptionArn"]
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """A server on the machine's own loopback, which functions may reach."""
    with listening() as made:
        yield made


@pytest.fixture(scope="module")
def own(endpoint: Endpoint) -> Iterator[RunningPlatform]:
    """A platform whose functions have AWS's names."""
    program("node")
    port = endpoint.url.rpartition(":")[2]
    with platforms.running(options=("--forward-ports", port)) as running:
        if running.driver == "process":
            lacking("the process driver has no resolver of its own")
        yield running


def with_validator(platform: RunningPlatform, account: str) -> str:
    """A function that says in its log what the validator says; its ARN."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.js", VALIDATES)
        for name in ("index.js", "package.json"):
            path = f"node_modules/sns-validator/{name}"
            archive.write(installed(f"node/{path}"), path)
    functions = platform.client("lambda", account=account)
    role = f"arn:aws:iam::{account}:role/unknown"
    arn: str = functions.create_function(
        FunctionName="validator",
        Runtime="nodejs20.x",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=30,
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="validator", WaiterConfig={"Delay": 1})
    functions.add_permission(
        FunctionName="validator", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )
    return arn


def judged(platform: RunningPlatform, account: str) -> list[str]:
    """What the validator said of the event that it got."""
    logs = platform.client("logs", account=account)
    for _ in range(200):
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/validator", filterPattern="JUDGED")["events"]
        except logs.exceptions.ResourceNotFoundException:
            events = []
        if events:
            found: list[str] = json.loads(events[0]["message"].partition("JUDGED ")[2])
            return found
        time.sleep(0.1)
    raise AssertionError("the validator said nothing")


FORGED = "The message signature is invalid."


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_functions_event_is_valid(own: RunningPlatform, account: str, version: str) -> None:
    """SigningCertUrl, as in an event; a message that was changed is not."""
    sns = own.client("sns", account=account)
    topic = sns.create_topic(Name="t", Attributes={"SignatureVersion": version})["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=with_validator(own, account))
    sns.publish(TopicArn=topic, Message="x", Subject="s")
    assert judged(own, account) == ["Notification", version, "valid", FORGED]


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_endpoints_messages_are_valid(own: RunningPlatform, account: str, endpoint: Endpoint, version: str) -> None:
    """Of a subscription that was made at SNS's own host name: its messages name a certificate there.

    An UnsubscribeConfirmation is not asked about: sns-validator 0.3.5 leaves out its Token, which AWS's guide signs.
    """
    sns, functions = own.client("sns", account=account), own.client("lambda", account=account)
    topic = sns.create_topic(Name="t", Attributes={"SignatureVersion": version})["TopicArn"]
    with_validator(own, account)
    create_function(own, account, "subscribes", SUBSCRIBES, Timeout=30)

    def called(name: str, event: Any) -> Any:
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.loads(answer["Payload"].read())

    url = endpoint.url.replace("127.0.0.1", "host.undercast.internal")
    called("subscribes", {"TopicArn": topic, "Protocol": "http", "Endpoint": url})
    confirmation = endpoint.next().letter
    assert called("validator", confirmation) == ["SubscriptionConfirmation", version, "valid", FORGED]
    sns.publish(TopicArn=topic, Message="x", Subject="s")
    assert called("validator", endpoint.next().letter) == ["Notification", version, "valid", FORGED]
