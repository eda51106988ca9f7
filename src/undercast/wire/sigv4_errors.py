"""The refusals of signature verification, each in the words of S3 or of the other services.

Pure. AWS: S3 API Reference, "List of error codes"; IAM User Guide, "Troubleshoot Signature Version 4 signed requests".
"""

from undercast.core.errors import ServiceError

BAD_CREDENTIAL = 'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
_JSON = ("json", "smithy-rpc-v2-cbor")


def incomplete(missing: list[str], amz_date: str, like_s3: bool) -> ServiceError:
    """An Authorization header without one of its parts, or a request without a date."""
    if like_s3 and missing:
        return ServiceError(
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the authorization component "
            f'"{missing[0]}=..." is missing or empty.',
        )
    if like_s3:
        return no_date()
    text = " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
    if not amz_date:
        text += " Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
    return ServiceError("IncompleteSignature", text.strip())


def bad_credential(like_s3: bool) -> ServiceError:
    """A Credential of the Authorization header that is no credential scope."""
    if like_s3:
        return bad_scope(BAD_CREDENTIAL, presigned=False)
    text = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
    return ServiceError("IncompleteSignature", text)


def bad_query_credential() -> ServiceError:
    """The same in a presigned URL."""
    return bad_scope(BAD_CREDENTIAL, presigned=True)


def bad_scope(text: str, *, presigned: bool) -> ServiceError:
    """A part of S3's credential scope that cannot be. S3's texts, as minio (issue 2385) and versitygw repeat them."""
    if presigned:
        return bad_query(f"Error parsing the X-Amz-Credential parameter; {text}")
    return ServiceError("AuthorizationHeaderMalformed", f"The authorization header is malformed; {text}")


def bad_query(text: str) -> ServiceError:
    """A presigned URL with a parameter that cannot be."""
    return ServiceError("AuthorizationQueryParametersError", text)


def unsupported_mechanism() -> ServiceError:
    """Signature Version 2 where only version 4 is known: everywhere but on S3."""
    text = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    return ServiceError("InvalidRequest", text)


def no_date() -> ServiceError:
    """S3 without a usable date."""
    return ServiceError("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", 403)


def invalid_signature(protocol: str, text: str) -> ServiceError:
    """What every service but S3 says to any fault of a signature."""
    if protocol in ("query", "rest-xml"):
        return ServiceError("SignatureDoesNotMatch", text, 403)
    return ServiceError("InvalidSignatureException", text, 400 if protocol in _JSON else 403)


def mismatch(protocol: str) -> ServiceError:
    """A signature that is not the one we calculate; not S3."""
    return invalid_signature(
        protocol,
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.",
    )


def s3_mismatch(access_key_id: str, provided: str, string_to_sign: str, canonical_request: str = "") -> ServiceError:
    """The same from S3, which shows what it signed. Only version 4 has a canonical request."""
    members: dict[str, str] = {
        "AWSAccessKeyId": access_key_id,
        "StringToSign": string_to_sign,
        "SignatureProvided": provided,
        "StringToSignBytes": string_to_sign.encode("latin-1", "replace").hex(" "),
    }
    if canonical_request:
        members["CanonicalRequest"] = canonical_request
        members["CanonicalRequestBytes"] = canonical_request.encode("latin-1", "replace").hex(" ")
    text = (
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method."
    )
    return ServiceError("SignatureDoesNotMatch", text, 403, members=members)


def s3_skewed(request_time: str, server_time: str) -> ServiceError:
    """A request signed more than 15 minutes away from our clock."""
    members = {"RequestTime": request_time, "ServerTime": server_time, "MaxAllowedSkewMilliseconds": "900000"}
    text = "The difference between the request time and the current time is too large."
    return ServiceError("RequestTimeTooSkewed", text, 403, members=members)


def s3_expired(expires_s: str, expires_at: str, server_time: str) -> ServiceError:
    """A presigned URL behind its time."""
    members = {"X-Amz-Expires": expires_s, "Expires": expires_at, "ServerTime": server_time}
    return ServiceError("AccessDenied", "Request has expired", 403, members=members)


def s3_not_yet_valid(signed_at: float, expires_at: str, server_time: str) -> ServiceError:
    """A presigned URL of the future. Its own date is told in milliseconds: minio issue 2638 has S3's answer."""
    members = {"X-Amz-Date": str(int(signed_at * 1000)), "Expires": expires_at, "ServerTime": server_time}
    return ServiceError("AccessDenied", "Request is not yet valid", 403, members=members)


def s3_not_signed(names: list[str]) -> ServiceError:
    """x-amz-* headers that the signature does not cover."""
    text = "There were headers present in the request which were not signed"
    return ServiceError("AccessDenied", text, 403, members={"HeadersNotSigned": ", ".join(names)})
