"""S3's documented oddities: the only service-specific code in the wire.

Virtual hosts, x-amz-* headers inside presigned URLs, root element names, its namespace, its error documents, its own
request id headers. Everything else about S3 follows from its model.
AWS: S3 API Reference ("Common Request Headers", "Common Response Headers", "Error Responses", each operation's syntax).
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType

from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire.sigv4_claims import Signature

SERVICE = "s3"
SIGNING_NAMES = frozenset({"s3", "s3express", "s3-object-lambda"})
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_CONTROL_PATH = "/v20180820/"

ROOTS: Mapping[str, str] = MappingProxyType(
    {
        "CompleteMultipartUpload": "CompleteMultipartUploadResult",
        "CreateMultipartUpload": "InitiateMultipartUploadResult",
        "CreateSession": "CreateSessionResult",
        "DeleteObjects": "DeleteResult",
        "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
        "GetBucketAcl": "AccessControlPolicy",
        "GetBucketCors": "CORSConfiguration",
        "GetBucketLifecycle": "LifecycleConfiguration",
        "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
        "GetBucketLocation": "LocationConstraint",
        "GetBucketLogging": "BucketLoggingStatus",
        "GetBucketNotification": "NotificationConfiguration",
        "GetBucketNotificationConfiguration": "NotificationConfiguration",
        "GetBucketRequestPayment": "RequestPaymentConfiguration",
        "GetBucketTagging": "Tagging",
        "GetBucketVersioning": "VersioningConfiguration",
        "GetBucketWebsite": "WebsiteConfiguration",
        "GetObjectAcl": "AccessControlPolicy",
        "GetObjectAttributes": "GetObjectAttributesResponse",
        "GetObjectTagging": "Tagging",
        "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
        "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
        "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
        "ListBuckets": "ListAllMyBucketsResult",
        "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
        "ListMultipartUploads": "ListMultipartUploadsResult",
        "ListObjectVersions": "ListVersionsResult",
        "ListObjects": "ListBucketResult",
        "ListObjectsV2": "ListBucketResult",
        "ListParts": "ListPartsResult",
    }
)
"""Operation -> name of the response's root element; else the output's shape name with "Output" cut off."""

_READS = ("GetObject", "HeadObject")
_OVERRIDES = frozenset(
    f"response-{name}"
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
)
_OVERRIDABLE = "Please refer to the S3 API documentation for a complete list of overridable response headers."
_INVALID: Mapping[str, str] = MappingProxyType(
    {
        **{
            name: f"Provided {name} not an integer or within integer range"
            for name in ("max-keys", "max-parts", "max-uploads", "part-number-marker")
        },
        "partNumber": "Part number must be an integer between 1 and 10000, inclusive",
        "max-buckets": "Argument max-buckets must be an integer between 1 and 10000.",
    }
)
"""What S3 says of a number that is none, or goes beyond 32 bits: openstack/swift, "s3api/controllers" (max-keys,
max-uploads, partNumber); of parts, its words with their name."""
_WRITES = ("PutObject", "CopyObject")
"""What a PUT of a part is without the id of its upload."""

CONDITIONAL_DATES = frozenset(
    f"{start}if-{kind}-since" for start in ("", "x-amz-copy-source-") for kind in ("modified", "unmodified")
)
"""Headers whose value is passed over where it is no HTTP-date: RFC 9110, section 13.1.3; minio issue 4082 tried S3."""
FREE_DATES = frozenset({"expires", "response-expires"})
"""What goes with an object as it was sent, a date or not; botocore gives it as ExpiresString for that."""

BARE_TEXT = frozenset({"LocationConstraint"})
"""Root elements that hold the text of the output's only member directly (GetBucketLocation)."""


def addressed_path(path: str, bucket: str | None) -> str:
    """The path in path style: a bucket named by the host comes first. The key stays exactly as it was sent."""
    return f"/{bucket}{path}" if bucket else path


def has_host_label(signature: Signature | None) -> bool:
    """Whether what stands before the host name is a request route, not a bucket (WriteGetObjectResponse)."""
    return signature is not None and signature.service == "s3-object-lambda"


def meant(operation: str, signature: Signature | None) -> str:
    """ListDirectoryBuckets is ListBuckets at another host; of an endpoint that is given, its signing name is left.

    Source: botocore's endpoint rules of S3, UseS3ExpressControlEndpoint.
    """
    express = operation == "ListBuckets" and signature is not None and signature.service == "s3express"
    return "ListDirectoryBuckets" if express else operation


def check_query(operation: str, query: tuple[tuple[str, str], ...]) -> None:
    """Raises InvalidArgument for what S3 does not pass over (versitygw issues 2075 and 1226 have its answers)."""
    if operation in _READS:
        for name, value in query:
            if name.startswith("response-") and name not in _OVERRIDES:
                text = f"{name} is not in the set of overridable response headers. {_OVERRIDABLE}"
                raise ServiceError("InvalidArgument", text, members={"ArgumentName": name, "ArgumentValue": value})
    elif operation == "UploadPart" and (version_id := dict(query).get("versionId")) is not None:
        # Recorded from S3 in 2026.
        members = {"ArgumentName": "versionId", "ArgumentValue": version_id}
        raise ServiceError("InvalidArgument", "This operation does not accept a version-id.", members=members)
    elif operation in _WRITES and any(name == "partNumber" for name, _ in query):
        text = "This operation does not accept partNumber without uploadId"
        members = {"ArgumentName": "partNumber", "ArgumentValue": "partNumber"}
        raise ServiceError("InvalidArgument", text, members=members)


def invalid_value(place: str, name: str, text: str) -> ServiceError:
    """The answer to text in a header or query string that is no value of its type."""
    if name == "x-amz-mp-object-size":  # versitygw, "Value for x-amz-mp-object-size header is invalid" of its tests
        return ServiceError("InvalidRequest", f"Value for {name} header is invalid.")
    members = {"ArgumentName": name, "ArgumentValue": text}
    told = _INVALID.get(name, f"Provided value is not valid for {name} in the {place}")
    return ServiceError("InvalidArgument", told, members=members)


def is_control(request: HttpRequest) -> bool:
    """Whether a request signed for "s3" is meant for S3 Control: its paths carry the API's date."""
    return request.target.startswith(_CONTROL_PATH) and "x-amz-account-id" in request.headers


def hoisted_headers(headers: Mapping[str, str], query: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Headers of a presigned request: SDKs move x-amz-* headers into the signed query string."""
    moved = {name.lower(): header_text(name, value) for name, value in query if name[:6].lower() == "x-amz-"}
    return {**moved, **headers} if moved else headers


def header_text(name: str, value: str) -> str:
    """A header's value that did not come as a header. Raises InvalidArgument for what none can hold."""
    if not value.isprintable() and any(character < " " and character != "\t" for character in value):
        text = f"The value of {name} contains a control character, which no header can hold."
        raise ServiceError("InvalidArgument", text, members={"ArgumentName": name, "ArgumentValue": value})
    return value


def extended_request_id(request_id: str) -> str:
    """x-amz-id-2 and HostId: opaque, and here derived from the request id."""
    return b64encode(hashlib.sha384(request_id.encode()).digest()).decode()
