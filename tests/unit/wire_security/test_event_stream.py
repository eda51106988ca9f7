"""Event stream messages against botocore's decoder, and against every way to be broken."""

import struct
import zlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from undercast.core.errors import ServiceError
from undercast.wire.event_stream import Message, MessageDecoder, SizedInt, encode_message

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


def test_we_read_what_we_write() -> None:
    """The decoder gives values back as they were, integers without their width."""
    data = encode_message(HEADERS, b"payload")
    assert MessageDecoder().feed(data) == [Message(headers=VALUES, payload=b"payload")]


def event(kind: str, payload: bytes) -> bytes:
    return encode_message({":event-type": kind, ":message-type": "event"}, payload)


@given(
    payloads=st.lists(st.binary(max_size=200), max_size=5),
    cut=st.integers(min_value=1, max_value=400),
)
@settings(max_examples=100)
def test_messages_may_be_cut_anywhere(payloads: list[bytes], cut: int) -> None:
    """The decoder keeps what is incomplete."""
    data = b"".join(event("e", payload) for payload in payloads)
    decoder, messages = MessageDecoder(), []
    for at in range(0, len(data), cut):
        messages += decoder.feed(data[at : at + cut])
    decoder.end()
    assert [message.payload for message in messages] == payloads


@pytest.mark.parametrize("at", [0, 5, 9, 14, 40, -1, -6])
def test_a_flipped_bit_is_noticed(at: int) -> None:
    """Prelude and message each have a CRC."""
    data = bytearray(event("e", b"payload"))
    data[at] ^= 1
    with pytest.raises(ServiceError, match="checksum mismatch"):
        MessageDecoder().feed(bytes(data))


def framed(total: int, headers: bytes, stated_headers: int | None = None) -> bytes:
    prelude = struct.pack(">II", total, len(headers) if stated_headers is None else stated_headers)
    guarded = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers
    return guarded + struct.pack(">I", zlib.crc32(guarded))


@pytest.mark.parametrize(
    "data",
    [
        framed(16, b"", 4),
        framed(2**31, b""),
        framed(2**18, b"", 2**17 + 1),
        framed(18, b"\x05a"),
        framed(19, b"\x01a\x0a"),
        framed(20, b"\x01a\x07\x00"),
        framed(22, b"\x01a\x07\x00\x09b"),
        framed(22, b"\x01a\x00\x01a\x00"),
        framed(19, b"\x01\xff\x00"),
        framed(27, b"\x01a\x08" + b"\x7f" * 8),
        framed(21, b"\x01a\x09\x00\x00"),
        framed(18, b"\x00\x00"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """Right checksums around wrong lengths, types or text."""
    with pytest.raises(ServiceError) as caught:
        MessageDecoder().feed(data)
    assert caught.value.code == "SerializationException"


def test_an_unfinished_message_is_refused_at_the_end() -> None:
    """A stream ends between messages."""
    decoder = MessageDecoder()
    assert decoder.feed(event("e", b"x")[:-1]) == []
    with pytest.raises(ServiceError, match="within a message"):
        decoder.end()


@given(data=st.binary(max_size=200))
@settings(max_examples=200)
def test_no_headers_crash_the_decoder(data: bytes) -> None:
    """Whatever stands between right checksums is headers or an error."""
    try:
        MessageDecoder().feed(framed(16 + len(data), data))
    except ServiceError as caught:
        assert caught.code == "SerializationException"


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
