"""Wounds: what is done to the target, headers and body of a valid request. The framing stays right (see `framing`).

Each wound is a function of a `Draft` and a random generator. Those that know a format parse the body and put something
into it that its schema never allows. AWS: Smithy's protocol specifications say what the formats are.
"""

import json
import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from undercast.core.errors import ServiceError
from undercast.wire import cbor

ODD_TEXTS = (
    "", " ", "\0", "a\0b", "é漢😀", "\ud7ff", "‮", "../../etc/passwd", "..", "/", "//", "%00", "%2e%2e%2f", "%", "%zz",
    "a" * 300, "x" * 5000, "'; DROP TABLE s3_object; --", "<a>&", "${jndi:ldap://x}", "\r\nX: y", "null", "true", "-1",
    "1e400", "NaN", "arn:aws:s3:::", "arn:::::", "arn:aws:lambda:eu-west-1:000000000000:function:fuzz-function:9",
    "*", "?", "\x7f", "￿", "{", "[", '"', "\\", "\\u0000", "🏳️‍🌈" * 20, "٣", "ﬀ", "ı", "1970-01-01T00:00:00Z",
    "99999-99-99",
)  # fmt: skip
ODD_NUMBERS = (
    0, -1, 1, 2**31 - 1, 2**31, -(2**31) - 1, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, -(10**30), 10**400,
    0.1, -0.0, 1e308, 5e-324, 1.5, 3.999999, 10080, 10241, 127, 901,
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": None}, {"a": {"b": []}}, [1, "a", None])
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS")
HEADER_NAMES = (
    "authorization", "content-type", "content-encoding", "content-md5", "host", "smithy-protocol", "x-amz-target",
    "x-amz-date", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-meta-a", "x-amz-acl",
    "range", "if-match", "if-none-match", "if-modified-since", "x-amz-invocation-type", "x-amz-object-attributes",
    "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm",
    "x-amz-log-type", "x-amz-client-context", "x-amz-tagging", "x-amz-security-token", "x-amz-storage-class", "accept",
    "x-amz-server-side-encryption", "x-amz-expected-bucket-owner", "x-amz-mp-object-size",
    "x-amz-website-redirect-location",
    "x-amzn-trace-id", "cookie", "origin", "referer", "x-forwarded-for", "x-amz-bucket-object-lock-enabled", "date",
)  # fmt: skip
HEADER_VALUES = (
    "", " ", "bytes=-1", "bytes=0-", "bytes=9-1", "bytes=a-b", "bytes=0-1,3-4", "bytes=" + "9" * 40 + "-",
    "chunked", "*",
    "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=",
    "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=, Signature=",
    "AWS a:b", "Bearer x", "Basic Og==", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "UNSIGNED-PAYLOAD", "application/json", "application/x-amz-json-1.0", "application/x-www-form-urlencoded",
    "text/xml",
    "application/cbor", "multipart/form-data; boundary=x", "application/vnd.amazon.eventstream", "gzip", "aws-chunked",
    "rpc-v2-cbor", "Logs_20140328.PutLogEvents", "Logs_20140328.", "DynamoDB_20120810.PutItem", ".", "-1", "1e9",
    "9" * 30,
    "localhost", "fuzz-bucket.s3.amazonaws.com", "s3.eu-west-1.amazonaws.com", "[::1]:80", "evil.example", "a" * 2000,
    "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 99 Foo 0000 99:99:99 GMT", "20261121T000000Z", "fuzz-bucket/standing/key",
    "fuzz-bucket/standing/key?versionId=null", "/%", "a=b&c=d", "=", "&", "e30=", "!!!", "\xe9\xff", "é漢", "Event",
    "DryRun", "Tail", "CRC32", "x-amz-checksum-crc32", "AAAAAA==", "AAAA", "aws:kms", "null", "true", '"etag"',
    "W/\"a\"",
)  # fmt: skip


@dataclass(slots=True)
class Draft:
    """A request that is being spoilt."""

    protocol: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Wound = Callable[[Draft, random.Random], None]


def cut(draft: Draft, chance: random.Random) -> None:
    """Truncate the body."""
    draft.body = draft.body[: chance.randrange(len(draft.body) + 1)]


def flip(draft: Draft, chance: random.Random) -> None:
    """Flip one to eight bits of the body."""
    spoilt = bytearray(draft.body)
    for _ in range(chance.randint(1, 8)):
        if spoilt:
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    draft.body = bytes(spoilt)


def splice(draft: Draft, chance: random.Random) -> None:
    """Put noise into the body."""
    at = chance.randrange(len(draft.body) + 1)
    draft.body = draft.body[:at] + chance.randbytes(chance.randint(1, 40)) + draft.body[at:]


def repeat(draft: Draft, chance: random.Random) -> None:
    """Have a part of the body twice."""
    begin = chance.randrange(len(draft.body) + 1)
    end = chance.randint(begin, len(draft.body))
    draft.body = draft.body[:end] + draft.body[begin:end] * chance.randint(1, 5) + draft.body[end:]


def oversize(draft: Draft, chance: random.Random) -> None:
    """Make the body larger than anything that the service takes."""
    draft.body += chance.choice((b" ", b"a", b"0", b"<", b"{", b"&a=b")) * chance.choice((2**16, 2**18, 2**20))


def header(draft: Draft, chance: random.Random) -> None:
    """Set a header that means something to a strange value."""
    draft.headers[chance.choice(HEADER_NAMES)] = chance.choice(HEADER_VALUES)


def spoil_header(draft: Draft, chance: random.Random) -> None:
    """Change a character of a header that is there, or drop it."""
    name = chance.choice(list(draft.headers))
    text = draft.headers[name]
    if chance.random() < 0.3 or not text:
        del draft.headers[name]
        return
    at = chance.randrange(len(text))
    draft.headers[name] = (
        text[:at] + chance.choice(("", "\x01", "é", ";", ",", "=", "/", "%", "9", "z")) + text[at + 1 :]
    )


def target(draft: Draft, chance: random.Random) -> None:
    """Spoil path or query."""
    at = chance.randrange(len(draft.target) + 1)
    junk = "".join(chance.choice("/?&=%ab+.-{}F0:;@~") for _ in range(chance.randint(1, 8)))
    draft.target = draft.target[:at] + junk + draft.target[at + chance.choice((0, 0, 1, 5)) :]


def odd_label(draft: Draft, chance: random.Random) -> None:
    """Put an odd text in the place of a path segment, or behind a parameter."""
    odd = chance.choice(ODD_TEXTS).encode("utf-8", "surrogatepass")
    text = quote(odd, safe=chance.choice(("", "/%")))[:4000]
    path, mark, query = draft.target.partition("?")
    if query and chance.random() < 0.5:
        parts = query.split("&")
        where = chance.randrange(len(parts))
        parts[where] = parts[where].partition("=")[0] + "=" + text
        draft.target = path + mark + "&".join(parts)
        return
    segments = path.split("/")
    segments[chance.randrange(1, len(segments)) if len(segments) > 1 else 0] = text
    draft.target = "/".join(segments) + mark + query
    if not draft.target.startswith("/"):
        draft.target = "/" + draft.target


def parameter(draft: Draft, chance: random.Random) -> None:
    """Add a query parameter that chooses a sub-resource, a limit or a presigned signature."""
    name = chance.choice((
        "acl", "uploads", "uploadId", "partNumber", "versionId", "list-type", "max-keys", "marker", "delimiter",
        "prefix",
        "continuation-token", "encoding-type", "tagging", "versioning", "delete", "notification", "lifecycle",
        "Qualifier",
        "MaxItems", "Marker", "FunctionVersion", "Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires", "X-Amz-Signature", "X-Amz-SignedHeaders", "AWSAccessKeyId", "Signature", "Expires", "torrent",
        "response-content-type", "attributes", "policy", "cors", "website", "select", "restore", "tagKeys", "nothing",
    ))  # fmt: skip
    odd = chance.choice(ODD_TEXTS).encode("utf-8", "surrogatepass")
    value = chance.choice(("", "=", f"={quote(odd)[:3000]}", f"={chance.choice(ODD_NUMBERS)}"[:500]))
    draft.target += ("&" if "?" in draft.target else "?") + name + value


def method(draft: Draft, chance: random.Random) -> None:
    """Use another verb."""
    draft.method = chance.choice(METHODS)


def structure(draft: Draft, chance: random.Random) -> None:
    """Put a wrong type, an extreme number or an odd text into one place of the body, by its format."""
    spoil = _BY_FORMAT.get(draft.protocol, _spoil_json if draft.body[:1] in b"{[" else _spoil_xml)
    spoil(draft, chance)


def odd_value(chance: random.Random) -> Any:
    """A value that a schema hardly allows."""
    kind = chance.randrange(3)
    return chance.choice((ODD_TEXTS, ODD_NUMBERS, ODD_VALUES)[kind])


def _spoil_json(draft: Draft, chance: random.Random) -> None:
    try:
        tree = json.loads(draft.body or b"{}")
    except ValueError:
        return flip(draft, chance)
    draft.body = json.dumps(replaced(tree, chance)).encode()
    return None


def _spoil_cbor(draft: Draft, chance: random.Random) -> None:
    try:
        tree = cbor.loads(draft.body or b"\xa0")
    except (ServiceError, ValueError):  # an earlier wound made it unreadable
        return flip(draft, chance)
    try:
        draft.body = cbor.dumps(replaced(tree, chance))
    except (OverflowError, ValueError, TypeError, struct.error):
        flip(draft, chance)
    return None


def replaced(tree: Any, chance: random.Random) -> Any:
    """The tree with one place changed, dropped, renamed or added."""
    if isinstance(tree, dict) and tree and chance.random() < 0.85:
        name = chance.choice(list(tree))
        what = chance.random()
        if what < 0.08:
            return {other: value for other, value in tree.items() if other != name}
        if what < 0.12:
            return {**tree, chance.choice(ODD_TEXTS[:40]): odd_value(chance)}
        return {**tree, name: replaced(tree[name], chance)}
    if isinstance(tree, list) and tree and chance.random() < 0.7:
        where = chance.randrange(len(tree))
        return [*tree[:where], replaced(tree[where], chance), *tree[where + 1 :]]
    return odd_value(chance)


def _spoil_form(draft: Draft, chance: random.Random) -> None:
    parts = draft.body.split(b"&")
    where = chance.randrange(len(parts))
    name, _, _ = parts[where].partition(b"=")
    odd = odd_value(chance)
    text = odd if isinstance(odd, str) else str(odd) if isinstance(odd, float) else str(odd)[:500]
    value = quote(text.encode("utf-8", "surrogatepass")).encode()
    what = chance.randrange(6)
    if what == 0:
        number = chance.choice((b"0", b"-1", b"999999999", b"01", b"x", b"", b"99999999999999999999"))
        name = re.sub(rb"\d+", number, name, count=1)
    elif what == 1:
        name += chance.choice((b".member.1", b".entry.1.key", b".", b"..", b".member", b".1", b"." * 60))
    elif what == 2:
        parts.append(parts[where])
    parts[where] = name + b"=" + value
    draft.body = b"&".join(parts)


_XML_TEXT = re.compile(rb">([^<>]+)<")
_XML_TAG = re.compile(rb"<(/?)([A-Za-z]\w*)")


def _spoil_xml(draft: Draft, chance: random.Random) -> None:
    what = chance.randrange(5)
    found = list((_XML_TEXT if what < 3 else _XML_TAG).finditer(draft.body))
    if not found:
        return flip(draft, chance)
    at = chance.choice(found)
    if what < 3:
        odd = odd_value(chance)
        text = odd if isinstance(odd, str) else str(odd)[:500]
        begin, end = at.span(1)
        draft.body = draft.body[:begin] + text.encode("utf-8", "surrogatepass") + draft.body[end:]
    elif what == 3:
        draft.body = (
            draft.body[: at.end(2)] + chance.choice((b"X", b":x", b' xmlns="y"', b" a=b")) + draft.body[at.end(2) :]
        )
    else:
        inner = b"<" + at[2] + b">" + chance.choice((b"", b"1", b"x")) + b"</" + at[2] + b">"
        draft.body = draft.body[: at.start()] + inner * chance.randint(1, 4) + draft.body[at.start() :]
    return None


_BY_FORMAT: dict[str, Wound] = {
    "json": _spoil_json,
    "rest-json": _spoil_json,
    "smithy-rpc-v2-cbor": _spoil_cbor,
    "query": _spoil_form,
    "rest-xml": _spoil_xml,
}
DEPTHS = (30, 100, 200, 999, 5000, 60_000)


def nest(draft: Draft, chance: random.Random) -> None:
    """A body that is nested deeper than any reader should follow, or that grows when it is read."""
    depth = chance.choice(DEPTHS)
    name = chance.choice((b"a", b"Filter", b"Tags", b"And", b"Environment", b"Expression"))
    if draft.protocol in ("json", "rest-json"):
        draft.body = chance.choice((
            b"[" * depth,
            b"[" * depth + b"]" * depth,
            (b'{"%s":' % name) * depth + b"1" + b"}" * depth,
            b'{"%s":' % name + b"[" * depth + b"]" * depth + b"}",
        ))  # fmt: skip
    elif draft.protocol == "smithy-rpc-v2-cbor":
        draft.body = chance.choice((
            b"\x81" * depth,
            b"\x9f" * depth,
            b"\xbf\x61a" * depth,
            b"\xa1\x61a" * depth + b"\x01",
            b"\xc2" * depth + b"\x01",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\xbb\x00\x00\x00\x10\x00\x00\x00\x00\x01",
        ))  # fmt: skip
    elif draft.protocol == "query":
        draft.body += b"&" + (name + b".") * min(depth, 5000) + b"member.1=x"
        draft.body += b"".join(b"&Tags.member.%d.Key=a" % number for number in range(min(depth, 3000)))
    else:
        draft.body = chance.choice((
            b"<%s>" % name * depth,
            b"<%s>" % name * depth + b"</%s>" % name * depth,
            b"<a " + b"".join(b'b%d="" ' % number for number in range(min(depth, 9000))) + b"/>",
            LAUGHS,
            EXTERNAL,
            b'<!DOCTYPE a [<!ENTITY b "%s">]><a>%s</a>' % (b"x" * depth, b"&b;" * min(depth, 1000)),
        ))  # fmt: skip


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + b"".join(
        b'<!ENTITY lol%d "%s">' % (level + 1, b"&lol%s;" % (b"%d" % level if level else b"") * 10) for level in range(9)
    )
    + b"]><Tagging><TagSet><Tag><Key>&lol9;</Key></Tag></TagSet></Tagging>"
)
EXTERNAL = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd"><!ENTITY % c SYSTEM "http://127.0.0.1/">'
    b"%c;]><Tagging><TagSet><Tag><Key>&b;</Key><Value>1</Value></Tag></TagSet></Tagging>"
)
BODY = (cut, flip, splice, repeat)
HEAD = (header, spoil_header, target, odd_label, parameter, method)
