"""Parameter Store through boto3.

AWS: Systems Manager User Guide, "AWS Systems Manager Parameter Store"; API Reference, the operations named.
"""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests import platform as platforms
from tests.platform import RunningPlatform


@pytest.fixture
def ssm(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("ssm", account=account)


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Code and text of the error that a call must give."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    told = caught.value.response["Error"]
    return told["Code"], told.get("Message", "")


def value(ssm: Any, name: str, **settings: Any) -> str:
    """A parameter's value."""
    text: str = ssm.get_parameter(Name=name, **settings)["Parameter"]["Value"]
    return text


def test_a_parameter_is_put_read_and_overwritten(ssm: Any, account: str) -> None:
    """S2-33: without Overwrite the second put is ParameterAlreadyExists; with it there is a version more."""
    put = {"Name": "Parameter1", "Value": "one"}
    assert ssm.put_parameter(**put, Type="String")["Version"] == 1
    assert refusal(ssm.put_parameter, **put, Type="String")[0] == "ParameterAlreadyExists"
    told = ssm.put_parameter(Name="Parameter1", Value="two", Overwrite=True)
    assert (told["Version"], told["Tier"]) == (2, "Standard")
    found = ssm.get_parameter(Name="Parameter1")["Parameter"]
    assert (found["Value"], found["Version"], found["Type"]) == ("two", 2, "String")
    assert found["ARN"] == f"arn:aws:ssm:us-east-1:{account}:parameter/Parameter1"
    text = "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length greater"
    empty = refusal(ssm.put_parameter, Name="Parameter1", Value="", Overwrite=True)
    assert empty == ("ValidationException", f"{text} than or equal to 1")
    by_version = ssm.get_parameter(Name="Parameter1:1")["Parameter"]
    assert (by_version["Value"], by_version["Selector"]) == ("one", ":1")
    assert value(ssm, found["ARN"]) == "two"
    assert refusal(ssm.get_parameter, Name="Parameter1:3")[0] == "ParameterVersionNotFound"
    assert refusal(ssm.get_parameter, Name="none")[0] == "ParameterNotFound"
    ssm.delete_parameter(Name="Parameter1")
    assert refusal(ssm.delete_parameter, Name="Parameter1")[0] == "ParameterNotFound"


def test_labels_move_between_versions(ssm: Any) -> None:
    """A label is on one version; wrong ones are told; history shows them."""
    for number in range(3):
        ssm.put_parameter(Name="/p", Value=str(number), Type="String", Overwrite=True)
    told = ssm.label_parameter_version(Name="/p", ParameterVersion=1, Labels=["prod", "1bad", "awsx"])
    assert (told["InvalidLabels"], told["ParameterVersion"]) == (["1bad", "awsx"], 1)
    assert value(ssm, "/p:prod") == "0"
    ssm.label_parameter_version(Name="/p", Labels=["prod"])
    assert value(ssm, "/p:prod") == "2"
    history = ssm.get_parameter_history(Name="/p")["Parameters"]
    assert [(one["Version"], one["Labels"]) for one in history] == [(1, []), (2, []), (3, ["prod"])]
    told = ssm.unlabel_parameter_version(Name="/p", ParameterVersion=3, Labels=["prod", "other"])
    assert (told["RemovedLabels"], told["InvalidLabels"]) == (["prod"], ["other"])
    ssm.label_parameter_version(Name="/p", Labels=[f"l{number}" for number in range(10)])
    code, _ = refusal(ssm.label_parameter_version, Name="/p", Labels=["more"])
    assert code == "ParameterVersionLabelLimitExceeded"


def test_a_hundred_versions_are_kept(ssm: Any) -> None:
    """The oldest goes, unless it has a label."""
    for number in range(101):
        ssm.put_parameter(Name="/v", Value=str(number), Type="String", Overwrite=True)
    assert refusal(ssm.get_parameter, Name="/v:1")[0] == "ParameterVersionNotFound"
    ssm.label_parameter_version(Name="/v", ParameterVersion=2, Labels=["keep"])
    code, _ = refusal(ssm.put_parameter, Name="/v", Value="x", Overwrite=True)
    assert code == "ParameterMaxVersionLimitExceeded"
    assert value(ssm, "/v") == "100"


def test_paths_are_levels(ssm: Any) -> None:
    """One level or all below, page by page, filtered by label."""
    for name in ("/a/1", "/a/2", "/a/b/3", "/ab/4", "/a5"):
        ssm.put_parameter(Name=name, Value=name, Type="String")
    assert [one["Name"] for one in ssm.get_parameters_by_path(Path="/a")["Parameters"]] == ["/a/1", "/a/2"]
    pages = ssm.get_paginator("get_parameters_by_path").paginate(
        Path="/a/", Recursive=True, PaginationConfig={"PageSize": 2}
    )
    assert [one["Name"] for page in pages for one in page["Parameters"]] == ["/a/1", "/a/2", "/a/b/3"]
    ssm.label_parameter_version(Name="/a/2", Labels=["blue"])
    found = ssm.get_parameters_by_path(Path="/a", ParameterFilters=[{"Key": "Label", "Values": ["blue"]}])
    assert [one["Name"] for one in found["Parameters"]] == ["/a/2"]
    code, _ = refusal(ssm.get_parameters_by_path, Path="/a", ParameterFilters=[{"Key": "Name", "Values": ["x"]}])
    assert code == "InvalidFilterKey"


def test_several_are_read_and_deleted_at_once(ssm: Any) -> None:
    """What is not there is told."""
    for name in ("x", "y"):
        ssm.put_parameter(Name=name, Value=name, Type="String")
    found = ssm.get_parameters(Names=["y", "none", "x"])
    assert [one["Name"] for one in found["Parameters"]] == ["x", "y"]
    assert found["InvalidParameters"] == ["none"]
    told = ssm.delete_parameters(Names=["x", "none"])
    assert (told["DeletedParameters"], told["InvalidParameters"]) == (["x"], ["none"])


def test_describe_filters(ssm: Any) -> None:
    """By name, path, type and tag."""
    ssm.put_parameter(
        Name="/d/one", Value="1", Type="String", Tags=[{"Key": "team", "Value": "a"}], Description="first"
    )
    ssm.put_parameter(Name="/d/two", Value="a,b", Type="StringList")

    def names(*filters: dict[str, Any]) -> list[str]:
        return [one["Name"] for one in ssm.describe_parameters(ParameterFilters=list(filters))["Parameters"]]

    assert names({"Key": "Name", "Option": "Contains", "Values": ["wo"]}) == ["/d/two"]
    assert names({"Key": "Path", "Option": "Recursive", "Values": ["/d"]}) == ["/d/one", "/d/two"]
    assert names({"Key": "Type", "Values": ["StringList"]}) == ["/d/two"]
    assert names({"Key": "tag:team", "Values": ["a"]}) == ["/d/one"]
    (one,) = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/d/one"]}])["Parameters"]
    assert (one["Description"], one["Tier"], one["LastModifiedUser"].endswith(":root")) == ("first", "Standard", True)
    assert "Value" not in one
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/d/one", Tags=[{"Key": "more", "Value": "b"}])
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId="/d/one", TagKeys=["team"])
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/d/one")["TagList"]
    assert tags == [{"Key": "more", "Value": "b"}]


@pytest.mark.parametrize("size", [10, 6000])
def test_secure_strings_are_encrypted(platform: RunningPlatform, account: str, ssm: Any, size: int) -> None:
    """Without WithDecryption the ciphertext; a disabled key says so. Advanced values have a data key."""
    kms = platform.client("kms", account=account)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    secret = "s" * size
    put = {"Name": "/s", "Value": secret, "Type": "SecureString", "KeyId": key_id, "Tier": "Intelligent-Tiering"}
    assert ssm.put_parameter(**put)["Tier"] == ("Advanced" if size > 4096 else "Standard")
    assert secret not in value(ssm, "/s")
    assert value(ssm, "/s", WithDecryption=True) == secret
    kms.disable_key(KeyId=key_id)
    assert refusal(ssm.get_parameter, Name="/s", WithDecryption=True)[0] == "InvalidKeyId"


def test_a_role_reads_secure_strings_of_awss_key_without_kms_permissions(
    platform: RunningPlatform, account: str, ssm: Any
) -> None:
    """The key's policy lets everybody in who comes through Parameter Store; not directly."""
    ssm.put_parameter(Name="/open", Value="text", Type="SecureString")
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="reader")
    allow = {"Effect": "Allow", "Action": ["ssm:GetParameter", "kms:DescribeKey"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    keys = {"account": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    reader = platform.client("ssm", **keys)
    assert value(reader, "/open", WithDecryption=True) == "text"
    direct = platform.client("kms", **keys)
    assert refusal(direct.encrypt, KeyId="alias/aws/ssm", Plaintext=b"x")[0] == "AccessDeniedException"
    assert refusal(reader.put_parameter, Name="/no", Value="x", Type="String")[0] == "AccessDeniedException"


def test_secrets_are_read_by_reference(platform: RunningPlatform, account: str, ssm: Any) -> None:
    """S2-12: /aws/reference/secretsmanager/, only with decryption; the secret's answer is the SourceResult."""
    secrets = platform.client("secretsmanager", account=account)
    arn = secrets.create_secret(Name="secret_info", SecretString="Hello World")["ARN"]
    found = ssm.get_parameter(Name="/aws/reference/secretsmanager/secret_info", WithDecryption=True)["Parameter"]
    assert (found["Value"], found["Type"], found["ARN"]) == ("Hello World", "SecureString", arn)
    assert json.loads(found["SourceResult"])["SecretString"] == "Hello World"
    name = "/aws/reference/secretsmanager/secret_info"
    code, text = refusal(ssm.get_parameter, Name=name)
    assert (code, text) == (
        "ValidationException",
        "WithDecryption flag must be True for retrieving a Secret Manager secret.",
    )
    assert refusal(ssm.get_parameter, Name=name + "x", WithDecryption=True)[0] == "ParameterNotFound"
    secrets.put_secret_value(SecretId="secret_info", SecretString="new")
    assert value(ssm, name + ":AWSPREVIOUS", WithDecryption=True) == "Hello World"


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"Name": "awsx"}, "ValidationException", "can't be prefixed with"),
        ({"Name": "/ssm/x"}, "ValidationException", "can't be prefixed with"),
        ({"Name": "a b"}, "ValidationException", "letters, numbers"),
        ({"Name": "a/b"}, "ValidationException", "fully qualified"),
        ({"Name": "/x" * 16}, "HierarchyLevelLimitExceededException", "depth of 15"),
        ({"Value": "x" * 4097}, "ValidationException", "4096"),
        ({"Value": "x" * 8193, "Tier": "Advanced"}, "ValidationException", "8192"),
        ({"Value": "a", "AllowedPattern": r"^\d+$"}, "ParameterPatternMismatchException", "allowedPattern"),
        ({"AllowedPattern": "("}, "InvalidAllowedPatternException", "regular expression"),
        ({"AllowedPattern": "(?!x)v"}, "InvalidAllowedPatternException", "(?!"),
        (
            {"Value": "a" * 4000 + "b", "AllowedPattern": "^(a+)+$"},
            "ParameterPatternMismatchException",
            "allowedPattern",
        ),
        ({"DataType": "json", "Value": "[" * 4000}, "ValidationException", "valid json"),
        ({"DataType": "aws:ec2:image"}, "ValidationException", "aws:ec2:image"),
        ({"DataType": "odd"}, "ValidationException", "not supported"),
        ({"DataType": "aws:ssm:integration"}, "NotImplemented", "DataType=aws:ssm:integration"),
        ({"DataType": "integer", "Value": "x1"}, "ValidationException", "integer"),
        ({"KeyId": "k"}, "ValidationException", "SecureString"),
        ({"Policies": '[{"Type":"Expiration"}]'}, "ValidationException", "standard-parameter"),
        ({"Policies": '[{"Type":"Odd"}]', "Tier": "Advanced"}, "InvalidPolicyTypeException", "policy type"),
        ({"Overwrite": True, "Tags": [{"Key": "a", "Value": "b"}]}, "ValidationException", "tags and overwrite"),
    ],
)
def test_what_cannot_be_put_is_told(ssm: Any, params: dict[str, Any], code: str, text: str) -> None:
    """AWS's codes and texts; nothing is stored."""
    given = {"Name": "name", "Value": "v", "Type": "String", **params}
    found = refusal(ssm.put_parameter, **given)
    assert found[0] == code
    assert text in found[1]
    assert ssm.describe_parameters()["Parameters"] == []


def test_an_advanced_parameter_stays_one_and_expires() -> None:
    """An Expiration policy deletes it on the platform's clock."""
    with platforms.running() as running:
        ssm = running.client("ssm")
        end = datetime.fromtimestamp(time.time() + 86_400, UTC)
        policy = [
            {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": f"{end:%Y-%m-%dT%H:%M:%S.000Z}"}}
        ]
        put = {"Name": "/e", "Value": "x", "Tier": "Advanced", "Policies": json.dumps(policy)}
        ssm.put_parameter(**put, Type="String")
        code, _ = refusal(ssm.put_parameter, Name="/e", Value="y", Tier="Standard", Overwrite=True)
        assert code == "ValidationException"
        assert ssm.put_parameter(Name="/e", Value="y", Overwrite=True)["Tier"] == "Advanced"
        running.advance(2 * 86_400)
        for _ in range(200):
            if not ssm.describe_parameters()["Parameters"]:
                return
        raise AssertionError("the parameter is still there")


def test_regions_are_apart(platform: RunningPlatform, account: str, ssm: Any) -> None:
    """X10, S2-50: the same name in two regions."""
    west = platform.client("ssm", account=account, region="us-west-2")
    ssm.put_parameter(Name="p", Value="east", Type="String")
    west.put_parameter(Name="p", Value="west", Type="String")
    assert (value(ssm, "p"), value(west, "p")) == ("east", "west")


@pytest.mark.parametrize("text", ["word", "-1", "9" * 400, "²"])
def test_a_token_of_ones_own_making_is_refused(ssm: Any, text: str) -> None:
    """A history's token is a number that we gave."""
    ssm.put_parameter(Name="n", Value="v", Type="String")
    token = base64.urlsafe_b64encode(text.encode()).decode()
    assert refusal(ssm.get_parameter_history, Name="n", NextToken=token)[0] == "InvalidNextToken"
