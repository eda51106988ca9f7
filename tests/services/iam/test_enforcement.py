"""What IAM says is what S3 and Lambda do: rows S1-21 and S4-30."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.iam.conftest import Refusal, allow

Clients = Callable[..., Any]
CODE = """
import boto3

def handler(event, context):
    s3 = boto3.client("s3")
    try:
        s3.get_object(Bucket=event["source"], Key="k")
        s3.put_object(Bucket=event["target"], Key="k", Body=b"x")
    except Exception as error:
        return f"Upload error {error.response['Error']['Code']}"
    return "done"
"""


@pytest.fixture
def alice(iam: Any) -> tuple[str, str]:
    """A user without permissions."""
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


@pytest.fixture
def bucket(platform: RunningPlatform, account: str) -> str:
    """A bucket of the account with one object."""
    s3 = platform.client("s3", account=account)
    s3.create_bucket(Bucket=f"photos-{account}")
    s3.put_object(Bucket=f"photos-{account}", Key="k", Body=b"cat")
    return f"photos-{account}"


def archive() -> bytes:
    """The function's package."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as package:
        package.writestr("app.py", CODE)
    return body.getvalue()


def test_a_batch_delete_is_decided_key_by_key(
    iam: Any, alice: tuple[str, str], bucket: str, platform: RunningPlatform, account: str, signed_in: Clients
) -> None:
    """S3 API, DeleteObjects: 200 with an Errors entry for what the caller may not delete; the others go."""
    arn = f"arn:aws:s3:::{bucket}"
    deny = {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": f"{arn}/k"}
    statements = [{"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": f"{arn}/*"}, deny]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy)
    owner = platform.client("s3", account=account)
    owner.put_object(Bucket=bucket, Key="gone", Body=b"x")
    objects = [{"Key": "gone"}, {"Key": "k"}, {"Key": "k", "VersionId": "null"}]
    answer = signed_in("s3", *alice).delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert answer["Deleted"] == [{"Key": "gone"}]
    refused = [(error["Key"], error.get("VersionId"), error["Code"]) for error in answer["Errors"]]
    assert refused == [("k", None, "AccessDenied"), ("k", "null", "AccessDenied")]
    assert "explicit deny" in answer["Errors"][0]["Message"]
    assert [entry["Key"] for entry in owner.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_a_user_needs_permission_for_an_object(
    iam: Any, alice: tuple[str, str], bucket: str, account: str, signed_in: Clients, refusal: Refusal
) -> None:
    """S3 names who, what, on which resource and why."""
    s3 = signed_in("s3", *alice)
    arn = f"arn:aws:s3:::{bucket}/k"
    assert refusal(s3.get_object, Bucket=bucket, Key="k") == (
        "AccessDenied",
        f'User: arn:aws:iam::{account}:user/alice is not authorized to perform: s3:GetObject on resource: "{arn}" '
        "because no identity-based policy allows the s3:GetObject action",
        403,
    )
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=allow("s3:GetObject", arn))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"cat"
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"dog")[0] == "AccessDenied"


def test_a_bucket_policy_grants_to_a_user_and_denies_the_root(
    platform: RunningPlatform, alice: tuple[str, str], bucket: str, account: str, signed_in: Clients, refusal: Refusal
) -> None:
    """Same account: the bucket policy is enough. Root obeys its Deny, and can always remove it."""
    root, user = platform.client("s3", account=account), signed_in("s3", *alice)
    user_arn = f"arn:aws:iam::{account}:user/alice"
    objects = f"arn:aws:s3:::{bucket}/*"
    grant = {"Effect": "Allow", "Principal": {"AWS": user_arn}, "Action": "s3:GetObject", "Resource": objects}
    deny = {**grant, "Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}}
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [grant]}))
    assert user.get_object(Bucket=bucket, Key="k")["Body"].read() == b"cat"
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [grant, deny]}))
    assert refusal(root.get_object, Bucket=bucket, Key="k")[0] == "AccessDenied"
    assert refusal(user.get_object, Bucket=bucket, Key="k")[1].endswith("explicit deny in a resource-based policy")
    root.delete_bucket_policy(Bucket=bucket)
    assert root.get_object(Bucket=bucket, Key="k")["Body"].read() == b"cat"


def test_another_account_needs_both_sides(
    platform: RunningPlatform, bucket: str, account: str, refusal: Refusal
) -> None:
    """Cross-account: S3 says no more than "Access Denied"."""
    other = platform.client("s3", account="123123123123")
    assert refusal(other.get_object, Bucket=bucket, Key="k") == ("AccessDenied", "Access Denied", 403)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "123123123123"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    platform.client("s3", account=account).put_bucket_policy(Bucket=bucket, Policy=policy)
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"cat"


def test_passing_a_role_needs_permission(
    iam: Any, alice: tuple[str, str], account: str, trust: str, signed_in: Clients, refusal: Refusal
) -> None:
    """lambda:CreateFunction is not enough: iam:PassRole on the role, to lambda.amazonaws.com."""
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    client = signed_in("lambda", *alice)
    function = {
        "FunctionName": "f",
        "Runtime": "python3.12",
        "Role": role,
        "Handler": "app.handler",
        "Code": {"ZipFile": archive()},
    }
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=allow("lambda:*"))
    code, message, status = refusal(client.create_function, **function)
    assert (code, status) == ("AccessDeniedException", 403)
    assert f"is not authorized to perform: iam:PassRole on resource: {role} because no identity-based" in message
    condition = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    iam.put_user_policy(
        UserName="alice", PolicyName="q", PolicyDocument=allow("iam:PassRole", role, Condition=condition)
    )
    assert client.create_function(**function)["Role"] == role


def test_a_functions_role_is_enforced(
    iam: Any, platform: RunningPlatform, bucket: str, account: str, trust: str
) -> None:
    """Row S1-21: removing s3:PutObject makes the upload fail with AccessDenied, for environments that run."""
    target = f"thumbs-{account}"
    platform.client("s3", account=account).create_bucket(Bucket=target)
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    read = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    iam.put_role_policy(RoleName="r", PolicyName="read", PolicyDocument=read)
    write = allow("s3:PutObject", f"arn:aws:s3:::{target}/*")
    iam.put_role_policy(RoleName="r", PolicyName="write", PolicyDocument=write)
    client = platform.client("lambda", account=account)
    runtime = f"python3.{sys.version_info.minor}"
    client.create_function(
        FunctionName="up", Runtime=runtime, Role=role, Handler="app.handler", Timeout=30, Code={"ZipFile": archive()}
    )
    client.get_waiter("function_active_v2").wait(FunctionName="up")
    event = json.dumps({"source": bucket, "target": target})

    def invoke() -> Any:
        return json.load(client.invoke(FunctionName="up", Payload=event)["Payload"])

    assert invoke() == "done"
    iam.delete_role_policy(RoleName="r", PolicyName="write")
    assert invoke() == "Upload error AccessDenied"
    iam.put_role_policy(RoleName="r", PolicyName="write", PolicyDocument=write)
    assert invoke() == "done"


def test_the_aws_cli(platform: RunningPlatform, account: str, tmp_path: Path, trust: str) -> None:
    """The commands of the rows, with dummy credentials and nothing but an endpoint."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }

    def run(*arguments: str) -> Any:
        command = [sys.executable, "-m", "awscli", *arguments, "--output", "json"]
        output = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout
        return json.loads(output) if output else None

    assert run("sts", "get-caller-identity")["Account"] == account
    run("iam", "create-role", "--role-name", "r", "--assume-role-policy-document", trust)
    arn = "arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess"
    run("iam", "attach-role-policy", "--role-name", "r", "--policy-arn", arn)
    assert run("iam", "get-role", "--role-name", "r")["Role"]["AssumeRolePolicyDocument"] == json.loads(trust)
    assert run("iam", "list-attached-role-policies", "--role-name", "r")["AttachedPolicies"][0]["PolicyArn"] == arn


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_denied_topic_is_denied_in_every_partition(
    iam: Any, alice: tuple[str, str], platform: RunningPlatform, account: str, signed_in: Clients, refusal: Refusal,
    partition: str,
) -> None:  # fmt: skip
    """SNS looks at no partition: whatever it takes for the topic is the topic that the policy means."""
    topic = platform.client("sns", account=account).create_topic(Name="secret")["TopicArn"]
    statements = [{"Effect": "Allow", "Action": "sns:*", "Resource": "*"},
                  {"Effect": "Deny", "Action": "sns:*", "Resource": topic}]  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy)
    sns, named = signed_in("sns", *alice), topic.replace(":aws:", f":{partition}:")
    for call, more in ((sns.publish, {"Message": "m"}), (sns.get_topic_attributes, {}), (sns.delete_topic, {})):
        code, text, status = refusal(call, TopicArn=named, **more)
        assert (code, "explicit deny" in text, status) == ("AuthorizationError", True, 403)
