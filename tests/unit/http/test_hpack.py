"""HPACK, by the examples of RFC 7541, Appendix C."""

import pytest

from undercast.http.hpack import Decoder, HpackError, encode
from undercast.http.hpack_tables import EOS, huffman_codes

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


def coded(data: bytes, *more: int) -> bytes:
    """In the Huffman code, as a value behind a new name."""
    codes = {symbol: place for place, symbol in huffman_codes().items()}
    bits = "".join(format(code, f"0{length}b") for length, code in (codes[one] for one in (*data, *more)))
    bits += "1" * (-len(bits) % 8)
    raw = int(bits, 2).to_bytes(len(bits) // 8) if bits else b""
    length = bytes((0x80 | len(raw),)) if len(raw) < 127 else b"\xff" + octets(len(raw) - 127)
    return b"\x00\x01a" + length + raw


def octets(number: int) -> bytes:
    return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))


def test_every_byte_has_its_code() -> None:
    """Appendix B, at every place within an octet."""
    for at in range(8):
        every = b"0" * at + bytes(range(256))
        assert decoder().decode(coded(every)) == [("a", every.decode("latin-1"))]


@pytest.mark.parametrize("raw", [b"\xff", b"\x07\xff", b"\0", coded(b"0", EOS)[4:]], ids=["8", "11", "zero", "eos"])
def test_padding_is_ones_and_shorter_than_an_octet(raw: bytes) -> None:
    """Section 5.2; EOS within a string is no padding."""
    with pytest.raises(HpackError, match="no such code, or wrong padding"):
        decoder().decode(b"\x00\x01a" + bytes((0x80 | len(raw),)) + raw)


@pytest.mark.parametrize(
    "block", [coded(b"\n" * 4500)[:-1] + b"\0", encode_kept("a", "")[:-1] + b"\x7f" + octets(5000)]
)
def test_a_string_beyond_the_limit_is_not_read(block: bytes) -> None:
    """Not even its wrong padding is found: the work is bounded before it is done."""
    with pytest.raises(HpackError, match="too large"):
        decoder().decode(block.ljust(6000, b"x"))
