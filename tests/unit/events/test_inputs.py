"""Paths and templates of what a target gets.

AWS: EventBridge User Guide, "Input transformation", the table of examples.
"""

from typing import Any

import pytest

from undercast.events.inputs import MISSING, InvalidPath, at_path, fill, parse_path

EVENT: Any = {"time": "t", "detail": {"instance-id": "i-1", "list": [{"a": 1}, {"a": 2}], "o": {"x": "y"}}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", EVENT), ("$.detail.instance-id", "i-1"), ("$.detail.list[1].a", 2), ("$.detail.list[*].a", [1, 2]),
        ("$.detail.none", MISSING), ("$.detail.list[7]", MISSING), ("$.detail['o'].x", "y"), ("$.detail.o.*", ["y"]),
    ],
)  # fmt: skip
def test_a_path_finds_its_value(path: str, value: Any) -> None:
    """Names, indices, wildcards."""
    assert at_path(EVENT, path) == value or at_path(EVENT, path) is value


@pytest.mark.parametrize("path", ["detail", "$detail", "$.", "$.a[", "$..a", "$.a[x]"])
def test_what_is_no_path(path: str) -> None:
    """Refused when a target is put."""
    with pytest.raises(InvalidPath):
        parse_path(path)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('"instance <id> is in <state>"', '"instance i-1 is in up"'),
        ('"instance \\"<id>\\" is in <state>"', '"instance \\"i-1\\" is in up"'),
        ('{"id": <id>, "list": [9, <state>, true]}', '{"id":"i-1","list":[9,"up",true]}'),
        ('{"id": <id>, "text": "<id> \\"<state>\\""}', '{"id":"i-1","text":"i-1 \\"up\\""}'),
        ('{"o": <o>, "text": "<o>", "n": <n>}', '{"o":{"a":"b"},"text":"{\\"a\\":\\"b\\"}","n":4}'),
        ('{"none": <none>, "text": "-<none>-"}', '{"none":"","text":"--"}'),
        ("<id> plain <n>", '"i-1" plain 4'),
    ],
)
def test_a_template_is_filled(template: str, text: str) -> None:
    """JSON where a variable stands by itself, its text inside of quotes."""
    assert fill(template, {"id": "i-1", "state": "up", "o": {"a": "b"}, "n": 4}) == text


def test_placeholders_may_be_paths_into_a_document() -> None:
    """As pipes have them; without a document they are text like any other."""
    template = '{"a": <$.detail.list[0].a>, "text": "<$.time> <name>", "none": <$.nothing>}'
    assert fill(template, {"name": "n"}, EVENT) == '{"a":1,"text":"t n","none":""}'
    assert fill('"<$.time>"', {}) == '"<$.time>"'
