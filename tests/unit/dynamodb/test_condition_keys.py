"""What PartiQL statements say of keys and attributes.

AWS: DynamoDB Developer Guide, "PartiQL select statements for DynamoDB": which scan the whole table; Service
Authorization Reference, "Condition keys for Amazon DynamoDB".
"""

import pytest

from undercast.services.dynamodb.condition_keys import bound
from undercast.services.dynamodb.partiql.parser import parsed


def values(where: str) -> list[str] | None:
    """Those that WHERE leaves to p; None for a full scan."""
    statement = parsed(f'SELECT * FROM "t" WHERE {where}')
    found = bound("p", statement.where)
    return None if found is None else [str(*statement.values[one](()).values()) for one in found]


@pytest.mark.parametrize(("where", "expected"), [
    ("p = 'a'", ["a"]),
    ("'a' = p", ["a"]),
    ("p IN ['a', 'b']", ["a", "b"]),
    ("p IN ('b')", ["b"]),
    ("p = 'a' AND s > 1", ["a"]),
    ("s > 1 AND (x = 1 OR y = 2) AND p IN ['a', 'b']", ["a", "b"]),
    ("p = 'a' OR p = 'b'", ["a", "b"]),
    ("(p = 'a' AND s = 1) OR p IN ['b']", ["a", "b"]),
    ("p IN ['a'] AND p = 'b'", ["a", "b"]),
])  # fmt: skip
def test_what_binds_the_key(where: str, expected: list[str]) -> None:
    """Every value that an item of the answer can have is among them."""
    assert values(where) == expected


@pytest.mark.parametrize("where", [
    "p > 'a'", "p <> 'a'", "p BETWEEN 'a' AND 'a'", "begins_with(p, 'a')", "NOT p = 'a'", "NOT p <> 'a'", "x = 'a'",
    "p = 'a' OR x = 1", "p = x", "p = p", "p IN ['a'] OR NOT p = 'b'", "p IN [x]", "p.q = 'a'", "contains(p, 'a')",
    "attribute_exists(p)", "size(p) = 1", "'a' IN [p]", "p IS NOT MISSING",
])  # fmt: skip
def test_what_scans_the_table(where: str) -> None:
    """Whatever does not bind the partition key to values."""
    assert values(where) is None
