"""TransactWriteItems and TransactGetItems through boto3.

AWS: DynamoDB Developer Guide, "Amazon DynamoDB Transactions: How it works".
"""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests import platform as platforms
from tests.services.dynamodb.conftest import Make, definition, message, refused


def put(table: str, key: str, **more: Any) -> dict[str, Any]:
    """One Put."""
    return {"Put": {"TableName": table, "Item": {"pk": {"S": key}}, **more}}


def test_a_failed_condition_undoes_everything(dynamodb: Any, make_table: Make) -> None:
    """S4-07: over two tables; a reason for each action."""
    one, two = make_table(), make_table()
    dynamodb.put_item(TableName=two, Item={"pk": {"S": "there"}, "n": {"N": "1"}})
    failing = {
        "TableName": two,
        "Key": {"pk": {"S": "there"}},
        "UpdateExpression": "SET n = n + :v",
        "ConditionExpression": "n > :v",
        "ExpressionAttributeValues": {":v": {"N": "1"}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    with pytest.raises(ClientError) as caught:
        dynamodb.transact_write_items(TransactItems=[put(one, "new"), {"Update": failing}, put(two, "other")])
    error: Any = caught.value.response
    assert error["Error"]["Code"] == "TransactionCanceledException"
    assert error["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed, None]"
    )
    assert error["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": {"pk": {"S": "there"}, "n": {"N": "1"}},
        },
        {"Code": "None"},
    ]
    assert dynamodb.scan(TableName=one)["Count"] == 0
    assert dynamodb.scan(TableName=two)["Items"] == [{"pk": {"S": "there"}, "n": {"N": "1"}}]


def test_all_kinds_in_one_transaction(dynamodb: Any, make_table: Make) -> None:
    """A check changes nothing; the capacity is doubled."""
    name = make_table()
    for key in ("checked", "deleted", "updated"):
        dynamodb.put_item(TableName=name, Item={"pk": {"S": key}})
    check = {
        "TableName": name,
        "Key": {"pk": {"S": "checked"}},
        "ConditionExpression": "attribute_exists(pk)",
    }
    update = {
        "TableName": name,
        "Key": {"pk": {"S": "updated"}},
        "UpdateExpression": "SET v = :v",
        "ExpressionAttributeValues": {":v": {"S": "x"}},
    }
    done = dynamodb.transact_write_items(
        TransactItems=[
            put(name, "put"),
            {"ConditionCheck": check},
            {"Update": update},
            {"Delete": {"TableName": name, "Key": {"pk": {"S": "deleted"}}}},
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    assert done["ConsumedCapacity"] == [{"TableName": name, "CapacityUnits": 8.0, "WriteCapacityUnits": 8.0}]
    gets = [{"Get": {"TableName": name, "Key": {"pk": {"S": key}}}} for key in ("updated", "deleted", "put")]
    gets[0]["Get"]["ProjectionExpression"] = "v"
    found = dynamodb.transact_get_items(TransactItems=gets, ReturnConsumedCapacity="TOTAL")
    assert found["Responses"] == [{"Item": {"v": {"S": "x"}}}, {}, {"Item": {"pk": {"S": "put"}}}]
    assert found["ConsumedCapacity"][0]["ReadCapacityUnits"] == 6.0


def test_what_cannot_be_in_a_transaction(dynamodb: Any, make_table: Make) -> None:
    """Two actions on one item, a table that is not there, an action of several kinds."""
    name = make_table()
    text = message(dynamodb.transact_write_items, TransactItems=[put(name, "a"), put(name, "a")])
    assert text == "Transaction request cannot include multiple operations on one item"
    code, _ = refused(dynamodb.transact_write_items, TransactItems=[put(name, "a"), put("nowhere", "a")])
    assert code == "ResourceNotFoundException"
    wrong = {**put(name, "a"), "Delete": {"TableName": name, "Key": {"pk": {"S": "b"}}}}
    text = message(dynamodb.transact_write_items, TransactItems=[wrong])
    assert text == "TransactItems can only contain one of Check, Put, Update or Delete"
    bad = {"Put": {"TableName": name, "Item": {"pk": {"N": "1"}}}}
    code, text = refused(dynamodb.transact_write_items, TransactItems=[put(name, "a"), bad])
    assert (code, text[-23:]) == ("TransactionCanceledException", "[None, ValidationError]")
    assert dynamodb.scan(TableName=name)["Count"] == 0


def test_a_token_is_good_for_ten_minutes() -> None:
    """The same request again does nothing; another one with its token is refused."""
    with platforms.running() as running:
        dynamodb = running.client("dynamodb")
        dynamodb.create_table(TableName="tokens", **definition("pk:S"))
        count = {
            "TableName": "tokens",
            "Key": {"pk": {"S": "a"}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        request = {"TransactItems": [{"Update": count}], "ClientRequestToken": "token"}
        for _ in range(3):
            dynamodb.transact_write_items(**request)
        assert dynamodb.scan(TableName="tokens")["Items"] == [{"pk": {"S": "a"}, "n": {"N": "1"}}]
        code, _ = refused(dynamodb.transact_write_items, TransactItems=[put("tokens", "b")], ClientRequestToken="token")
        assert code == "IdempotentParameterMismatchException"
        running.advance(580)
        dynamodb.transact_write_items(**request)
        assert dynamodb.scan(TableName="tokens")["Items"][0]["n"] == {"N": "1"}
        running.advance(21)
        dynamodb.transact_write_items(**request)
        assert dynamodb.scan(TableName="tokens")["Items"][0]["n"] == {"N": "2"}
