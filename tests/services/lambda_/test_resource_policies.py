"""A function's resource policy as one document."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.lambda_.conftest import Account


def document(arn: str, **changes: Any) -> str:
    """A policy that lets S3 invoke the function."""
    statement = {
        "Sid": "mine",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        **changes,
    }
    return json.dumps({"Version": "2012-10-17", "Id": "own", "Statement": [statement]})


def test_document_replaces_and_joins_statements(aws: Account) -> None:
    """PutResourcePolicy overwrites what AddPermission made; AddPermission adds to it; each sees the other."""
    functions = aws.client("lambda")
    arn = aws.create()["FunctionArn"]
    other = {"Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
    functions.add_permission(FunctionName="f", StatementId="old", **other)
    put = functions.put_resource_policy(ResourceArn=arn, Policy=document(arn))
    assert json.loads(put["Policy"])["Id"] == "own"
    functions.add_permission(FunctionName="f", StatementId="new", **other)
    found = functions.get_resource_policy(ResourceArn=arn)
    assert [one["Sid"] for one in json.loads(found["Policy"])["Statement"]] == ["mine", "new"]
    assert functions.get_policy(FunctionName="f") | {"ResponseMetadata": 0} == found | {"ResponseMetadata": 0}
    with pytest.raises(functions.exceptions.PreconditionFailedException):
        functions.put_resource_policy(ResourceArn=arn, Policy=document(arn), RevisionId=put["RevisionId"])
    functions.put_resource_policy(ResourceArn=arn, Policy=document(arn), RevisionId=found["RevisionId"])
    functions.delete_resource_policy(ResourceArn=arn)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_resource_policy(ResourceArn=arn)


def test_document_is_enforced_per_qualifier(aws: Account) -> None:
    """Another account may invoke the alias whose policy says so, and nothing else."""
    other = Account(aws.platform, f"{(int(aws.id) + 1) % 10**12:012}")
    functions = aws.client("lambda")
    arn = aws.create(Publish=True)["FunctionArn"].removesuffix(":1")
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    principal = {"AWS": f"arn:aws:iam::{other.id}:root"}
    functions.put_resource_policy(
        ResourceArn=f"{arn}:live", Policy=document(f"{arn}:live", Principal=principal, Condition={})
    )
    assert other.invoke(f"{arn}:live")[0]["StatusCode"] == 200
    with pytest.raises(ClientError) as caught:
        other.invoke(arn)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


@pytest.mark.parametrize(
    "changes", [{"Resource": "*"}, {"Principal": None}, {"Effect": "Perhaps"}, {"Action": []}], ids=str
)
def test_document_is_checked(aws: Account, changes: dict[str, Any]) -> None:
    """It must be a resource policy about this very resource."""
    arn = aws.create()["FunctionArn"]
    with pytest.raises(ClientError) as caught:
        aws.client("lambda").put_resource_policy(ResourceArn=arn, Policy=document(arn, **changes))
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
