"""A browser's upload form as the PutObject that it means, and the answer that a browser gets. Only S3 takes forms.

The fields stand for the headers of a put, so everything behind (checksums, authorisation, the operation) is a put's.
AWS: S3 API Reference, "POST Object", "Browser-Based Uploads Using POST (AWS Signature Version 4)".
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from urllib.parse import quote, urlencode, urlsplit

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire import s3
from undercast.wire import sigv4_errors as errors
from undercast.wire.call import Call
from undercast.wire.codec import codec
from undercast.wire.draft import Draft
from undercast.wire.hosts import DEFAULT_HOSTS, HostTarget, host_target
from undercast.wire.multipart import Form, FormReader
from undercast.wire.post_policy import SizeRange, check_policy
from undercast.wire.protocols.xml import text_of
from undercast.wire.sigv2 import claims_of
from undercast.wire.sigv4_claims import ALGORITHM, Signature
from undercast.wire.sigv4_time import check_s3_scope

CONTENT_TYPE = "multipart/form-data"
_KEPT_HEADERS = ("host", "origin", "referer", "user-agent")
_CONTENT_FIELDS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
)
_NOT_OF_THE_OBJECT = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-trailer",
    }
)
_FILENAME = "${filename}"
_SIGNING_FIELDS = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature")
"""Of version 4, in the spelling and order in which S3 misses them; a form with none of them is anonymous."""


def form_call(request: HttpRequest, path: str) -> Call | None:
    """The unread call of a form; None for what is no POST to a bucket. `path` is in path style.

    Raises PreconditionFailed for one of another content type; the text: danialfarid/ng-file-upload issue 2054.
    """
    bucket = path.strip("/")
    if request.method != "POST" or not bucket or "/" in bucket:
        return None
    if not request.headers.get("content-type", "").lower().startswith(CONTENT_TYPE):
        members = {"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"}
        text = "At least one of the pre-conditions you specified did not hold"
        raise ServiceError("PreconditionFailed", text, 412, members=members)
    return Call(request=request, service=s3.SERVICE, operation="", protocol="rest-xml", labels={"Bucket": bucket})


async def opened(call: Call, now: float) -> Call:
    """The put that a form means, its body the file; any other call as it is. `now` in host-clock seconds.

    Reads the fields, which come before the file, and checks them against the policy. Raises S3's error.
    """
    if call.operation or call.service != s3.SERVICE:
        return call
    request, bucket = call.request, call.labels["Bucket"]
    reader = FormReader(aiter(request.body), request.headers.get("content-type", ""))
    form = await reader.form()
    fields = _filled_in(form)
    signature = _claims(fields)
    size = check_policy(signature.policy, {**fields, "bucket": bucket}, now) if signature is not None else None
    headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
    for name, value in _as_headers(fields):
        headers[name] = s3.header_text(name, value).encode().decode("latin-1")
    return replace(
        call,
        request=replace(request, headers=headers, body=BodyStream(_limited(reader.file(), size), None)),
        operation="PutObject",
        region=(signature.region if signature is not None else "") or _host(request).region,
        signature=signature,
        labels={"Bucket": bucket, "Key": fields["key"]},
        form=fields,
    )


def answer(draft: Draft, call: Call, form: Mapping[str, str]) -> None:
    """Turn the answer to a put into the one to its form: 204, or as success_action_* asks."""
    etag = next((value for name, value in draft.headers if name == "ETag"), "")
    bucket, key = call.labels["Bucket"], call.labels["Key"]
    target = form.get("success_action_redirect") or form.get("redirect") or ""
    url = urlsplit(target)
    if url.scheme in ("http", "https") and url.netloc and target.isascii() and target.isprintable():
        named = urlencode({"bucket": bucket, "key": key, "etag": etag})
        draft.status = 303
        draft.headers.append(("Location", f"{target}{'&' if url.query else '?'}{named}"))
        return
    location = _location(call.request, bucket, key)
    draft.headers.append(("Location", location))
    asked = form.get("success_action_status")
    draft.status = int(asked) if asked in ("200", "201") else 204
    if draft.status == 201:
        members = {"Location": location, "Bucket": bucket, "Key": key, "ETag": etag}
        inside = "".join(f"<{name}>{text_of(value)}</{name}>" for name, value in members.items())
        draft.headers.append(("Content-Type", "application/xml"))
        draft.body = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inside}</PostResponse>'.encode()


def _host(request: HttpRequest) -> HostTarget:
    return host_target(request.headers.get("host", ""), DEFAULT_HOSTS)


def _filled_in(form: Form) -> dict[str, str]:
    """The fields with the file's name in them. Raises InvalidArgument without a key or a file."""
    if "key" not in form.fields:
        raise _missing("key")
    if form.filename is None:
        text = "POST requires exactly one file upload per request."
        raise ServiceError("InvalidArgument", text, members={"ArgumentName": "file", "ArgumentValue": "0"})
    name = form.filename
    fields = {field: value.replace(_FILENAME, name) for field, value in form.fields.items()}
    if not fields["key"]:
        text = "User key must have a length greater than 0."
        raise ServiceError("InvalidArgument", text, members={"ArgumentName": "key", "ArgumentValue": ""})
    return fields


def _claims(fields: Mapping[str, str]) -> Signature | None:
    """Who signed the policy; None for a form without one."""
    if not fields.keys().isdisjoint(name.lower() for name in _SIGNING_FIELDS):
        return _claims_v4(fields)
    if fields.keys().isdisjoint(("awsaccesskeyid", "signature")):
        return None
    for name in ("AWSAccessKeyId", "Signature", "policy"):
        if not fields.get(name.lower()):
            raise _missing(name)
    token = fields.get("x-amz-security-token")
    return claims_of(fields["awsaccesskeyid"], fields["signature"], token, fields["policy"])


def _claims_v4(fields: Mapping[str, str]) -> Signature:
    for name in (*_SIGNING_FIELDS, "policy"):
        if not fields.get(name.lower()):
            raise _missing(name)
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise errors.unsupported_mechanism()
    scope = fields["x-amz-credential"].rsplit("/", 4)
    if len(scope) != 5 or not scope[0] or scope[3] not in s3.SIGNING_NAMES:
        raise errors.bad_query_credential()
    claims = Signature(
        kind="form",
        access_key_id=scope[0],
        date=scope[1],
        region=scope[2],
        service=scope[3],
        signed_headers=(),
        signature=fields["x-amz-signature"],
        amz_date=fields["x-amz-date"],
        session_token=fields.get("x-amz-security-token"),
        policy=fields["policy"],
        terminator=scope[4],
    )
    check_s3_scope(claims)
    return claims


def _missing(name: str) -> ServiceError:
    text = (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )
    return ServiceError("InvalidArgument", text, members={"ArgumentName": name, "ArgumentValue": ""})


def _as_headers(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of a put that says the same."""
    headers = [(name, fields[name]) for name in _CONTENT_FIELDS if name in fields]
    headers += [
        (name, value) for name, value in fields.items() if name.startswith("x-amz-") and name not in _NOT_OF_THE_OBJECT
    ]
    if "acl" in fields:
        headers.append(("x-amz-acl", fields["acl"]))
    if "tagging" in fields:
        headers.append(("x-amz-tagging", _tags(fields["tagging"])))
    return headers


def _tags(document: str) -> str:
    """A Tagging document as the header has it. Raises MalformedXML."""
    asking = Call(
        request=HttpRequest(method="PUT", target="/", headers={}, body=BodyStream.of(b"")),
        service=s3.SERVICE,
        operation="PutObjectTagging",
        protocol="rest-xml",
        labels={"Bucket": "form", "Key": "form"},
    )
    parsed = codec(s3.SERVICE, asking.operation, asking.protocol).parse(asking, document.encode())
    return urlencode([(tag["Key"], tag["Value"]) for tag in parsed["Tagging"]["TagSet"]])


async def _limited(file: AsyncIterator[bytes], size: SizeRange | None) -> AsyncIterator[bytes]:
    """The file; raises where it leaves the policy's content-length-range."""
    count = 0
    async for data in file:
        count += len(data)
        if size is not None and count > size.most_bytes:
            members = {"ProposedSize": str(count), "MaxSizeAllowed": str(size.most_bytes)}
            raise ServiceError(
                "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", members=members
            )
        yield data
    if size is not None and count < size.least_bytes:
        members = {"ProposedSize": str(count), "MinSizeAllowed": str(size.least_bytes)}
        text = "Your proposed upload is smaller than the minimum allowed size"
        raise ServiceError("EntityTooSmall", text, members=members)


def _location(request: HttpRequest, bucket: str, key: str) -> str:
    """Where the object is; S3 encodes the slashes of the key too."""
    scheme = "https" if request.secure else "http"
    place = "" if _host(request).bucket else f"/{bucket}"
    return f"{scheme}://{request.headers.get('host', 'localhost')}{place}/{quote(key, safe='')}"
