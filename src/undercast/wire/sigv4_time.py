"""When a signature is valid: 15 minutes around its time, a presigned URL for as long as it says, at most a week.

Pure. All times are host-clock seconds: a request is signed by a clock that nobody moves.
AWS: S3 API Reference, "Authenticating Requests: Using Query Parameters"; IAM User Guide, "Troubleshoot".
"""

import time
from calendar import timegm
from dataclasses import replace
from email.utils import parsedate_tz
from functools import lru_cache

from undercast.core.errors import ServiceError
from undercast.wire import sigv4_errors as errors
from undercast.wire.sigv4_claims import TERMINATOR, Signature

SKEW_S = 15 * 60
WEEK_S = 7 * 24 * 3600


def check_s3_time(claims: Signature, now: float) -> Signature:
    """The claims with their date in basic ISO 8601. Raises S3's error when the date is wrong or over."""
    at, amz_date = check_s3_scope(claims)
    if claims.kind != "presigned":
        if abs(now - at) > SKEW_S:
            raise errors.s3_skewed(claims.amz_date, extended(now))
    else:
        expires_at = at + _expires(claims.expires_s)
        if at - now > SKEW_S:
            raise errors.s3_not_yet_valid(at, extended(expires_at), extended(now))
        if now > expires_at:
            raise errors.s3_expired(claims.expires_s or "", extended(expires_at), extended(now))
    return claims if amz_date == claims.amz_date else replace(claims, amz_date=amz_date)


def check_s3_scope(claims: Signature) -> tuple[float, str]:
    """Seconds and basic ISO 8601 form of the claims' date. Raises S3's error unless it is their scope's, too."""
    at, amz_date = moment(claims.amz_date)
    if at is None or claims.date != amz_date[:8] or claims.terminator != TERMINATOR:
        raise _wrong_s3_scope(claims, amz_date)
    return at, amz_date


def _wrong_s3_scope(claims: Signature, amz_date: str) -> ServiceError:
    presigned = claims.kind != "header"
    if claims.terminator != TERMINATOR:
        text = f'incorrect terminal "{claims.terminator}". This endpoint uses "{TERMINATOR}".'
        return errors.bad_scope(text, presigned=presigned)
    if len(claims.date) != 8 or moment(f"{claims.date}T000000Z")[0] is None:
        text = f'incorrect date format "{claims.date}". This date in the credential must be in the format "yyyyMMdd".'
        return errors.bad_scope(text, presigned=presigned)
    if not amz_date:
        if presigned:
            return errors.bad_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        return errors.no_date()
    text = f'Invalid credential date "{claims.date}". This date is not the same as X-Amz-Date: "{amz_date[:8]}".'
    return errors.bad_query(text) if presigned else errors.bad_scope(text, presigned=False)


def check_time(claims: Signature, protocol: str, now: float) -> Signature:
    """`check_s3_time` in the words of all other services."""
    at, amz_date = check_scope(claims, protocol)
    allowed, note = SKEW_S, "15 min."
    if claims.kind == "presigned" and claims.expires_s is not None:
        allowed = _expires(claims.expires_s)
        note = f"{allowed // 60} min."
    if now - at > allowed:
        limit = f"{_basic(now - allowed)} ({_basic(now)} - {note})"
        raise errors.invalid_signature(protocol, f"Signature expired: {amz_date} is now earlier than {limit}")
    if at - now > SKEW_S:
        limit = f"{_basic(now + SKEW_S)} ({_basic(now)} + 15 min.)"
        raise errors.invalid_signature(protocol, f"Signature not yet current: {amz_date} is still later than {limit}")
    return claims if amz_date == claims.amz_date else replace(claims, amz_date=amz_date)


def check_scope(claims: Signature, protocol: str) -> tuple[float, str]:
    """`check_s3_scope` in the words of all other services, which tell all that is wrong at once.

    DynamoDB's answer to such a scope: architect/dynalite, "index.js".
    """
    at, amz_date = moment(claims.amz_date)
    if at is None:
        text = "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601"
        raise ServiceError("IncompleteSignature", text.format(claims.amz_date))
    wrong = []
    if claims.terminator != TERMINATOR:
        wrong.append(f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{claims.terminator}'.")
    if claims.date != amz_date[:8]:
        wrong.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{claims.date}' != '{amz_date[:8]}', from '{amz_date}'."
        )
    if wrong:
        raise errors.invalid_signature(protocol, " ".join(wrong))
    return at, amz_date


def _expires(text: str | None) -> int:
    if text is None:
        raise errors.bad_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit():
        raise errors.bad_query("X-Amz-Expires should be a number")
    if text != digits:
        raise errors.bad_query("X-Amz-Expires must be non-negative")
    if len(digits) > 9 or int(digits) > WEEK_S:
        raise errors.bad_query(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            "604800 seconds"
        )
    return int(digits)


@lru_cache(maxsize=64)
def moment(text: str) -> tuple[float | None, str]:
    """Seconds and basic ISO 8601 form of an X-Amz-Date or Date value; (None, "") when it is neither."""
    digits = text[:8] + text[9:15]
    if len(text) == 16 and text[8] == "T" and text[15] == "Z" and digits.isascii() and digits.isdigit():
        year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
        hour, minute, second = int(text[9:11]), int(text[11:13]), int(text[13:15])
        if year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60:
            return timegm((year, month, day, hour, minute, second)), text
        return None, ""
    parts = parsedate_tz(text)
    if parts is None:
        return None, ""
    try:
        at = timegm(parts[:6]) - (parts[9] or 0)
        return at, _basic(at)
    except (ValueError, OverflowError):
        return None, ""


def _basic(at: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))


def extended(at: float) -> str:
    """Seconds as S3's error documents show them, e.g. "2026-01-02T03:04:05Z"."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
