"""AWS's public parameters through boto3.

AWS: Systems Manager User Guide, "Calling public parameters for AWS services, Regions, endpoints, ...", "Calling AMI
public parameters".
"""

import json
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.ssm.test_parameters import refusal, value

PLACES = "/aws/service/global-infrastructure"
LINUX = "/aws/service/ami-amazon-linux-latest"


@pytest.fixture
def ssm(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("ssm", account=account)


def by_path(ssm: Any, path: str, **more: Any) -> list[str]:
    """The values below a path, from all pages."""
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path, **more)
    return [one["Value"] for page in pages for one in page["Parameters"]]


def test_regions_and_services_are_known(ssm: Any) -> None:
    """The examples of the user guide; one level at a time, page by page."""
    regions = by_path(ssm, f"{PLACES}/regions")
    assert regions == sorted(regions)
    assert {"us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"} <= set(regions)
    assert {"ssm", "lambda", "cloudwatch", "acm-pca", "appmesh"} <= set(by_path(ssm, f"{PLACES}/services"))
    assert "us-west-2" in by_path(ssm, f"{PLACES}/services/ssm/regions/")
    assert "dynamodb" in by_path(ssm, f"{PLACES}/regions/us-west-1/services")
    assert value(ssm, f"{PLACES}/regions/us-west-1/services/ssm/endpoint") == "ssm.us-west-1.amazonaws.com"
    assert value(ssm, f"{PLACES}/regions/cn-north-1/services/ssm/endpoint") == "ssm.cn-north-1.amazonaws.com.cn"
    assert value(ssm, f"{PLACES}/regions/us-east-1/longName") == "US East (N. Virginia)"
    below = ssm.get_parameters_by_path(Path=f"{PLACES}/regions/us-east-1", Recursive=True, MaxResults=10)
    assert len(below["Parameters"]) == 10
    assert "NextToken" in below


def test_an_image_is_the_one_that_the_documentation_prints(platform: RunningPlatform, ssm: Any, account: str) -> None:
    """In its region, with its version and an ARN without an account; elsewhere it is not known, and not made up."""
    ohio = platform.client("ssm", account=account, region="us-east-2")
    name = f"{LINUX}/amzn2-ami-hvm-x86_64-gp2"
    (found,) = ohio.get_parameters(Names=[name, f"{LINUX}/al2023-ami-kernel-default-x86_64"])["Parameters"]
    assert (found["Value"], found["Version"]) == ("ami-074cce78125f09d61", 51)
    assert found["ARN"] == f"arn:aws:ssm:us-east-2::parameter{name}"
    assert found["LastModifiedDate"].isoformat().startswith("2021-10-06")
    assert value(ohio, found["ARN"]) == value(ohio, f"{name}:51") == "ami-074cce78125f09d61"
    assert len(by_path(ohio, LINUX)) == 4
    assert refusal(ssm.get_parameter, Name=name)[0] == "ParameterNotFound"
    assert by_path(ssm, LINUX) == []
    assert refusal(ssm.get_parameter, Name=f"{PLACES}/regions/us-east-1/geolocationCountry")[0] == "ParameterNotFound"


def test_a_public_parameter_is_nobodys(platform: RunningPlatform, ssm: Any, account: str) -> None:
    """It cannot be written, and policies name it without an account."""
    name = f"{PLACES}/regions/us-east-1"
    assert refusal(ssm.put_parameter, Name=name, Value="x", Type="String", Overwrite=True)[0] == "ValidationException"
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="reader")
    allow = {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": f"arn:aws:ssm:*::parameter{name}"}
    iam.put_user_policy(
        UserName="reader",
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    reader = platform.client("ssm", account=key["AccessKeyId"], secret=key["SecretAccessKey"])
    assert value(reader, name) == "us-east-1"
    assert refusal(reader.get_parameter, Name=f"{name}/longName")[0] == "AccessDeniedException"
