"""Header lists of HTTP/2: reads every form, writes the plainest one (literals, no Huffman code, no table).

Pure. Whatever is malformed or too large raises `HpackError`; the connection's tables are out of step then, and it ends.
AWS: RFC 7541.
"""

from collections import deque
from collections.abc import Iterable

from undercast.http.hpack_tables import huffman_rows, static_table

_STATIC = static_table()
ENTRY_BYTES = 32
"""What an entry of a table counts besides its name and value."""
_LONGEST_CODE_BITS = 30


class HpackError(Exception):
    """COMPRESSION_ERROR."""


class Decoder:
    """The reading side of one connection."""

    def __init__(self, max_list_bytes: int, max_table_bytes: int = 4096) -> None:
        self._max_list_bytes = max_list_bytes
        self._allowed_bytes = max_table_bytes
        self._max_bytes = max_table_bytes
        self._entries: deque[tuple[str, str]] = deque()
        self._size = 0

    def decode(self, block: bytes) -> list[tuple[str, str]]:
        """The header list of a whole block."""
        found: list[tuple[str, str]] = []
        at, left = 0, self._max_list_bytes
        while at < len(block):
            first = block[at]
            if first & 0xE0 == 0x20:
                size, at = _integer(block, at, 5)
                self._resize(size)
                continue
            if first & 0x80:
                index, at = _integer(block, at, 7)
                entry = self._entry(index)
            else:
                keeps = first & 0xC0 == 0x40
                index, at = _integer(block, at, 6 if keeps else 4)
                name, at = (self._entry(index)[0], at) if index else _string(block, at, left)
                value, at = _string(block, at, left)
                entry = (name, value)
                if keeps:
                    self._add(entry)
            left -= len(entry[0]) + len(entry[1]) + ENTRY_BYTES
            if left < 0:
                raise HpackError("the header list is too large")
            found.append(entry)
        return found

    def _entry(self, index: int) -> tuple[str, str]:
        if 1 <= index <= len(_STATIC):
            return _STATIC[index - 1]
        place = index - len(_STATIC) - 1
        if not 0 <= place < len(self._entries):
            raise HpackError(f"there is no entry {index}")
        return self._entries[place]

    def _add(self, entry: tuple[str, str]) -> None:
        self._entries.appendleft(entry)
        self._size += _size(entry)
        self._evict()

    def _resize(self, size: int) -> None:
        if size > self._allowed_bytes:
            raise HpackError("the table may not be so large")
        self._max_bytes = size
        self._evict()

    def _evict(self) -> None:
        while self._size > self._max_bytes:
            self._size -= _size(self._entries.pop())


def encode(headers: Iterable[tuple[str, str]]) -> bytes:
    """A block. Raises ValueError for what cannot stand in a header."""
    out = bytearray()
    for name, value in headers:
        if not name or any(character in "\r\n\0" for character in name + value):
            raise ValueError("a response header contains a line break")
        out.append(0x00)
        for text in (name.lower(), value):
            raw = text.encode("latin-1", "replace")
            _write_integer(out, len(raw), 7)
            out += raw
    return bytes(out)


def _size(entry: tuple[str, str]) -> int:
    return len(entry[0]) + len(entry[1]) + ENTRY_BYTES


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """RFC 7541, 5.1: the number and the position behind it."""
    most = (1 << bits) - 1
    number = block[at] & most
    at += 1
    if number < most:
        return number, at
    shift = 0
    while True:
        if at >= len(block) or shift > 28:
            raise HpackError("a number is cut off or too large")
        octet = block[at]
        at += 1
        number += (octet & 0x7F) << shift
        shift += 7
        if not octet & 0x80:
            return number, at


def _write_integer(out: bytearray, number: int, bits: int) -> None:
    most = (1 << bits) - 1
    if number < most:
        out.append(number)
        return
    out.append(most)
    number -= most
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _string(block: bytes, at: int, limit_bytes: int) -> tuple[str, int]:
    if at >= len(block):
        raise HpackError("a header is cut off")
    is_coded = bool(block[at] & 0x80)
    length, at = _integer(block, at, 7)
    if length > len(block) - at:
        raise HpackError("a header is cut off")
    if (length * 8 // _LONGEST_CODE_BITS if is_coded else length) > limit_bytes:
        raise HpackError("the header list is too large")
    raw = block[at : at + length]
    return (_uncoded(raw) if is_coded else raw).decode("latin-1"), at + length


def _uncoded(raw: bytes) -> bytes:
    out = bytearray()
    row, ends = huffman_rows()
    for octet in raw:
        row, symbol = row[octet >> 4]
        if symbol >= 0:
            out.append(symbol)
        row, symbol = row[octet & 15]
        if symbol >= 0:
            out.append(symbol)
    if not any(row is end for end in ends):
        raise HpackError("no such code, or wrong padding")
    return bytes(out)
