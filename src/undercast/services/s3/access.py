"""What each request needs: IAM actions, resource ARNs, condition keys; and the policies that a bucket carries.

ACL grants are given to the evaluator as policy statements, so there is one way to decide.
AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from undercast.core.context import RequestContext
from undercast.core.late_keys import Keys, Later
from undercast.core.service import Access
from undercast.services.s3 import acl, condition_keys
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


async def access(s3: S3, ctx: RequestContext, operation: str, params: Mapping[str, Any]) -> tuple[Access, ...]:
    """What an operation needs, every entry of it. Raises NoSuchBucket to callers without an account."""
    if operation == "ListBuckets":
        return (_entry(s3, ctx, None, "s3:ListAllMyBuckets", _Target("*", {})),)
    name = params["Bucket"]
    if operation == "CreateBucket":
        return (_entry(s3, ctx, None, "s3:CreateBucket", _Target(_arn(name), params)),)
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
        return (_entry(s3, ctx, bucket, f"s3:{action}", _Target(_arn(name), params)),)
    needed = [_object_access(s3, ctx, bucket, (operation, params))]
    needed += [_object_access(s3, ctx, bucket, (extra, params)) for extra in _companions(operation, params)]
    if "CopySource" in params:
        needed += _source_access(s3, ctx, params["CopySource"])
    if operation in _READS and bucket is not None and not _is_owner(ctx, bucket) and _existing(s3, params) is None:
        # Who may not list a bucket must not learn which keys it lacks: 403 instead of 404.
        needed.append(_entry(s3, ctx, bucket, "s3:ListBucket", _Target(bucket.arn, {"Prefix": params["Key"]})))
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
    resource = f"{_arn(params['Bucket'])}/{params['Key']}"
    existing = None
    # A plain put into a bucket without ACLs is allowed or not whatever it replaces.
    by_existing = bucket is not None and (action in _BY_EXISTING_TAG or bucket.ownership != "BucketOwnerEnforced")
    if by_existing and bucket is not None and not _is_owner(ctx, bucket):
        existing = _existing(s3, params)
    tagged = existing if action in _BY_EXISTING_TAG else None
    found = _entry(s3, ctx, bucket, f"s3:{action}", _Target(resource, params, tagged))
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


class _Target(NamedTuple):
    """What an action is on, and what its condition keys are made of."""

    resource: str
    params: Mapping[str, Any]
    tagged: ObjectVersion | None = None
    """The object whose tags are condition keys."""


def _entry(s3: S3, ctx: RequestContext, bucket: Bucket | None, action: str, target: _Target) -> Access:
    owner = bucket.account_id if bucket is not None else ctx.account_id

    def keys() -> Keys:
        tags = target.tagged.content.tags if target.tagged is not None else {}
        existing = {f"s3:ExistingObjectTag/{key}": value for key, value in tags.items()}
        return condition_keys.of_request(ctx, target.params, owner) | existing

    conditions = Later(keys)
    if bucket is None:
        return Access(action=action, resource=target.resource, conditions=conditions)
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
        resource=target.resource,
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


def _arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"
