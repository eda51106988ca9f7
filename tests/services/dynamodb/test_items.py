"""Single items through boto3: values, keys, conditions, updates, what is returned.

AWS: DynamoDB API Reference, GetItem, PutItem, UpdateItem, DeleteItem; Developer Guide, "Using expressions in DynamoDB".
"""

import json
import re
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr
from boto3.dynamodb.types import Binary
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform
from tests.services.dynamodb.conftest import Make, message, refused

EVERYTHING = {
    "pk": "a",
    "text": "grüß 🎉",
    "number": Decimal("-12.50"),
    "binary": Binary(b"\x00\xff"),
    "yes": True,
    "nothing": None,
    "list": [1, "two", {"three": [Binary(b"3")]}],
    "map": {"B": {"B": Binary(b"deep")}, "n": Decimal("1E+30")},
    "texts": {"x", "y"},
    "numbers": {Decimal(1), Decimal("2.5")},
    "binaries": {Binary(b"1"), Binary(b"2")},
}


def test_every_type_comes_back_as_it_was_put(table: Any) -> None:
    """All ten types, nested; also an attribute called B."""
    table.put_item(Item=EVERYTHING)
    assert table.get_item(Key={"pk": "a"})["Item"] == EVERYTHING


def test_the_cached_item_of_the_example(dynamodb: Any, make_table: Make) -> None:
    """S2-08, S2-10, S2-36: an item by partition and sort key; the put costs one unit."""
    name = make_table("pKey:S sKey:S")
    item = {"pKey": {"S": "pKey1"}, "sKey": {"S": "sKey1"}, "Data": {"S": "Data goes here"}}
    put = dynamodb.put_item(
        TableName=name, Item=item, ReturnConsumedCapacity="TOTAL", ReturnItemCollectionMetrics="SIZE"
    )
    assert put["ConsumedCapacity"] == {"TableName": name, "CapacityUnits": 1.0}
    assert "ItemCollectionMetrics" not in put
    key = {"pKey": {"S": "pKey1"}, "sKey": {"S": "sKey1"}}
    assert dynamodb.get_item(TableName=name, Key=key)["Item"] == item
    assert "Item" not in dynamodb.get_item(TableName=name, Key={**key, "sKey": {"S": "none"}})


@pytest.mark.parametrize(("given", "back"), [("1.0", "1"), ("1e2", "100"), ("-0", "0"), (".5", "0.5"), ("+3", "3")])
def test_numbers_come_back_without_superfluous_zeros(dynamodb: Any, make_table: Make, given: str, back: str) -> None:
    """Leading and trailing zeros are trimmed."""
    name = make_table("pk:N")
    dynamodb.put_item(TableName=name, Item={"pk": {"N": given}, "n": {"NS": [given, "7"]}})
    found = dynamodb.get_item(TableName=name, Key={"pk": {"N": back}})["Item"]
    assert found["pk"] == {"N": back}
    assert set(found["n"]["NS"]) == {back, "7"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"N": "abc"}, "The parameter cannot be converted to a numeric value: abc"),
        ({"N": "1" * 39}, "Attempting to store more than 38 significant digits in a Number"),
        ({"N": "1e126"}, "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ({"N": "1e-131"}, "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
        ({"SS": []}, "One or more parameter values were invalid: An string set  may not be empty"),
        ({"SS": ["a", "a"]}, "One or more parameter values were invalid: Input collection [a, a] contains duplicates."),
        ({"NS": ["1", "1.0"]}, "Input collection [1, 1.0] contains duplicates."),
        ({"NULL": False}, "Null attribute value types must have the value of true"),
        ({"S": "x" * 409600}, "Item size has exceeded the maximum allowed size"),
    ],
)
def test_values_that_cannot_be_are_refused(dynamodb: Any, make_table: Make, value: dict[str, Any], text: str) -> None:
    """AWS's texts; nothing is stored."""
    name = make_table()
    assert text in message(dynamodb.put_item, TableName=name, Item={"pk": {"S": "a"}, "x": value})
    assert dynamodb.scan(TableName=name)["Count"] == 0


def test_nesting_ends_at_32_levels(dynamodb: Any, make_table: Make) -> None:
    """Attributes nest up to 32 levels deep."""
    name = make_table()
    value: dict[str, Any] = {"S": "x"}
    for _ in range(32):
        value = {"L": [value]}
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "a"}, "x": value})
    text = message(dynamodb.put_item, TableName=name, Item={"pk": {"S": "a"}, "x": {"L": [value]}})
    assert "Nesting Levels have exceeded supported limits" in text
    update = {"TableName": name, "Key": {"pk": {"S": "a"}}, "ExpressionAttributeValues": {":v": value}}
    assert "Nesting Levels" in message(dynamodb.update_item, UpdateExpression="SET x[0] = :v", **update)


@pytest.mark.parametrize("depth", [33, 100, 150, 200, 300, 900, 20_000])
def test_any_depth_is_answered(platform: RunningPlatform, depth: int) -> None:
    """With a refusal, where the request can be read or not: never with a failure."""
    value = '{"M":{"a":' * depth + '{"S":"x"}' + "}}" * depth
    body = f'{{"TableName":"none","Item":{{"pk":{{"S":"a"}},"x":{value}}}}}'.encode()
    request = AWSRequest("POST", platform.url, data=body, headers={"X-Amz-Target": "DynamoDB_20120810.PutItem"})
    SigV4Auth(Credentials("000000000000", "secret"), "dynamodb", "us-east-1").add_auth(request)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(platform.url, body, dict(request.prepare().headers)), timeout=60)
    assert caught.value.code == 400


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"x": {"S": "a"}}, "One or more parameter values were invalid: Missing the key pk in the item"),
        ({"pk": {"N": "1"}}, "Type mismatch for key pk expected: S actual: N"),
        (
            {"pk": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: pk",
        ),
        ({"pk": {"S": "x" * 2049}}, "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
    ],
)
def test_keys_that_cannot_be_are_refused(dynamodb: Any, make_table: Make, item: dict[str, Any], text: str) -> None:
    """AWS's texts."""
    assert text in message(dynamodb.put_item, TableName=make_table(), Item=item)


def test_a_key_must_match_the_schema(dynamodb: Any, make_table: Make) -> None:
    """Neither more nor less than the key attributes, in their types."""
    name = make_table("pk:S sk:N")
    for key in ({"pk": {"S": "a"}}, {"pk": {"S": "a"}, "sk": {"S": "1"}}, {"pk": {"S": "a"}, "x": {"N": "1"}}):
        text = message(dynamodb.get_item, TableName=name, Key=key)
        assert text == "The provided key element does not match the schema"


def test_a_failed_condition_changes_nothing_and_shows_the_item(table: Any) -> None:
    """ReturnValuesOnConditionCheckFailure."""
    table.put_item(Item={"pk": "a", "n": 1}, ConditionExpression=Attr("pk").not_exists())
    with pytest.raises(ClientError) as caught:
        table.put_item(
            Item={"pk": "a", "n": 2},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    error: Any = caught.value.response
    assert error["Error"]["Code"] == "ConditionalCheckFailedException"
    assert error["Error"]["Message"] == "The conditional request failed"
    assert error["Item"] == {"pk": {"S": "a"}, "n": {"N": "1"}}
    assert table.get_item(Key={"pk": "a"})["Item"]["n"] == 1


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("n = :ten", True),
        ("n <> :ten", False),
        ("absent <> :ten", True),
        ("n < :ten OR n >= :ten", True),
        ("NOT n = :ten", False),
        ("n = :ten AND t = :ten", False),
        ("n BETWEEN :one AND :ten", True),
        ("n IN (:one, :ten)", True),
        ("attribute_exists(m.#in.deep) AND attribute_not_exists(m.further)", True),
        ("attribute_type(m, :map)", True),
        ("begins_with(t, :he)", True),
        ("contains(t, :he) AND contains(texts, :he) AND contains(l, :ten)", True),
        ("size(t) = :five AND size(l) = :one", True),
        ("size(n) = :one", False),
        ("l[0] = n", True),
        ("m = :whole", True),
        ("texts = :set", True),
        ("t > :ten", False),
        ("(n = :one OR n = :ten) AND t = :hello", True),
        ("n = :one OR n = :ten AND t = :hello", True),
        (":ten = n", True),
        ("not(attribute_exists(absent)) and t=:hello", True),
    ],
)
def test_conditions(dynamodb: Any, make_table: Make, condition: str, holds: bool) -> None:
    """Every operator and function."""
    name = make_table()
    item = {
        "pk": {"S": "a"}, "n": {"N": "10"}, "t": {"S": "hello"}, "l": {"L": [{"N": "10"}]},
        "m": {"M": {"in": {"M": {"deep": {"NULL": True}}}}}, "texts": {"SS": ["he", "she"]},
    }  # fmt: skip
    dynamodb.put_item(TableName=name, Item=item)
    values = {
        ":ten": {"N": "10.0"}, ":one": {"N": "1"}, ":five": {"N": "5"}, ":he": {"S": "he"}, ":hello": {"S": "hello"},
        ":map": {"S": "M"}, ":whole": {"M": {"in": {"M": {"deep": {"NULL": True}}}}}, ":set": {"SS": ["she", "he"]},
    }  # fmt: skip
    used = {key: value for key, value in values.items() if key in re.findall(r":\w+", condition)}
    params: dict[str, Any] = {"ExpressionAttributeValues": used} if used else {}
    if "#in" in condition:
        params["ExpressionAttributeNames"] = {"#in": "in"}
    call = {"TableName": name, "Item": item, "ConditionExpression": condition, **params}
    if holds:
        dynamodb.put_item(**call)
    else:
        assert refused(dynamodb.put_item, **call)[0] == "ConditionalCheckFailedException"
    found = dynamodb.scan(TableName=name, FilterExpression=condition, **params)
    assert (found["Count"], found["ScannedCount"]) == (int(holds), 1)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("", "Invalid ConditionExpression: The expression can not be empty;"),
        ("name = :v", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("#x = :v", "An expression attribute name used in the document path is not defined; attribute name: #x"),
        ("a = :w", "An expression attribute value used in expression is not defined; attribute value: :w"),
        ("a = ", 'Syntax error; token: "<EOF>", near: "= "'),
        ("a = :v b", 'Syntax error; token: "b", near: ":v b"'),
        ("a ! :v", 'Syntax error; token: "!"'),
        ("foo(a, :v)", "Invalid function name; function: foo"),
        ("size(a, :v) = :v", "Incorrect number of operands for operator or function; operator or function: size"),
        (
            "begins_with(a, :s) = :s",
            "The function is not allowed to be used this way in an expression; function: begins_with",
        ),
        ("a < :b", "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"),
        ("attribute_type(a, :v)", "Incorrect operand type for operator or function; operator or function: attrib"),
        ("a = a", "The first operand must be distinct from the remaining operands"),
        ("((a = :v))", "The expression has redundant parentheses;"),
        ("attribute_exists(:v)", "Operator or function requires a document path"),
        ("a BETWEEN :v AND :o", "The BETWEEN operator requires upper bound to be greater than or equal to lower"),
        ("NOT " * 200 + "a = :v", "The expression is nested too deeply;"),
        ("a" + ".a" * 40 + " = :v", "The document path has too many nesting levels; nesting levels: 41"),
        ("a = :v" + " AND a = :v" * 301, "The expression contains too many operators"),
        ("size(a)", "The function is not allowed to be used this way in an expression; function: size"),
        ("if_not_exists(a, :v) = :v", "The function is not allowed in a condition expression"),
    ],
)
def test_what_is_wrong_with_a_condition_is_told(dynamodb: Any, make_table: Make, condition: str, text: str) -> None:
    """AWS's texts, before any item is looked at."""
    values = {":v": {"N": "1"}, ":b": {"BOOL": True}, ":o": {"N": "0"}, ":s": {"S": "s"}}
    used = {key: values[key] for key in values if key in condition}
    params: dict[str, Any] = {"ExpressionAttributeValues": used} if used else {}
    found = message(
        dynamodb.delete_item,
        TableName=make_table(),
        Key={"pk": {"S": "a"}},
        ConditionExpression=condition,
        **params,
    )
    assert text in found


def test_names_and_values_must_be_used(dynamodb: Any, make_table: Make) -> None:
    """And can only be there with an expression."""
    call: dict[str, Any] = {"TableName": make_table(), "Key": {"pk": {"S": "a"}}}
    values, names = {":v": {"N": "1"}}, {"#n": "n"}
    assert message(dynamodb.delete_item, **call, ExpressionAttributeValues=values) == (
        "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"
    )
    assert message(dynamodb.delete_item, **call, ExpressionAttributeNames=names) == (
        "ExpressionAttributeNames can only be specified when using expressions"
    )
    call["ConditionExpression"] = "attribute_not_exists(x)"
    assert message(dynamodb.delete_item, **call, ExpressionAttributeValues=values) == (
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"
    )
    assert message(dynamodb.delete_item, **call, ExpressionAttributeNames=names) == (
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n}"
    )
    assert message(dynamodb.delete_item, **call, ExpressionAttributeNames={}) == (
        "ExpressionAttributeNames must not be empty"
    )
    assert 'invalid key: Syntax error; key: "v"' in message(
        dynamodb.delete_item, **call, ExpressionAttributeValues={"v": {"N": "1"}}
    )


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("SET n = n + :v", {":v": 5}, {"n": 6}),
        ("SET n = :v - n", {":v": 5}, {"n": 4}),
        ("SET z = if_not_exists(z, :v) + :v", {":v": 5}, {"z": 10}),
        ("SET l = list_append(l, :l)", {":l": [3]}, {"l": [1, 2, 3]}),
        ("SET l = list_append(if_not_exists(k, :l), l)", {":l": [0]}, {"l": [0, 1, 2]}),
        ("SET l[1] = :v, l[9] = :w", {":v": "x", ":w": "y"}, {"l": [1, "x", "y"]}),
        ("SET m.a.b = :v, m.c = m.d", {":v": 1}, {"m": {"a": {"b": 1}, "d": 7, "c": 7}}),
        ("REMOVE l[0], m.a", {}, {"l": [2], "m": {"d": 7}}),
        ("REMOVE n, nothing", {}, {"n": None}),
        ("ADD n :v, fresh :w, s :t", {":v": 2, ":w": 1, ":t": {"b"}}, {"n": 3, "fresh": 1, "s": {"a", "b"}}),
        ("DELETE s :t", {":t": {"a", "x"}}, {"s": None}),
        ("SET a = n, n = :v REMOVE m.d ADD s :t", {":v": 9, ":t": {"c"}},
         {"a": 1, "n": 9, "m": {"a": {}}, "s": {"a", "c"}}),
        ("set n = :v remove l", {":v": 0}, {"n": 0, "l": None}),
        ("SET n = (n + :v)", {":v": 1}, {"n": 2}),
    ],
)  # fmt: skip
def test_updates(table: Any, expression: str, values: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every section and function; right sides see the item as it was before."""
    before = {"pk": "a", "n": 1, "l": [1, 2], "m": {"a": {}, "d": 7}, "s": {"a"}}
    table.put_item(Item=before)
    params = {":" + key.strip(":"): value for key, value in values.items()}
    given: dict[str, Any] = {"ExpressionAttributeValues": params} if params else {}
    found = table.update_item(Key={"pk": "a"}, UpdateExpression=expression, ReturnValues="ALL_NEW", **given)
    wanted = {name: value for name, value in {**before, **expected}.items() if value is not None}
    assert found["Attributes"] == wanted
    assert table.get_item(Key={"pk": "a"})["Item"] == wanted


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("SET n = absent", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET t = t + :v", "An operand in the update expression has an incorrect data type"),
        ("SET absent.a = :v", "The document path provided in the update expression is invalid for update"),
        ("SET pk = :v", "Cannot update attribute pk. This attribute is part of the key"),
        ("SET n = :v, n = :v", "Two document paths overlap with each other; must remove or rewrite one of these "
                               "paths; path one: [n], path two: [n]"),
        ("SET m.a = :v REMOVE m", "Two document paths overlap with each other; must remove or rewrite one of these "
                                  "paths; path one: [m, a], path two: [m]"),
        ("SET n = :v SET t = :v", 'The "SET" section can only be used once in an update expression;'),
        ("ADD n :t", "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("DELETE n :v", "operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"),
        ("SET n = n + :t", "operator or function: +, operand type: S"),
        ("SET n", 'Syntax error; token: "<EOF>", near: "n"'),
        ("PUT n = :v", 'Syntax error; token: "PUT", near: "PUT n"'),
        ("SET n = " + "(" * 2000, "The expression is nested too deeply;"),
        ("SET n = :v * :v", 'Syntax error; token: "*"'),
    ],
)  # fmt: skip
def test_updates_that_cannot_be_are_refused(dynamodb: Any, make_table: Make, expression: str, text: str) -> None:
    """AWS's texts; the item stays as it is."""
    name = make_table()
    item = {"pk": {"S": "a"}, "n": {"N": "1"}, "t": {"S": "x"}}
    dynamodb.put_item(TableName=name, Item=item)
    values = {":v": {"N": "1"}, ":t": {"S": "t"}}
    used = {key: value for key, value in values.items() if key in expression}
    params: dict[str, Any] = {"ExpressionAttributeValues": used} if used else {}
    call = {"TableName": name, "Key": {"pk": {"S": "a"}}, "UpdateExpression": expression, **params}
    assert text in message(dynamodb.update_item, **call)
    assert dynamodb.get_item(TableName=name, Key={"pk": {"S": "a"}})["Item"] == item


def test_return_values(table: Any) -> None:
    """NONE, ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATED_NEW."""
    assert "Attributes" not in table.put_item(Item={"pk": "a", "n": 1, "m": {"x": 1, "y": 2}}, ReturnValues="ALL_OLD")
    update = {"Key": {"pk": "a"}, "UpdateExpression": "SET m.x = :v REMOVE n", "ExpressionAttributeValues": {":v": 5}}
    assert table.update_item(**update, ReturnValues="UPDATED_OLD")["Attributes"] == {"n": 1, "m": {"x": 1}}
    assert table.update_item(**update, ReturnValues="UPDATED_NEW")["Attributes"] == {"m": {"x": 5}}
    assert table.update_item(**update, ReturnValues="ALL_OLD")["Attributes"] == {"pk": "a", "m": {"x": 5, "y": 2}}
    assert "Attributes" not in table.update_item(**update)
    assert table.delete_item(Key={"pk": "a"}, ReturnValues="ALL_OLD")["Attributes"]["m"] == {"x": 5, "y": 2}
    text = message(table.put_item, Item={"pk": "a"}, ReturnValues="ALL_NEW")
    assert text == "ReturnValues can only be ALL_OLD or NONE"


def test_an_update_makes_the_item(table: Any) -> None:
    """Without an expression it has its key alone."""
    table.update_item(Key={"pk": "new"})
    assert table.get_item(Key={"pk": "new"})["Item"] == {"pk": "new"}


def test_nothing_is_removed_from_an_item_that_is_not_there(table: Any) -> None:
    """Whatever the path: as ScyllaDB's tests, which run against AWS, too, found it
    (test_nested_attribute_remove_from_missing_item). To SET below what is not there is an error all the same."""
    update = {"Key": {"pk": "gone"}, "ExpressionAttributeValues": {":v": 1}}
    text = "The document path provided in the update expression is invalid for update"
    assert message(table.update_item, **update, UpdateExpression="SET m.x = :v REMOVE m.y") == text
    assert "Item" not in table.get_item(Key={"pk": "gone"})
    table.update_item(**update, UpdateExpression="REMOVE m.x, l[0] SET n = :v")
    assert table.get_item(Key={"pk": "gone"})["Item"] == {"pk": "gone", "n": 1}
    assert message(table.update_item, Key={"pk": "gone"}, UpdateExpression="REMOVE m.x") == text


def test_projections(table: Any) -> None:
    """Nested paths; elements of lists close up; what is not there is left out."""
    table.put_item(Item={"pk": "a", "m": {"x": 1, "y": {"z": 2}}, "l": [{"a": 1, "b": 2}, 5, 6], "data": 9})
    found = table.get_item(
        Key={"pk": "a"},
        ProjectionExpression="m.y.z, l[2], l[0].b, #d, absent, m.no_such",
        ExpressionAttributeNames={"#d": "data"},
    )["Item"]
    assert found == {"m": {"y": {"z": 2}}, "l": [{"b": 2}, 6], "data": 9}
    text = message(table.get_item, Key={"pk": "a"}, ProjectionExpression="m, m.x")
    assert text.startswith("Invalid ProjectionExpression: Two document paths overlap with each other;")


def test_capacity(dynamodb: Any, make_table: Make) -> None:
    """S4-08: a unit per KB written, per 4 KB read consistently, half of it eventually; indexes count."""
    index = {
        "IndexName": "by-g",
        "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    name = make_table("pk:S", {"g": "S"}, GlobalSecondaryIndexes=[index])
    item = {"pk": {"S": "a"}, "g": {"S": "x"}, "data": {"S": "x" * 5000}}
    put = dynamodb.put_item(TableName=name, Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert put == {
        "TableName": name,
        "CapacityUnits": 6.0,
        "Table": {"CapacityUnits": 5.0},
        "GlobalSecondaryIndexes": {"by-g": {"CapacityUnits": 1.0}},
    }
    get = {"TableName": name, "Key": {"pk": {"S": "a"}}, "ReturnConsumedCapacity": "TOTAL"}
    assert dynamodb.get_item(**get)["ConsumedCapacity"]["CapacityUnits"] == 1.0
    assert dynamodb.get_item(**get, ConsistentRead=True)["ConsumedCapacity"]["CapacityUnits"] == 2.0
    get["Key"] = {"pk": {"S": "none"}}
    assert dynamodb.get_item(**get)["ConsumedCapacity"]["CapacityUnits"] == 0.5
    query = {
        "TableName": name,
        "IndexName": "by-g",
        "KeyConditionExpression": "g = :g",
        "ExpressionAttributeValues": {":g": {"S": "x"}},
    }
    text = message(dynamodb.query, **query, ConsistentRead=True)
    assert text == "Consistent reads are not supported on global secondary indexes"


def test_the_size_of_an_item_collection_is_told_with_a_local_index(dynamodb: Any, make_table: Make) -> None:
    """ReturnItemCollectionMetrics=SIZE."""
    index = {
        "IndexName": "by-l",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    name = make_table("pk:S sk:S", {"l": "N"}, LocalSecondaryIndexes=[index])
    item = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    put = dynamodb.put_item(TableName=name, Item=item, ReturnItemCollectionMetrics="SIZE")
    assert put["ItemCollectionMetrics"] == {
        "ItemCollectionKey": {"pk": {"S": "a"}},
        "SizeEstimateRangeGB": [0.0, 1.0],
    }


def test_legacy_parameters(dynamodb: Any, make_table: Make) -> None:
    """Expected, AttributeUpdates, AttributesToGet, ConditionalOperator."""
    name = make_table()
    key = {"pk": {"S": "a"}}
    dynamodb.put_item(TableName=name, Item={**key, "n": {"N": "1"}}, Expected={"pk": {"Exists": False}})
    wrong = {"TableName": name, "Item": key, "Expected": {"n": {"Value": {"N": "2"}}}}
    assert refused(dynamodb.put_item, **wrong)[0] == "ConditionalCheckFailedException"
    updates = {
        "n": {"Action": "ADD", "Value": {"N": "4"}},
        "s": {"Action": "PUT", "Value": {"S": "x"}},
        "l": {"Action": "ADD", "Value": {"L": [{"S": "y"}]}},
    }
    expected = {
        "n": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "5"}]},
        "pk": {"ComparisonOperator": "NOT_NULL"},
    }
    dynamodb.update_item(TableName=name, Key=key, AttributeUpdates=updates, Expected=expected, ConditionalOperator="OR")
    found = dynamodb.get_item(TableName=name, Key=key, AttributesToGet=["n", "l"])["Item"]
    assert found == {"n": {"N": "5"}, "l": {"L": [{"S": "y"}]}}
    dynamodb.update_item(TableName=name, Key=key, AttributeUpdates={"s": {"Action": "DELETE"}})
    assert "s" not in dynamodb.get_item(TableName=name, Key=key)["Item"]
    text = message(dynamodb.delete_item, TableName=name, Key=key, Expected=expected, ConditionExpression="n = n")
    assert text == (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"
    )


def test_a_user_reaches_only_items_of_its_own_partition_keys(
    platform: RunningPlatform, account: str, dynamodb: Any, make_table: Make
) -> None:
    """dynamodb:LeadingKeys with ForAllValues:StringEquals."""
    name = make_table("pk:S sk:N")
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="owner")
    allow = {
        "Effect": "Allow",
        "Action": ["dynamodb:*Item", "dynamodb:Query"],
        "Resource": f"arn:aws:dynamodb:*:*:table/{name}",
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mine"]}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="owner", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="owner")["AccessKey"]
    owner = platform.client("dynamodb", account=key["AccessKeyId"], secret=key["SecretAccessKey"])
    owner.put_item(TableName=name, Item={"pk": {"S": "mine"}, "sk": {"N": "1"}})
    other = {"pk": {"S": "other"}, "sk": {"N": "1"}}
    assert refused(owner.put_item, TableName=name, Item=other)[0] == "AccessDeniedException"
    assert refused(owner.get_item, TableName=name, Key=other)[0] == "AccessDeniedException"
    query = {"TableName": name, "KeyConditionExpression": "sk > :n AND pk = :p"}
    values = {":n": {"N": "0"}, ":p": {"S": "mine"}}
    assert owner.query(**query, ExpressionAttributeValues=values)["Count"] == 1
    values[":p"] = {"S": "other"}
    assert refused(owner.query, **query, ExpressionAttributeValues=values)[0] == "AccessDeniedException"
    assert refused(owner.describe_table, TableName=name)[0] == "AccessDeniedException"
