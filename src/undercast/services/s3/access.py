"""What each request needs: IAM actions, resource ARNs, condition keys; and the policies that a bucket carries.

ACL grants are given to the evaluator as policy statements, so there is one way to decide.
AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from undercast.core.context import RequestContext
from undercast.core.service import Access
from undercast.services.s3 import acl
from undercast.services.s3.errors import NoSuchBucket, S3Error
from undercast.services.s3.instance import S3
from undercast.services.s3.models import Bucket, ObjectVersion
from undercast.services.s3.operations.copies import CopySource
from undercast.services.s3.public_access import is_public

_BUCKET_ACTIONS = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
}
_OBJECT_ACTIONS = {
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
}
_READS = frozenset({"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectTagging", "GetObjectAcl"})
_BY_EXISTING_TAG = frozenset(
    f"{verb}Object{version}{rest}"
    for verb in ("Get", "Put", "Delete")
    for version in ("", "Version")
    for rest in ("", "Tagging", "Acl", "Attributes")
) - {"PutObject", "DeleteObject", "DeleteObjectVersion"}
_CONDITION_MEMBERS = {
    "Prefix": "s3:prefix",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
    "VersionId": "s3:VersionId",
    "ACL": "s3:x-amz-acl",
    "StorageClass": "s3:x-amz-storage-class",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "CopySource": "s3:x-amz-copy-source",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
    "ObjectOwnership": "s3:x-amz-object-ownership",
}


async def access(s3: S3, ctx: RequestContext, operation: str, params: Mapping[str, Any]) -> tuple[Access, ...]:
    """What an operation needs, every entry of it. Raises NoSuchBucket to callers without an account."""
    if operation == "ListBuckets":
        return (Access(action="s3:ListAllMyBuckets", resource="*"),)
    name = params["Bucket"]
    conditions = _conditions(params)
    if operation == "CreateBucket":
        constraint = (params.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
        extra = {"s3:locationconstraint": constraint} if constraint else {}
        return (Access(action="s3:CreateBucket", resource=_arn(name), conditions=conditions | extra),)
    bucket = s3.buckets.find(name)
    if bucket is None and ctx.principal.kind == "anonymous":
        # "Error responses", NoSuchBucket: told before anything is asked of policies, of which there are none.
        raise NoSuchBucket(members={"BucketName": name})
    if operation == "DeleteObjects":
        return tuple(
            replace(_object_access(s3, ctx, bucket, ("DeleteObject", {**params, **item})), one_of_many=True)
            for item in params["Delete"]["Objects"]
        )
    if "Key" not in params:
        action = _BUCKET_ACTIONS.get(operation, operation)
        return (_entry(s3, ctx, bucket, f"s3:{action}", (_arn(name), conditions)),)
    needed = [_object_access(s3, ctx, bucket, (operation, params))]
    needed += [_object_access(s3, ctx, bucket, (extra, params)) for extra in _companions(operation, params)]
    if "CopySource" in params:
        needed += _source_access(s3, ctx, params["CopySource"])
    if operation in _READS and bucket is not None and not _is_owner(ctx, bucket) and _existing(s3, params) is None:
        # Who may not list a bucket must not learn which keys it lacks: 403 instead of 404.
        needed.append(_entry(s3, ctx, bucket, "s3:ListBucket", (bucket.arn, {"s3:prefix": params["Key"]})))
    return tuple(needed)


async def policy_of(s3: S3, resource_arn: str) -> Mapping[str, Any] | None:
    """The policy of a bucket, for the ARN of the bucket or of an object in it."""
    name = resource_arn.rpartition(":::")[2].partition("/")[0]
    bucket = s3.buckets.find(name)
    return None if bucket is None else s3.buckets.policy(bucket)


def _companions(operation: str, params: Mapping[str, Any]) -> list[str]:
    """Further actions on the same object that a request's headers need."""
    found: list[str] = []
    writes = operation in ("PutObject", "CopyObject", "CreateMultipartUpload")
    if writes and params.get("Tagging"):
        found.append("PutObjectTagging")
    if writes and acl.asked_for(params):
        found.append("PutObjectAcl")
    conditional = writes or operation in ("CompleteMultipartUpload", "DeleteObject")
    # S3 User Guide, "How to prevent object overwrites with conditional writes", "How to perform conditional deletes":
    # whoever learns of an ETag whether it is the object's must be allowed to read that.
    by_etag = conditional and params.get("IfMatch") not in (None, "*")
    if by_etag or operation == "GetObjectAttributes":
        found.append("GetObject")
    return found


def _source_access(s3: S3, ctx: RequestContext, text: str) -> list[Access]:
    try:
        source = CopySource.parse(text)
    except S3Error:
        return []  # the operation itself answers with what is wrong
    return [_object_access(s3, ctx, s3.buckets.find(source.bucket), ("GetObject", source.read_params))]


def _object_access(
    s3: S3, ctx: RequestContext, bucket: Bucket | None, request: tuple[str, Mapping[str, Any]]
) -> Access:
    operation, params = request
    action = _OBJECT_ACTIONS.get(operation, operation)
    if params.get("VersionId") is not None:
        action = _versioned(action)
    resource, conditions = f"{_arn(params['Bucket'])}/{params['Key']}", _conditions(params)
    existing = None
    # A plain put into a bucket without ACLs is allowed or not whatever it replaces.
    by_existing = bucket is not None and (action in _BY_EXISTING_TAG or bucket.ownership != "BucketOwnerEnforced")
    if by_existing and bucket is not None and not _is_owner(ctx, bucket):
        existing = _existing(s3, params)
    if existing is not None and action in _BY_EXISTING_TAG:
        conditions |= {f"s3:ExistingObjectTag/{key}": value for key, value in existing.content.tags.items()}
    found = _entry(s3, ctx, bucket, f"s3:{action}", (resource, conditions))
    if bucket is None or existing is None or not (grants := _effective(bucket, existing.content.acl)):
        return found
    statements = acl.object_statements(grants, resource, ctx.principal.account_id)
    return replace(found, resource_policy=_joined(found.resource_policy, statements))


def _is_owner(ctx: RequestContext, bucket: Bucket) -> bool:
    """Whether the caller is the root of the bucket's account, to whom object ACLs and tags make no difference."""
    return ctx.principal.kind == "root" and ctx.principal.account_id == bucket.account_id


def _existing(s3: S3, params: Mapping[str, Any]) -> ObjectVersion | None:
    """The version that a request is about, if it is there."""
    version_id = params.get("VersionId")
    found = s3.lookups.named(params["Bucket"], params["Key"], version_id)
    return None if found is not None and version_id is None and found.is_delete_marker else found


def _versioned(action: str) -> str:
    """GetObjectTagging -> GetObjectVersionTagging, for requests that name a version."""
    for verb in ("GetObject", "PutObject", "DeleteObject"):
        rest = action.removeprefix(verb)
        if action.startswith(verb) and rest in ("", "Tagging", "Acl", "Attributes") and action != "PutObject":
            return f"{verb}Version{rest}"
    return action


def _entry(
    s3: S3,
    ctx: RequestContext,
    bucket: Bucket | None,
    action: str,
    target: tuple[str, dict[str, str | tuple[str, ...]]],
) -> Access:
    resource, conditions = target
    if bucket is None:
        return Access(action=action, resource=resource, conditions=conditions)
    policy: Mapping[str, Any] | None = s3.buckets.policy(bucket)
    outside = ctx.principal.kind != "service" and ctx.principal.account_id != bucket.account_id
    outside = outside or ctx.principal.kind == "anonymous"
    if outside and policy is not None and bucket.blocks("RestrictPublicBuckets") and is_public(policy):
        policy = None
    grants = _effective(bucket, bucket.configurations.get("acl", ()))
    if grants:
        policy = _joined(policy, acl.bucket_statements(grants, bucket.arn, ctx.principal.account_id))
    return Access(
        action=action,
        resource=resource,
        conditions=conditions,
        resource_policy=policy,
        resource_account_id=bucket.account_id,
    )


def _effective(bucket: Bucket, grants: Sequence[acl.Grant]) -> Sequence[acl.Grant]:
    """The grants that count under the bucket's ownership setting and public access block."""
    if not grants or bucket.ownership == "BucketOwnerEnforced":
        return ()
    if bucket.blocks("IgnorePublicAcls"):
        return [grant for grant in grants if not acl.is_public((grant,))]
    return grants


def _joined(policy: Mapping[str, Any] | None, statements: list[dict[str, Any]]) -> Mapping[str, Any] | None:
    if not statements:
        return policy
    own = policy["Statement"] if policy is not None else []
    return {"Version": "2012-10-17", "Statement": [*(own if isinstance(own, list) else [own]), *statements]}


def _conditions(params: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    found: dict[str, str | tuple[str, ...]] = {
        _CONDITION_MEMBERS[member]: str(value)
        for member, value in params.items()
        if member in _CONDITION_MEMBERS and value is not None
    }
    tagging = params.get("Tagging")
    if tagging is None:
        return found
    pairs = parse_qsl(tagging, keep_blank_values=True) if isinstance(tagging, str) else []
    if isinstance(tagging, Mapping):
        pairs = [(tag["Key"], tag["Value"]) for tag in tagging.get("TagSet", ())]
    for key, value in pairs:
        found[f"s3:RequestObjectTag/{key}"] = value
    if pairs:
        found["s3:RequestObjectTagKeys"] = tuple(key for key, _ in pairs)
    return found


def _arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"
