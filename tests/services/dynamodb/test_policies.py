"""The policies of tables and streams through boto3, from other accounts and for roles.

AWS: DynamoDB Developer Guide, "Using resource-based policies for DynamoDB".
"""

import json
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.dynamodb.conftest import Make, definition, message, refused

OTHER = "210987654321"


def policy(effect: str, actions: list[str], resources: list[str], principal: str = OTHER) -> str:
    """One statement; a principal of an account."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": effect,
                    "Principal": {"AWS": f"arn:aws:iam::{principal}:root"},
                    "Action": [f"dynamodb:{action}" for action in actions],
                    "Resource": resources,
                }
            ],
        }
    )


@pytest.fixture
def other(platform: RunningPlatform) -> Any:
    """A client of another account."""
    return platform.client("dynamodb", account=OTHER)


def arn_of(dynamodb: Any, name: str) -> str:
    """The table's."""
    return str(dynamodb.describe_table(TableName=name)["Table"]["TableArn"])


def test_another_account_needs_the_tables_policy(dynamodb: Any, make_table: Make, other: Any) -> None:
    """By the table's ARN, for the actions and indexes that it names; without the policy nothing."""
    index = {
        "IndexName": "by-g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    name = make_table("pk:S", {"g": "S"}, GlobalSecondaryIndexes=[index])
    arn = arn_of(dynamodb, name)
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "a"}, "g": {"S": "x"}})
    get = {"TableName": arn, "Key": {"pk": {"S": "a"}}}
    assert refused(other.get_item, **get)[0] == "AccessDeniedException"
    text = policy("Allow", ["GetItem", "Query"], [arn, f"{arn}/index/by-g"])
    revision = dynamodb.put_resource_policy(ResourceArn=arn, Policy=text)["RevisionId"]
    assert dynamodb.put_resource_policy(ResourceArn=arn, Policy=text)["RevisionId"] == revision
    assert other.get_item(**get)["Item"]["g"] == {"S": "x"}
    query = {"KeyConditionExpression": "g = :g", "ExpressionAttributeValues": {":g": {"S": "x"}}}
    assert other.query(TableName=arn, IndexName="by-g", **query)["Count"] == 1
    assert refused(other.put_item, TableName=arn, Item={"pk": {"S": "b"}})[0] == "AccessDeniedException"
    found = dynamodb.get_resource_policy(ResourceArn=arn)
    assert (found["Policy"], found["RevisionId"]) == (text, revision)
    assert dynamodb.delete_resource_policy(ResourceArn=arn)["RevisionId"] == revision
    assert refused(other.get_item, **get)[0] == "AccessDeniedException"
    assert refused(dynamodb.get_resource_policy, ResourceArn=arn)[0] == "PolicyNotFoundException"
    assert "RevisionId" not in dynamodb.delete_resource_policy(ResourceArn=arn)


def test_a_table_is_made_with_its_policy(dynamodb: Any, account: str, other: Any) -> None:
    """CreateTable's ResourcePolicy holds from the first request on; UpdateTable keeps it."""
    arn = f"arn:aws:dynamodb:us-east-1:{account}:table/shared"
    text = policy("Allow", ["PutItem"], [arn])
    dynamodb.create_table(TableName="shared", ResourcePolicy=text, **definition("pk:S"))
    other.put_item(TableName=arn, Item={"pk": {"S": "a"}})
    dynamodb.update_table(TableName="shared", DeletionProtectionEnabled=True)
    other.put_item(TableName=arn, Item={"pk": {"S": "b"}})
    assert dynamodb.get_resource_policy(ResourceArn=arn)["Policy"] == text
    assert "policy" in message(
        dynamodb.create_table, TableName="wrong", ResourcePolicy='{"Statement": 5}', **definition("pk:S")
    )


def test_a_streams_policy_is_its_own(dynamodb: Any, make_table: Make, platform: RunningPlatform, account: str) -> None:
    """The table's policy does not let anybody read the stream."""
    name = make_table("pk:S", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    table = dynamodb.describe_table(TableName=name)["Table"]
    stream = table["LatestStreamArn"]
    reader = platform.client("dynamodbstreams", account=OTHER)
    dynamodb.put_resource_policy(
        ResourceArn=table["TableArn"], Policy=policy("Allow", ["*"], [table["TableArn"], f"{table['TableArn']}/*"])
    )
    assert refused(reader.describe_stream, StreamArn=stream)[0] == "AccessDeniedException"
    text = policy("Allow", ["DescribeStream", "GetShardIterator"], [stream])
    dynamodb.put_resource_policy(ResourceArn=stream, Policy=text)
    shards = reader.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    iterator = reader.get_shard_iterator(
        StreamArn=stream, ShardId=shards[0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert refused(reader.get_records, ShardIterator=iterator)[0] == "AccessDeniedException"
    assert dynamodb.get_resource_policy(ResourceArn=stream)["Policy"] == text
    dynamodb.delete_resource_policy(ResourceArn=stream)
    assert refused(reader.describe_stream, StreamArn=stream)[0] == "AccessDeniedException"


def test_a_denial_holds_for_the_owner_but_for_the_way_back(dynamodb: Any, make_table: Make, account: str) -> None:
    """Who would lose the right to change the policy has to confirm it; the account's root can always delete it."""
    name = make_table("pk:S")
    arn = arn_of(dynamodb, name)
    text = policy("Deny", ["GetItem", "PutResourcePolicy", "DeleteResourcePolicy"], [arn], account)
    assert "ConfirmRemoveSelfResourceAccess" in message(dynamodb.put_resource_policy, ResourceArn=arn, Policy=text)
    dynamodb.put_resource_policy(ResourceArn=arn, Policy=text, ConfirmRemoveSelfResourceAccess=True)
    get = {"TableName": name, "Key": {"pk": {"S": "a"}}}
    assert refused(dynamodb.get_item, **get)[0] == "AccessDeniedException"
    assert refused(dynamodb.put_resource_policy, ResourceArn=arn, Policy=text)[0] == "AccessDeniedException"
    dynamodb.delete_resource_policy(ResourceArn=arn)
    dynamodb.get_item(**get)


def test_a_policy_is_changed_only_at_its_revision(dynamodb: Any, make_table: Make) -> None:
    """ExpectedRevisionId, and NO_POLICY for the first; what is no policy is refused."""
    name = make_table("pk:S")
    arn = arn_of(dynamodb, name)
    one, two = policy("Allow", ["GetItem"], [arn]), policy("Allow", ["PutItem"], [arn])
    put = dynamodb.put_resource_policy
    assert refused(put, ResourceArn=arn, Policy=one, ExpectedRevisionId="1")[0] == "PolicyNotFoundException"
    first = put(ResourceArn=arn, Policy=one, ExpectedRevisionId="NO_POLICY")["RevisionId"]
    assert refused(put, ResourceArn=arn, Policy=two, ExpectedRevisionId="NO_POLICY")[0] == "PolicyNotFoundException"
    second = put(ResourceArn=arn, Policy=two, ExpectedRevisionId=first)["RevisionId"]
    assert second != first
    delete = dynamodb.delete_resource_policy
    assert refused(delete, ResourceArn=arn, ExpectedRevisionId=first)[0] == "PolicyNotFoundException"
    delete(ResourceArn=arn, ExpectedRevisionId=second)
    assert "JSON" in message(put, ResourceArn=arn, Policy="{")
    assert refused(put, ResourceArn=f"{arn}-not", Policy=one)[0] == "ResourceNotFoundException"
