"""A parameter that is JSON text and nested deeply is malformed like any other that cannot be read.

AWS: the errors of the operations named; of depth nothing is said.
"""

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform

DEEP = "[" * 5000
WHOLE = "[" * 700 + "]" * 700
"""It can be read, but is deeper than what looks at it may be."""
STATEMENT = '"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"'
CONDITION = f'{{"Version":"2012-10-17","Statement":[{{{STATEMENT},"Condition":{WHOLE}}}]}}'
HANDLE = base64.b64encode(DEEP.encode()).decode()


@pytest.mark.parametrize("text", [DEEP, CONDITION])
@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        ("sqs", "create_queue", {"QueueName": "q", "Attributes": {"Policy": ...}}, "InvalidAttributeValue"),
        ("sqs", "create_queue", {"QueueName": "q", "Attributes": {"RedrivePolicy": ...}}, "InvalidParameterValue"),
        ("kms", "create_key", {"Policy": ...}, "MalformedPolicyDocumentException"),
        ("sns", "create_topic", {"Name": "t", "Attributes": {"Policy": ...}}, "InvalidParameter"),
        ("logs", "put_destination_policy", {"destinationName": "d", "accessPolicy": ...}, "InvalidParameterException"),
    ],
)
def test_a_policy(
    platform: RunningPlatform,
    account: str,
    service: str,
    operation: str,
    params: dict[str, Any],
    expected: str,
    text: str,
) -> None:
    """MalformedPolicyDocument, InvalidAttributeValue and so on: never a fault of the service."""
    with pytest.raises(ClientError) as caught:
        getattr(platform.client(service, account=account), operation)(**filled(params, text))
    assert expected in caught.value.response["Error"]["Code"]


@pytest.mark.parametrize("text", [DEEP, CONDITION])
def test_a_secrets_policy(platform: RunningPlatform, account: str, text: str) -> None:
    """ValidateResourcePolicy tells it; PutResourcePolicy refuses it."""
    secrets = platform.client("secretsmanager", account=account)
    assert secrets.validate_resource_policy(ResourcePolicy=text)["PolicyValidationPassed"] is False
    secrets.create_secret(Name="s", SecretString="x")
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        secrets.put_resource_policy(SecretId="s", ResourcePolicy=text)


def test_a_handle_and_a_token(platform: RunningPlatform, account: str) -> None:
    """CancelMessageMoveTask, DescribeLogStreams."""
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        platform.client("sqs", account=account).cancel_message_move_task(TaskHandle=HANDLE)
    logs = platform.client("logs", account=account)
    logs.create_log_group(logGroupName="g")
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.describe_log_streams(logGroupName="g", nextToken=HANDLE)


def filled(params: dict[str, Any], text: str) -> dict[str, Any]:
    """The parameters, with the text in the place of `...`."""
    return {
        name: text if value is ... else filled(value, text) if isinstance(value, dict) else value
        for name, value in params.items()
    }
