"""Who may use a bucket: policy, public access block, object ownership, access control lists.

AWS: S3 API Reference, PutBucketPolicy, PutPublicAccessBlock, PutBucketOwnershipControls, PutBucketAcl, PutObjectAcl.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import operation
from undercast.policy.document import parse_policy
from undercast.policy.validation import INVALID_PRINCIPAL
from undercast.services.s3 import acl, reading, store
from undercast.services.s3.errors import (
    AccessControlListNotSupported,
    AccessDenied,
    InvalidBucketAclWithObjectOwnership,
    MalformedPolicy,
    MalformedXML,
    NoSuchBucketPolicy,
    NoSuchPublicAccessBlockConfiguration,
    OwnershipControlsNotFoundError,
)
from undercast.services.s3.instance import S3
from undercast.services.s3.models import OWNERSHIPS, Bucket, ObjectVersion, owner_of
from undercast.services.s3.operations.configurations import remove, required, save
from undercast.services.s3.public_access import is_public
from undercast.services.s3.statements import check_statements
from undercast.services.s3.versions import announce
from undercast.store.database import Tx

_SWITCHES = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_MAX_POLICY_BYTES = 20 * 1024


@operation("PutBucketPolicy")
async def put_bucket_policy(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Attach a policy. Raises MalformedPolicy; AccessDenied for a public one where those are blocked."""
    bucket = s3.buckets.get(ctx, params)
    text: str = params["Policy"]
    if not text.lstrip().startswith("{"):
        raise MalformedPolicy()
    if len(text.encode()) > _MAX_POLICY_BYTES:
        raise ServiceError("PolicyTooLarge", "The bucket policy exceeds the maximum allowed size of 20480 bytes")
    try:
        document = parse_policy(text, "resource")
    except ServiceError as error:
        # S3 does not name the principal: versitygw issue 649.
        named = error.message.startswith(INVALID_PRINCIPAL)
        raise MalformedPolicy(INVALID_PRINCIPAL if named else error.message) from error
    check_statements(bucket.name, document)
    public = is_public(document)

    def check(current: Bucket) -> None:
        if current.blocks("BlockPublicPolicy") and public:
            raise AccessDenied(
                f"User: {ctx.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
                f'"{bucket.arn}" because public policies are prevented by the BlockPublicPolicy setting in S3 Block '
                "Public Access"
            )

    await save(s3, bucket, "policy", text, check)


@operation("GetBucketPolicy")
async def get_bucket_policy(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The policy's text as it was put."""
    return {"Policy": required(s3.buckets.get(ctx, params), "policy", NoSuchBucketPolicy)}


@operation("DeleteBucketPolicy")
async def delete_bucket_policy(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Detach the policy, if there is one."""
    await remove(s3, s3.buckets.get(ctx, params), "policy")


@operation("GetBucketPolicyStatus")
async def get_bucket_policy_status(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Whether the policy is public."""
    bucket = s3.buckets.get(ctx, params)
    required(bucket, "policy", NoSuchBucketPolicy)
    return {"PolicyStatus": {"IsPublic": is_public(s3.buckets.policy(bucket))}}


@operation("PutPublicAccessBlock")
async def put_public_access_block(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Replace all four switches; what is not given is off."""
    given = params["PublicAccessBlockConfiguration"]
    document = {name: bool(given.get(name)) for name in _SWITCHES}
    await save(s3, s3.buckets.get(ctx, params), "public_access_block", document)


@operation("GetPublicAccessBlock")
async def get_public_access_block(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The four switches."""
    bucket = s3.buckets.get(ctx, params)
    found = required(bucket, "public_access_block", NoSuchPublicAccessBlockConfiguration)
    return {"PublicAccessBlockConfiguration": found}


@operation("DeletePublicAccessBlock")
async def delete_public_access_block(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Turn all four switches off."""
    await remove(s3, s3.buckets.get(ctx, params), "public_access_block")


@operation("PutBucketOwnershipControls")
async def put_bucket_ownership_controls(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Set object ownership; ACLs cannot be disabled while the bucket's own grants others something."""
    bucket = s3.buckets.get(ctx, params)
    rules = params["OwnershipControls"]["Rules"]
    if len(rules) != 1 or rules[0]["ObjectOwnership"] not in OWNERSHIPS:
        raise MalformedXML()

    def check(current: Bucket) -> None:
        if rules[0]["ObjectOwnership"] == "BucketOwnerEnforced" and "acl" in current.configurations:
            raise InvalidBucketAclWithObjectOwnership()

    await save(s3, bucket, "ownership", {"Rules": rules}, check)


@operation("GetBucketOwnershipControls")
async def get_bucket_ownership_controls(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object ownership rule."""
    found = required(s3.buckets.get(ctx, params), "ownership", OwnershipControlsNotFoundError)
    return {"OwnershipControls": found}


@operation("DeleteBucketOwnershipControls")
async def delete_bucket_ownership_controls(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Remove the rule; the bucket then behaves as ObjectWriter."""
    await remove(s3, s3.buckets.get(ctx, params), "ownership")


@operation("GetBucketAcl")
async def get_bucket_acl(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Owner and grants."""
    bucket = s3.buckets.get(ctx, params)
    grants = acl.listed(bucket.configurations.get("acl", ()), bucket.account_id)
    return {"Owner": owner_of(bucket.account_id), "Grants": grants}


@operation("PutBucketAcl")
async def put_bucket_acl(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Replace the grants. Raises AccessControlListNotSupported where ACLs are disabled."""
    bucket = s3.buckets.get(ctx, params)
    grants = _new_grants(bucket, params, bucket.account_id)
    default = acl.listed((), bucket.account_id)
    document = None if list(grants) == default else list(grants)
    await save(s3, bucket, "acl", document, lambda current: _new_grants(current, params, current.account_id))


@operation("GetObjectAcl")
async def get_object_acl(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Owner and grants of a version."""
    bucket = s3.buckets.get(ctx, params)
    version = reading.look_up(s3, bucket, params)
    owner = version.content.owner_account_id
    return {"Owner": owner_of(owner), "Grants": acl.listed(version.content.acl, owner)}


@operation("PutObjectAcl")
async def put_object_acl(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace the grants of a version."""
    bucket = s3.buckets.get(ctx, params)

    def commit(tx: Tx) -> ObjectVersion:
        current = s3.buckets.confirm(tx, bucket)
        version = reading.find(tx, current, params, "PUT")
        grants = _new_grants(current, params, version.content.owner_account_id)
        default = acl.listed((), version.content.owner_account_id)
        store.set_acl(tx, version, () if list(grants) == default else grants)
        announce(s3, tx, ctx, "ObjectAcl:Put", version)
        return version

    await s3.database.write(commit)
    return {}


def _new_grants(bucket: Bucket, params: Mapping[str, Any], owner: str) -> tuple[acl.Grant, ...]:
    if bucket.ownership == "BucketOwnerEnforced":
        raise AccessControlListNotSupported()
    if not acl.asked_for(params):
        raise ServiceError("MissingSecurityHeader", "Your request was missing a required header")
    grants = acl.grants(params, owner, bucket.account_id)
    if bucket.blocks("BlockPublicAcls") and acl.is_public(grants):
        raise AccessDenied()
    return grants
