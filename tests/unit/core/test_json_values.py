"""Text of others, read as JSON."""

import json

import pytest

from undercast.core.json_values import parse

DEEP = 100_000


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * DEEP, b"[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * DEEP])
def test_what_cannot_be_read_is_a_value_error(text: str | bytes) -> None:
    """However it cannot be read: nested too deeply is no RecursionError."""
    with pytest.raises(ValueError, match=r"Expecting|decode|Nested too deeply"):
        parse(text)


def test_values_are_those_of_json() -> None:
    """With its hooks."""
    text = '{"a": [1, 2.5, null, "\\u00e4"], "a": NaN}'
    assert str(json.loads(text)) == str(parse(text)) == str(parse(text.encode()))
    assert parse(text, object_pairs_hook=list, parse_constant=str) == [("a", [1, 2.5, None, "ä"]), ("a", "NaN")]
    assert parse("{}", object_hook=len) == 0
