"""Objects of an import, whatever somebody has put into them.

AWS: DynamoDB Developer Guide, "Amazon S3 import formats for DynamoDB".
"""

import gzip

import pytest

from undercast.services.dynamodb import import_reader
from undercast.services.dynamodb.import_reader import PIECE_BYTES, BrokenObject, Gzip, Plain, Records


def cut(content: bytes, *, quotes: bool, piece_bytes: int = PIECE_BYTES) -> list[str]:
    """The records of an object that comes in pieces."""
    records = Records(quotes=quotes)
    found = [text for at in range(0, len(content), piece_bytes) for text in records.cut(content[at : at + piece_bytes])]
    return [*found, *records.rest()]


@pytest.mark.parametrize("piece_bytes", [1, 3, PIECE_BYTES])
def test_records_are_lines_but_for_those_within_quotes(piece_bytes: int) -> None:
    """However the object is cut into pieces."""
    content = b'a,"x\ny"\r\n\nb,"1""2"\nlast'
    assert cut(content, quotes=True, piece_bytes=piece_bytes) == ['a,"x\ny"', 'b,"1""2"', "last"]
    assert cut(content, quotes=False, piece_bytes=piece_bytes) == ['a,"x', 'y"', 'b,"1""2"', "last"]


def test_a_quote_that_nobody_closes_costs_one_pass() -> None:
    """A million lines behind it are one record: looked at once each, not again at every line end."""
    content = b'"' + b"a\n" * 1_000_000
    (record,) = cut(content, quotes=True)
    assert len(record) == len(content)


def test_a_record_has_a_longest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one line, and of lines in quotes; two short ones may be longer together."""
    monkeypatch.setattr(import_reader, "MAX_RECORD_BYTES", 100)
    assert len(cut((b"a" * 99 + b"\n") * 5, quotes=False)) == 5
    for content in (b"a" * 101, b'"' + b"a\n" * 60):
        with pytest.raises(BrokenObject, match="too long"):
            cut(content, quotes=True)


def test_content_comes_in_pieces_whatever_it_inflates_to() -> None:
    """A chunk of 64 KiB holds 64 MiB: the next piece is inflated when it is asked for."""
    packed = gzip.compress(bytes(64 * 1024 * 1024))
    content = Gzip()
    sizes = [len(piece) for piece in content.pieces(packed)]
    content.end()
    assert (sum(sizes), max(sizes)) == (64 * 1024 * 1024, PIECE_BYTES)
    assert max(len(piece) for piece in Plain().pieces(bytes(1_000_000))) == PIECE_BYTES


def test_members_of_gzip_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Across chunks, up to a number."""
    packed = b"".join(gzip.compress(b"%d\n" % number) for number in range(50))
    for size in (1, 7, len(packed)):
        content = Gzip()
        chunks = [packed[at : at + size] for at in range(0, len(packed), size)]
        assert b"".join(piece for chunk in chunks for piece in content.pieces(chunk)).split() == [
            b"%d" % number for number in range(50)
        ]
        content.end()
    monkeypatch.setattr(import_reader, "MAX_MEMBERS", 49)
    with pytest.raises(BrokenObject, match="members"):
        list(Gzip().pieces(packed))


def test_gzip_that_ends_too_early_is_broken() -> None:
    """And what is not GZIP."""
    content = Gzip()
    list(content.pieces(gzip.compress(b"text")[:-1]))
    with pytest.raises(BrokenObject, match="too early"):
        content.end()
    with pytest.raises(BrokenObject, match="not in GZIP"):
        list(Gzip().pieces(b"no gzip at all"))
    Gzip().end()
