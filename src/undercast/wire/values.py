"""Scalars as text: timestamps in every format, numbers, booleans, blobs.

Rule: reading is as lenient as AWS (any timestamp format) and never guesses; text that is no such value raises
ValueError, which each protocol turns into its own error. Writing gives one canonical form.
AWS: Smithy, "timestampFormat trait", "Timestamp formats"; "floats NaN and Infinity".
"""

import binascii
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from undercast.core.http_dates import read_http_date

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_RANGES = {"integer": 31, "long": 63}


def from_epoch(seconds: float) -> datetime:
    """Seconds since the epoch, to the microsecond. Raises ValueError outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise ValueError(f"timestamp out of range: {seconds}") from None


def to_epoch(moment: datetime | float) -> int | float:
    """Seconds since the epoch: an int when they are whole. A datetime without a zone is UTC."""
    if not isinstance(moment, datetime):
        return int(moment) if moment == int(moment) else moment
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    whole = since.days * 86_400 + since.seconds
    return whole if not since.microseconds else whole + since.microseconds / 1e6


def _moment(value: datetime | float) -> datetime:
    if not isinstance(value, datetime):
        return from_epoch(value)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def iso8601(value: datetime | float) -> str:
    """2006-01-02T15:04:05Z, with milliseconds (or microseconds) only when there are any."""
    moment = _moment(value)
    text = moment.replace(tzinfo=None).isoformat(timespec="seconds")
    if not moment.microsecond:
        return text + "Z"
    return f"{text}.{moment.microsecond:06}".removesuffix("000") + "Z"


def iso8601_millis(value: datetime | float) -> str:
    """2006-01-02T15:04:05.000Z, as S3 writes it: always with milliseconds."""
    return _moment(value).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def rfc822(value: datetime | float) -> str:
    """Mon, 02 Jan 2006 15:04:05 GMT."""
    moment = _moment(value)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    clock = f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}"
    return f"{day}, {moment.day:02} {month} {moment.year:04} {clock} GMT"


def epoch_text(value: datetime | float) -> str:
    """Seconds since the epoch as text."""
    return str(to_epoch(value))


def read_timestamp(text: str) -> datetime:
    """A timestamp in any format that AWS takes: ISO 8601, RFC 822 or seconds since the epoch."""
    if text[:1].isalpha():
        return read_http_date(text)
    if not (text[:4].isdecimal() and text[4:5] == "-"):
        return from_epoch(read_float(text))
    moment = datetime.fromisoformat(text)
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"timestamp out of range: {text}") from None


def in_range(number: int, shape_type: str) -> int:
    """The number, when an integer of that type can hold it; else ValueError."""
    bits = _RANGES.get(shape_type)
    if bits is not None and not -(1 << bits) <= number < 1 << bits:
        raise ValueError(f"out of range of {shape_type}: {number}")
    return number


def read_integer(text: str, shape_type: str = "long") -> int:
    """A decimal integer within the range of its type."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isdecimal() and digits.isascii() and len(digits) <= 20):
        raise ValueError(f"no integer: {text[:64]}")
    return in_range(int(text), shape_type)


def read_float(text: str) -> float:
    """A decimal number, NaN, Infinity or -Infinity."""
    special = _SPECIAL.get(text)
    if special is not None:
        return special
    if "_" in text or not text.isascii() or text[-1:].isalpha():
        raise ValueError(f"no number: {text[:64]}")
    return float(text)


def float_text(value: float) -> str:
    """A number as text, with AWS's names for what is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value)


def read_boolean(text: str) -> bool:
    """`true` or `false` in any case."""
    lower = text.lower()
    if lower not in ("true", "false"):
        raise ValueError(f"no boolean: {text[:64]}")
    return lower == "true"


def read_blob(text: str | bytes) -> bytes:
    """Base64 with or without line breaks."""
    try:
        return binascii.a2b_base64(text)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(f"no base64: {error}") from None


def blob_text(value: bytes | bytearray | memoryview | str) -> str:
    """Base64 of bytes, or of text as UTF-8."""
    raw = value.encode() if isinstance(value, str) else value
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def timestamp_writer(timestamp_format: str) -> Callable[[datetime | float], str]:
    """The function that writes a format by botocore's name of it."""
    return {
        "iso8601": iso8601,
        "iso8601millis": iso8601_millis,
        "rfc822": rfc822,
        "unixTimestamp": epoch_text,
    }[timestamp_format]
