"""A page of Query and Scan costs what the page holds: SQLite goes to its place and reads on, and sorts nothing.

AWS: DynamoDB Developer Guide, "Querying tables in DynamoDB".
"""

import sqlite3
from collections.abc import Iterator

import pytest

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.dynamodb.keys import Key
from undercast.services.dynamodb.models import Index, KeySchema, Table, TableName
from undercast.services.dynamodb.ranges import Position, Span
from undercast.services.dynamodb.schema import SCHEMA

NAME = TableName(Scope(AccountId("0" * 12), Region("us-east-1")), "table")
INDEX = Index(id=1, name="index", is_global=True, key=KeySchema("g", "s"), projection="ALL", attributes=frozenset())
TABLE = Table(
    id=1,
    table_id="",
    of=NAME,
    arn=NAME.arn,
    created_at=0.0,
    key=KeySchema("p", "s"),
    types={},
    indexes=(INDEX,),
    definition={},
    tags={},
    ttl_attribute="",
    ttl_changed_at=0.0,
    stream="",
    recovery_days=0,
    recovery_since=0.0,
)


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    """DynamoDB's tables."""
    connection = sqlite3.connect(":memory:")
    for migration in SCHEMA:
        connection.executescript(migration)
    yield connection
    connection.close()


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("after", [None, Position(key=Key(b"h", b"r"), base=b"b")])
@pytest.mark.parametrize("index", [None, INDEX])
@pytest.mark.parametrize("kind", ["partition", "range", "scan", "segment"])
def test_no_span_reads_or_sorts_more_than_it_gives(
    database: sqlite3.Connection, kind: str, index: Index | None, after: Position | None, forward: bool
) -> None:
    """The plan is a search in the key's index and, from an index, a look-up of each item by its id."""
    span = Span(
        table=TABLE,
        index=index,
        hash=b"h" if kind in ("partition", "range") else None,
        bounds=((">=", b"a"), ("<", b"z")) if kind == "range" else (),
        segment=(b"1", b"2") if kind == "segment" else (b"", None),
        forward=forward,
    )
    sql, params = span.sql(after)
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", params)]
    lead = "dynamodb_item USING INDEX dynamodb_item_key" if index is None else "dynamodb_entry USING PRIMARY KEY"
    assert plan[0].startswith(f"SEARCH {lead} (")
    assert plan[1:] == ([] if index is None else ["SEARCH dynamodb_item USING INTEGER PRIMARY KEY (rowid=?)"])
    if kind in ("partition", "range") and (after is not None or kind == "range"):
        assert plan[0].count("=?") + plan[0].count(">") + plan[0].count("<") >= 3
