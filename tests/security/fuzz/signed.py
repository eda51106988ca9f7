"""Signed requests: SigV4 in headers and in the query by botocore's signers, chunk signatures and trailers by hand.

Valid when they leave here; wounds come before (the signature then covers them) or after. AWS: S3 API Reference,
"Signature Calculations: Transferring Payload in Multiple Chunks", "... trailing headers".
"""

import base64
import hashlib
import hmac
import random
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.security.fuzz.wounds import Draft

REGION = "eu-west-1"
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An access key that the platform issued."""

    access_key_id: str
    secret: str


def by_header(draft: Draft, key: Key, service: str) -> None:
    """Sign in the Authorization header."""
    _sign(draft, key, botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth, service)


def by_query(draft: Draft, key: Key, service: str) -> None:
    """Presign."""
    _sign(draft, key, botocore.auth.S3SigV4QueryAuth if service == "s3" else botocore.auth.SigV4QueryAuth, service)


def _sign(draft: Draft, key: Key, signer: type[botocore.auth.SigV4Auth], service: str) -> None:
    plain = {
        name: value
        for name, value in draft.headers.items()
        if name not in ("authorization", "x-amz-date") and value.isascii() and value.isprintable()
    }
    url = f"http://{plain.get('host', 'localhost')}{quote(draft.target, safe='/?&=%:+,;@!$*()~')}"
    try:
        request = AWSRequest(method=draft.method, url=url, data=draft.body, headers=plain)
        signer(Credentials(key.access_key_id, key.secret), service, REGION).add_auth(request)
    except (ValueError, UnicodeError, TypeError):
        return  # a target that no client could sign goes out as it is
    parts = urlsplit(str(request.url))
    draft.target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    draft.headers = {name.lower(): str(value) for name, value in request.headers.items()}
    draft.headers.setdefault("host", "localhost")


def chunk_signed(key: Key, payload: bytes, chance: random.Random, *, trailer: bool) -> Draft:
    """PutObject with a signature on every chunk, and on the trailer if there is one."""
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else "")
    headers = {
        "host": "localhost",
        "content-encoding": "aws-chunked",
        "x-amz-content-sha256": kind,
        "x-amz-decoded-content-length": str(len(payload)),
    }
    if trailer:
        headers["x-amz-trailer"] = "x-amz-checksum-crc32"
    draft = Draft(protocol="aws-chunked", method="PUT", target=_object(chance), headers=headers, body=b"")
    # The plain signer takes the payload hash from the header.
    _sign(draft, key, botocore.auth.SigV4Auth, "s3")
    stamp = draft.headers.get("x-amz-date", datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
    chain = _Chain(key, stamp, draft.headers["authorization"].rpartition("=")[2])
    size = chance.choice((100, 8192, 65536))
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    body = b"".join(_chunk(piece, chain.chunk(piece)) for piece in (*pieces, b""))
    if trailer:
        line = f"x-amz-checksum-crc32:{_crc(payload)}"
        signature = chain.trailer(line)
        body = body[:-2] + f"{line}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
    draft.body = body
    return draft


def unsigned_trailer(key: Key, payload: bytes, chance: random.Random) -> Draft:
    """PutObject as newer SDKs send it: unsigned chunks with a checksum behind them."""
    headers = {
        "host": "localhost",
        "content-encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(payload)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    draft = Draft(protocol="aws-chunked", method="PUT", target=_object(chance), headers=headers, body=b"")
    _sign(draft, key, botocore.auth.SigV4Auth, "s3")
    chunk = b"%x\r\n" % len(payload) + payload + b"\r\n" if payload else b""
    draft.body = chunk + f"0\r\nx-amz-checksum-crc32:{_crc(payload)}\r\n\r\n".encode()
    return draft


def _object(chance: random.Random) -> str:
    return f"/fuzz-bucket/chunked/{chance.randrange(20)}"


def _chunk(piece: bytes, signature: str) -> bytes:
    return b"%x;chunk-signature=%s\r\n" % (len(piece), signature.encode()) + piece + b"\r\n"


def _crc(payload: bytes) -> str:
    return base64.b64encode(zlib.crc32(payload).to_bytes(4, "big")).decode()


class _Chain:
    """Each chunk's signature covers the one before."""

    def __init__(self, key: Key, stamp: str, seed: str) -> None:
        self._stamp = stamp
        self._scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        self._before = seed
        signing = f"AWS4{key.secret}".encode()
        for part in self._scope.split("/"):
            signing = hmac.digest(signing, part.encode(), "sha256")
        self._key = signing

    def chunk(self, piece: bytes) -> str:
        return self._next(f"AWS4-HMAC-SHA256-PAYLOAD\n{{}}\n{_EMPTY}\n{hashlib.sha256(piece).hexdigest()}")

    def trailer(self, line: str) -> str:
        digest = hashlib.sha256(f"{line}\n".encode()).hexdigest()
        return self._next(f"AWS4-HMAC-SHA256-TRAILER\n{{}}\n{digest}")

    def _next(self, text: str) -> str:
        to_sign = text.format(f"{self._stamp}\n{self._scope}\n{self._before}")
        self._before = hmac.new(self._key, to_sign.encode(), "sha256").hexdigest()
        return self._before
