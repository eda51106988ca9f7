"""The fixed tables of HPACK.

AWS: RFC 7541, Appendix A (static table) and B (Huffman code).
"""

from functools import cache
from typing import TypeAlias

_STATIC = """
:authority | :method=GET | :method=POST | :path=/ | :path=/index.html | :scheme=http | :scheme=https |
:status=200 | :status=204 | :status=206 | :status=304 | :status=400 | :status=404 | :status=500 |
accept-charset | accept-encoding=gzip, deflate | accept-language | accept-ranges | accept |
access-control-allow-origin | age | allow | authorization | cache-control | content-disposition |
content-encoding | content-language | content-length | content-location | content-range | content-type |
cookie | date | etag | expect | expires | from | host | if-match | if-modified-since | if-none-match |
if-range | if-unmodified-since | last-modified | link | location | max-forwards | proxy-authenticate |
proxy-authorization | range | referer | refresh | retry-after | server | set-cookie |
strict-transport-security | transfer-encoding | user-agent | vary | via | www-authenticate
"""
_LENGTHS = (
    "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f565"
    "65666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmp"
    "qqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu"
)
"""Of the code of each byte and of EOS, in base 36. The code is canonical: the lengths say all of it."""
EOS = 256


def static_table() -> tuple[tuple[str, str], ...]:
    """Names and values; index 1 is the first."""
    entries = [entry.strip() for entry in _STATIC.replace("\n", " ").split(" | ")]
    return tuple((name, value) for name, _, value in (entry.partition("=") for entry in entries))


Row: TypeAlias = "list[tuple[Row, int]]"
"""A place within a code: for each four bits that may follow, the next place and the byte that ends on the way, or -1.
No code is shorter than five bits."""


@cache
def huffman_rows() -> tuple[Row, tuple[Row, ...]]:
    """The first row, and those where a string may end. What no code begins with leads to a row that leads to itself."""
    codes = huffman_codes()
    inner = {(bits, code >> length - bits) for length, code in codes for bits in range(length)}
    rows: dict[tuple[int, int], Row] = {place: [] for place in inner}
    dead: Row = []
    dead.extend((dead, -1) for _ in range(16))
    for place, row in rows.items():
        for nibble in range(16):
            (length, code), symbol = place, -1
            for bit in range(3, -1, -1):
                length, code = length + 1, code << 1 | nibble >> bit & 1
                if (length, code) in codes:
                    symbol, length, code = codes[(length, code)], 0, 0
            row.append((dead, -1) if symbol == EOS or (length, code) not in rows else (rows[(length, code)], symbol))
    return rows[(0, 0)], tuple(rows[(length, (1 << length) - 1)] for length in range(8))


def huffman_codes() -> dict[tuple[int, int], int]:
    """(length, code) -> byte or EOS."""
    lengths = [int(digit, 36) for digit in _LENGTHS]
    codes, code, before = {}, 0, 0
    for symbol in sorted(range(len(lengths)), key=lambda one: (lengths[one], one)):
        code <<= lengths[symbol] - before
        before = lengths[symbol]
        codes[(before, code)] = symbol
        code += 1
    return codes
