"""HPACK, by the examples of RFC 7541, Appendix C."""

import pytest

from undercast.http.hpack import Decoder, HpackError, encode

FIRST = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")]
SECOND = [*FIRST, ("cache-control", "no-cache")]
THIRD = [
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/index.html"),
    (":authority", "www.example.com"),
    ("custom-key", "custom-value"),
]


def decoder() -> Decoder:
    return Decoder(max_list_bytes=4096)


@pytest.mark.parametrize(
    "blocks",
    [
        (  # C.3, without Huffman coding
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ),
        (  # C.4, with it
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ),
    ],
)
def test_requests_of_one_connection(blocks: tuple[str, str, str]) -> None:
    """The dynamic table is kept from one block to the next."""
    reader = decoder()
    assert [reader.decode(bytes.fromhex(block)) for block in blocks] == [FIRST, SECOND, THIRD]


def test_what_is_never_indexed_and_what_is_not() -> None:
    """C.2.2 and C.2.3."""
    reader = decoder()
    assert reader.decode(bytes.fromhex("040c2f73616d706c652f70617468")) == [(":path", "/sample/path")]
    assert reader.decode(bytes.fromhex("100870617373776f726406736563726574")) == [("password", "secret")]


def test_a_table_that_is_full_forgets_the_oldest() -> None:
    """C.5: with a table of 256 bytes; a smaller one is told by the sender."""
    reader = Decoder(max_list_bytes=4096, max_table_bytes=100)
    first = bytes.fromhex("400a637573746f6d2d6b65790c637573746f6d2d76616c7565")
    reader.decode(first)
    assert reader.decode(b"\xbe") == [("custom-key", "custom-value")]
    reader.decode(encode_kept("a" * 20, "b" * 20))
    with pytest.raises(HpackError):
        reader.decode(b"\xbf")
    reader.decode(b"\x20")
    with pytest.raises(HpackError):
        reader.decode(b"\xbe")
    with pytest.raises(HpackError):
        reader.decode(b"\x3f\xe1\x1f")


def encode_kept(name: str, value: str) -> bytes:
    return b"\x40" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()


def test_what_we_write_is_read() -> None:
    """Long values, too; a line break is no value."""
    headers = [(":status", "200"), ("x-long", "y" * 5000), ("empty", "")]
    assert Decoder(max_list_bytes=10_000).decode(encode(headers)) == headers
    with pytest.raises(ValueError, match="line break"):
        encode([("a", "b\r\nc: d")])


@pytest.mark.parametrize(
    "block",
    ["80", "ff80808080808080", "40", "400a6162", "4182ffff", "00016187ffffffffffffff", "c0"],
    ids=["index 0", "number too large", "no name", "cut off", "bad padding", "eos", "no such entry"],
)
def test_malformed_blocks_are_refused(block: str) -> None:
    """COMPRESSION_ERROR."""
    with pytest.raises(HpackError):
        decoder().decode(bytes.fromhex(block))


def test_a_header_list_has_a_limit() -> None:
    """One byte may stand for a large entry: the decoded size counts."""
    reader = Decoder(max_list_bytes=1000)
    reader.decode(encode_kept("a" * 60, "b" * 60))
    with pytest.raises(HpackError):
        reader.decode(b"\xbe" * 20)
