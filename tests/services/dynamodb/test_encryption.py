"""Tables under customer managed keys of KMS.

AWS: DynamoDB Developer Guide, "DynamoDB encryption at rest"; API Reference, TableDescription, SSEDescription.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform
from tests.services.dynamodb.conftest import definition, refused

ITEM = {"pk": {"S": "a"}}
Use = Callable[[Any], Any]

USES: dict[str, Use] = {
    "PutItem": lambda client: client.put_item(TableName="tab", Item=ITEM),
    "GetItem": lambda client: client.get_item(TableName="tab", Key=ITEM),
    "UpdateItem": lambda client: client.update_item(TableName="tab", Key=ITEM),
    "DeleteItem": lambda client: client.delete_item(TableName="tab", Key=ITEM),
    "Scan": lambda client: client.scan(TableName="tab"),
    "BatchGetItem": lambda client: client.batch_get_item(RequestItems={"tab": {"Keys": [ITEM]}}),
    "BatchWriteItem": lambda client: client.batch_write_item(RequestItems={"tab": [{"PutRequest": {"Item": ITEM}}]}),
    "TransactWriteItems": lambda client: client.transact_write_items(
        TransactItems=[{"Put": {"TableName": "tab", "Item": ITEM}}]
    ),
    "ExecuteStatement": lambda client: client.execute_statement(Statement='SELECT * FROM "tab"'),
    "ExecuteTransaction": lambda client: client.execute_transaction(
        TransactStatements=[{"Statement": "SELECT * FROM \"tab\" WHERE pk = 'a'"}]
    ),
}


@pytest.fixture
def key(platform: RunningPlatform, account: str) -> str:
    """The id of a new key."""
    made: str = platform.client("kms", account=account).create_key()["KeyMetadata"]["KeyId"]
    return made


@pytest.fixture
def table(dynamodb: Any, key: str) -> str:
    """A table under it."""
    specification = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    dynamodb.create_table(TableName="tab", **definition("pk:S"), SSESpecification=specification)
    return "tab"


def user(platform: RunningPlatform, account: str, *more: dict[str, Any]) -> Any:
    """DynamoDB as a user who may all of it, and what the statements say."""
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="u")
    statements = [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}, *more]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=policy)
    made = iam.create_access_key(UserName="u")["AccessKey"]
    return platform.client("dynamodb", account=made["AccessKeyId"], secret=made["SecretAccessKey"])


def test_every_request_on_items_needs_the_key(platform: RunningPlatform, account: str, table: str) -> None:
    """kms:Decrypt, also to write."""
    client = user(platform, account)
    for use in USES.values():
        with pytest.raises(ClientError, match=r"AccessDeniedException.*KMS key access denied error: .*kms:Decrypt"):
            use(client)


def test_a_user_of_the_key_is_let_in_through_dynamodb(
    platform: RunningPlatform, account: str, table: str, dynamodb: Any
) -> None:
    """With the table's name and the account as encryption context."""
    condition = {
        "kms:ViaService": "dynamodb.us-east-1.amazonaws.com",
        "kms:EncryptionContext:aws:dynamodb:tableName": table,
        "kms:EncryptionContext:aws:dynamodb:subscriberId": account,
    }
    allowed = {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEquals": condition},
    }
    client = user(platform, account, allowed)
    for use in USES.values():
        use(client)


def test_a_table_whose_key_is_disabled_is_inaccessible(
    platform: RunningPlatform, account: str, key: str, table: str, dynamodb: Any
) -> None:
    """Until the key is enabled again."""
    kms = platform.client("kms", account=account)
    dynamodb.put_item(TableName="tab", Item=ITEM)
    kms.disable_key(KeyId=key)
    for use in USES.values():
        with pytest.raises(ClientError, match=r"AccessDeniedException.* is disabled"):
            use(dynamodb)
    described = dynamodb.describe_table(TableName="tab")["Table"]
    assert described["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    assert abs(described["SSEDescription"]["InaccessibleEncryptionDateTime"].timestamp() - platform.now()) < 60
    kms.enable_key(KeyId=key)
    described = dynamodb.describe_table(TableName="tab")["Table"]
    assert described["TableStatus"] == "ACTIVE"
    assert "InaccessibleEncryptionDateTime" not in described["SSEDescription"]
    assert dynamodb.get_item(TableName="tab", Key=ITEM)["Item"] == ITEM
    kms.schedule_key_deletion(KeyId=key)
    assert refused(dynamodb.get_item, TableName="tab", Key=ITEM)[0] == "AccessDeniedException"


def test_a_table_gets_no_key_that_its_maker_cannot_use(
    platform: RunningPlatform, account: str, key: str, dynamodb: Any
) -> None:
    """CreateTable and UpdateTable ask; the key that AWS manages needs no permission."""
    client = user(platform, account)
    under = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    made = {"TableName": "tab", **definition("pk:S")}
    assert refused(client.create_table, **made, SSESpecification=under)[0] == "AccessDeniedException"
    client.create_table(**made, SSESpecification={"Enabled": True})
    client.put_item(TableName="tab", Item=ITEM)
    assert refused(client.update_table, TableName="tab", SSESpecification=under)[0] == "AccessDeniedException"
    dynamodb.update_table(TableName="tab", SSESpecification=under)
    assert refused(client.get_item, TableName="tab", Key=ITEM)[0] == "AccessDeniedException"
