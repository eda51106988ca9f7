"""What IAM policies can say of layers and URLs."""

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.services.lambda_.conftest import CODE, Account


def user(aws: Account, *statements: dict[str, Any]) -> Any:
    """A Lambda client of a user who may what the statements say."""
    iam = aws.client("iam")
    iam.create_user(UserName="u")
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    make: Any = boto3.client
    return make(
        "lambda",
        endpoint_url=aws.platform.url,
        region_name=aws.region,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        config=Config(retries={"max_attempts": 0}),
    )


def refused(call: Any, **params: Any) -> bool:
    """Whether IAM denies it."""
    try:
        call(**params)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return True
    return False


def allow(*actions: str, **condition: Any) -> dict[str, Any]:
    """A statement about everything."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **condition}


def test_another_accounts_resources_are_out_of_reach_by_their_arns(aws: Account) -> None:
    """Code signing configurations and tags have no policy that could let another account in: AccessDeniedException.

    AWS: "Using code signing to verify code integrity with Lambda": the configuration is of the function's account.
    """
    mine, stranger = aws.client("lambda"), aws.other()
    publishers = {"SigningProfileVersionArns": [f"arn:aws:signer:us-east-1:{aws.id}:/signing-profiles/p/abcdefghij"]}
    config = mine.create_code_signing_config(AllowedPublishers=publishers, Tags={"k": "v"})["CodeSigningConfig"]
    arn, function = config["CodeSigningConfigArn"], aws.create()["FunctionArn"]
    theirs = stranger.client("lambda")
    for call, params in (
        (theirs.get_code_signing_config, {"CodeSigningConfigArn": arn}),
        (theirs.update_code_signing_config, {"CodeSigningConfigArn": arn, "Description": "mine now"}),
        (theirs.delete_code_signing_config, {"CodeSigningConfigArn": arn}),
        (theirs.list_functions_by_code_signing_config, {"CodeSigningConfigArn": arn}),
        *((theirs.list_tags, {"Resource": one}) for one in (arn, function)),
        *((theirs.tag_resource, {"Resource": one, "Tags": {"a": "b"}}) for one in (arn, function)),
        *((theirs.untag_resource, {"Resource": one, "TagKeys": ["k"]}) for one in (arn, function)),
    ):
        assert refused(call, **params), params
    stranger.create("theirs")
    with pytest.raises(ClientError, match="CodeSigningConfigNotFoundException"):
        theirs.put_function_code_signing_config(FunctionName="theirs", CodeSigningConfigArn=arn)
    assert mine.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"] == config
    assert mine.list_tags(Resource=arn)["Tags"] == {"k": "v"}


def test_layers_can_be_limited_to_some(aws: Account) -> None:
    """lambda:Layer: a user may configure functions with the layers of one account, name by name."""
    owner = aws.client("lambda")
    good, bad = (
        owner.publish_layer_version(LayerName=name, Content={"ZipFile": CODE})["LayerVersionArn"]
        for name in ("good", "bad")
    )
    aws.create()
    condition = {"ForAllValues:StringLike": {"lambda:Layer": [f"{good[:-1]}*"]}}
    client = user(
        aws,
        allow("lambda:GetLayerVersion"),
        allow("lambda:UpdateFunctionConfiguration", Condition=condition),
    )
    assert refused(client.update_function_configuration, FunctionName="f", Layers=[good, bad])
    assert not refused(client.update_function_configuration, FunctionName="f", Layers=[good])


def test_a_layer_needs_permission_in_its_own_account_too(aws: Account) -> None:
    """lambda:GetLayerVersion: whoever attaches a layer must be allowed to read it."""
    arn = aws.client("lambda").publish_layer_version(LayerName="l", Content={"ZipFile": CODE})["LayerVersionArn"]
    aws.create()
    client = user(aws, allow("lambda:UpdateFunctionConfiguration"))
    assert refused(client.update_function_configuration, FunctionName="f", Layers=[arn])
    assert not refused(client.update_function_configuration, FunctionName="f", Timeout=4)


@pytest.mark.parametrize(("auth_type", "expected"), [("NONE", True), ("AWS_IAM", False)])
def test_public_urls_can_be_forbidden(aws: Account, auth_type: str, expected: bool) -> None:
    """lambda:FunctionUrlAuthType: only URLs with AWS_IAM may be made."""
    aws.create()
    condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}
    client = user(aws, allow("lambda:CreateFunctionUrlConfig", Condition=condition))
    assert refused(client.create_function_url_config, FunctionName="f", AuthType=auth_type) == expected
