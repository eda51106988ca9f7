"""Event stream messages against botocore's decoder, and what does not fit into one."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from botocore.eventstream import EventStreamBuffer

from undercast.wire.event_stream import SizedInt, encode_message

HEADERS: dict[str, Any] = {
    "yes": True,
    "no": False,
    "byte": SizedInt(-128, 1),
    "short": SizedInt(-32768, 2),
    "int": 2**31 - 1,
    "long": -(2**63),
    "bytes": b"\x00\xff",
    "string": "grüße",
    "timestamp": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    "uuid": UUID(int=12345),
}
VALUES = {name: value.value if isinstance(value, SizedInt) else value for name, value in HEADERS.items()}


def by_botocore(data: bytes) -> list[Any]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return list(buffer)


def test_botocore_reads_what_we_write() -> None:
    """Every header type of the specification, and the payload."""
    message = by_botocore(encode_message(HEADERS, b"payload"))[0]
    expected = dict(VALUES)
    expected["timestamp"] = 1767323045678
    expected["uuid"] = UUID(int=12345).bytes
    assert (message.headers, message.payload) == (expected, b"payload")


@pytest.mark.parametrize(
    "headers",
    [
        {"": True},
        {"n" * 256: True},
        {"n": "x" * 32768},
        {"n": SizedInt(200, 1)},
        {"n": 2**63},
        {f"n{number}": "x" * 32767 for number in range(5)},
    ],
    ids=["no name", "long name", "long value", "narrow", "too wide", "too many"],
)
def test_headers_that_do_not_fit_are_refused(headers: dict[str, Any]) -> None:
    """Names up to 255 bytes, values up to 32,767, all of them up to 128 KiB."""
    with pytest.raises(ValueError, match=r"bytes|fit|larger"):
        encode_message(headers)


def test_a_payload_above_24_mib_is_refused() -> None:
    """The format's limit."""
    with pytest.raises(ValueError, match="larger"):
        encode_message({}, b"x" * (24 * 1024 * 1024 + 1))
