"""Secrets Manager through boto3.

AWS: Secrets Manager User Guide; API Reference, the operations named.
"""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests import platform as platforms
from tests.e2e.functions import create_function
from tests.platform import RunningPlatform

DAY_S = 86_400


@pytest.fixture
def secrets(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("secretsmanager", account=account)


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Code and text of the error that a call must give."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    told = caught.value.response["Error"]
    return told["Code"], told.get("Message", "")


def read(secrets: Any, secret_id: str, **which: Any) -> str:
    """A secret's text."""
    text: str = secrets.get_secret_value(SecretId=secret_id, **which)["SecretString"]
    return text


def test_a_secret_is_found_by_name_and_by_arn(secrets: Any, account: str) -> None:
    """S2-24: the ARN ends in six random characters; it may be left out."""
    made = secrets.create_secret(Name="app/db", SecretString="one", Description="d")
    assert made["ARN"].startswith(f"arn:aws:secretsmanager:us-east-1:{account}:secret:app/db-")
    assert len(made["ARN"].rsplit("-", 1)[1]) == 6
    for secret_id in ("app/db", made["ARN"], made["ARN"][:-7]):
        assert read(secrets, secret_id) == "one"
    assert refusal(secrets.create_secret, Name="app/db", SecretString="two") == (
        "ResourceExistsException",
        "The operation failed because the secret app/db already exists.",
    )
    assert refusal(secrets.get_secret_value, SecretId="none") == (
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
    described = secrets.describe_secret(SecretId="app/db")
    assert (described["Description"], described["VersionIdsToStages"]) == ("d", {made["VersionId"]: ["AWSCURRENT"]})


def test_stages_follow_new_values(secrets: Any) -> None:
    """AWSCURRENT moves on and leaves AWSPREVIOUS; other stages are moved by name."""
    first = secrets.create_secret(Name="s", SecretString="1")["VersionId"]
    second = secrets.put_secret_value(SecretId="s", SecretString="2")["VersionId"]
    assert (read(secrets, "s"), read(secrets, "s", VersionStage="AWSPREVIOUS")) == ("2", "1")
    third = secrets.put_secret_value(SecretId="s", SecretString="3", VersionStages=["test"])["VersionId"]
    assert read(secrets, "s") == "2"
    assert read(secrets, "s", VersionId=third) == "3"
    move = {"SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": third}
    code, text = refusal(secrets.update_secret_version_stage, **move)
    assert (code, second in text) == ("InvalidParameterException", True)
    secrets.update_secret_version_stage(**move, RemoveFromVersionId=second)
    stages = secrets.describe_secret(SecretId="s")["VersionIdsToStages"]
    assert {key: sorted(value) for key, value in stages.items()} == {
        second: ["AWSPREVIOUS"],
        third: ["AWSCURRENT", "test"],
    }
    listed = secrets.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]
    assert {one["VersionId"] for one in listed} == {first, second, third}
    assert len(secrets.list_secret_version_ids(SecretId="s")["Versions"]) == 2
    code, text = refusal(secrets.get_secret_value, SecretId="s", VersionStage="none")
    assert text == "Secrets Manager can't find the specified secret value for staging label: none"


def test_a_request_token_makes_a_version_once(secrets: Any) -> None:
    """The same value again is the same version; another value is refused."""
    token = "0" * 32
    secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=token)
    assert secrets.create_secret(Name="s", SecretString="v", ClientRequestToken=token)["VersionId"] == token
    given = {"SecretId": "s", "ClientRequestToken": token}
    secrets.put_secret_value(**given, SecretString="v")
    assert refusal(secrets.put_secret_value, **given, SecretString="w")[0] == "ResourceExistsException"
    assert len(secrets.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]) == 1


def test_binary_secrets_and_updates(secrets: Any) -> None:
    """Bytes stay bytes; UpdateSecret changes the description or the value."""
    secrets.create_secret(Name="b", SecretBinary=b"\x00\xff")
    assert secrets.get_secret_value(SecretId="b")["SecretBinary"] == b"\x00\xff"
    secrets.update_secret(SecretId="b", Description="new")
    assert secrets.update_secret(SecretId="b", SecretString="text")["VersionId"]
    assert read(secrets, "b") == "text"
    assert refusal(secrets.put_secret_value, SecretId="b", SecretString="x", SecretBinary=b"y")[0] == (
        "InvalidParameterException"
    )
    assert refusal(secrets.put_secret_value, SecretId="b")[0] == "InvalidParameterException"


def test_deletion_can_be_taken_back_until_its_window_ends() -> None:
    """Unreadable at once; the name is free when the window is over, or at once with Force."""
    with platforms.running() as running:
        secrets = running.client("secretsmanager")
        secrets.create_secret(Name="s", SecretString="v")
        secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7)
        code, text = refusal(secrets.get_secret_value, SecretId="s")
        assert (code, "marked for deletion" in text) == ("InvalidRequestException", True)
        assert refusal(secrets.create_secret, Name="s", SecretString="w")[0] == "InvalidRequestException"
        assert secrets.list_secrets()["SecretList"] == []
        assert len(secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]) == 1
        secrets.restore_secret(SecretId="s")
        assert read(secrets, "s") == "v"
        secrets.delete_secret(SecretId="s")
        running.advance(31 * DAY_S)
        for _ in range(200):
            if not secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
                break
        secrets.create_secret(Name="s", SecretString="new")
        secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
        assert refusal(secrets.describe_secret, SecretId="s")[0] == "ResourceNotFoundException"
        both = {"SecretId": "s", "ForceDeleteWithoutRecovery": True, "RecoveryWindowInDays": 7}
        assert refusal(secrets.delete_secret, **both)[0] == "InvalidParameterException"


def test_lists_filter_and_page(secrets: Any) -> None:
    """By name prefix, tag, negated value and words."""
    for number in range(5):
        tags = [{"Key": "team", "Value": "a" if number < 2 else "b"}]
        secrets.create_secret(Name=f"s{number}", SecretString="v", Tags=tags, Description=f"The secret of app {number}")

    def names(*filters: dict[str, Any], **settings: Any) -> list[str]:
        found = secrets.list_secrets(Filters=list(filters), SortBy="name", SortOrder="asc", **settings)
        return [one["Name"] for one in found["SecretList"]]

    assert names({"Key": "tag-value", "Values": ["a"]}) == ["s0", "s1"]
    assert names({"Key": "name", "Values": ["!s0"]}) == ["s1", "s2", "s3", "s4"]
    assert names({"Key": "all", "Values": ["app 3"]}) == ["s3"]
    pages = secrets.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["SecretList"]) for page in pages] == [2, 2, 1]
    batch = secrets.batch_get_secret_value(SecretIdList=["s1", "none"])
    assert [one["Name"] for one in batch["SecretValues"]] == ["s1"]
    assert [one["ErrorCode"] for one in batch["Errors"]] == ["ResourceNotFoundException"]


@pytest.mark.parametrize("with_value", [False, True])
def test_another_key_takes_over_what_is_labelled(
    platform: RunningPlatform, account: str, secrets: Any, with_value: bool
) -> None:
    """AWSCURRENT, AWSPENDING and AWSPREVIOUS are encrypted anew; a version with other labels stays under its key."""
    kms = platform.client("kms", account=account)
    first, second = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    secrets.create_secret(Name="s", SecretString="old", KmsKeyId=first)
    secrets.put_secret_value(SecretId="s", SecretString="mine", VersionStages=["MINE"])
    secrets.put_secret_value(SecretId="s", SecretString="new")
    secrets.update_secret(SecretId="s", KmsKeyId=second, **({"SecretString": "newest"} if with_value else {}))
    kms.disable_key(KeyId=first)
    assert read(secrets, "s") == ("newest" if with_value else "new")
    assert read(secrets, "s", VersionStage="AWSPREVIOUS") == ("new" if with_value else "old")
    assert refusal(secrets.get_secret_value, SecretId="s", VersionStage="MINE")[0] == "DecryptionFailure"
    kms.disable_key(KeyId=second)
    assert refusal(secrets.get_secret_value, SecretId="s")[0] == "DecryptionFailure"
    none = "11111111-2222-3333-4444-555555555555"
    kms.enable_key(KeyId=second)
    assert refusal(secrets.update_secret, SecretId="s", KmsKeyId=none)[0] == "EncryptionFailure"
    assert secrets.describe_secret(SecretId="s")["KmsKeyId"] == second


def test_another_account_needs_policy_and_key(platform: RunningPlatform, account: str, secrets: Any) -> None:
    """The secret's policy and the key's policy; AWS's own key lets nobody in from outside."""
    kms = platform.client("kms", account=account)
    key = kms.create_key()["KeyMetadata"]
    arn = secrets.create_secret(Name="s", SecretString="v", KmsKeyId=key["Arn"])["ARN"]
    other = platform.client("secretsmanager", account="444253827891")
    assert refusal(other.get_secret_value, SecretId=arn)[0] == "AccessDeniedException"
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::444253827891:root"},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }
    secrets.put_resource_policy(
        SecretId="s", ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    )
    assert refusal(other.get_secret_value, SecretId=arn) == ("AccessDeniedException", "Access to KMS is not allowed")
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    policy["Statement"].append({**allow, "Action": "kms:Decrypt"})
    kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(policy))
    assert read(other, arn) == "v"
    assert json.loads(secrets.get_resource_policy(SecretId="s")["ResourcePolicy"])["Statement"] == [allow]
    secrets.delete_resource_policy(SecretId="s")
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId="s")
    public = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Principal": "*"}]})
    assert secrets.validate_resource_policy(ResourcePolicy=public)["PolicyValidationPassed"] is False
    code, _ = refusal(secrets.put_resource_policy, SecretId="s", ResourcePolicy=public, BlockPublicPolicy=True)
    assert code == "PublicPolicyException"


def test_random_passwords_keep_their_rules(secrets: Any) -> None:
    """Length, exclusions, one of each kind."""
    text = secrets.get_random_password(PasswordLength=20, ExcludePunctuation=True, ExcludeCharacters="abc")[
        "RandomPassword"
    ]
    assert len(text) == 20
    assert not set(text) & set("abc!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ")
    assert any(one.isdigit() for one in text)
    assert any(one.isupper() for one in text)
    every = {"ExcludeNumbers": True, "ExcludePunctuation": True, "ExcludeUppercase": True, "ExcludeLowercase": True}
    assert refusal(secrets.get_random_password, **every)[0] == "InvalidParameterException"


ROTATE = """
import boto3

def handler(event, context):
    client = boto3.client("secretsmanager")
    secret, token = event["SecretId"], event["ClientRequestToken"]
    if event["Step"] == "createSecret":
        client.put_secret_value(
            SecretId=secret, ClientRequestToken=token, SecretString="rotated " + token, VersionStages=["AWSPENDING"]
        )
    if event["Step"] == "finishSecret":
        stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
"""
SLOW_ROTATE = ROTATE.replace('if event["Step"] == "createSecret":', 'if event["Step"] == "createSecret" and wait():')
SLOW_ROTATE += "def wait():\n    import time; time.sleep(1.5); return True\n"


def test_a_function_rotates_a_secret_now_and_by_schedule() -> None:
    """The four steps; the version of the token becomes current. Then again when its days are over."""
    with platforms.running() as running:
        secrets, token = running.client("secretsmanager"), _begin_rotation(running, ROTATE)
        assert _rotated(secrets, "old") == f"rotated {token}"
        described = secrets.describe_secret(SecretId="s")
        assert described["RotationEnabled"] is True
        assert described["RotationLambdaARN"].endswith(":function:rotate")
        assert read(secrets, "s", VersionStage="AWSPREVIOUS") == "old"
        _await_end_of_rotation(secrets)
        running.advance(31 * DAY_S)
        assert _rotated(secrets, f"rotated {token}").startswith("rotated ")
        secrets.cancel_rotate_secret(SecretId="s")
        assert secrets.describe_secret(SecretId="s")["RotationEnabled"] is False


def test_a_function_that_does_not_let_secrets_manager_in_rotates_nothing(
    platform: RunningPlatform, account: str, secrets: Any
) -> None:
    """Secrets Manager User Guide, "Lambda rotation function permissions"; IAM, "The confused deputy problem".

    RotateSecret is refused and leaves no configuration behind: for a function without a policy, for one of another
    account that lets in its own account's secrets only, and for one that is not there, now or later.
    """
    other = "22" + account[2:]
    foreign, closed = (create_function(platform, owner, "f", ROTATE) for owner in (other, account))
    _let_in(platform, other, "f")
    secrets.create_secret(Name="s", SecretString="old")
    denied = (
        "AccessDeniedException",
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to "
        "the principal secretsmanager.amazonaws.com.",
    )
    gone = ("ResourceNotFoundException", "Lambda does not exist or could not be accessed")
    nowhere = f"arn:aws:lambda:us-east-1:{account}:function:nonesuch"
    for function, told in ((closed, denied), (foreign, denied), (nowhere, gone), ("nonesuch", gone)):
        for now in (True, False):
            given = {"SecretId": "s", "RotationLambdaARN": function, "RotateImmediately": now}
            assert refusal(secrets.rotate_secret, **given, RotationRules={"AutomaticallyAfterDays": 30}) == told
    assert "RotationLambdaARN" not in secrets.describe_secret(SecretId="s")
    assert platform.client("logs", account=other).describe_log_groups()["logGroups"] == []


TEST_ONLY = """
import json
import boto3

def handler(event, context):
    client = boto3.client("secretsmanager")
    of = {"SecretId": event["SecretId"], "VersionId": event["ClientRequestToken"]}
    value = client.get_secret_value(**of, VersionStage="AWSPENDING")["SecretString"]
    described = client.describe_secret(SecretId=event["SecretId"])
    client.create_secret(Name="told", SecretString=json.dumps([event["Step"], value, described["RotationEnabled"]]))
"""


def test_a_rotation_that_is_not_now_tests_its_configuration(
    platform: RunningPlatform, account: str, secrets: Any
) -> None:
    """API Reference, RotateSecret, RotateImmediately: testSecret runs; AWSPENDING is created and then removed."""
    function = create_function(platform, account, "f", TEST_ONLY, Timeout=30)
    _let_in(platform, account, "f")
    secrets.create_secret(Name="s", SecretString="old")
    rules = {"AutomaticallyAfterDays": 30}
    secrets.rotate_secret(SecretId="s", RotationLambdaARN=function, RotationRules=rules, RotateImmediately=False)
    told = _eventually(lambda: [read(secrets, "told")])
    assert json.loads(told[0]) == ["testSecret", "old", True]
    left = _eventually(lambda: [of for of in [_stages(secrets)] if len(of) == 1])
    assert left == [[["AWSCURRENT"]]]
    assert (read(secrets, "s"), "LastRotatedDate" in secrets.describe_secret(SecretId="s")) == ("old", False)


def _stages(secrets: Any) -> list[list[str]]:
    versions = secrets.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]
    return [one.get("VersionStages", []) for one in versions]


def _eventually(look: Callable[[], list[Any]]) -> list[Any]:
    """What it finds, once it finds anything."""
    for _ in range(600):
        with contextlib.suppress(ClientError):
            if found := look():
                return found
        time.sleep(0.05)
    raise AssertionError("it never came")


def _let_in(platform: RunningPlatform, account: str, function: str) -> None:
    platform.client("lambda", account=account).add_permission(
        FunctionName=function,
        StatementId="rotation",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceAccount=account,
    )


def _await_end_of_rotation(secrets: Any) -> None:
    """The label moves inside the last step, before the rotation is over."""
    for _ in range(200):
        if "LastRotatedDate" in secrets.describe_secret(SecretId="s"):
            return
        time.sleep(0.05)
    raise AssertionError("the rotation did not end")


def _rotated(secrets: Any, before: str, name: str = "s") -> str:
    """The value that comes after this one."""
    for _ in range(200):
        value = read(secrets, name)
        if value != before:
            return value
        time.sleep(0.05)
    raise AssertionError("the secret was not rotated")


def test_a_rotation_needs_a_function_and_a_schedule_that_can_be(secrets: Any) -> None:
    """At most every four hours, in windows that begin on the hour."""
    secrets.create_secret(Name="s", SecretString="v")
    assert refusal(secrets.rotate_secret, SecretId="s")[0] == "InvalidRequestException"
    function = "arn:aws:lambda:us-east-1:000000000000:function:f"
    for rules, code in (
        ({"ScheduleExpression": "rate(1 hour)"}, "InvalidParameterException"),
        ({"ScheduleExpression": "cron(0 8 1 * *)"}, "InvalidParameterException"),
        ({"ScheduleExpression": "cron(30 8 1 * ? *)"}, "InvalidParameterException"),
        ({"ScheduleExpression": "cron(0 8,10 * * ? *)"}, "InvalidParameterException"),
        ({"ScheduleExpression": "cron(0 8 * * ? *)", "AutomaticallyAfterDays": 3}, "InvalidParameterException"),
        ({"ScheduleExpression": "rate(4 hours)", "AutomaticallyAfterDays": 3}, "InvalidParameterException"),
    ):
        given = {"SecretId": "s", "RotationLambdaARN": function, "RotationRules": rules, "RotateImmediately": False}
        assert refusal(secrets.rotate_secret, **given)[0] == code


def test_a_secret_is_rotated_once_at_a_time() -> None:
    """Neither a request nor the schedule begins another one while the function is asked."""
    with platforms.running() as running:
        secrets, token = running.client("secretsmanager"), _begin_rotation(running, SLOW_ROTATE)
        code, text = refusal(secrets.rotate_secret, SecretId="s")
        assert (code, "isn't complete" in text) == ("InvalidRequestException", True)
        running.advance(31 * DAY_S)
        assert _rotated(secrets, "old") == f"rotated {token}"
        _await_end_of_rotation(secrets)
        assert len(secrets.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]) == 2


def test_a_rotation_goes_on_after_a_kill(tmp_path: Path) -> None:
    """RotateSecret was answered: its steps are taken by the next process where this one is killed at the first."""
    first = platforms.start(tmp_path)
    try:
        token = _begin_rotation(first, SLOW_ROTATE)
    finally:
        first.kill()
    with platforms.running(tmp_path) as second:
        assert _rotated(second.client("secretsmanager"), "old") == f"rotated {token}"


def _begin_rotation(running: RunningPlatform, code: str) -> str:
    secrets = running.client("secretsmanager")
    arn = create_function(running, "000000000000", "rotate", code, Timeout=30)
    secrets.create_secret(Name="s", SecretString="old")
    _let_in(running, "000000000000", "rotate")
    rules = {"AutomaticallyAfterDays": 30}
    token: str = secrets.rotate_secret(SecretId="s", RotationLambdaARN=arn, RotationRules=rules)["VersionId"]
    return token
