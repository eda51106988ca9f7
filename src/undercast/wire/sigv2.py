"""Signature Version 2 of S3: `Authorization: AWS key:signature` and the presigned URLs of older tools.

Pure. It names neither region nor service, so it stands for S3 alone; every x-amz-* header is part of what is signed.
AWS: S3 API Reference, "Signing and authenticating REST requests (Signature Version 2)".
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace

from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire import s3
from undercast.wire import sigv4_errors as errors
from undercast.wire.hosts import DEFAULT_HOSTS, host_target
from undercast.wire.sigv4 import DerivedKey, SignedCall, SigningKey
from undercast.wire.sigv4_claims import Signature, query_pairs
from undercast.wire.sigv4_time import SKEW_S, extended, moment

_SCHEME = "AWS "
_ACCESS_KEY = "AWSAccessKeyId"
_SUB_RESOURCES = frozenset(
    {
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "delete",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "restore",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    }
)
"""Query parameters that belong to the signed resource."""


def parse_signature(request: HttpRequest) -> Signature | None:
    """The SigV2 claims of a request; None when it has none. Raises S3's error for a part that is missing."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _from_header(authorization, request) if authorization.startswith(_SCHEME) else None
    query = request.query
    return _from_query(query) if f"{_ACCESS_KEY}=" in query else None


def _from_header(authorization: str, request: HttpRequest) -> Signature:
    headers = request.headers
    if "x-amz-target" in headers or "smithy-protocol" in headers:
        raise errors.unsupported_mechanism()
    access_key_id, colon, signature = authorization.removeprefix(_SCHEME).strip().rpartition(":")
    if not (access_key_id and colon and signature):
        raise ServiceError("InvalidArgument", "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")
    return replace(
        claims_of(access_key_id, signature, headers.get("x-amz-security-token")),
        kind="header",
        amz_date=headers.get("x-amz-date", "") or headers.get("date", ""),
    )


def _from_query(query: str) -> Signature | None:
    fields = dict(query_pairs(query))
    if "SignatureVersion" in fields:
        return None  # the query services' own Signature Version 2, which AWS ended
    if not all(fields.get(name) for name in (_ACCESS_KEY, "Signature", "Expires")):
        text = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        raise ServiceError("AccessDenied", text, 403)
    claims = claims_of(fields[_ACCESS_KEY], fields["Signature"], fields.get("x-amz-security-token"))
    return replace(claims, kind="presigned", expires_s=fields["Expires"])


def claims_of(access_key_id: str, signature: str, session_token: str | None, policy: str = "") -> Signature:
    """The claims of a form; those of a header and of a URL differ in their kind."""
    return Signature(
        kind="form",
        version=2,
        access_key_id=access_key_id,
        date="",
        region="",
        service=s3.SERVICE,
        signed_headers=(),
        signature=signature,
        amz_date="",
        session_token=session_token,
        policy=policy,
    )


def verify(call: SignedCall, secret: str, now: float) -> SigningKey:
    """Check a call's signature with the secret of its access key. `now` in host-clock seconds.

    Raises S3's error: SignatureDoesNotMatch, RequestTimeTooSkewed, AccessDenied for an expired URL.
    """
    claims = call.signature
    if claims is None:
        raise ValueError("the call is not signed")
    key = SigningKey(key=DerivedKey(secret, claims), signature=claims, protocol=call.protocol)
    if claims.kind == "form":
        check(claims, secret, claims.policy)
        return key
    check_time(claims, now)
    check(claims, secret, *strings_to_sign(call.request, claims))
    return key


def check(claims: Signature, secret: str, *texts: str) -> None:
    """Raises SignatureDoesNotMatch unless the claims hold the HMAC-SHA1 of one of these texts."""
    given = claims.signature.encode("utf-8", "replace")
    for text in texts:
        expected = b64encode(hmac.digest(secret.encode(), text.encode("latin-1", "replace"), "sha1"))
        if hmac.compare_digest(expected, given):
            return
    raise errors.s3_mismatch(claims.access_key_id, claims.signature, texts[0])


def check_time(claims: Signature, now: float) -> None:
    """Raises S3's error when the request is too old, or the URL is over."""
    if claims.kind == "presigned":
        expires = claims.expires_s or ""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            text = f"Invalid date (should be seconds since epoch): {expires}"
            raise ServiceError("AccessDenied", text, 403)
        if now > int(expires):
            members = {"Expires": extended(int(expires)), "ServerTime": extended(now)}
            raise ServiceError("AccessDenied", "Request has expired", 403, members=members)
        return
    at, _ = moment(claims.amz_date)
    if at is None:
        raise errors.no_date()
    if abs(now - at) > SKEW_S:
        raise errors.s3_skewed(claims.amz_date, extended(now))


def strings_to_sign(request: HttpRequest, claims: Signature) -> list[str]:
    """Verb, Content-MD5, Content-Type, date, x-amz-* headers and resource, in each form that the resource may have."""
    pairs = tuple(query_pairs(request.query))
    headers: Mapping[str, str] = request.headers
    if claims.kind == "presigned":
        # Older SDKs move what they would have sent as headers into the query string.
        moved = {name.lower(): value for name, value in pairs if name.lower() in ("content-md5", "content-type")}
        headers = {**moved, **s3.hoisted_headers(headers, pairs)}
        date = claims.expires_s or ""
    else:
        date = "" if "x-amz-date" in headers else headers.get("date", "")
    lines = [request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date]
    lines += [f"{name}:{headers[name].strip()}" for name in sorted(headers) if name.startswith("x-amz-")]
    query = _sub_resources(request, pairs)
    return ["\n".join([*lines, path + query]) for path in _paths(request)]


def _paths(request: HttpRequest) -> tuple[str, ...]:
    """The path with its bucket. SDKs send a bucket without the slash behind it and sign it with, or without."""
    bucket = host_target(request.headers.get("host", ""), DEFAULT_HOSTS).bucket
    path = s3.addressed_path(request.path or "/", bucket)
    return (f"{path}/", path) if "/" not in path[1:] and len(path) > 1 else (path,)


def _sub_resources(request: HttpRequest, pairs: tuple[tuple[str, str], ...]) -> str:
    chosen = sorted((name, value) for name, value in pairs if name in _SUB_RESOURCES)
    named = {part.partition("=")[0] for part in request.query.split("&") if "=" in part}
    shown = "&".join(f"{name}={value}" if name in named else name for name, value in chosen)
    return f"?{shown}" if shown else ""
