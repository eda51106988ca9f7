"""Signatures of either version: read from the head (`parse_signature`), checked with the secret (`verify`).

Pure. Version 4 is tried first; version 2 stands for S3 alone.
AWS: S3 API Reference, "Authenticating Requests", "Signing and authenticating REST requests (Signature Version 2)".
"""

from undercast.core.http import HttpRequest
from undercast.wire import sigv2, sigv4, sigv4_claims, sigv4_errors
from undercast.wire.call import Call
from undercast.wire.model import catalogue
from undercast.wire.sigv4 import SignedCall, SigningKey, SigningKeys
from undercast.wire.sigv4_claims import Signature
from undercast.wire.sigv4_time import check_s3_scope, check_s3_time, check_scope

__all__ = ["Signature", "SigningKey", "SigningKeys", "check_addressee", "check_claims", "parse_signature", "verify"]


def parse_signature(request: HttpRequest) -> Signature | None:
    """What a request claims of its signer; None when it is unsigned. Raises AWS's error for what cannot be read."""
    return sigv4_claims.parse_signature(request) or sigv2.parse_signature(request)


def verify(call: SignedCall, secret: str, now: float, keys: SigningKeys | None = None) -> SigningKey:
    """Check a call's signature with the secret of its access key. `now` in host-clock seconds. Raises AWS's error."""
    if call.signature is not None and call.signature.version == 2:
        return sigv2.verify(call, secret, now)
    return sigv4.verify(call, secret, now, keys)


_HOSTS = frozenset({"host", ":authority"})
"""The second is what AWS's SDK for JavaScript signs over HTTP/2."""


def check_addressee(call: Call) -> None:
    """Raises AWS's error for a signature that is made for another service, or for any host; true of any key.

    The name to sign with is botocore's, the endpoint's where it has none of its own: "monitoring" for CloudWatch,
    "dynamodb" for its streams, too. S3 is called by its scope alone, and says of headers what it has to. Other services
    take x-amz-* headers that are not signed: awscurl (issues 13 and 149) does not sign X-Amz-Target.
    AWS's texts: ex-aws/ex_aws issue 306; babbel/okhttp-aws-signer issue 10.
    """
    claims = call.signature
    entry = catalogue().entries.get(call.service)
    if claims is None or claims.version == 2 or claims.kind == "form" or entry is None:
        return
    wrong = []
    if claims.service != entry.signing_name and not (
        entry.signing_name == "s3" and claims.service in sigv4.SINGLE_ENCODED
    ):
        wrong.append(f"Credential should be scoped to correct service: '{entry.signing_name}'.")
    if entry.signing_name != "s3" and _HOSTS.isdisjoint(claims.signed_headers):
        wrong.append("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    if wrong:
        raise sigv4_errors.invalid_signature(call.protocol, " ".join(wrong))


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
