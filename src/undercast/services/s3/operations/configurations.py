"""Put, get and delete of bucket configurations: versioning, tagging, encryption, CORS, website, lifecycle and the rest.

Each is one JSON document of the bucket; what is absent answers with AWS's own "not found".
AWS: S3 API Reference, the operations of these names.
"""

from collections.abc import Callable, Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import refused_member
from undercast.core.service import operation
from undercast.services.s3 import cors, lifecycle, tags, website
from undercast.services.s3.encryption import ALGORITHMS
from undercast.services.s3.errors import (
    IllegalVersioningConfigurationException,
    InvalidArgument,
    InvalidRequest,
    MalformedXML,
    NoSuchCORSConfiguration,
    NoSuchLifecycleConfiguration,
    NoSuchTagSet,
    NoSuchWebsiteConfiguration,
    ObjectLockConfigurationNotFoundError,
    ReplicationConfigurationNotFoundError,
    S3Error,
    ServerSideEncryptionConfigurationNotFoundError,
)
from undercast.services.s3.instance import S3
from undercast.services.s3.models import SSE_S3_DEFAULT, Bucket
from undercast.services.s3.transitions import MINIMUM_SIZES
from undercast.store.database import Tx

_STATUSES = ("Enabled", "Suspended")
_NO_KEY = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"


async def save(
    s3: S3, bucket: Bucket, kind: str, document: Any, check: Callable[[Bucket], object] | None = None
) -> None:
    """Replace one configuration of a bucket; None removes it. `check` sees the bucket as it is then, and may raise."""

    def commit(tx: Tx) -> None:
        current = s3.buckets.confirm(tx, bucket)
        if check is not None:
            check(current)
        s3.buckets.configure(tx, current, kind, document)

    await s3.database.write(commit)


async def remove(s3: S3, bucket: Bucket, kind: str) -> None:
    """Remove one configuration, if it is there."""
    await save(s3, bucket, kind, None)


def required(bucket: Bucket, kind: str, absent: Callable[..., S3Error]) -> Any:
    """One configuration. Raises `absent` naming the bucket."""
    found = bucket.configurations.get(kind)
    if found is None:
        raise absent(members={"BucketName": bucket.name})
    return found


@operation("PutBucketVersioning")
async def put_bucket_versioning(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Enable or suspend versioning; it can never be turned off again."""
    given = params["VersioningConfiguration"]
    if given.get("MFADelete") not in (None, "Enabled", "Disabled"):
        raise MalformedXML()
    if given.get("MFADelete") == "Enabled":
        raise refused_member("PutBucketVersioning", "VersioningConfiguration.MFADelete", "there are no MFA devices")
    if given.get("Status") not in _STATUSES:
        raise IllegalVersioningConfigurationException()
    await save(s3, s3.buckets.get(ctx, params), "versioning", {"Status": given["Status"]})


@operation("GetBucketVersioning")
async def get_bucket_versioning(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status; nothing for a bucket that never was versioned."""
    return dict(s3.buckets.get(ctx, params).configurations.get("versioning", {}))


@operation("PutBucketTagging")
async def put_bucket_tagging(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Replace the bucket's tags."""
    await save(s3, s3.buckets.get(ctx, params), "tagging", tags.from_bucket_set(params["Tagging"]))


@operation("GetBucketTagging")
async def get_bucket_tagging(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The bucket's tags."""
    return {"TagSet": tags.tag_set(required(s3.buckets.get(ctx, params), "tagging", NoSuchTagSet))}


@operation("DeleteBucketTagging")
async def delete_bucket_tagging(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Remove the bucket's tags."""
    await remove(s3, s3.buckets.get(ctx, params), "tagging")


@operation("PutBucketEncryption")
async def put_bucket_encryption(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Set default encryption. SSE-C is refused by name whether it is blocked or not."""
    rules = params["ServerSideEncryptionConfiguration"]["Rules"]
    blocked = (rules[0].get("BlockedEncryptionTypes") or {}).get("EncryptionType", ()) if rules else ()
    if len(rules) != 1 or not set(blocked) <= {"NONE", "SSE-C"}:
        raise MalformedXML()
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    algorithm = default.get("SSEAlgorithm", "AES256")
    if algorithm not in ALGORITHMS:
        raise MalformedXML()
    if algorithm == "AES256" and "KMSMasterKeyID" in default:
        raise InvalidArgument(_NO_KEY, members={"ArgumentName": "ApplyServerSideEncryptionByDefault"})
    rule = {**SSE_S3_DEFAULT["Rules"][0], **rules[0]}
    await save(s3, s3.buckets.get(ctx, params), "encryption", {"Rules": [rule]})


@operation("GetBucketEncryption")
async def get_bucket_encryption(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Default encryption."""
    bucket = s3.buckets.get(ctx, params)
    found = required(bucket, "encryption", ServerSideEncryptionConfigurationNotFoundError)
    return {"ServerSideEncryptionConfiguration": found}


@operation("DeleteBucketEncryption")
async def delete_bucket_encryption(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Reset default encryption to SSE-S3; to none under the profile of 2019."""
    document = None if s3.profile == "2019" else SSE_S3_DEFAULT
    await save(s3, s3.buckets.get(ctx, params), "encryption", document)


@operation("PutBucketCors")
async def put_bucket_cors(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Replace the cross-origin rules."""
    cors.check(params["CORSConfiguration"])
    await save(s3, s3.buckets.get(ctx, params), "cors", params["CORSConfiguration"])


@operation("GetBucketCors")
async def get_bucket_cors(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The cross-origin rules."""
    return dict(required(s3.buckets.get(ctx, params), "cors", NoSuchCORSConfiguration))


@operation("DeleteBucketCors")
async def delete_bucket_cors(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Remove the cross-origin rules."""
    await remove(s3, s3.buckets.get(ctx, params), "cors")


@operation("PutBucketWebsite")
async def put_bucket_website(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Make the bucket a website: website_site.py answers at its endpoint."""
    website.check(params["WebsiteConfiguration"])
    await save(s3, s3.buckets.get(ctx, params), "website", params["WebsiteConfiguration"])


@operation("GetBucketWebsite")
async def get_bucket_website(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration as it was given."""
    return dict(required(s3.buckets.get(ctx, params), "website", NoSuchWebsiteConfiguration))


@operation("DeleteBucketWebsite")
async def delete_bucket_website(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """The bucket is no website any more; one that never was is answered with success, too."""
    await remove(s3, s3.buckets.get(ctx, params), "website")


@operation("PutBucketLifecycleConfiguration")
async def put_bucket_lifecycle_configuration(
    s3: S3, ctx: RequestContext, params: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Replace the lifecycle rules."""
    bucket = s3.buckets.get(ctx, params)
    given = params.get("LifecycleConfiguration")
    if not given:
        raise MalformedXML()
    minimum = params.get("TransitionDefaultMinimumObjectSize") or MINIMUM_SIZES[0]
    if minimum not in MINIMUM_SIZES:
        raise InvalidRequest("Value for x-amz-transition-default-minimum-object-size header is invalid.")
    document = {"Rules": lifecycle.checked(given["Rules"], ctx.ids.uuid)}
    await save(s3, bucket, "lifecycle", {**document, "TransitionDefaultMinimumObjectSize": minimum})
    return {"TransitionDefaultMinimumObjectSize": minimum}


@operation("GetBucketLifecycleConfiguration")
async def get_bucket_lifecycle_configuration(
    s3: S3, ctx: RequestContext, params: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The lifecycle rules."""
    return dict(required(s3.buckets.get(ctx, params), "lifecycle", NoSuchLifecycleConfiguration))


@operation("DeleteBucketLifecycle")
async def delete_bucket_lifecycle(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Remove the lifecycle rules."""
    await remove(s3, s3.buckets.get(ctx, params), "lifecycle")


@operation("PutBucketLogging")
async def put_bucket_logging(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Turn access logging off. Turning it on is refused: nothing would be delivered."""
    if params["BucketLoggingStatus"].get("LoggingEnabled"):
        raise refused_member("PutBucketLogging", "BucketLoggingStatus.LoggingEnabled", "no access logs are delivered")
    s3.buckets.get(ctx, params)


@operation("GetBucketLogging")
async def get_bucket_logging(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Always off."""
    s3.buckets.get(ctx, params)
    return {}


@operation("PutBucketRequestPayment")
async def put_bucket_request_payment(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Who pays: see requester_pays.py for what `Requester` asks of others."""
    payer = params["RequestPaymentConfiguration"]["Payer"]
    if payer not in ("BucketOwner", "Requester"):
        raise MalformedXML()
    await save(s3, s3.buckets.get(ctx, params), "request_payment", {"Payer": payer})


@operation("GetBucketRequestPayment")
async def get_bucket_request_payment(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who pays: the owner unless it was changed."""
    return dict(s3.buckets.get(ctx, params).configurations.get("request_payment", {"Payer": "BucketOwner"}))


@operation("PutBucketAccelerateConfiguration")
async def put_bucket_accelerate_configuration(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Transfer acceleration; there is no edge network here."""
    bucket = s3.buckets.get(ctx, params)
    status = params["AccelerateConfiguration"].get("Status")
    if status not in _STATUSES:
        raise MalformedXML()
    if "." in bucket.name:
        raise InvalidRequest("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
    await save(s3, bucket, "accelerate", {"Status": status})


@operation("GetBucketAccelerateConfiguration")
async def get_bucket_accelerate_configuration(
    s3: S3, ctx: RequestContext, params: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The status; nothing where it was never set."""
    return dict(s3.buckets.get(ctx, params).configurations.get("accelerate", {}))


@operation("GetObjectLockConfiguration")
async def get_object_lock_configuration(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises ObjectLockConfigurationNotFoundError: no bucket can have Object Lock here."""
    bucket = s3.buckets.get(ctx, params)
    raise ObjectLockConfigurationNotFoundError(members={"BucketName": bucket.name})


@operation("GetBucketReplication")
async def get_bucket_replication(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises ReplicationConfigurationNotFoundError: no bucket can have replication here."""
    bucket = s3.buckets.get(ctx, params)
    raise ReplicationConfigurationNotFoundError(members={"BucketName": bucket.name})


@operation("DeleteBucketReplication")
async def delete_bucket_replication(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Nothing is there to remove, which AWS answers with success."""
    s3.buckets.get(ctx, params)
