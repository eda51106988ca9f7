"""Answers requests to a bucket's website endpoint: objects, index documents, redirects, error documents.

Anybody may ask, so only what everybody may read is shown; each read is a GetObject of the anonymous caller.
AWS: S3 User Guide, "Key differences between a website endpoint and a REST API endpoint", "Amazon S3 HTTP response
codes", "Index document and folders"; requests with x-amz-website-redirect-location.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, unquote

from undercast.core.body import BodyStream
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.http import HttpResponse
from undercast.core.http_dates import read_http_date
from undercast.core.record import record
from undercast.core.service import CrossOrigin, Visit
from undercast.services.s3 import cors, website
from undercast.services.s3.addresses import Place, place_of
from undercast.services.s3.errors import (
    IncorrectEndpoint,
    MethodNotAllowed,
    NoSuchBucket,
    NoSuchWebsiteConfiguration,
)
from undercast.services.s3.instance import S3
from undercast.services.s3.models import Bucket, ObjectVersion
from undercast.services.s3.website import Asked, Redirect

_HTML = ("content-type", "text/html; charset=utf-8")
_CONDITIONS = {"if-match": "IfMatch", "if-none-match": "IfNoneMatch", "range": "Range"}
_DATES = {"if-modified-since": "IfModifiedSince", "if-unmodified-since": "IfUnmodifiedSince"}
_HEADERS = {
    "AcceptRanges": "accept-ranges",
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentRange": "content-range",
    "ContentType": "content-type",
    "ETag": "etag",
    "Expires": "expires",
    "LastModified": "last-modified",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "StorageClass": "x-amz-storage-class",
    "VersionId": "x-amz-version-id",
}


@record
class _Website:
    """One request to a bucket that is a website."""

    s3: S3
    bucket: Bucket
    configuration: Mapping[str, Any]
    ctx: RequestContext
    asked: Asked

    reads: str
    """The operation: GetObject or HeadObject."""

    def find(self, key: str) -> ObjectVersion | None:
        """An object, readable or not."""
        found = self.s3.lookups.named(self.bucket.name, key, None)
        return None if found is None or found.is_delete_marker else found

    async def read(self, key: str, conditions: Mapping[str, Any], operation: str = "") -> Mapping[str, Any]:
        """GetObject or HeadObject as everybody. Raises what it answers."""
        params = {"Bucket": self.bucket.name, "Key": key, **conditions}
        return await self.ctx.call("s3", operation or self.reads, params)


async def serve(s3: S3, visit: Visit) -> HttpResponse:
    """See `core.service.Manifest.site`."""
    place = place_of(visit.host)
    assert place is not None, "only its own host names are handed to it"
    if not place.bucket:
        return _redirected(Redirect(status=301, location=website.PRODUCT_PAGE))
    answer = await _answer(s3, visit, place)
    bucket, origin = s3.buckets.find(place.bucket), visit.request.headers.get("origin")
    if bucket is not None and origin is not None and visit.request.method != "OPTIONS":
        shared = cors.cors_headers(bucket.configurations.get("cors"), origin, visit.request.method) or {}
        answer = replace(answer, headers=(*answer.headers, *((name.lower(), text) for name, text in shared.items())))
    if visit.request.method == "HEAD" and isinstance(answer.body, bytes) and answer.length is None:
        answer = replace(answer, length=len(answer.body), body=b"")
    return answer


async def _answer(s3: S3, visit: Visit, place: Place) -> HttpResponse:
    site: _Website | None = None
    try:
        if visit.request.method == "OPTIONS":
            return _preflight(s3, visit, place)
        site = _opened(s3, visit, place)
        redirect = website.redirect_of(site.configuration, site.asked)
        return _redirected(redirect) if redirect is not None else await _shown(site, visit)
    except ServiceError as error:
        if error.status == 304:
            return HttpResponse(status=304, headers=tuple((error.headers or {}).items()))
        return await _failed(s3, site, error)


def _opened(s3: S3, visit: Visit, place: Place) -> _Website:
    """Raises what an endpoint answers that is no website, or is asked for more than reading."""
    if visit.request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed(members={"Method": visit.request.method.upper(), "ResourceType": "OBJECT"})
    bucket = s3.buckets.find(place.bucket)
    if bucket is None:
        raise NoSuchBucket(members={"BucketName": place.bucket})
    if place.region not in ("", bucket.region):
        endpoint = f"{bucket.name}.s3-website-{bucket.region}.amazonaws.com"
        raise IncorrectEndpoint(members={"Endpoint": endpoint})
    configuration = bucket.configurations.get("website")
    if configuration is None:
        raise NoSuchWebsiteConfiguration(members={"BucketName": bucket.name})
    asked = Asked(
        key=unquote(visit.request.path[1:]),
        host=visit.request.headers.get("host", visit.host),
        protocol="https" if visit.request.secure else "http",
    )
    ctx = visit.anonymous(bucket.scope)
    reads = "HeadObject" if visit.request.method == "HEAD" else "GetObject"
    return _Website(s3=s3, bucket=bucket, configuration=configuration, ctx=ctx, asked=asked, reads=reads)


async def _shown(site: _Website, visit: Visit) -> HttpResponse:
    """The object, the index document of a folder, or the way to the folder. Raises ServiceError."""
    key, suffix = site.asked.key, site.configuration["IndexDocument"]["Suffix"]
    if not key or key.endswith("/"):
        key += suffix
    elif site.find(key) is None and site.find(f"{key}/{suffix}") is not None:
        return _redirected(Redirect(status=302, location=f"/{quote(key)}/"))
    found = site.find(key)
    if found is not None and (location := found.content.headers.get("WebsiteRedirectLocation")):
        await site.read(key, {}, "HeadObject")  # who may not read it does not learn where it leads
        return _redirected(Redirect(status=301, location=location))
    output = await site.read(key, _conditions(visit.request.headers))
    return _object(output, 206 if "ContentRange" in output else 200)


async def _failed(s3: S3, site: _Website | None, error: ServiceError) -> HttpResponse:
    """A redirect for this error, the error document, or S3's own page."""
    behind: tuple[ServiceError, ...] = ()
    if site is not None:
        redirect = website.redirect_of(site.configuration, site.asked, error.status)
        if redirect is not None:
            return _redirected(redirect)
        document = website.error_document(site.configuration, error.status)
        if document is not None:
            try:
                return _object(await site.read(document, {}), error.status)
            except ServiceError as other:
                behind = (other,)
    identity = {"RequestId": s3.ids.uuid() if site is None else site.ctx.request_id}
    told = (("x-amz-error-code", error.code), ("x-amz-error-message", error.message))
    body = website.page(error, identity, behind)
    return HttpResponse(status=error.status, headers=(_HTML, *told), body=body)


def _preflight(s3: S3, visit: Visit, place: Place) -> HttpResponse:
    """A browser's question whether it may read from another page. Raises what S3 answers where it may not."""
    headers = visit.request.headers
    names = headers.get("access-control-request-headers", "")
    request = CrossOrigin(
        origin=headers.get("origin", ""),
        method=headers.get("access-control-request-method", ""),
        headers=tuple(name.strip() for name in names.split(",") if name.strip()),
        resource={"Bucket": place.bucket, "Key": unquote(visit.request.path[1:])},
    )
    told = cors.answer(s3.buckets.find(place.bucket), request)
    return HttpResponse(status=200, headers=tuple((name.lower(), value) for name, value in told.items()))


def _conditions(headers: Mapping[str, str]) -> dict[str, Any]:
    """Conditional headers and Range as members of GetObject; a date that is none is ignored (RFC 9110, 13.1.3)."""
    found: dict[str, Any] = {member: headers[name] for name, member in _CONDITIONS.items() if name in headers}
    for name, member in _DATES.items():
        with suppress(ValueError):
            if name in headers:
                found[member] = read_http_date(headers[name])
    return found


def _object(output: Mapping[str, Any], status: int) -> HttpResponse:
    stream: BodyStream | None = output.get("Body")  # HeadObject has none
    body = b"" if stream is None else stream.buffered if stream.buffered is not None else aiter(stream)
    return HttpResponse(status=status, headers=tuple(_told(output)), body=body, length=output["ContentLength"])


def _told(output: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for member, name in _HEADERS.items():
        value = output.get(member)
        if value is not None:
            is_moment = isinstance(value, datetime)
            yield name, format_datetime(value.astimezone(UTC), usegmt=True) if is_moment else str(value)
    for name, value in (output.get("Metadata") or {}).items():
        yield f"x-amz-meta-{name}", value


def _redirected(redirect: Redirect) -> HttpResponse:
    return HttpResponse(status=redirect.status, headers=(("location", redirect.location),))
