"""The fixed tables of HPACK.

AWS: RFC 7541, Appendix A (static table) and B (Huffman code).
"""

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
