"""Signature Version 4: whether the claims of a head are true.

Pure. Keys that we do not hold are never asked about; the gateway decides who may go without a verified signature.
AWS: IAM User Guide, "AWS Signature Version 4 for API requests"; S3 API Reference, "Authenticating Requests".
"""

import hashlib
import hmac
import typing
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.core.record import record
from undercast.wire import sigv4_errors as errors
from undercast.wire.canonical import canonical_head, canonical_query, normal_path, s3_path
from undercast.wire.sigv4_claims import ALGORITHM, Signature, query_pairs
from undercast.wire.sigv4_time import check_s3_time, check_time

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SINGLE_ENCODED = frozenset(("s3", "s3-outposts", "s3-object-lambda", "s3express"))
"""Signing names under which a path is encoded once, and whose errors are S3's."""
INLINE_HASH_BYTES = 256 * 1024
"""Hashing more takes over 0.5 ms and leaves the event loop."""


class DerivedKey:
    """The signing key of a secret for one day, region and service.

    HMAC-SHA256 with the two blocks that depend on the key alone hashed ahead (RFC 2104): `hmac.digest` hashes them for
    every text, looks the algorithm up each time and gives the interpreter's lock away, which takes twice as long.
    """

    __slots__ = ("_inner", "_outer", "scope")

    def __init__(self, secret: str, claims: Signature) -> None:
        self.scope = f"{claims.date}/{claims.region}/{claims.service}/aws4_request"
        """date/region/service/aws4_request."""
        block = derive_key(secret, claims).ljust(64, b"\0")
        self._inner = hashlib.sha256(block.translate(hmac.trans_36))
        self._outer = hashlib.sha256(block.translate(hmac.trans_5C))

    def sign(self, text: str) -> str:
        """The hexadecimal signature of a string to sign."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text.encode("latin-1"))
        outer.update(inner.digest())
        return outer.hexdigest()


class SigningKeys:
    """Derived signing keys, the most recent ones: deriving costs four HMACs and serves a whole day."""

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity
        self._keys: OrderedDict[tuple[str, str, str, str], DerivedKey] = OrderedDict()

    def derive(self, secret: str, signature: Signature) -> DerivedKey:
        """The key of this secret for the signature's credential scope."""
        cached_as = (secret, signature.date, signature.region, signature.service)
        key = self._keys.get(cached_as)
        if key is None:
            key = DerivedKey(secret, signature)
            self._keys[cached_as] = key
            if len(self._keys) > self._capacity:
                self._keys.popitem(last=False)
        return key


@record
class SigningKey:
    """What verifying the rest of a request takes: the derived key and what the head was signed with.

    `pending_head` is set when the signature covers a payload hash that only the end of the body tells: the canonical
    request without its last line. `verified_body` then checks the signature before the last byte is handed on.
    """

    key: DerivedKey
    signature: Signature
    protocol: str
    pending_head: str | None = None

    @property
    def scope(self) -> str:
        """date/region/service/aws4_request."""
        return self.key.scope

    def sign(self, text: str) -> str:
        """The hexadecimal signature of a string to sign."""
        return self.key.sign(text)

    def check(self, head: str, payload_hash: str) -> None:
        """Raises AWS's error unless the signature is the one of this canonical request."""
        canonical = head + payload_hash
        digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
        claims = self.signature
        self.check_text(f"{ALGORITHM}\n{claims.amz_date}\n{self.key.scope}\n{digest}", canonical)

    def check_text(self, text: str, canonical: str = "") -> None:
        """The same for a string to sign."""
        claims = self.signature
        if hmac.compare_digest(self.key.sign(text).encode(), claims.signature.encode("utf-8", "replace")):
            return
        if claims.service in SINGLE_ENCODED:
            raise errors.s3_mismatch(claims.access_key_id, claims.signature, text, canonical)
        raise errors.mismatch(self.protocol)


class SignedCall(typing.Protocol):
    """What verification needs of a `Call`."""

    @property
    def request(self) -> HttpRequest:
        """The request."""
        ...

    @property
    def protocol(self) -> str:
        """The protocol of its service, which decides on error codes."""
        ...

    @property
    def signature(self) -> Signature | None:
        """The claims."""
        ...


def verify(call: SignedCall, secret: str, now: float, keys: SigningKeys | None = None) -> SigningKey:
    """Check a call's signature with the secret of its access key. `now` in host-clock seconds.

    Raises AWS's error: SignatureDoesNotMatch or InvalidSignatureException, RequestTimeTooSkewed, AccessDenied,
    AuthorizationHeaderMalformed, AuthorizationQueryParametersError. A payload whose hash is not in the head is
    checked by `wire.verified.verified_body` with the key returned.
    """
    claims, request = call.signature, call.request
    if claims is None:
        raise ValueError("the call is not signed")
    is_s3 = claims.service in SINGLE_ENCODED
    if claims.kind == "form":
        # The policy has its own expiration; S3 asks no more of the date than that it is the scope's.
        key = SigningKey(key=DerivedKey(secret, claims), signature=claims, protocol=call.protocol)
        key.check_text(claims.policy)
        return key
    if is_s3:
        claims = check_s3_time(claims, now)
        _check_signed_headers(claims, request.headers)
    else:
        claims = check_time(claims, call.protocol, now)
    key = SigningKey(
        key=keys.derive(secret, claims) if keys else DerivedKey(secret, claims),
        signature=claims,
        protocol=call.protocol,
    )
    path, _, query = request.target.partition("?")
    head = canonical_head(
        request.method,
        s3_path(path) if is_s3 else normal_path(path),
        canonical_query(query, "X-Amz-Signature" if claims.kind == "presigned" else ""),
        request.headers,
        claims.signed_headers,
    )
    payload_hash = _payload_hash(claims, request, is_s3)
    if payload_hash is None:
        return replace(key, pending_head=head)
    key.check(head, payload_hash)
    return key


def declared_hash(claims: Signature | None, request: HttpRequest) -> str | None:
    """What the head says of the payload, None for nothing: its hash, or how its chunks are signed.

    A URL that is presigned for S3 may say it in its query, which is signed; the header need not be.
    """
    if claims is not None and claims.kind == "presigned" and claims.service in SINGLE_ENCODED:
        said = dict(query_pairs(request.query)).get("X-Amz-Content-Sha256")
        if said:
            return said
    return request.headers.get("x-amz-content-sha256")


def _payload_hash(claims: Signature, request: HttpRequest, is_s3: bool) -> str | None:
    """The last line of the canonical request; None when only the end of the body tells."""
    declared = declared_hash(claims, request)
    if declared is not None:
        return declared
    if claims.kind == "presigned" and is_s3:
        return UNSIGNED_PAYLOAD
    if is_s3:
        text = "Missing required header for this request: x-amz-content-sha256"
        raise ServiceError("InvalidRequest", text)
    buffered = request.body.buffered
    if buffered is not None and len(buffered) <= INLINE_HASH_BYTES:
        return hashlib.sha256(buffered).hexdigest()
    return None


def _check_signed_headers(claims: Signature, headers: Mapping[str, str]) -> None:
    unsigned = [
        name
        for name in headers
        if name.startswith("x-amz-")
        and name not in claims.signed_headers
        and not (name == "x-amz-content-sha256" and claims.kind == "presigned")
    ]
    if "host" not in claims.signed_headers:
        unsigned.append("host")
    if unsigned:
        raise errors.s3_not_signed(unsigned)


def derive_key(secret: str, signature: Signature) -> bytes:
    """The signing key of a secret for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (signature.date, signature.region, signature.service, "aws4_request"):
        key = hmac.digest(key, part.encode("latin-1"), "sha256")
    return key
