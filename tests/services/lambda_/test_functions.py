"""Functions through boto3, against the real platform."""

import base64
import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.lambda_.conftest import CODE, Account, package


def error_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str, int]:
    """(code, message, status)."""
    response: Any = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_function_is_created_read_and_deleted(aws: Account) -> None:
    """S1-25, S1-11: defaults 128 MB and 3 s; the environment is read back; Code.Location gives the package."""
    functions = aws.client("lambda")
    made = aws.create(Environment={"Variables": {"DST_BUCKET": "b", "REGION": "us-west-2"}}, Tags={"a": "b"})
    assert (made["ResponseMetadata"]["HTTPStatusCode"], made["State"]) == (201, "Pending")
    found = functions.get_function(FunctionName="f")
    configuration = found["Configuration"]
    assert configuration["FunctionArn"] == f"arn:aws:lambda:us-east-1:{aws.id}:function:f"
    assert (configuration["MemorySize"], configuration["Timeout"], configuration["State"]) == (128, 3, "Active")
    assert configuration["Environment"] == {"Variables": {"DST_BUCKET": "b", "REGION": "us-west-2"}}
    assert found["Tags"] == {"a": "b"}
    with urllib.request.urlopen(found["Code"]["Location"], timeout=10) as answer:
        assert answer.read() == CODE
    assert functions.get_function_code_signing_config(FunctionName="f")["FunctionName"] == "f"
    functions.delete_function(FunctionName="f")
    with pytest.raises(functions.exceptions.ResourceNotFoundException) as caught:
        functions.get_function(FunctionName="f")
    arn = configuration["FunctionArn"]
    assert error_of(caught) == ("ResourceNotFoundException", f"Function not found: {arn}", 404)
    assert caught.value.response["Type"] == "User"


def test_functions_of_accounts_and_regions_are_apart(aws: Account) -> None:
    """X10: state is keyed by account and region."""
    aws.create()
    elsewhere = Account(aws.platform, aws.id, "eu-west-1").client("lambda")
    assert elsewhere.list_functions()["Functions"] == []
    other = Account(aws.platform, "999988887777").client("lambda")
    with pytest.raises(ClientError) as caught:
        other.get_function(FunctionName=f"arn:aws:lambda:us-east-1:{aws.id}:function:f")
    assert error_of(caught)[0] == "AccessDeniedException"


def test_pages_of_functions_and_versions(aws: Account) -> None:
    """boto3's paginators."""
    functions = aws.client("lambda")
    for name in ("a", "b", "c"):
        aws.create(name, Publish=True)
    pages = functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    assert [one["FunctionName"] for page in pages for one in page["Functions"]] == ["a", "b", "c"]
    every = functions.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 1})
    assert [one["Version"] for page in every for one in page["Functions"]] == ["$LATEST", "1"] * 3
    versions = functions.list_versions_by_function(FunctionName="a")["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST", "1"]


def test_limits_arrive_as_aws_errors(aws: Account) -> None:
    """Lambda's own limits, and those of its model, each with its text."""
    for members, code, text in (
        ({"MemorySize": 10_241}, "InvalidParameterValueException", "'MemorySize' value failed to satisfy constraint"),
        ({"MemorySize": 127}, "ValidationException", "Value '127' at 'memorySize' failed to satisfy constraint"),
        ({"Timeout": 901}, "ValidationException", "Value '901' at 'timeout' failed to satisfy constraint"),
        ({"Role": "worker"}, "ValidationException", "Value 'worker' at 'role' failed to satisfy constraint"),
        ({"Code": {"ZipFile": b"x"}}, "InvalidParameterValueException", "Could not unzip uploaded file"),
        ({"Code": {"ImageUri": "i"}}, "InvalidParameterValueException", "Please don't provide ImageUri when creating"),
        ({"ImageConfig": {"Command": ["x"]}}, "InvalidParameterValueException", "Please don't provide ImageConfig"),
        ({"FileSystemConfigs": [], "DurableConfig": {}}, "NotImplemented", "DurableConfig of CreateFunction"),
    ):
        with pytest.raises(ClientError) as caught:
            aws.create(**members)
        assert error_of(caught)[0] == code
        assert text in error_of(caught)[1]
    assert aws.client("lambda").list_functions()["Functions"] == []


def test_unknown_runtime_is_refused_and_go1x_is_not(aws: Account) -> None:
    """X9: `--runtime go1.x` returns 201."""
    aws.create("go", Runtime="go1.x", Handler="main")
    with pytest.raises(ClientError) as caught:
        aws.create(Runtime="python9")
    code, message, _ = error_of(caught)
    assert code == "InvalidParameterValueException"
    assert message.startswith("Value python9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value")


def test_role_that_lambda_may_not_assume_is_refused(aws: Account) -> None:
    """IAM knows the role, and its trust policy names another service."""
    iam = aws.client("iam")

    def role(name: str, service: str) -> str:
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"])

    closed, opened = role("closed", "ec2.amazonaws.com"), role("opened", "lambda.amazonaws.com")
    with pytest.raises(ClientError) as caught:
        aws.create(Role=closed)
    assert error_of(caught)[:2] == (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )
    with pytest.raises(ClientError) as caught:
        aws.create(Role="arn:aws:iam::999988887777:role/opened")
    assert error_of(caught)[:2] == ("AccessDeniedException", "Cross-account pass role is not allowed.")
    aws.create(Role=opened)
    assert aws.invoke()[0]["StatusCode"] == 200


def test_code_comes_from_a_bucket(aws: Account) -> None:
    """S1-34: CreateFunction and UpdateFunctionCode from S3Bucket and S3Key."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=f"code-{aws.id}")
    s3.put_object(Bucket=f"code-{aws.id}", Key="v1.zip", Body=CODE)
    aws.create(Code={"S3Bucket": f"code-{aws.id}", "S3Key": "v1.zip"})
    assert aws.invoke(event={"a": 1})[1]["event"] == {"a": 1}
    with pytest.raises(ClientError) as caught:
        aws.client("lambda").update_function_code(FunctionName="f", S3Bucket=f"code-{aws.id}", S3Key="v2.zip")
    assert error_of(caught)[:2] == (
        "InvalidParameterValueException",
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.",
    )


def test_update_takes_effect_with_a_new_environment(aws: Account) -> None:
    """S3d-05: the first invoke after an update of code or configuration has an Init Duration."""
    functions = aws.client("lambda")
    aws.create(Environment={"Variables": {"NAME": "one"}})
    assert "Init Duration" in aws_log(aws)
    assert "Init Duration" not in aws_log(aws)
    functions.update_function_configuration(FunctionName="f", Environment={"Variables": {"NAME": "two"}})
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert "Init Duration" in aws_log(aws)
    assert aws.invoke()[1]["name"] == "two"
    functions.update_function_code(FunctionName="f", ZipFile=package(app="def handler(event, context): return 3"))
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert aws.invoke()[1] == 3


def aws_log(aws: Account) -> str:
    """The log of one invoke."""
    response, _ = aws.invoke(LogType="Tail")
    return base64.b64decode(response["LogResult"]).decode()


def test_published_version_keeps_its_configuration(aws: Account) -> None:
    """S3d-39: the first result is "Test", after the update "Prod"; version 1 keeps "Test"."""
    functions = aws.client("lambda")
    aws.create(Environment={"Variables": {"NAME": "Test"}}, Publish=True)
    assert aws.invoke()[1]["name"] == "Test"
    functions.update_function_configuration(FunctionName="f", Environment={"Variables": {"NAME": "Prod"}})
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert aws.invoke()[1]["name"] == "Prod"
    response, answer = aws.invoke(Qualifier="1")
    assert (answer["name"], answer["version"], response["ExecutedVersion"]) == ("Test", "1", "1")
    assert answer["arn"].endswith(":function:f:1")
    functions.create_alias(FunctionName="f", Name="Prod", FunctionVersion="$LATEST")
    assert aws.invoke("f:Prod")[1]["name"] == "Prod"


def test_permission_is_shown_as_aws_shows_it(aws: Account) -> None:
    """S1-23, S1-24: the statement, and a bucket that may only notify a function which lets it."""
    functions, s3 = aws.client("lambda"), aws.client("s3")
    arn = aws.create()["FunctionArn"]
    bucket = f"in-{aws.id}"
    s3.create_bucket(Bucket=bucket)
    notification = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notification)
    assert error_of(caught)[0] == "InvalidArgument"
    functions.add_permission(
        FunctionName="f",
        StatementId="AllowExecutionFromS3Bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )
    assert '"Sid":"AllowExecutionFromS3Bucket"' in functions.get_policy(FunctionName="f")["Policy"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notification)


def test_account_settings_and_tags(aws: Account) -> None:
    """Usage is real; tags by ARN."""
    functions = aws.client("lambda")
    arn = aws.create()["FunctionArn"]
    settings = functions.get_account_settings()
    assert settings["AccountUsage"] == {"TotalCodeSize": len(CODE), "FunctionCount": 1}
    functions.tag_resource(Resource=arn, Tags={"k": "v"})
    assert functions.list_tags(Resource=arn)["Tags"] == {"k": "v"}
    functions.untag_resource(Resource=arn, TagKeys=["k"])
    assert functions.list_tags(Resource=arn)["Tags"] == {}
