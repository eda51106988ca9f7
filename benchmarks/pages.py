"""What a page of a query costs in a small and in a large table, and whether it is in its index's order.

All items are in one partition, so that a query has them all before it; they come in by ImportTable. Pages begin at
places spread over the whole table, by the sort key and by a second index's.
AWS: none.
"""

import gzip
import statistics
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Round

SMALL, LARGE = 10_000, 1_000_000
PAGE, LONG_PAGE = 100, 1000
PAGES = 200
LINES_EACH = 100_000
"""Of one file of the import."""
_IMPORT_S = 1800
_BETWEEN_LOOKS_S = 1.0
INDEX = "by-m"


def measured(subject: Any, name: str, small: int = SMALL, large: int = LARGE) -> Round:
    """p50 of a page (ms) by table size and page length, and the import's items per second."""
    found: dict[str, float] = {}
    for label, items in (("10k", small), ("1m", large)):
        table = subject.fresh(f"bench-pages-{label}")
        found[f"import_{label}_{name}"] = items / _import(subject, table, items)
        client = subject.client("dynamodb")
        found[f"page100_{label}_{name}"] = _p50(client, table, items, PAGE)
        found[f"page1000_{label}_{name}"] = _p50(client, table, items, LONG_PAGE)
        found[f"page100_index_{label}_{name}"] = _p50(client, table, items, PAGE, IndexName=INDEX)
    return found


def _import(subject: Any, table: str, items: int) -> float:
    """Seconds."""
    bucket, s3, client = subject.fresh("bench-import"), subject.client("s3"), subject.client("dynamodb")
    s3.create_bucket(Bucket=bucket)
    for start in range(0, items, LINES_EACH):
        lines = (f"p,{number},{items - number}" for number in range(start, min(items, start + LINES_EACH)))
        body = gzip.compress("\n".join(("p,n,m", *lines)).encode(), 1)
        s3.put_object(Bucket=bucket, Key=f"items/{start}.csv.gz", Body=body)
    keys = [("p", "S"), ("n", "N"), ("m", "N")]
    began = time.perf_counter()
    arn = client.import_table(
        S3BucketSource={"S3Bucket": bucket, "S3KeyPrefix": "items/"},
        InputFormat="CSV",
        InputCompressionType="GZIP",
        TableCreationParameters={
            "TableName": table,
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in keys],
            "KeySchema": _schema("n"),
            "BillingMode": "PAY_PER_REQUEST",
            "GlobalSecondaryIndexes": [
                {"IndexName": INDEX, "KeySchema": _schema("m"), "Projection": {"ProjectionType": "ALL"}}
            ],
        },
    )["ImportTableDescription"]["ImportArn"]
    until = time.monotonic() + _IMPORT_S
    while time.monotonic() < until:
        told = client.describe_import(ImportArn=arn)["ImportTableDescription"]
        if told["ImportStatus"] == "COMPLETED":
            if told["ImportedItemCount"] != items:
                raise RuntimeError(f"{told['ImportedItemCount']} of {items} items were imported")
            return time.perf_counter() - began
        if told["ImportStatus"] != "IN_PROGRESS":
            raise RuntimeError(f"the import of {items} items ended: {told}")
        time.sleep(_BETWEEN_LOOKS_S)
    raise RuntimeError(f"{items} items were not imported in {_IMPORT_S} s")


def _schema(sort: str) -> list[Mapping[str, str]]:
    return [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _p50(client: Any, table: str, items: int, length: int, **index: str) -> float:
    """Every page has to be whole and in the order of its sort key."""
    sort, times = "m" if index else "n", []
    room = items - length
    for number in range(PAGES):
        first = 1 + number * (room - 1) // PAGES
        began = time.perf_counter()
        answer = client.query(
            TableName=table,
            KeyConditionExpression="p = :p AND #s >= :s",
            ExpressionAttributeNames={"#s": sort},
            ExpressionAttributeValues={":p": {"S": "p"}, ":s": {"N": str(first)}},
            Limit=length,
            **index,
        )
        times.append((time.perf_counter() - began) * 1000)
        found = [int(item[sort]["N"]) for item in answer["Items"]]
        if found != list(range(first, first + length)):
            raise RuntimeError(f"a page of {table} at {first} is not in order: {found[:3]} ... {found[-3:]}")
    return statistics.median(times)
