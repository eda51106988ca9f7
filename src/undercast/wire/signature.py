"""Signatures of either version: read from the head (`parse_signature`), checked with the secret (`verify`).

Pure. Version 4 is tried first; version 2 stands for S3 alone.
AWS: S3 API Reference, "Authenticating Requests", "Signing and authenticating REST requests (Signature Version 2)".
"""

from undercast.core.http import HttpRequest
from undercast.wire import sigv2, sigv4, sigv4_claims
from undercast.wire.sigv4 import SignedCall, SigningKey, SigningKeys
from undercast.wire.sigv4_claims import Signature
from undercast.wire.sigv4_time import check_s3_scope, check_s3_time, check_scope

__all__ = ["Signature", "SigningKey", "SigningKeys", "check_claims", "parse_signature", "verify"]


def parse_signature(request: HttpRequest) -> Signature | None:
    """What a request claims of its signer; None when it is unsigned. Raises AWS's error for what cannot be read."""
    return sigv4_claims.parse_signature(request) or sigv2.parse_signature(request)


def verify(call: SignedCall, secret: str, now: float, keys: SigningKeys | None = None) -> SigningKey:
    """Check a call's signature with the secret of its access key. `now` in host-clock seconds. Raises AWS's error."""
    if call.signature is not None and call.signature.version == 2:
        return sigv2.verify(call, secret, now)
    return sigv4.verify(call, secret, now, keys)


def check_claims(claims: Signature, protocol: str, now: float) -> None:
    """Raises AWS's error for a scope that is not the request's, and S3's for a presigned URL that is over.

    That is true of any key, whether we hold its secret or not: AWS looks at the scope before it looks for the key. A
    form's scope is checked where its fields are read.
    """
    if claims.kind == "form":
        return
    presigned = claims.kind == "presigned"
    if claims.version == 2:
        if presigned:
            sigv2.check_time(claims, now)
    elif claims.service not in sigv4.SINGLE_ENCODED:
        check_scope(claims, protocol)
    elif presigned:
        check_s3_time(claims, now)
    else:
        check_s3_scope(claims)
