"""A request's body, checked against everything that its sender said about it.

The result is read like the body itself and raises at its end, before its reader can commit (I1). Hashing of more than
256 KiB at a time leaves the event loop; nothing else here waits for anything but the body.
AWS: S3 User Guide, "Checking object integrity"; S3 API Reference, "List of error codes".
"""

import asyncio
import base64
import hashlib
import hmac
import typing
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from undercast.core.body import Blocks, BodyStream
from undercast.core.errors import ServiceError, not_implemented
from undercast.wire.aws_chunked import ChunkDecoder, malformed_trailer
from undercast.wire.checksums import DIGEST_BYTES, PREFIX, Checksum, decode_digest, new_checksum
from undercast.wire.sigv4 import INLINE_HASH_BYTES, UNSIGNED_PAYLOAD, SignedCall, SigningKey, declared_hash

_SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_SIGNED_CHUNKS_AND_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CONTENT_MD5 = "content-md5"
_STORED_AS = {"payload": "sha256", CONTENT_MD5: "md5"}
"""What runs under another name than its digest's."""
_SDK_ALGORITHM = "x-amz-sdk-checksum-algorithm"
_S3 = ("s3", "s3control")
_UPLOADS = ("PutObject", "UploadPart")
"""Where x-amz-sdk-checksum-algorithm goes with the checksum. API Reference, PutObject and UploadPart: that header."""
_PROTECTED = ("DeleteObjects", "PutBucketCors", "PutBucketLifecycleConfiguration", "PutBucketTagging")
"""What S3 takes with a digest of its body only. API Reference, "Content-MD5" of DeleteObjects and PutBucketTagging;
its text: versitygw issue 1521; for the others aws-cli issue 229. It does not ask for one where its model says so alone
(PutObjectTagging: versitygw issue 1662)."""
_WITHOUT_BODY = ("GET", "HEAD", "DELETE")
"""Content-MD5 is passed over where there is nothing that it could be of: versitygw issue 1545."""
_OBJECT_CHECKSUM_OPERATIONS = ("CompleteMultipartUpload",)
"""Where x-amz-checksum-* is that of the object, not that of the body."""


class VerifiableCall(SignedCall, typing.Protocol):
    """What verification of a body needs of a `Call`."""

    @property
    def service(self) -> str:
        """botocore's service name."""
        ...

    @property
    def operation(self) -> str:
        """The operation, "" when only the body names it."""
        ...


def verified_body(call: VerifiableCall, key: SigningKey | None) -> BodyStream:
    """The payload of a call. `key` is what `verify` returned, None when we do not hold the secret.

    `length` is the payload's, `trailers` holds the checksums that were verified, once the end is reached. Raises, at
    once or at the end, S3's errors: BadDigest, InvalidDigest, XAmzContentSHA256Mismatch, IncompleteBody,
    InvalidChunkSizeError, MalformedTrailerError, SignatureDoesNotMatch, InvalidRequest, InvalidArgument.
    """
    body, headers = call.request.body, call.request.headers
    if (
        "x-amz-content-sha256" not in headers
        and "content-encoding" not in headers
        and (key is None or key.pending_head is None)
        and call.service not in _S3
    ):
        return body  # nothing is said of it, or the signature has covered it: most calls of most services
    _check_algorithm(call)
    decoder, length = _decoder(call, key), body.length
    if decoder is not None:
        length = _decoded_length(headers)
    checks = Checks(decoder, length)
    _plan(call, key, checks)
    if decoder is None and not checks.running:
        return body
    buffered = body.buffered
    if buffered is None or len(buffered) > INLINE_HASH_BYTES:

        def keep(trailers: Mapping[str, str]) -> None:
            verified.trailers, verified.digests = trailers, checks.digests

        verified = BodyStream(_reading(body, checks, keep), length)
        if body.blocks is not None and decoder is None:
            verified.blocks = _VerifiedBlocks(body.blocks, checks, keep)
        return verified
    parts = checks.take(buffered)
    verified = BodyStream.of(parts[0] if len(parts) == 1 else b"".join(parts))
    verified.trailers = checks.finish()
    verified.digests = checks.digests
    return verified


def _check_algorithm(call: VerifiableCall) -> None:
    """What the SDK says it computes; the checksum itself may be anywhere."""
    asked = call.request.headers.get(_SDK_ALGORITHM)
    if asked is not None and call.service in _S3 and asked.lower() not in DIGEST_BYTES:
        raise ServiceError("InvalidRequest", f"Value for {_SDK_ALGORITHM} header is invalid.")


class Checks:
    """The digests that run over one payload, and what each should come to."""

    __slots__ = ("_decoder", "_length", "digests", "running", "signed_head", "stated", "trailing")

    def __init__(self, decoder: ChunkDecoder | None, length: int | None) -> None:
        self._decoder = decoder
        self._length = length
        self.running: dict[str, Checksum] = {}
        """By algorithm; "payload" is the SHA-256 of x-amz-content-sha256 and of the signature."""
        self.stated: dict[str, str] = {}
        """Algorithm -> value in a header; for "payload" hexadecimal, else base64."""
        self.trailing: tuple[str, ...] = ()
        """Algorithms whose value comes in a trailing header."""
        self.signed_head: tuple[SigningKey, str] | None = None
        """A signature that waits for the payload's hash."""
        self.digests: Mapping[str, str] = {}
        """Once finished: hexadecimal by the store's names, so that nothing is computed twice."""

    def take(self, data: bytes) -> list[bytes]:
        """Bytes as they came -> the payload in them, which every digest has seen."""
        parts = [data] if self._decoder is None else self._decoder.feed(data)
        for part in parts:
            self.see(part)
        return parts

    def see(self, part: bytes | memoryview) -> None:
        """Bytes of the payload."""
        for checksum in self.running.values():
            checksum.update(part)

    def finish(self) -> Mapping[str, str]:
        """The verified checksums as headers. Raises S3's error for the first that is wrong."""
        trailers: Mapping[str, str] = {}
        if self._decoder is not None:
            trailers = self._decoder.end()
            if self._decoder.decoded_bytes != self._length:
                text = "You did not provide the number of bytes specified by the Content-Length HTTP header"
                raise ServiceError("IncompleteBody", text)
        if {name for name in trailers if name.startswith(PREFIX)} != {PREFIX + name for name in self.trailing}:
            raise malformed_trailer()
        digests = {name: checksum.digest() for name, checksum in self.running.items()}
        self._check_payload(digests.get("payload", b"").hex())
        self.digests = {_STORED_AS.get(name, name): digest.hex() for name, digest in digests.items()}
        stated = {**self.stated, **{name: trailers[PREFIX + name] for name in self.trailing}}
        verified = {}
        for name, digest in digests.items():
            if name == "payload" or name not in stated:
                continue
            _compare(name, digest, stated[name])
            if name != CONTENT_MD5:
                verified[PREFIX + name] = stated[name]
        return verified

    def _check_payload(self, computed: str) -> None:
        if self.signed_head is not None:
            key, head = self.signed_head
            key.check(head, computed)
        stated = self.stated.get("payload")
        if stated is not None and not hmac.compare_digest(stated.encode(), computed.encode()):
            text = "The provided 'x-amz-content-sha256' header does not match what was computed."
            members = {"ClientComputedContentSHA256": stated, "S3ComputedContentSHA256": computed}
            raise ServiceError("XAmzContentSHA256Mismatch", text, members=members)


def _compare(name: str, digest: bytes, stated: str) -> None:
    expected = decode_digest(_algorithm(name), stated)
    computed = base64.b64encode(digest).decode()
    if expected is None:
        raise ServiceError("InvalidRequest", f"Value for {PREFIX}{name} trailing header is invalid.")
    if expected == digest:
        return
    if name == CONTENT_MD5:
        text = "The Content-MD5 you specified did not match what we received."
        members = {"ExpectedDigest": stated, "CalculatedDigest": computed}
        raise ServiceError("BadDigest", text, members=members)
    raise ServiceError("BadDigest", f"The {name.upper()} you specified did not match the calculated checksum.")


async def _reading(body: BodyStream, checks: Checks, keep: Callable[[Mapping[str, str]], None]) -> AsyncIterator[bytes]:
    async for data in body:
        large = len(data) > INLINE_HASH_BYTES
        for part in await asyncio.to_thread(checks.take, data) if large else checks.take(data):
            yield part
    keep(checks.finish())


class _VerifiedBlocks:
    """See `core.body.Blocks`."""

    __slots__ = ("_checks", "_keep", "_received", "digests", "lanes")

    def __init__(self, received: Blocks, checks: Checks, keep: Callable[[Mapping[str, str]], None]) -> None:
        self._received = received
        self._checks = checks
        self._keep = keep
        self.lanes: tuple[Callable[[memoryview], None], ...] = (*received.lanes, checks.see)
        self.digests = frozenset(_STORED_AS.get(name, name) for name in checks.running)

    async def fill(self, buffer: memoryview) -> int:
        return await self._received.fill(buffer)

    def finish(self) -> Mapping[str, str]:
        self._received.finish()
        self._keep(self._checks.finish())
        return self._checks.digests


def _plan(call: VerifiableCall, key: SigningKey | None, checks: Checks) -> None:
    """Decide which digests run."""
    stated = declared_hash(call.signature, call.request)
    if key is not None and key.pending_head is not None:
        checks.signed_head = key, key.pending_head
        checks.running["payload"] = hashlib.sha256()
    elif stated is not None and stated != UNSIGNED_PAYLOAD and not stated.startswith("STREAMING-"):
        if len(stated) != 64 or stated.strip("0123456789abcdef"):
            raise _bad_payload_hash(stated)
        checks.stated["payload"] = stated
        checks.running["payload"] = hashlib.sha256()
    if call.service in _S3:
        _plan_s3(call, checks)


def _plan_s3(call: VerifiableCall, checks: Checks) -> None:
    headers = call.request.headers
    md5 = headers.get("content-md5") if call.request.method not in _WITHOUT_BODY else None
    if md5 is not None:
        if decode_digest("md5", md5) is None:
            text = "The Content-MD5 you specified was invalid."
            raise ServiceError("InvalidDigest", text, members={"Content-MD5": md5})
        _run(checks, CONTENT_MD5, md5)
    if call.operation not in _OBJECT_CHECKSUM_OPERATIONS:
        for name in headers:
            if name.startswith(PREFIX) and name[len(PREFIX) :] in DIGEST_BYTES:
                algorithm = name[len(PREFIX) :]
                if decode_digest(algorithm, headers[name]) is None:
                    raise ServiceError("InvalidRequest", f"Value for {name} header is invalid.")
                _run(checks, algorithm, headers[name])
    checks.trailing = _announced(headers.get("x-amz-trailer"))
    for algorithm in checks.trailing:
        _run(checks, algorithm, None)
    found = [name for name in checks.running if name not in ("payload", CONTENT_MD5)]
    if len(found) > 1:
        text = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        raise ServiceError("InvalidRequest", text)
    if call.operation in _PROTECTED and md5 is None and not found:
        text = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
        raise ServiceError("InvalidRequest", text)
    if call.operation in _UPLOADS and _SDK_ALGORITHM in headers:
        _check_announcement(headers[_SDK_ALGORITHM].lower(), found)


def _check_announcement(asked: str, found: Sequence[str]) -> None:
    """Behind x-amz-sdk-checksum-algorithm there is a checksum of this algorithm. Texts: versitygw issues 1593, 1659."""
    if not found:
        text = "but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
        raise ServiceError("InvalidRequest", f"{_SDK_ALGORITHM} specified, {text}")
    if found != [asked]:
        raise ServiceError("InvalidRequest", f"Value for {_SDK_ALGORITHM} header is invalid.")


def _announced(trailer: str | None) -> tuple[str, ...]:
    names = [name.strip().lower() for name in trailer.split(",")] if trailer else []
    for name in names:
        if not name.startswith(PREFIX) or name[len(PREFIX) :] not in DIGEST_BYTES:
            text = "The value specified in the x-amz-trailer header is not supported"
            raise ServiceError("InvalidRequest", text)
    return tuple(name[len(PREFIX) :] for name in names)


def _run(checks: Checks, algorithm: str, stated: str | None) -> None:
    checks.running[algorithm] = new_checksum(_algorithm(algorithm))
    if stated is not None:
        checks.stated[algorithm] = stated


def _algorithm(name: str) -> str:
    return "md5" if name == CONTENT_MD5 else name


def _decoder(call: VerifiableCall, key: SigningKey | None) -> ChunkDecoder | None:
    headers = call.request.headers
    payload = declared_hash(call.signature, call.request) or ""
    if payload in (_SIGNED_CHUNKS, _SIGNED_CHUNKS_AND_TRAILER):
        return ChunkDecoder(key, signs_trailer=payload == _SIGNED_CHUNKS_AND_TRAILER)
    if payload.startswith("STREAMING-AWS4-ECDSA"):
        raise not_implemented("sigv4", payload)
    if payload.startswith("STREAMING-") and payload != _UNSIGNED_CHUNKS:
        raise _bad_payload_hash(payload)
    encodings = headers.get("content-encoding", "")
    chunked = payload == _UNSIGNED_CHUNKS or "aws-chunked" in encodings.replace(" ", "").lower().split(",")
    return ChunkDecoder(None) if chunked else None


def _decoded_length(headers: Mapping[str, str]) -> int:
    text = headers.get("x-amz-decoded-content-length")
    if text is None:
        raise ServiceError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ServiceError("InvalidArgument", "x-amz-decoded-content-length must be a number of bytes")
    return int(text)


def _bad_payload_hash(value: str) -> ServiceError:
    text = (
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 "
        "value."
    )
    members = {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value}
    return ServiceError("InvalidArgument", text, members=members)
