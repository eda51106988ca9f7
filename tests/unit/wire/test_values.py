"""Scalars as text and CBOR: every timestamp format, what is not finite, what is malformed."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from undercast.wire import cbor
from undercast.wire.patterns import matcher
from undercast.wire.values import (
    epoch_text,
    float_text,
    iso8601,
    iso8601_millis,
    read_blob,
    read_boolean,
    read_float,
    read_integer,
    read_timestamp,
    rfc822,
    to_epoch,
)

MOMENT = datetime(2015, 1, 1, 12, 0, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2015-01-01T12:00:09Z",
        "2015-01-01T12:00:09.000Z",
        "2015-01-01T13:00:09+01:00",
        "20150101T120009Z"[:0] + "2015-01-01T12:00:09",
        "Thu, 01 Jan 2015 12:00:09 GMT",
        "Thu, 01 Jan 2015 12:00:09 -0000",
        "Thu, 01 Jan 2015 12:00:09",
        "1420113609",
        "1420113609.0",
        "1.420113609E9",
    ],
)
def test_a_timestamp_is_read_in_every_format(text: str) -> None:
    """Smithy: date-time, http-date, epoch-seconds; S3 takes them all in headers."""
    assert read_timestamp(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2015-13-01T00:00:00Z",
        "Thu, 99 Jan 2015 12:00:09 GMT",
        "Mon, 30 Nov 99999999999 10:00:00 GMT",
        "1e400",
        "9" * 40,
        "NaN",
        "12_0",
    ],
)
def test_a_timestamp_that_is_none_is_a_value_error(text: str) -> None:
    """Each protocol makes its own error of it."""
    with pytest.raises(ValueError):
        read_timestamp(text)


def test_timestamps_are_written_in_every_format() -> None:
    """Smithy, "timestampFormat trait"; S3 always has milliseconds."""
    exact = MOMENT.replace(microsecond=123_000)
    assert (iso8601(MOMENT), iso8601(exact)) == ("2015-01-01T12:00:09Z", "2015-01-01T12:00:09.123Z")
    assert (iso8601_millis(MOMENT), iso8601_millis(exact)) == ("2015-01-01T12:00:09.000Z", "2015-01-01T12:00:09.123Z")
    assert rfc822(exact) == "Thu, 01 Jan 2015 12:00:09 GMT"
    assert (epoch_text(MOMENT), epoch_text(exact)) == ("1420113609", "1420113609.123")
    assert iso8601(MOMENT.replace(microsecond=1)) == "2015-01-01T12:00:09.000001Z"
    assert iso8601(1420113609) == "2015-01-01T12:00:09Z"


def test_a_timestamp_of_another_zone_is_written_in_utc() -> None:
    """A datetime without a zone is taken as UTC."""
    berlin = MOMENT.astimezone(timezone(timedelta(hours=1)))
    assert {"2015-01-01T12:00:09Z"} == {iso8601(berlin), iso8601(MOMENT.replace(tzinfo=None))}
    assert {1420113609} == {to_epoch(berlin), to_epoch(MOMENT.replace(tzinfo=None))}


def test_numbers_that_are_not_finite_have_names() -> None:
    """Smithy: "NaN", "Infinity", "-Infinity"."""
    assert (float_text(math.nan), float_text(math.inf), float_text(-math.inf)) == ("NaN", "Infinity", "-Infinity")
    assert math.isnan(read_float("NaN"))
    assert (math.inf, -math.inf, 1.5e300) == (read_float("Infinity"), read_float("-Infinity"), read_float("1.5E300"))


@pytest.mark.parametrize("text", ["", "1_0", "inf", "nan", "infinity", "٣", "0x10", "1.5f"])
def test_python_numbers_that_are_not_aws_numbers_are_refused(text: str) -> None:
    """float() and int() take more than AWS does."""
    with pytest.raises(ValueError):
        read_float(text)
    with pytest.raises(ValueError):
        read_integer(text)


def test_integers_have_a_width() -> None:
    """32 bits for integers, 64 for longs."""
    assert (read_integer("2147483647", "integer"), read_integer("-9223372036854775808")) == (2**31 - 1, -(2**63))
    for text, kind in (("2147483648", "integer"), ("9223372036854775808", "long"), ("9" * 5000, "long")):
        with pytest.raises(ValueError):
            read_integer(text, kind)


def test_booleans_and_blobs() -> None:
    """Either case; base64 that is none is an error."""
    assert (read_boolean("True"), read_boolean("false")) == (True, False)
    with pytest.raises(ValueError):
        read_boolean("yes")
    assert read_blob("AP8=") == b"\x00\xff"
    with pytest.raises(ValueError):
        read_blob("AP8")


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, 23, 24, 255, 256, 65_535, 65_536, 2**32, 2**63 - 1, -1, -24, -25, -(2**63), 1.5, -0.0,
        1e300,
        "", "é漢😀", b"", b"\x00\xff", [], [1, [2]], {}, {"a": {"b": [1.5, "c", b"d"]}}, MOMENT,
    ],
)  # fmt: skip
def test_cbor_comes_back_as_it_was(value: object) -> None:
    """RFC 8949."""
    assert value == cbor.loads(cbor.dumps(value))


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("f93e00", 1.5),
        ("fa3fc00000", 1.5),
        ("f97c00", math.inf),
        ("9f0102ff", [1, 2]),
        ("bf616101ff", {"a": 1}),
        ("7f61616162ff", "ab"),
        ("5f41004101ff", b"\x00\x01"),
        ("c11a54a536c9", MOMENT),
        ("c1fb41d5294db2400000", MOMENT),
        ("1817", 23),
        ("f7", None),
    ],
)
def test_every_form_of_cbor_is_read(encoded: str, value: object) -> None:
    """Decoders have to take indefinite lengths, half floats and longer forms than needed."""
    assert value == cbor.loads(bytes.fromhex(encoded))


@pytest.mark.parametrize(
    "encoded",
    [
        "", "18", "1c", "5b" + "ff" * 8, "9b" + "ff" * 8, "61ff", "a1a000", "ff", "9f", "bf01ff", "81" * 400, "0000",
        "c1616100", "c1fb7ff0000000000000", "e0", "7f00ff",
    ],
)  # fmt: skip
def test_malformed_cbor_is_a_value_error(encoded: str) -> None:
    """Never another exception, never an allocation of the length that it claims."""
    with pytest.raises((ValueError, OverflowError)):
        cbor.loads(bytes.fromhex(encoded))


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\w+=,.@-]+", "a_1=@", "a b"),
        (r"[\w+=,.@-]+", "abc", "é"),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "é 漢٣:", "😀"),
        (r"^([\p{L}\p{Z}]+)$", "Ünï", "a1"),
        (r"\p{ASCII}*", "a\x00", "é"),
        (r"[\w-_]*", "a-_", "a b"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "a😀\n", "\x00"),
        (r"^arn:aws", "arn:aws:s3:::b", "xarn:aws"),
        (r"^a$", "a", "a\n"),
    ],
)
def test_javas_patterns_mean_here_what_they_mean_there(pattern: str, good: str, bad: str) -> None:
    """java.util.regex.Pattern: ASCII classes, Unicode categories, whole matches."""
    matches = matcher(pattern)
    assert matches is not None
    assert (matches(good), matches(bad)) == (True, False)
