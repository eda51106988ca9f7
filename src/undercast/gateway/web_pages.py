"""What a web page cannot have a browser do here in the name of a caller whose secret we cannot check.

Any page may send a simple request to loopback, and may put a made-up signature into its address. The browser says from
where it comes: Origin, Sec-Fetch-Site. AWS: none; there a page lacks the secret. W3C: "Fetch Metadata Request Headers".
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from undercast.gateway import auth_errors
from undercast.gateway.hosts import is_local
from undercast.wire.call import Call

PageAllowed = Callable[[Call], bool]
"""Whether the service itself lets pages of the request's Origin send it: a bucket's CORS rules."""

_PRESIGNED = frozenset({("sts", "GetCallerIdentity")})
"""What tools sign in the query string outside S3: tokens for EKS (AWS: EKS User Guide, "get-token")."""
_OWN_SITES = frozenset({None, "same-origin", "none"})
"""Sec-Fetch-Site of a program that is no browser, of our own origin, of an address that the user typed."""


def check_no_web_page(call: Call, allowed: PageAllowed) -> None:
    """Raises unless a signed call that cannot be verified comes from a program or a page that may send it.

    Reads of S3 pass: a presigned link works from any page, and only a CORS rule lets that page see the answer.
    """
    signature, request = call.signature, call.request
    if signature is not None and signature.kind == "presigned" and not _is_presigned(call):
        raise auth_errors.made_up_query(call.service)
    origin = request.headers.get("origin")
    if origin is None:
        if request.headers.get("sec-fetch-site") in _OWN_SITES:
            return
    elif _is_own(origin, request.headers.get("host", "")):
        return
    if call.service == "s3" and request.method in ("GET", "HEAD"):
        return
    if origin is None or not allowed(call):
        raise auth_errors.web_page(call.service)


def _is_presigned(call: Call) -> bool:
    return call.service == "s3" or (call.service, call.operation) in _PRESIGNED


def _is_own(origin: str, host: str) -> bool:
    """Whether a page's origin is this machine or the host asked for; "null" (a file, a sandboxed frame) is neither."""
    try:
        where = urlsplit(origin)
        name = where.hostname
    except ValueError:
        return False
    return name is not None and (is_local(name) or where.netloc.lower() == host.lower())
