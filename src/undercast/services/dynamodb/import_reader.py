"""The records of one object that an import reads: inflated, cut, each made an item or an error.

Synchronous and in small steps, for a thread: no step takes more than a piece of the object, whatever it inflates to.
Records are lines; a quoted field of a CSV file may hold line ends.
AWS: DynamoDB Developer Guide, "Amazon S3 import formats for DynamoDB".
"""

import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.import_formats import Ready, csv_item, csv_row, json_item, ready
from undercast.services.dynamodb.models import Table

PIECE_BYTES = 64 * 1024
MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Far above what an item can be as JSON; a longer record is no item."""
MAX_MEMBERS = 100_000
"""Ours: members of one GZIP object."""
_FED_BYTES = 4096
"""What zlib gets at once: it copies what is left behind each member, and of what inflates to more than a piece."""
_PIECES_AT_ONCE = 8
_GZIP_WINDOW = 31


class BrokenObject(ValueError):
    """An object that cannot be read to its end."""


Result = Ready | ServiceError | BrokenObject
"""What a record is; behind a BrokenObject there is nothing more."""


class Plain:
    """The content of an object that is not compressed."""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Of the next chunk."""
        for at in range(0, len(chunk), PIECE_BYTES):
            yield chunk[at : at + PIECE_BYTES]

    def end(self) -> None:
        """Behind the last chunk."""


class Gzip:
    """The content of an object in GZIP format: one member or several."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._members = 0

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Of the next chunk, at most PIECE_BYTES each. Raises BrokenObject."""
        view, at = memoryview(chunk), 0
        while at < len(view):
            if self._inflate.eof or not self._members:
                self._begin()
            fed = view[at : at + _FED_BYTES]
            try:
                data = self._inflate.decompress(fed, PIECE_BYTES)
            except zlib.error as error:
                raise BrokenObject(f"The object is not in GZIP format: {error}") from error
            left = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            at += len(fed) - len(left)
            yield data

    def _begin(self) -> None:
        if self._members == MAX_MEMBERS:
            raise BrokenObject(f"The object in GZIP format has more than {MAX_MEMBERS} members")
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._members += 1

    def end(self) -> None:
        """Behind the last chunk. Raises BrokenObject."""
        if self._members and not self._inflate.eof:
            raise BrokenObject("The object in GZIP format ends too early")


class Records:
    """Cuts content into records, without line ends and empty ones. `quotes` says whether quotes join lines."""

    def __init__(self, *, quotes: bool) -> None:
        self._quotes = quotes
        self._in_quotes = False
        self._record = bytearray()

    def cut(self, piece: bytes) -> Iterator[str]:
        """Those that end in the next piece. Raises BrokenObject."""
        begin = 0
        while (end := piece.find(b"\n", begin)) >= 0:
            self._add(piece[begin:end])
            begin = end + 1
            if self._in_quotes:
                self._record += b"\n"
            else:
                yield from self.rest()
        self._add(piece[begin:])

    def _add(self, part: bytes) -> None:
        if self._quotes and part.count(b'"') % 2:
            self._in_quotes = not self._in_quotes
        if len(self._record) + len(part) > MAX_RECORD_BYTES:
            raise BrokenObject("A record of the object is too long for an item")
        self._record += part

    def rest(self) -> Iterator[str]:
        """What there is since the last record. Raises BrokenObject."""
        record, self._record = self._record, bytearray()
        try:
            text = record.decode().rstrip("\r")
        except UnicodeDecodeError as error:
            raise BrokenObject("The object is not UTF-8 text") from error
        if text:
            yield text


class Reader:
    """One object on its way. `asked` is the import's description."""

    def __init__(self, table: Table, asked: Mapping[str, Any]) -> None:
        self._table = table
        self._is_csv = asked["InputFormat"] == "CSV"
        options = (asked.get("InputFormatOptions") or {}).get("Csv") or {}
        self._delimiter: str = options.get("Delimiter", ",")
        self._header: list[str] | None = options.get("HeaderList")
        definitions = asked["TableCreationParameters"]["AttributeDefinitions"]
        self._types = {one["AttributeName"]: one["AttributeType"] for one in definitions}
        self._content = Gzip() if asked["InputCompressionType"] == "GZIP" else Plain()
        self._records = Records(quotes=self._is_csv)
        self.bytes = 0
        """How much content has been read."""

    def read(self, chunk: bytes) -> Iterator[list[Result]]:
        """What the next chunk holds, in steps of at most half a MiB of content."""
        pieces = self._content.pieces(chunk)
        is_more = True
        while is_more:
            found: list[Result] = []
            try:
                is_more = self._step(pieces, found)
            except BrokenObject as error:
                found.append(error)
                is_more = False
            yield found

    def _step(self, pieces: Iterator[bytes], found: list[Result]) -> bool:
        """Whether there may be more."""
        count = 0
        for piece in islice(pieces, _PIECES_AT_ONCE):
            count += 1
            self.bytes += len(piece)
            for text in self._records.cut(piece):
                found += self._made(text)
        return count == _PIECES_AT_ONCE

    def end(self) -> list[Result]:
        """Behind the last chunk."""
        found: list[Result] = []
        try:
            self._content.end()
            for text in self._records.rest():
                found += self._made(text)
        except BrokenObject as error:
            found.append(error)
        return found

    def _made(self, text: str) -> list[Ready | ServiceError]:
        """One, and none for a header."""
        try:
            if not self._is_csv:
                return [ready(self._table, json_item(text))]
            row = csv_row(text, self._delimiter)
            if self._header is None:
                self._header = row
                return []
            return [ready(self._table, csv_item(self._header, row, self._types))]
        except ServiceError as error:
            return [error]
