"""A request as bytes: framed as it should be, or broken as a client, a proxy or an attacker breaks it.

AWS: RFC 9110 and RFC 9112.
"""

import random
from collections.abc import Callable

from tests.security.fuzz.wounds import Draft

Breaking = Callable[[Draft, random.Random], bytes]


def head_of(draft: Draft, *further: bytes) -> bytes:
    """The head; what cannot be in a line is taken out."""
    lines = [b" ".join((draft.method.encode(), _bytes(draft.target.replace(" ", "%20")) or b"/", b"HTTP/1.1"))]
    lines += [b"%s: %s" % (name.encode(), _bytes(value)) for name, value in draft.headers.items()]
    return b"\r\n".join((*lines, *further, b"", b""))


def _bytes(text: str) -> bytes:
    clean = text.replace("\r", "").replace("\n", "").replace("\0", "")
    try:
        return clean.encode("latin-1")
    except UnicodeEncodeError:
        return clean.encode("utf-8", "surrogatepass")


def framed(draft: Draft) -> bytes:
    """The request with a right content-length."""
    draft.headers.pop("transfer-encoding", None)
    draft.headers.pop("content-length", None)
    return head_of(draft, b"content-length: %d" % len(draft.body)) + draft.body


def chunked(draft: Draft, chance: random.Random) -> bytes:
    """The request with its body in HTTP chunks."""
    draft.headers.pop("content-length", None)
    size = chance.choice((1, 7, 100, 4096, 1 << 20)) if len(draft.body) < 20_000 else 1 << 16
    pieces = [draft.body[at : at + size] for at in range(0, len(draft.body), size)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head_of(draft, b"transfer-encoding: chunked") + body + b"0\r\n\r\n"


def truncated(draft: Draft, chance: random.Random) -> bytes:
    """The first part of the bytes."""
    whole = framed(draft)
    return whole[: chance.randrange(len(whole))]


def flipped(draft: Draft, chance: random.Random) -> bytes:
    """Bits flipped anywhere, framing included."""
    whole = bytearray(framed(draft))
    for _ in range(chance.randint(1, 12)):
        whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    return bytes(whole)


def wrong_length(draft: Draft, chance: random.Random) -> bytes:
    """A content-length that is not the body's, or no number, or there twice."""
    right = len(draft.body)
    length = chance.choice((
        b"%d" % (right + chance.randint(1, 5000)), b"%d" % max(0, right - chance.randint(1, 50)), b"-1", b"+5", b"0x10",
        b"", b"abc", b"9" * 30, b"99999999999", b"1e3", b"5, 5", b"5,6", b"\x00", b"18446744073709551616", b" 7 ",
    ))  # fmt: skip
    further = [b"content-length: " + length]
    if chance.random() < 0.3:
        further.append(b"content-length: %d" % right)
    if chance.random() < 0.2:
        further.append(b"transfer-encoding: " + chance.choice((b"chunked", b"gzip, chunked", b"identity", b"xchunked")))
    return head_of(draft, *further) + draft.body


def bad_chunks(draft: Draft, chance: random.Random) -> bytes:
    """Chunk sizes that are no sizes, lie, or never end."""
    size = chance.choice((
        b"zz", b"-1", b"", b"ffffffffffffffff", b"fffffffffffffffff", b"0x5", b"5 ", b"5;" + b"a" * 3000, b"5;a=\"b\"",
        b"%x" % (len(draft.body) + 9), b"%x" % max(0, len(draft.body) - 3), b"\x00", b"1\n", b"00000000000000000000005",
    ))  # fmt: skip
    end = chance.choice((
        b"\r\n0\r\n\r\n", b"0\r\n\r\n", b"\r\n", b"", b"\r\n0\r\nx: y\r\n\r\n",
        b"\r\n0\r\n" + b"a: b\r\n" * 8000 + b"\r\n",
        b"\r\n0\r\nx-amz-checksum-crc32: AAAAAA==\r\ncontent-length: 5\r\n\r\n", b"\n0\n\n", b"\r\n0\r\n: \r\n\r\n",
    ))  # fmt: skip
    return head_of(draft, b"transfer-encoding: chunked") + size + b"\r\n" + draft.body + end


def strange_head(draft: Draft, chance: random.Random) -> bytes:
    """Heads that are huge, or hold what no header holds."""
    line = chance.choice((
        b"x-a: " + b"a" * chance.choice((9000, 70_000, 300_000)),
        b"\r\n".join(b"x-%d: %d" % (number, number) for number in range(chance.choice((200, 3000, 20_000)))),
        b"\r\n".join(b"x-same: a" for _ in range(chance.choice((100, 3000)))),
        b"x-nul: a\0b", b"x-control: \x01\x7f", b" folded: a", b"x-fold: a\r\n b", b"no colon", b": empty", b"x y: z",
        b"host: other", b"host:", b"x-lf: a\nx-b: c", b"x-cr: a\rb", b"\xff\xfe: \xff", b"x-amz-meta-\xe9: 1",
        b"expect: 100-continue", b"expect: 200-maybe", b"upgrade: h2c\r\nconnection: upgrade, http2-settings",
        b"upgrade: websocket\r\nconnection: upgrade", b"connection: close", b"connection: keep-alive, close, x",
        b"authorization: " + b"A" * 5000, b"x-amz-date: 20261121T000000Z", b"te: trailers", b"proxy-connection: x",
    ))  # fmt: skip
    return head_of(draft, line, b"content-length: %d" % len(draft.body)) + draft.body


def strange_line(draft: Draft, chance: random.Random) -> bytes:
    """Request lines that are none of HTTP/1.1's."""
    version = chance.choice(
        (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.9", b"HTTP/1.", b"http/1.1", b"", b"HTTP/1.1 x")
    )
    method = chance.choice(
        (b"GET", b"get", b"PROPFIND", b"TRACE", b"CONNECT", b"", b"G\0T", b"A" * 100, b"PRI", b"QUERY")
    )
    aim = chance.choice((
        b"/", b"*", b"", b"//", b"http://localhost/fuzz-bucket", b"http://", b"://", b"localhost:80", b"/a b",
        b"/\xff\xfe",
        b"/\0", b"/" + b"a" * chance.choice((8000, 65_000, 200_000)), b"/?" + b"&" * 9000, b"/#a",
        b"http://a@b:c/d", b"/..//.",
    ))  # fmt: skip
    rest = head_of(draft, b"content-length: %d" % len(draft.body)).partition(b"\r\n")[2]
    return b"%s %s %s\r\n" % (method, aim, version) + rest + draft.body


def noise(draft: Draft, chance: random.Random) -> bytes:
    """Nothing of it was ever HTTP."""
    return chance.choice((
        chance.randbytes(chance.randint(1, 2000)),
        b"\x16\x03\x01" + chance.randbytes(chance.randint(0, 600)),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(508),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + chance.randbytes(50),
        b"\r\n" * chance.randint(1, 3000),
        b"\0" * chance.randint(1, 3000),
        b"GET /\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        draft.body or b"x",
    ))  # fmt: skip


def pipelined(draft: Draft, chance: random.Random) -> bytes:
    """Many requests at once, perhaps with something broken behind them."""
    whole = framed(draft)
    count = chance.choice((2, 3, 5, 20, 80)) if len(whole) < 3000 else 2
    return whole * count + chance.choice((b"", b"", whole[: len(whole) // 2], b"garbage\r\n\r\n"))


BREAKINGS: tuple[Breaking, ...] = (
    truncated, truncated, flipped, flipped, wrong_length, bad_chunks, strange_head, strange_line, noise, pipelined,
)  # fmt: skip
