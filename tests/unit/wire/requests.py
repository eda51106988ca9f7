"""Requests for the wire's tests, made by hand: no client, no sockets."""

from undercast.core.body import BodyStream
from undercast.core.http import HttpRequest

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def authorization(service: str, region: str = "eu-west-1") -> str:
    """An Authorization header whose scope names a service. The signature is not looked at by `decode`."""
    return (
        f"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261121/{region}/{service}/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    )


def request(
    method: str,
    target: str,
    *,
    service: str | None = None,
    host: str = "localhost:4566",
    body: bytes = b"",
    **headers: str,
) -> HttpRequest:
    """A request; underscores in header names become dashes."""
    head = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if service is not None:
        head["authorization"] = authorization(service)
        head["x-amz-date"] = "20261121T000000Z"
    return HttpRequest(method=method, target=target, headers=head, body=BodyStream.of(body))
