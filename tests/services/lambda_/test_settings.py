"""Settings that are kept and read back: code signing, runtime management, tags."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.lambda_.conftest import CODE, Account

PUBLISHERS = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/v1"]}


def refusal(call: Any, **params: Any) -> str:
    """The code of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"]


def test_code_signing_configurations(aws: Account) -> None:
    """Create, change, give to a function, list its users; one in use cannot be deleted."""
    functions = aws.client("lambda")
    made = functions.create_code_signing_config(AllowedPublishers=PUBLISHERS, Tags={"k": "v"})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    config = made["CodeSigningConfig"]
    arn = config["CodeSigningConfigArn"]
    assert arn == f"arn:aws:lambda:us-east-1:{aws.id}:code-signing-config:{config['CodeSigningConfigId']}"
    assert config["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    enforce = {"UntrustedArtifactOnDeployment": "Enforce"}
    functions.update_code_signing_config(CodeSigningConfigArn=arn, CodeSigningPolicies=enforce)
    found = functions.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"]
    assert (found["CodeSigningPolicies"], found["AllowedPublishers"]) == (enforce, PUBLISHERS)
    assert functions.list_tags(Resource=arn)["Tags"] == {"k": "v"}

    aws.create("one", CodeSigningConfigArn=arn)
    aws.create("two")
    assert "CodeSigningConfigArn" not in functions.get_function_code_signing_config(FunctionName="two")
    functions.put_function_code_signing_config(FunctionName="two", CodeSigningConfigArn=arn)
    assert functions.get_function_code_signing_config(FunctionName="two")["CodeSigningConfigArn"] == arn
    users = functions.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]
    assert [user.rpartition(":")[2] for user in users] == ["one", "two"]
    assert refusal(functions.delete_code_signing_config, CodeSigningConfigArn=arn) == "ResourceConflictException"
    functions.delete_function_code_signing_config(FunctionName="two")
    functions.delete_function(FunctionName="one")
    assert len(functions.list_code_signing_configs()["CodeSigningConfigs"]) == 1
    functions.delete_code_signing_config(CodeSigningConfigArn=arn)
    assert functions.list_code_signing_configs()["CodeSigningConfigs"] == []
    assert refusal(functions.get_code_signing_config, CodeSigningConfigArn=arn) == "ResourceNotFoundException"
    unknown = {"FunctionName": "two", "CodeSigningConfigArn": arn}
    assert refusal(functions.put_function_code_signing_config, **unknown) == "CodeSigningConfigNotFoundException"


def test_runtime_management(aws: Account) -> None:
    """Auto by default, per version; Manual needs the ARN of a runtime version."""
    functions = aws.client("lambda")
    aws.create(Publish=True)
    found = functions.get_runtime_management_config(FunctionName="f")
    assert (found["UpdateRuntimeOn"], found.get("RuntimeVersionArn")) == ("Auto", None)
    pinned = f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}"
    manual = {"FunctionName": "f", "Qualifier": "1", "UpdateRuntimeOn": "Manual"}
    assert refusal(functions.put_runtime_management_config, **manual) == "InvalidParameterValueException"
    functions.put_runtime_management_config(**manual, RuntimeVersionArn=pinned)
    found = functions.get_runtime_management_config(FunctionName="f", Qualifier="1")
    assert (found["UpdateRuntimeOn"], found["RuntimeVersionArn"]) == ("Manual", pinned)
    assert functions.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"] == "Auto"


def test_usage_counts_every_version_and_layer(aws: Account) -> None:
    """TotalCodeSize of functions and layers; UnreservedConcurrentExecutions is less what is reserved."""
    functions = aws.client("lambda")
    aws.create(Publish=True)
    functions.publish_layer_version(LayerName="l", Content={"ZipFile": CODE})
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=40)
    settings = functions.get_account_settings()
    assert settings["AccountUsage"] == {"TotalCodeSize": 3 * len(CODE), "FunctionCount": 1}
    assert settings["AccountLimit"] == {
        "TotalCodeSize": 80_530_636_800,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 960,
    }


def test_unknown_qualifiers_are_not_found(aws: Account) -> None:
    """$LATEST.PUBLISHED is of functions with capacity providers, which are not here: no such version."""
    functions = aws.client("lambda")
    aws.create()
    for params in ({"FunctionName": "f", "Qualifier": "$LATEST.PUBLISHED"}, {"FunctionName": "f:$LATEST.PUBLISHED"}):
        assert refusal(functions.get_function, **params) == "ResourceNotFoundException"
        assert refusal(functions.invoke, **params) == "ResourceNotFoundException"
