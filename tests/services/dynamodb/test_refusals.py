"""What a table's keys and indexes forbid, in the words of AWS's own DynamoDB Local 2.6.

AWS: DynamoDB API Reference, Query, PutItem; Developer Guide, "Key condition expressions for the Query operation".
"""

import re
from typing import Any

import pytest

from tests.services.dynamodb.conftest import Make, message

S = {":v": {"S": "x"}, ":w": {"S": "y"}, ":n": {"N": "1"}}
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
INVALID = "Invalid condition in KeyConditionExpression"
SCALARS = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed"


def key_schema(hash_key: str, range_key: str) -> list[dict[str, str]]:
    """Of a table or an index."""
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]


@pytest.fixture
def name(make_table: Make) -> str:
    """A table of pk and sk, with a local index on l and a global one on g and n, both of keys alone."""
    keys_only = {"ProjectionType": "KEYS_ONLY"}
    return make_table(
        "pk:S sk:S",
        {"g": "S", "n": "N", "l": "S"},
        GlobalSecondaryIndexes=[{"IndexName": "by-g", "KeySchema": key_schema("g", "n"), "Projection": keys_only}],
        LocalSecondaryIndexes=[{"IndexName": "by-l", "KeySchema": key_schema("pk", "l"), "Projection": keys_only}],
    )


def values(*texts: str) -> dict[str, Any]:
    """ExpressionAttributeValues of what the expressions use."""
    used = set(re.findall(r":\w+", " ".join(texts)))
    return {"ExpressionAttributeValues": {name: S[name] for name in sorted(used)}} if used else {}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("pk = :v AND begins_with(:v, sk)", f"{INVALID}: begins_with operator must have the key attribute as its first "
         "operand"),
        ("pk = :v AND :v BETWEEN sk AND :w", f"{INVALID}: BETWEEN operator must have the key attribute as its first "
         "operand"),
        ("pk = :v AND :v = :w", f"{INVALID}: No key attribute specified"),
        ("pk = :v AND sk = pk", f"{INVALID}: Multiple attribute names used in one condition"),
        ("pk = :v AND size(sk) = :n", "KeyConditionExpressions cannot contain nested operations"),
        ("pk = :v AND sk = :v AND g = :v", "Conditions can be of length 1 or 2 only"),
        ("pk = :v AND sk.x = :v", f"{SCALARS}: Key: sk"),
        ("pk = :v AND z.x = :v", "KeyConditionExpressions cannot have conditions on nested attributes"),
        ("if_not_exists(pk, :v) = :v", "Invalid KeyConditionExpression: The function is not allowed in a condition "
         "expression; function: if_not_exists"),
    ],
)  # fmt: skip
def test_the_texts_of_key_conditions(dynamodb: Any, name: str, text: str, wrong: str) -> None:
    """Each says what a key condition is not."""
    assert message(dynamodb.query, TableName=name, KeyConditionExpression=text, **values(text)) == wrong


@pytest.mark.parametrize(("path", "key"), [("pk.x", "Key: pk"), ("n[0]", "IndexKey: n"), ("l.x", "IndexKey: l")])
def test_nothing_is_inside_a_key_attribute(dynamodb: Any, name: str, path: str, key: str) -> None:
    """In no expression of any operation, whether there is an item or not."""
    wrong = f"{SCALARS}: {key}"
    read: list[tuple[Any, dict[str, Any]]] = [
        (dynamodb.get_item, {"TableName": name, "Key": KEY, "ProjectionExpression": path}),
        (dynamodb.scan, {"TableName": name, "ProjectionExpression": f"a, {path}"}),
        (dynamodb.batch_get_item, {"RequestItems": {name: {"Keys": [KEY], "ProjectionExpression": path}}}),
        (dynamodb.transact_get_items,
         {"TransactItems": [{"Get": {"TableName": name, "Key": KEY, "ProjectionExpression": path}}]}),
    ]  # fmt: skip
    condition = f"a = :v OR size({path}) = :n"
    query = {"KeyConditionExpression": "pk = :v", "FilterExpression": condition}
    conditional: list[tuple[Any, dict[str, Any]]] = [
        (dynamodb.put_item, {"Item": KEY, "ConditionExpression": condition, **values(condition)}),
        (dynamodb.delete_item, {"Key": KEY, "ConditionExpression": condition, **values(condition)}),
        (dynamodb.scan, {"FilterExpression": condition, **values(condition)}),
        (dynamodb.query, {**query, **values(condition)}),
        (dynamodb.update_item, {"Key": KEY, "UpdateExpression": f"SET a = {path}"}),
    ]
    for call, params in [*read, *((call, {"TableName": name, **params}) for call, params in conditional)]:
        assert message(call, **params) == wrong
    assert dynamodb.scan(TableName=name)["Count"] == 0


@pytest.mark.parametrize("update", ["SET n.x = :v", "REMOVE n[0]", "ADD n.x :n", "SET a = if_not_exists(n.x, :v)"])
def test_no_update_goes_into_an_index_key(dynamodb: Any, name: str, update: str) -> None:
    """What it is of the table's own key has its own words."""
    params = {"TableName": name, "Key": KEY}
    assert message(dynamodb.update_item, **params, UpdateExpression=update, **values(update)) == (
        f"{SCALARS}: IndexKey: n"
    )
    text = message(dynamodb.update_item, **params, UpdateExpression="SET pk.x = :v", **values(":v"))
    assert text.endswith("Cannot update attribute pk. This attribute is part of the key")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT n.x FROM {}",
        "SELECT * FROM {} WHERE n.x = 1",
        "UPDATE {} SET n.x = 1 WHERE pk = 'a' AND sk = 'b'",
        "UPDATE {} SET a = n[0] WHERE pk = 'a' AND sk = 'b'",
        "DELETE FROM {} WHERE pk = 'a' AND sk = 'b' AND size(n.x) = 1",
    ],
)
def test_nor_does_a_statement(dynamodb: Any, name: str, text: str) -> None:
    """PartiQL has the same words."""
    assert message(dynamodb.execute_statement, Statement=text.format(f'"{name}"')) == f"{SCALARS}: IndexKey: n"


@pytest.mark.parametrize(("index", "key"), [("by-g", "g"), ("by-l", "pk")])
def test_a_query_filters_by_what_its_index_holds(dynamodb: Any, name: str, index: str, key: str) -> None:
    """Of the rest it would see nothing. A Scan's filter just sees nothing of it."""
    dynamodb.put_item(TableName=name, Item={**KEY, "g": {"S": "a"}, "n": {"N": "1"}, "l": {"S": "c"}, "z": {"S": "x"}})
    query = {"TableName": name, "IndexName": index, "KeyConditionExpression": f"{key} = :a"}
    given = {"ExpressionAttributeValues": {":a": {"S": "a"}, ":v": {"S": "x"}}}
    wrong = (
        "One or more parameter values were invalid: "
        f"Secondary index {index} does not project one or more filter attributes: [y, z]"
    )
    for select in ({}, {"Select": "ALL_ATTRIBUTES"}, {"Select": "COUNT"}, {"ProjectionExpression": "z"}):
        text = message(dynamodb.query, **query, FilterExpression="z = :v AND attribute_exists(y.a)", **given, **select)
        assert text == wrong
    old = {
        "KeyConditions": {key: {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}},
        "QueryFilter": {"z": {"ComparisonOperator": "NOT_NULL"}, "y": {"ComparisonOperator": "NULL"}},
    }
    assert message(dynamodb.query, TableName=name, IndexName=index, **old) == wrong
    assert dynamodb.query(**query, FilterExpression="sk <> :v", **given)["Count"] == 1
    scan = {"TableName": name, "IndexName": index, "FilterExpression": "z = :v", **values(":v")}
    assert (dynamodb.scan(**scan)["Count"], dynamodb.scan(**scan)["ScannedCount"]) == (0, 1)


def test_no_attribute_is_without_a_name(dynamodb: Any, name: str) -> None:
    """At any depth, in the old parameters and in the new ones."""
    table, x = {"TableName": name}, {"S": "x"}
    calls: list[tuple[Any, dict[str, Any]]] = [
        (dynamodb.put_item, {"Item": {**KEY, "": x}}),
        (dynamodb.put_item, {"Item": {**KEY, "a": {"L": [{"M": {"": x}}]}}}),
        (dynamodb.put_item, {"Item": KEY, "Expected": {"": {"Exists": False}}}),
        (dynamodb.get_item, {"Key": {"pk": x, "": x}}),
        (dynamodb.get_item, {"Key": KEY, "AttributesToGet": [""]}),
        (dynamodb.update_item, {"Key": KEY, "AttributeUpdates": {"": {"Value": x}}}),
        (dynamodb.scan, {"ScanFilter": {"": {"ComparisonOperator": "NULL"}}}),
    ]
    for call, params in calls:
        assert message(call, **table, **params) == "Empty attribute name"
    names = {"ExpressionAttributeNames": {"#a": ""}}
    text = message(dynamodb.scan, **table, FilterExpression="#a = :v", **names, **values(":v"))
    assert text == "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"
    assert dynamodb.scan(**table)["Count"] == 0


@pytest.mark.parametrize(
    ("action", "value"), [("ADD", {"N": "1"}), ("ADD", {"L": [{"N": "1"}]}), ("DELETE", {"SS": ["x"]})]
)
def test_an_old_update_adds_to_its_own_type(dynamodb: Any, name: str, action: str, value: dict[str, Any]) -> None:
    """ADD and DELETE of AttributeUpdates leave what is of another type as it is."""
    dynamodb.put_item(TableName=name, Item={**KEY, "a": {"BOOL": True}})
    updates = {"a": {"Action": action, "Value": value}}
    text = message(dynamodb.update_item, TableName=name, Key=KEY, AttributeUpdates=updates)
    assert text == "Type mismatch for attribute to update"
    assert dynamodb.get_item(TableName=name, Key=KEY)["Item"]["a"] == {"BOOL": True}
