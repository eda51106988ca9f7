"""Requests as botocore's signers make them, and calls as the gateway sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from undercast.core.body import BodyStream
from undercast.core.http import HttpRequest
from undercast.wire.signature import Signature, parse_signature

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What `verify` and `verified_body` need of a Call."""

    request: HttpRequest
    service: str
    operation: str = "PutObject"
    protocol: str = "rest-xml"

    @property
    def signature(self) -> Signature | None:
        """The claims of the request as it is now, tampered with or not."""
        return parse_signature(self.request)

    def with_request(self, **changes: Any) -> "SignedRequest":
        """The same with the request changed."""
        return replace(self, request=replace(self.request, **changes))

    def with_headers(self, **changes: str) -> "SignedRequest":
        """The same with headers set; "_" stands for "-"."""
        headers = {**self.request.headers, **{name.replace("_", "-"): value for name, value in changes.items()}}
        return self.with_request(headers=headers)


def received(prepared: Any, service: str, protocol: str, body: BodyStream | None = None) -> SignedRequest:
    """A prepared botocore request as it arrives."""
    url = urlsplit(prepared.url)
    headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
    headers.setdefault("host", url.netloc)
    target = url.path or "/"
    if url.query:
        target += f"?{url.query}"
    data = prepared.body or b""
    request = HttpRequest(
        method=prepared.method,
        target=target,
        headers=headers,
        body=body or BodyStream.of(data if isinstance(data, bytes) else data.encode()),
    )
    return SignedRequest(request=request, service=service, protocol=protocol)


def sign(
    signer: str,
    *,
    service: str,
    method: str = "POST",
    url: str = "https://example.amazonaws.com/",
    data: bytes = b"",
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    protocol: str = "json",
    **arguments: Any,
) -> SignedRequest:
    """Sign with one of botocore's signers, e.g. SigV4Auth, S3SigV4QueryAuth, HmacV1Auth."""
    request = AWSRequest(method=method, url=url, data=data, headers=dict(headers or {}))
    credentials = Credentials(ACCESS_KEY, SECRET, token)
    scope = () if signer.startswith("HmacV1") else (service, REGION)
    getattr(botocore.auth, signer)(credentials, *scope, **arguments).add_auth(request)
    return received(request.prepare(), service, protocol)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
