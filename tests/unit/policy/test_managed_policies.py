"""The data file of AWS's managed policies holds what it says it holds."""

from datetime import date
from importlib.resources import files
from json import loads

import pytest

from undercast.policy.document import parse_policy
from undercast.services.iam.aws_managed import AwsManagedPolicies, AwsPolicy

ALL = AwsManagedPolicies().by_arn


@pytest.mark.parametrize("entry", ALL.values(), ids=lambda entry: entry.policy.name)
def test_every_document_is_a_valid_managed_policy(entry: AwsPolicy) -> None:
    """AWS's own documents pass the validation of customer documents."""
    assert len(parse_policy(entry.version.document, "managed").statements) >= 1


@pytest.mark.parametrize(
    "path",
    [
        "service-role/AWSLambdaBasicExecutionRole",
        "service-role/AWSLambdaVPCAccessExecutionRole",
        "service-role/AWSLambdaSQSQueueExecutionRole",
        "service-role/AWSLambdaKinesisExecutionRole",
        "service-role/AWSLambdaDynamoDBExecutionRole",
        "service-role/AWSLambdaRole",
        "service-role/AWSCodeDeployRoleForLambda",
        "service-role/AWSCodeDeployRoleForLambdaLimited",
        "service-role/AmazonAPIGatewayPushToCloudWatchLogs",
        "AWSXRayDaemonWriteAccess",
        "AWSXrayWriteOnlyAccess",
        "CloudWatchLambdaInsightsExecutionRolePolicy",
        "AmazonDynamoDBReadOnlyAccess",
        "AmazonSSMReadOnlyAccess",
        "SecretsManagerReadWrite",
        "AdministratorAccess",
    ],
)
def test_the_policies_that_deployment_tools_attach_are_there(path: str) -> None:
    """SAM, CDK, Serverless and the seeds name them by ARN."""
    assert f"arn:aws:iam::aws:policy/{path}" in ALL


def test_the_file_says_when_and_whence() -> None:
    """A policy may be older than AWS's newest version, and the file shows it."""
    data = loads(files("undercast.services.iam").joinpath("managed_policies.json").read_text("utf-8"))
    assert date.fromisoformat(data["date"]) >= date(2026, 11, 21)
    assert "GetPolicyVersion" in data["source"]
    assert [entry["name"] for entry in data["policies"]] == sorted(entry["name"] for entry in data["policies"])
