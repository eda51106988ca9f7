"""AWS's own validators of messages, unmodified, in functions: npm sns-validator, and SnsMessageManager of Java's SDK 1.

They take certificates of https://sns.REGION.amazonaws.com alone, and verify signatures of both versions.
AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages"; aws/aws-js-sns-message-validator; AWS SDK
for Java 1, com.amazonaws.services.sns.message.
"""

import io
import json
import os
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import platform as platforms
from tests.conformance.sdks.programs import installed
from tests.e2e.functions import create_function
from tests.machine import lacking, program
from tests.platform import RunningPlatform
from tests.services.sns.web import Endpoint, listening

APP = Path(__file__).parent / "java_validator" / "App.java"
LIBRARIES = ("aws-java-sdk-core-1", "commons-", "httpclient-4", "httpcore-4", "jackson-", "joda-time-", "jmespath-java")
VALIDATES = """
const MessageValidator = require("sns-validator");
const validator = new MessageValidator();

const judged = (letter) =>
  new Promise((resolve) => validator.validate(letter, (error) => resolve(error ? error.message : "valid")));

exports.handler = async (event) => {
  const letter = event.Records ? event.Records[0].Sns : event;
  const forged = await judged({ ...letter, Message: letter.Message + "." });
  const told = await judged({ ...letter });
  const found = [letter.Type, letter.SignatureVersion, told, forged];
  console.log("JUDGED " + JSON.stringify(found));
  return found;
};
"""
SUBSCRIBES = """
import urllib.request, boto3

def handler(event, context):
    if "url" in event:
        return urllib.request.urlopen(event["url"], timeout=10).status
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
    home = {"HOME": str(installed("home/.ready").resolve().parent)}
    port = endpoint.url.rpartition(":")[2]
    with platforms.running(options=("--forward-ports", port), environment=home) as running:
        if running.driver == "process":
            lacking("the process driver has no resolver of its own")
        yield running


Files = dict[str, str | Path]


def node() -> Files:
    """npm's validator."""
    program("node")
    folder = "node_modules/sns-validator"
    files: Files = {f"{folder}/{name}": installed(f"node/{folder}/{name}") for name in ("index.js", "package.json")}
    return {"app.js": VALIDATES, **files}


def java(folder: Path) -> Files:
    """That of Java's SDK 1, compiled into a folder."""
    jars = [installed("java/jars/aws-java-sdk-sns-1.12.780.jar")]
    jars += [one for one in jars[0].parent.glob("*.jar") if one.name.startswith(LIBRARIES)]
    path = os.pathsep.join(map(str, jars))
    subprocess.run([program("javac"), "--release", "11", "-cp", path, "-d", str(folder), str(APP)], check=True)
    return {"App.class": folder / "App.class", **{f"lib/{jar.name}": jar for jar in jars}}


def with_validator(platform: RunningPlatform, account: str, runtime: str, handler: str, files: Files) -> str:
    """A function that says what its validator says; its ARN."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content if isinstance(content, str) else content.read_bytes())
    functions = platform.client("lambda", account=account)
    arn: str = functions.create_function(
        FunctionName="validator",
        Runtime=runtime,
        Role=f"arn:aws:iam::{account}:role/unknown",
        Handler=handler,
        Code={"ZipFile": packed.getvalue()},
        Timeout=60,
        MemorySize=512,
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


NODE, JAVA = ("nodejs20.x", "app.handler"), ("java17", "App::handle")
FORGED = "The message signature is invalid."


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_functions_event_is_valid(own: RunningPlatform, account: str, version: str) -> None:
    """SigningCertUrl, as in an event; a message that was changed is not."""
    sns = own.client("sns", account=account)
    topic = sns.create_topic(Name="t", Attributes={"SignatureVersion": version})["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=with_validator(own, account, *NODE, node()))
    sns.publish(TopicArn=topic, Message="x", Subject="s")
    assert judged(own, account) == ["Notification", version, "valid", FORGED]


def called(platform: RunningPlatform, account: str, name: str, event: Any) -> Any:
    """What a function answers."""
    answer = platform.client("lambda", account=account).invoke(FunctionName=name, Payload=json.dumps(event))
    payload = answer["Payload"].read()
    assert "FunctionError" not in answer, payload
    return json.loads(payload)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("language", ["node", pytest.param("java", marks=pytest.mark.slow)])
def test_an_endpoints_messages_are_valid(
    own: RunningPlatform, account: str, endpoint: Endpoint, tmp_path: Path, language: str, version: str
) -> None:
    """Of a subscription that was made at SNS's own host name: its messages name a certificate there.

    Node's is not asked about an UnsubscribeConfirmation: 0.3.5 leaves out its Token, which AWS's guide signs.
    """
    files, forged = (node(), FORGED) if language == "node" else (java(tmp_path), "Signature in SNS message was invalid")
    with_validator(own, account, *(NODE if language == "node" else JAVA), files)
    sns = own.client("sns", account=account)
    topic = sns.create_topic(Name="t", Attributes={"SignatureVersion": version})["TopicArn"]
    create_function(own, account, "subscribes", SUBSCRIBES, Timeout=30)
    url = endpoint.url.replace("127.0.0.1", "host.undercast.internal")
    called(own, account, "subscribes", {"TopicArn": topic, "Protocol": "http", "Endpoint": url})
    confirmation = endpoint.next().letter
    judged = called(own, account, "validator", confirmation)
    assert judged == ["SubscriptionConfirmation", version, "valid", forged]
    sns.confirm_subscription(TopicArn=topic, Token=confirmation["Token"])
    sns.publish(TopicArn=topic, Message="x", Subject="s")
    notification = endpoint.next().letter
    assert called(own, account, "validator", notification) == ["Notification", version, "valid", forged]
    called(own, account, "subscribes", {"url": notification["UnsubscribeURL"]})
    farewell = endpoint.next().letter
    assert farewell["Type"] == "UnsubscribeConfirmation"
    if language == "java":
        assert called(own, account, "validator", farewell) == [farewell["Type"], version, "valid", forged]
