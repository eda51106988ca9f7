"""Pure: the answers of functions to a batch, and filters."""

import json

import pytest

from undercast.services.event_sources.queue_events import (
    failed_items,
    is_wanted,
    patterns_of,
    text_of,
)

IDS = frozenset({"a", "b"})


@pytest.mark.parametrize("payload", ["", "null", "{}", '{"batchItemFailures": []}', '{"batchItemFailures": null}'])
def test_empty_answers_are_success(payload: str) -> None:
    """AWS: an empty or null EventResponse, an empty or null list."""
    assert failed_items(payload.encode(), IDS) == frozenset()


@pytest.mark.parametrize(
    "payload",
    [
        "{",
        '"text"',
        '{"batchItemFailures": {}}',
        '{"batchItemFailures": [{"itemIdentifier": ""}]}',
        '{"batchItemFailures": [{"itemIdentifier": null}]}',
        '{"batchItemFailures": [{"itemIdentifier": "a"}, {"id": "b"}]}',
        '{"batchItemFailures": [{"itemIdentifier": "c"}]}',
        '{"batchItemFailures": ["a"]}',
    ],
)
def test_malformed_answers_fail_the_batch(payload: str) -> None:
    """AWS: invalid JSON, an empty or null itemIdentifier, a bad key name, an unknown message."""
    assert failed_items(payload.encode(), IDS) is None


def test_reported_items_are_those_that_failed() -> None:
    """Only these come back."""
    assert failed_items(b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', IDS) == frozenset({"b"})


@pytest.mark.parametrize(
    ("pattern", "body", "wanted"),
    [
        ({"body": {"n": [1]}}, '{"n": 1}', True),
        ({"body": {"n": [1]}}, "text", False),
        ({"body": ["text"]}, "text", True),
        ({"body": ["text"]}, '{"n": 1}', False),
        ({"eventSource": ["aws:sqs"]}, "text", True),
    ],
)
def test_a_body_is_matched_as_what_it_is(pattern: object, body: str, wanted: bool) -> None:
    """AWS's table: a plain pattern drops JSON bodies, a JSON pattern plain ones; metadata matches either."""
    patterns = patterns_of({"Filters": [{"Pattern": json.dumps(pattern)}]})
    assert is_wanted({"body": body, "eventSource": "aws:sqs"}, patterns) is wanted


@pytest.mark.parametrize(
    "text", ["", "text", 'a "quoted" \\ one', "\x00\x1f\x7f", "line\nline\ttab", "é \u2028 😀", "\ud800"]
)
def test_a_record_is_the_json_that_the_library_writes(text: str) -> None:
    """Byte by byte, whatever is in it."""
    attribute = {"stringValue": text, "stringListValues": [], "binaryListValues": [text, "b"], "dataType": "String"}
    record = {"messageId": "m", "body": text, "attributes": {}, "messageAttributes": {text: attribute, "b": attribute}}
    assert json.dumps(record, ensure_ascii=False) == text_of(record)
