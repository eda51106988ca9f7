"""Signature Version 4: who says that it signed what. Read from the head, not believed yet.

Pure. A request without a SigV4 signature has none (None): whether that is allowed is decided by the gateway.
AWS: IAM User Guide, "Elements of an AWS API request signature"; S3 API Reference, "Authenticating Requests".
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from undercast.core.errors import not_implemented
from undercast.core.http import HttpRequest
from undercast.core.record import record
from undercast.wire import sigv4_errors as errors

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
_USUAL_CHARACTERS = 1024


@record
class Signature:
    """A signature as the request claims it. `date`, `region` and `service` are the credential scope."""

    kind: Literal["header", "presigned", "form"]
    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    amz_date: str
    """ISO 8601 basic format, "" when the request has none."""
    session_token: str | None = None
    expires_s: str | None = None
    """X-Amz-Expires of a presigned request as it was sent; with version 2 its Expires, seconds since the epoch."""
    version: Literal[2, 4] = 4
    """Version 2 has no scope: its date and region are "", its service is S3."""
    policy: str = ""
    """What a browser's form signs: its policy document in base64."""
    terminator: str = TERMINATOR
    """The end of the credential scope; another than this one is wrong."""


def parse_signature(request: HttpRequest) -> Signature | None:
    """The SigV4 claims of a request; None when it is unsigned or carries another kind of Authorization.

    Raises AWS's error for a SigV4 signature that cannot be read.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        if authorization.startswith(ALGORITHM):
            return _from_header(authorization, request)
        if authorization.startswith("AWS4-"):
            raise not_implemented("sigv4", authorization.partition(" ")[0])
        return None
    return _from_query(request.query) if "X-Amz-" in request.target else None


def query_pairs(query: str) -> list[tuple[str, str]]:
    """The parameters of a query string in order, decoded as SigV4 sees them ("+" is a space, as S3 reads it)."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(text: str) -> str:
    if "%" in text or "+" in text:
        return unquote(text.replace("+", " "), encoding="latin-1")
    return text


def _from_header(authorization: str, request: HttpRequest) -> Signature:
    headers = request.headers
    head, _, signature = authorization.rpartition("Signature=")
    amz_date = headers.get("x-amz-date", "")
    claimed = _usual(head) if len(head) <= _USUAL_CHARACTERS and amz_date and "," not in signature else None
    if claimed is None or not signature:
        return _from_fields(authorization, headers)
    access_key_id, date, region, service, signed_headers = claimed
    return Signature(
        kind="header",
        access_key_id=access_key_id,
        date=date,
        region=region,
        service=service,
        signed_headers=signed_headers,
        signature=signature.strip(),
        amz_date=amz_date,
        session_token=headers.get("x-amz-security-token"),
    )


@lru_cache(maxsize=1024)
def _usual(head: str) -> tuple[str, str, str, str, tuple[str, ...]] | None:
    """Key, date, region, service and signed headers, which all requests of a caller share for a day; None: look closer.

    `head` is everything before a signature that comes last.
    """
    parts = [part.strip() for part in head[len(ALGORITHM) :].split(",")]
    if len(parts) != 3 or parts[2] or not parts[1].startswith("SignedHeaders="):
        return None
    scope = parts[0].removeprefix("Credential=").rsplit("/", 4)
    if not parts[0].startswith("Credential=") or len(scope) != 5 or scope[4] != TERMINATOR or not scope[0]:
        return None
    names = parts[1].removeprefix("SignedHeaders=")
    return (scope[0], scope[1], scope[2], scope[3], tuple(names.split(";"))) if names else None


def _from_fields(authorization: str, headers: Mapping[str, str]) -> Signature:
    fields = {}
    for part in authorization[len(ALGORITHM) :].split(","):
        name, _, value = part.strip().partition("=")
        fields[name] = value
    like_s3 = "x-amz-content-sha256" in headers and "x-amz-target" not in headers
    amz_date = headers.get("x-amz-date", "") or headers.get("date", "")
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not fields.get(name)]
    if missing or not amz_date:
        raise errors.incomplete(missing, amz_date, like_s3)
    scope = fields["Credential"].rsplit("/", 4)
    if len(scope) != 5 or not scope[0]:
        raise errors.bad_credential(like_s3)
    return Signature(
        kind="header",
        access_key_id=scope[0],
        date=scope[1],
        region=scope[2],
        service=scope[3],
        signed_headers=tuple(fields["SignedHeaders"].split(";")),
        signature=fields["Signature"],
        amz_date=amz_date,
        session_token=headers.get("x-amz-security-token"),
        terminator=scope[4],
    )


def _from_query(query: str) -> Signature | None:
    fields = dict(query_pairs(query))
    algorithm = fields.get("X-Amz-Algorithm")
    if algorithm is None and not fields.keys() & {"X-Amz-Credential", "X-Amz-Signature"}:
        return None
    if algorithm != ALGORITHM:
        raise errors.bad_query('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"')
    needed = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders")
    if not all(fields.get(name) for name in needed):
        raise errors.bad_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    scope = fields["X-Amz-Credential"].rsplit("/", 4)
    if len(scope) != 5 or not scope[0]:
        raise errors.bad_query_credential()
    return Signature(
        kind="presigned",
        access_key_id=scope[0],
        date=scope[1],
        region=scope[2],
        service=scope[3],
        signed_headers=tuple(fields["X-Amz-SignedHeaders"].split(";")),
        signature=fields["X-Amz-Signature"],
        amz_date=fields["X-Amz-Date"],
        session_token=fields.get("X-Amz-Security-Token"),
        expires_s=fields.get("X-Amz-Expires"),
        terminator=scope[4],
    )
