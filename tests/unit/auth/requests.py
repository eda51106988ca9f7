"""Requests signed by botocore, as the gateway sees them."""

from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fakes import CountingIds, FakeClock
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.body import BodyStream
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.http import HttpRequest
from undercast.core.identity import Principal
from undercast.wire.call import Call
from undercast.wire.decode import decode

REGION = Region("us-east-1")
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYAA"


def sts_call(key: str | None, *, secret: str = SECRET, token: str | None = None) -> Call:
    """GetCallerIdentity, signed by botocore now; unsigned without a key."""
    return _call("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", "sts", key, secret, token)


def lambda_call(key: str | None, *, secret: str = SECRET, token: str | None = None) -> Call:
    """ListFunctions."""
    return _call("GET", "/2015-03-31/functions/", b"", "lambda", key, secret, token)


def dynamodb_call(key: str | None, service: str = "dynamodb", prefix: str = "DynamoDB_20120810") -> Call:
    """ListTables, or ListStreams with the prefix of DynamoDB Streams; signed for a service."""
    target = f"{prefix}.{'ListStreams' if 'Streams' in prefix else 'ListTables'}"
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.0"}
    return _call("POST", "/", b"{}", service, key, SECRET, None, headers)


def s3_call(key: str | None, *, secret: str = SECRET, token: str | None = None) -> Call:
    """GetObject."""
    return _call("GET", "/photos/cat.jpg", b"", "s3", key, secret, token)


def _call(
    method: str,
    path: str,
    body: bytes,
    service: str,
    key: str | None,
    secret: str,
    token: str | None,
    headers: dict[str, str] | None = None,
) -> Call:
    url = f"http://localhost:4566{path}"
    content = {"content-type": "application/x-www-form-urlencoded"} if service == "sts" else {}
    request = AWSRequest(method=method, url=url, data=body, headers={**content, **(headers or {})})
    request.headers["Host"] = urlsplit(url).netloc
    if key is not None:
        if service == "s3":
            signer: Any = botocore.auth.S3SigV4Auth(Credentials(key, secret, token), "s3", REGION)
        else:
            signer = SigV4Auth(Credentials(key, secret, token), service, REGION)
        signer.add_auth(request)
    return decode(
        HttpRequest(
            method=method,
            target=path,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=BodyStream.of(body),
        )
    )


async def _no_call(*_: Any, **__: Any) -> dict[str, Any]:
    raise AssertionError("no other service is called here")


async def _no_permits(*_: Any, **__: Any) -> bool:
    raise AssertionError("no resource is asked here")


def context(principal: Principal, account: str = "111111111111", **more: Any) -> RequestContext:
    """A request context of a caller."""
    clock = FakeClock()
    return RequestContext(
        request_id="r",
        scope=Scope(AccountId(account), REGION),
        principal=principal,
        cause=EXTERNAL,
        clock=clock,
        host_clock=clock.host,
        ids=CountingIds(),
        caller=_no_call,
        permits=_no_permits,
        **more,
    )
