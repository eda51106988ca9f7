"""Resource policies and what a request needs."""

import json
from typing import Any

import pytest

from tests.unit.lambda_.conftest import ROLE, World
from undercast.core.errors import ServiceError
from undercast.core.service import Access
from undercast.services.lambda_.access import access, policy_of

ARN = "arn:aws:lambda:us-west-2:111122223333:function:f"
BUCKET = {
    "StatementId": "AllowExecutionFromS3Bucket",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
    "SourceArn": "arn:aws:s3:::bucket",
    "SourceAccount": "111122223333",
}
STATEMENT = {
    "Sid": "AllowExecutionFromS3Bucket",
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": ARN,
    "Condition": {
        "StringEquals": {"AWS:SourceAccount": "111122223333"},
        "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
    },
}


async def refused(world: World, operation: str, **params: Any) -> ServiceError:
    """The error of a call that must fail."""
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, FunctionName="f", **params)
    return caught.value


async def test_statement_is_written_as_aws_writes_it(world: World) -> None:
    """AddPermission answers with the statement; GetPolicy shows the document; the policy is there for S3 to ask."""
    await world.create()
    added = await world.call("AddPermission", FunctionName="f", **BUCKET)
    assert json.loads(added["Statement"]) == STATEMENT
    policy = json.loads((await world.call("GetPolicy", FunctionName="f"))["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [STATEMENT]}
    assert await policy_of(world.functions, ARN) == policy
    await world.call("RemovePermission", FunctionName="f", StatementId="AllowExecutionFromS3Bucket")
    assert await policy_of(world.functions, ARN) is None


@pytest.mark.parametrize(
    ("principal", "written"),
    [
        ("444253827891", {"AWS": "arn:aws:iam::444253827891:root"}),
        ("arn:aws:iam::444253827891:role/r", {"AWS": "arn:aws:iam::444253827891:role/r"}),
        ("events.amazonaws.com", {"Service": "events.amazonaws.com"}),
        ("*", "*"),
    ],
)
async def test_principal_can_be_account_arn_or_service(world: World, principal: str, written: object) -> None:
    """An account id becomes its root's ARN."""
    await world.create()
    params = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": principal}
    added = await world.call("AddPermission", FunctionName="f", **params)
    assert json.loads(added["Statement"])["Principal"] == written
    error = await refused(world, "AddPermission", **{**params, "Principal": "nobody", "StatementId": "t"})
    assert error.message == "The provided principal was invalid. Please check the principal and try again."


async def test_errors_of_policies(world: World) -> None:
    """Double ids, missing statements and policies, stale revisions, 20 KB."""
    await world.create()
    missing = await refused(world, "GetPolicy")
    assert (missing.status, missing.message) == (404, "The resource you requested does not exist.")
    await world.call("AddPermission", FunctionName="f", **BUCKET)
    double = await refused(world, "AddPermission", **BUCKET)
    assert (double.code, double.status) == ("ResourceConflictException", 409)
    assert double.message == (
        "The statement id (AllowExecutionFromS3Bucket) provided already exists. "
        "Please provide a new statement id, or remove the existing statement."
    )
    absent = await refused(world, "RemovePermission", StatementId="other")
    assert absent.message == "Statement other is not found in resource policy."
    stale = await refused(world, "RemovePermission", StatementId=BUCKET["StatementId"], RevisionId="old")
    assert stale.status == 412
    long = {**BUCKET, "SourceArn": "arn:aws:s3:::" + "b" * 20_480, "StatementId": "long"}
    assert (await refused(world, "AddPermission", **long)).code == "PolicyLengthExceededException"


async def test_version_and_alias_have_policies_of_their_own(world: World) -> None:
    """Qualifier; $LATEST has none."""
    await world.create(Publish=True)
    await world.call("CreateAlias", FunctionName="f", Name="prod", FunctionVersion="1")
    await world.call("AddPermission", FunctionName="f", Qualifier="prod", **BUCKET)
    assert await policy_of(world.functions, ARN) is None
    policy = await policy_of(world.functions, f"{ARN}:prod")
    assert policy is not None
    assert policy["Statement"][0]["Resource"] == f"{ARN}:prod"
    error = await refused(world, "AddPermission", Qualifier="$LATEST", **BUCKET)
    assert error.message == "We currently do not support adding policies for $LATEST."


async def test_request_needs_the_function_and_passing_a_role(world: World) -> None:
    """lambda:InvokeFunction on the qualified ARN; CreateFunction also iam:PassRole on the role."""
    await world.create(Publish=True)
    ctx = world.context()
    params = {"FunctionName": "f", "Qualifier": "1"}
    (needed,) = await access(world.functions, ctx, "Invoke", params)
    assert needed == Access(action="lambda:InvokeFunction", resource=f"{ARN}:1", resource_account_id="111122223333")
    _, passed = await access(world.functions, ctx, "CreateFunction", {"FunctionName": "g", "Role": ROLE})
    assert passed == Access(
        action="iam:PassRole", resource=ROLE, conditions={"iam:PassedToService": "lambda.amazonaws.com"}
    )
    (listed,) = await access(world.functions, ctx, "ListFunctions", {})
    assert listed == Access(action="lambda:ListFunctions", resource="*")
