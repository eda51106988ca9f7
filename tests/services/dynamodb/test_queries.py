"""Query, Scan and the batches through boto3.

AWS: DynamoDB API Reference, Query, Scan, BatchGetItem, BatchWriteItem.
"""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr, Key

from tests.services.dynamodb.conftest import Make, message, refused

INDEXES = [
    {
        "IndexName": "by-city",
        "KeySchema": [{"AttributeName": "city", "KeyType": "HASH"}, {"AttributeName": "age", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["name"]},
    }
]


def numbers(page: Any) -> list[int]:
    """The sort keys of a page's items."""
    return [int(item["sk"]) for item in page["Items"]]


@pytest.fixture
def filled(sorted_table: Any) -> Any:
    """Partition "a" with the sort keys -3 to 6, and "b" with 1."""
    with sorted_table.batch_writer() as batch:
        for number in range(-3, 7):
            batch.put_item(Item={"pk": "a", "sk": number, "even": number % 2 == 0, "n": number})
        batch.put_item(Item={"pk": "b", "sk": 1})
    return sorted_table


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Key("sk").eq(2), [2]),
        (Key("sk").lt(-1), [-3, -2]),
        (Key("sk").lte(-1), [-3, -2, -1]),
        (Key("sk").gt(4), [5, 6]),
        (Key("sk").gte(4), [4, 5, 6]),
        (Key("sk").between(-1, 1), [-1, 0, 1]),
        (None, list(range(-3, 7))),
    ],
)
def test_a_query_goes_over_a_range_of_the_sort_key(filled: Any, condition: Any, expected: list[int]) -> None:
    """In order, and in reverse with ScanIndexForward=False."""
    key = Key("pk").eq("a") if condition is None else Key("pk").eq("a") & condition
    assert numbers(filled.query(KeyConditionExpression=key)) == expected
    assert numbers(filled.query(KeyConditionExpression=key, ScanIndexForward=False)) == expected[::-1]


def test_pages_by_limit_in_both_directions(filled: Any) -> None:
    """Limit counts what is looked at; a filter comes after it."""
    for forward in (True, False):
        found: list[int] = []
        start: dict[str, Any] = {}
        pages = 0
        while True:
            page = filled.query(
                KeyConditionExpression=Key("pk").eq("a"),
                FilterExpression=Attr("even").eq(True),
                Limit=3,
                ScanIndexForward=forward,
                **start,
            )
            found += numbers(page)
            pages += 1
            assert page["ScannedCount"] <= 3
            if "LastEvaluatedKey" not in page:
                break
            assert set(page["LastEvaluatedKey"]) == {"pk", "sk"}
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        assert found == ([-2, 0, 2, 4, 6] if forward else [6, 4, 2, 0, -2])
        assert pages == 4


def test_strings_sort_by_bytes_and_begin_with_a_prefix(resource: Any, make_table: Make) -> None:
    """UTF-8 order."""
    table = resource.Table(make_table("pk:S sk:S"))
    texts = ["", "A", "Z", "a", "a#1", "a#2", "ab", "z", "é", "\uffff", "🎉"][1:]
    for text in texts:
        table.put_item(Item={"pk": "p", "sk": text})
    found = table.query(KeyConditionExpression=Key("pk").eq("p"))["Items"]
    assert [item["sk"] for item in found] == sorted(texts, key=lambda text: text.encode())
    found = table.query(KeyConditionExpression=Key("pk").eq("p") & Key("sk").begins_with("a#"))["Items"]
    assert [item["sk"] for item in found] == ["a#1", "a#2"]


def test_an_index_is_queried_in_its_own_order(resource: Any, make_table: Make) -> None:
    """Items without its keys are not in it; what it does not project is not there."""
    name = make_table("pk:S", {"city": "S", "age": "N"}, GlobalSecondaryIndexes=INDEXES)
    table = resource.Table(name)
    for at, (city, age) in enumerate([("x", 30), ("x", 5), ("y", 1), ("x", 5)]):
        table.put_item(Item={"pk": f"p{at}", "city": city, "age": age, "name": f"n{at}", "extra": 1})
    table.put_item(Item={"pk": "none", "city": "x"})
    query: dict[str, Any] = {"IndexName": "by-city", "KeyConditionExpression": Key("city").eq("x")}
    found = table.query(**query)["Items"]
    assert [item["age"] for item in found] == [5, 5, 30]
    assert set(found[0]) == {"pk", "city", "age", "name"}
    assert "does not project [extra]" in message(table.query, **query, ProjectionExpression="extra")
    assert "because its projection type is not ALL" in message(table.query, **query, Select="ALL_ATTRIBUTES")
    first = table.query(**query, Limit=1)
    assert set(first["LastEvaluatedKey"]) == {"pk", "city", "age"}
    rest = table.query(**query, ExclusiveStartKey=first["LastEvaluatedKey"])["Items"]
    assert {item["pk"] for item in (*first["Items"], *rest)} == {"p0", "p1", "p3"}
    table.update_item(
        Key={"pk": "p0"}, UpdateExpression="SET age = :a", ExpressionAttributeValues={":a": Decimal("4.5")}
    )
    table.delete_item(Key={"pk": "p1"})
    table.update_item(Key={"pk": "p3"}, UpdateExpression="REMOVE city")
    assert [item["pk"] for item in table.query(**query)["Items"]] == ["p0"]
    assert table.scan(IndexName="by-city")["Count"] == 2


def test_a_local_index_fetches_what_it_lacks(resource: Any, make_table: Make) -> None:
    """From the table, for more capacity."""
    index = {
        "IndexName": "by-l",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    table = resource.Table(make_table("pk:S sk:N", {"l": "S"}, LocalSecondaryIndexes=[index]))
    table.put_item(Item={"pk": "a", "sk": 1, "l": "z", "more": 1})
    table.put_item(Item={"pk": "a", "sk": 2, "l": "y", "more": 2})
    query: dict[str, Any] = {"IndexName": "by-l", "KeyConditionExpression": Key("pk").eq("a")}
    plain = table.query(**query, ReturnConsumedCapacity="INDEXES")
    assert [set(item) for item in plain["Items"]] == [{"pk", "sk", "l"}] * 2
    assert plain["ConsumedCapacity"]["CapacityUnits"] == 0.5
    fetched = table.query(**query, ProjectionExpression="more", ReturnConsumedCapacity="INDEXES", ConsistentRead=True)
    assert [item["more"] for item in fetched["Items"]] == [2, 1]
    assert fetched["ConsumedCapacity"]["CapacityUnits"] == 2.0


def test_a_page_ends_at_one_megabyte(resource: Any, make_table: Make) -> None:
    """A paginator gets everything, in order."""
    table = resource.Table(make_table("pk:S sk:N"))
    with table.batch_writer() as batch:
        for number in range(30):
            batch.put_item(Item={"pk": "a", "sk": number, "data": "x" * 100_000})
    page = table.query(KeyConditionExpression=Key("pk").eq("a"))
    assert page["Count"] == 10
    assert page["LastEvaluatedKey"] == {"pk": "a", "sk": 9}
    page = table.scan(Select="COUNT")
    assert (page["Count"], "Items" in page) == (10, False)
    pages = table.meta.client.get_paginator("scan").paginate(TableName=table.name)
    assert numbers({"Items": [item for page in pages for item in page["Items"]]}) == list(range(30))


def test_many_small_items_are_on_one_page(resource: Any, make_table: Make) -> None:
    """What does not fit into the first piece is read in the store thread."""
    table = resource.Table(make_table("pk:S sk:N"))
    with table.batch_writer() as batch:
        for number in range(500):
            batch.put_item(Item={"pk": "a", "sk": number})
    page = table.query(KeyConditionExpression=Key("pk").eq("a"))
    assert numbers(page) == list(range(500))
    assert "LastEvaluatedKey" not in page
    page = table.query(KeyConditionExpression=Key("pk").eq("a"), Limit=300, ScanIndexForward=False)
    assert numbers(page) == list(range(499, 199, -1))


def test_segments_divide_a_scan(resource: Any, make_table: Make) -> None:
    """Each item is in exactly one segment."""
    table = resource.Table(make_table("pk:S"))
    with table.batch_writer() as batch:
        for number in range(100):
            batch.put_item(Item={"pk": f"p{number}"})
    pages = [table.scan(Segment=segment, TotalSegments=4)["Items"] for segment in range(4)]
    assert all(pages)
    assert sorted(item["pk"] for page in pages for item in page) == sorted(f"p{number}" for number in range(100))
    first = table.scan(Segment=1, TotalSegments=4, Limit=3)
    rest = table.scan(Segment=1, TotalSegments=4, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [*first["Items"], *rest["Items"]] == pages[1]
    assert "TotalSegments parameter is required" in message(table.scan, Segment=1)
    assert "zero-based and must be less than" in message(table.scan, Segment=4, TotalSegments=4)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"KeyConditionExpression": Key("sk").eq(1)}, "Query condition missed key schema element: pk"),
        ({"KeyConditionExpression": Key("pk").gt("a")}, "Query key condition not supported"),
        ({"KeyConditionExpression": Key("pk").eq("a") & Key("n").eq(1)}, "missed key schema element: sk"),
        ({"KeyConditionExpression": Key("pk").eq("a") & Key("sk").eq("1")}, "does not match schema type"),
        (
            {"KeyConditionExpression": "pk = :a AND sk <> :a", "ExpressionAttributeValues": {":a": "a"}},
            "Invalid operator used in KeyConditionExpression: <>",
        ),
        ({"KeyConditionExpression": Key("pk").eq("a") | Key("pk").eq("b")}, "KeyConditionExpression: OR"),
        ({"KeyConditionExpression": Key("pk").eq("a") & Key("pk").eq("b")}, "only contain one condition per key"),
        ({"KeyConditionExpression": Key("pk").eq("a") & Key("sk").between(2, 1)}, "upper bound to be greater"),
        ({"FilterExpression": Attr("sk").eq(1)}, "Filter Expression can only contain non-primary key attributes"),
        ({"ExclusiveStartKey": {"pk": "a"}}, "The provided starting key is invalid"),
        ({"ExclusiveStartKey": {"pk": "b", "sk": 1}}, "outside query boundaries based on provided conditions"),
        ({"IndexName": "none"}, "The table does not have the specified index: none"),
        ({"Select": "ALL_PROJECTED_ATTRIBUTES"}, "can be used only when Querying using an IndexName"),
        ({"Select": "COUNT", "ProjectionExpression": "n"}, "Cannot specify the ProjectionExpression"),
    ],
)  # fmt: skip
def test_queries_that_cannot_be_are_refused(filled: Any, change: dict[str, Any], text: str) -> None:
    """AWS's texts."""
    params = {"KeyConditionExpression": Key("pk").eq("a"), **change}
    assert text in message(filled.query, **params)


def test_a_query_without_a_condition_is_refused(dynamodb: Any, make_table: Make) -> None:
    """Neither the old nor the new parameter."""
    text = message(dynamodb.query, TableName=make_table())
    assert text == "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."


def test_legacy_queries(dynamodb: Any, filled: Any) -> None:
    """KeyConditions, QueryFilter, ScanFilter. Of these, KeyConditions go together with the other expressions."""
    keys = {
        "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]},
        "sk": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "0"}, {"N": "4"}]},
    }
    even = {"even": {"ComparisonOperator": "EQ", "AttributeValueList": [{"BOOL": True}]}}
    page = dynamodb.query(TableName=filled.name, KeyConditions=keys, QueryFilter=even)
    assert [item["sk"]["N"] for item in page["Items"]] == ["0", "2", "4"]
    values = {":true": {"BOOL": True}}
    page = dynamodb.query(
        TableName=filled.name, KeyConditions=keys, FilterExpression="even = :true", ProjectionExpression="sk",
        ExpressionAttributeValues=values,
    )  # fmt: skip
    assert page["Items"] == [{"sk": {"N": number}} for number in "024"]
    page = dynamodb.scan(TableName=filled.name, ScanFilter={"even": {"ComparisonOperator": "NULL"}})
    assert [item["pk"]["S"] for item in page["Items"]] == ["b"]


def test_batches_write_and_read_several_tables(dynamodb: Any, make_table: Make) -> None:
    """What is not there is left out."""
    one, two = make_table(), make_table("pk:N")
    written = dynamodb.batch_write_item(
        RequestItems={
            one: [{"PutRequest": {"Item": {"pk": {"S": name}, "v": {"S": name}}}} for name in "abc"],
            two: [{"PutRequest": {"Item": {"pk": {"N": "1"}}}}, {"DeleteRequest": {"Key": {"pk": {"N": "2"}}}}],
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert written["UnprocessedItems"] == {}
    assert sorted(found["CapacityUnits"] for found in written["ConsumedCapacity"]) == [2.0, 3.0]
    found = dynamodb.batch_get_item(
        RequestItems={
            one: {"Keys": [{"pk": {"S": name}} for name in "axc"], "ProjectionExpression": "v"},
            two: {"Keys": [{"pk": {"N": "1.0"}}], "ConsistentRead": True},
        }
    )
    assert sorted(item["v"]["S"] for item in found["Responses"][one]) == ["a", "c"]
    assert found["Responses"][two] == [{"pk": {"N": "1"}}]
    assert found["UnprocessedKeys"] == {}


def test_a_batch_that_is_wrong_stores_nothing(dynamodb: Any, make_table: Make) -> None:
    """Duplicates, wrong keys, too many, a table that is not there."""
    name = make_table()
    put = [{"PutRequest": {"Item": {"pk": {"S": key}}}} for key in ("a", "b", "a")]
    text = message(dynamodb.batch_write_item, RequestItems={name: put})
    assert text == "Provided list of item keys contains duplicates"
    wrong = [*put[:2], {"PutRequest": {"Item": {"pk": {"N": "1"}}}}]
    assert "Type mismatch for key pk" in message(dynamodb.batch_write_item, RequestItems={name: wrong})
    code, _ = refused(dynamodb.batch_write_item, RequestItems={name: put[:1], "nowhere": put[:1]})
    assert code == "ResourceNotFoundException"
    many = [{"PutRequest": {"Item": {"pk": {"S": str(key)}}}} for key in range(26)]
    assert "less than or equal to 25" in message(dynamodb.batch_write_item, RequestItems={name: many})
    keys = {"Keys": [{"pk": {"S": "a"}}, {"pk": {"S": "a"}}]}
    text = message(dynamodb.batch_get_item, RequestItems={name: keys})
    assert text == "Provided list of item keys contains duplicates"
    assert dynamodb.scan(TableName=name)["Count"] == 0


def test_what_16_megabytes_leave_out_is_unprocessed(dynamodb: Any, make_table: Make) -> None:
    """A client asks again for UnprocessedKeys."""
    name = make_table()
    for number in range(45):
        dynamodb.put_item(TableName=name, Item={"pk": {"S": str(number)}, "data": {"S": "x" * 400_000}})
    keys = [{"pk": {"S": str(number)}} for number in range(45)]
    first = dynamodb.batch_get_item(RequestItems={name: {"Keys": keys}})
    assert len(first["Responses"][name]) == 41
    rest = dynamodb.batch_get_item(RequestItems=first["UnprocessedKeys"])
    assert (len(rest["Responses"][name]), rest["UnprocessedKeys"]) == (4, {})
