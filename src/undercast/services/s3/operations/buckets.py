"""CreateBucket, HeadBucket, DeleteBucket, ListBuckets, GetBucketLocation.

AWS: S3 API Reference, the operations of these names; S3 User Guide, "Default settings for new S3 buckets".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.arn import Region
from undercast.core.context import RequestContext
from undercast.core.errors import refused_member
from undercast.core.page_tokens import token_of
from undercast.core.service import operation
from undercast.services.s3 import acl, store, tags, uploads, versions
from undercast.services.s3.errors import (
    AuthorizationHeaderMalformed,
    BucketAlreadyExists,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    IllegalLocationConstraintException,
    InvalidArgument,
    InvalidBucketAclWithObjectOwnership,
    InvalidLocationConstraint,
    TooManyBuckets,
)
from undercast.services.s3.instance import S3
from undercast.services.s3.keys import check_bucket_name
from undercast.services.s3.models import OWNERSHIPS, SSE_S3_DEFAULT, Bucket, moment, owner_of
from undercast.services.s3.regions import is_region
from undercast.services.s3.tokens import name_of
from undercast.store.database import Tx

_US_EAST_1 = Region("us-east-1")
_BLOCK_ALL = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
MAX_BUCKETS = 10_000
"""Of an account, by default; and of one page of ListBuckets. S3 User Guide, "General purpose bucket quotas"."""


@operation("CreateBucket")
async def create_bucket(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Create a bucket in the region of the request, which LocationConstraint must name (or be us-east-1)."""
    name = params["Bucket"]
    check_bucket_name(name)
    if params.get("ObjectLockEnabledForBucket"):
        raise refused_member("CreateBucket", "ObjectLockEnabledForBucket", "Object Lock is not supported")
    configuration = params.get("CreateBucketConfiguration") or {}
    for member in ("Location", "Bucket"):
        if configuration.get(member):
            raise refused_member("CreateBucket", f"CreateBucketConfiguration.{member}", "only general purpose buckets")
    bucket = Bucket(
        name=name,
        account_id=ctx.account_id,
        region=_region(ctx, configuration.get("LocationConstraint")),
        created_at=ctx.clock.now(),
        configurations=_new_configurations(s3, ctx, params),
    )

    def commit(tx: Tx) -> Bucket:
        existing = s3.buckets.exists(tx, name)
        if existing is None:
            if s3.buckets.count(tx, ctx.account_id) >= MAX_BUCKETS:
                raise TooManyBuckets()
            s3.buckets.add(tx, bucket)
            return bucket
        if existing.account_id != ctx.account_id:
            raise BucketAlreadyExists(members={"BucketName": name})
        if existing.region == bucket.region == _US_EAST_1:
            return existing
        raise BucketAlreadyOwnedByYou(members={"BucketName": name})

    created = await s3.database.write(commit)
    host = f"http://{name}.s3.amazonaws.com/"
    return {"Location": f"/{name}" if created.region == _US_EAST_1 else host, "BucketArn": created.arn}


def _region(ctx: RequestContext, constraint: str | None) -> Region:
    if not is_region(ctx.region):
        # s3cmd signs for "US" first, and for the region of this answer then.
        text = f"The authorization header is malformed; the region '{ctx.region}' is wrong; expecting '{_US_EAST_1}'"
        raise AuthorizationHeaderMalformed(text, members={"Region": _US_EAST_1})
    if not constraint:
        if ctx.region != _US_EAST_1:
            raise IllegalLocationConstraintException(
                "The unspecified location constraint is incompatible for the region specific endpoint this request "
                "was sent to."
            )
        return ctx.region
    region = Region("eu-west-1" if constraint == "EU" else constraint)
    if region == _US_EAST_1 or not is_region(region):
        raise InvalidLocationConstraint(members={"LocationConstraint": constraint})
    if ctx.region not in (region, _US_EAST_1):
        raise IllegalLocationConstraintException(
            f"The {constraint} location constraint is incompatible for the region specific endpoint this request was "
            "sent to."
        )
    return region


def _new_configurations(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
    old = s3.profile == "2019"
    ownership = params.get("ObjectOwnership") or ("ObjectWriter" if old else "BucketOwnerEnforced")
    if ownership not in OWNERSHIPS:
        members = {"ArgumentName": "x-amz-object-ownership", "ArgumentValue": ownership}
        raise InvalidArgument(f"Invalid x-amz-object-ownership header: {ownership}", members=members)
    found: dict[str, Any] = {"ownership": {"Rules": [{"ObjectOwnership": ownership}]}}
    if not old:
        found |= {"public_access_block": _BLOCK_ALL, "encryption": SSE_S3_DEFAULT}
    if acl.asked_for(params):
        grants = acl.grants(params, ctx.account_id, ctx.account_id)
        private = params.get("ACL") == "private"
        if ownership == "BucketOwnerEnforced" and not private:
            raise InvalidBucketAclWithObjectOwnership()
        if not private:
            found["acl"] = list(grants)
    given = (params.get("CreateBucketConfiguration") or {}).get("Tags")
    if given:
        found["tagging"] = tags.from_bucket_set({"TagSet": given})
    return found


@operation("HeadBucket")
async def head_bucket(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Whether a bucket exists and may be used."""
    bucket = s3.buckets.get(ctx, params)
    return {"BucketRegion": bucket.region, "BucketArn": bucket.arn, "AccessPointAlias": False}


@operation("DeleteBucket")
async def delete_bucket(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Delete an empty bucket. Unfinished uploads end with it; old versions and delete markers keep it."""
    bucket = s3.buckets.get(ctx, params)

    def commit(tx: Tx) -> None:
        s3.buckets.confirm(tx, bucket)
        if store.has_any(tx, bucket.name):
            raise BucketNotEmpty(members={"BucketName": bucket.name})
        for upload in list(uploads.listed(tx, bucket.name, "")):
            versions.abort(s3, tx, upload)
        s3.buckets.remove(tx, bucket)

    def many(tx: Tx) -> bool:
        begun = enumerate(uploads.listed(tx, bucket.name, ""))
        return any(at >= uploads.INLINE_PARTS or uploads.has_many_parts(tx, one.upload_id) for at, one in begun)

    await s3.database.write(commit, long=s3.database.read_now(many))


@operation("ListBuckets")
async def list_buckets(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The caller's buckets in all regions, by name. The region is shown only in a paged answer, as on AWS."""
    owned = s3.database.read_now(lambda tx: s3.buckets.owned_by(tx, ctx.account_id))
    prefix, region, token = params.get("Prefix"), params.get("BucketRegion"), params.get("ContinuationToken")
    after = name_of(token) if token else ""
    paged = any(params.get(name) is not None for name in ("MaxBuckets", "Prefix", "BucketRegion", "ContinuationToken"))
    limit = params.get("MaxBuckets", MAX_BUCKETS)
    if not 1 <= limit <= MAX_BUCKETS:
        text = f"Argument max-buckets must be an integer between 1 and {MAX_BUCKETS}."
        raise InvalidArgument(text, members={"ArgumentName": "max-buckets", "ArgumentValue": str(limit)})
    found = [
        bucket
        for bucket in owned
        if bucket.name > after and bucket.name.startswith(prefix or "") and region in (None, bucket.region)
    ]
    output: dict[str, Any] = {
        "Buckets": [_element(bucket, paged) for bucket in found[:limit]],
        "Owner": owner_of(ctx.account_id),
    }
    if prefix is not None:
        output["Prefix"] = prefix
    if len(found) > limit:
        output["ContinuationToken"] = token_of(found[limit - 1].name)
    return output


def _element(bucket: Bucket, paged: bool) -> dict[str, Any]:
    element: dict[str, Any] = {"Name": bucket.name, "CreationDate": moment(bucket.created_at)}
    return {**element, "BucketRegion": bucket.region, "BucketArn": bucket.arn} if paged else element


@operation("GetBucketLocation")
async def get_bucket_location(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The region, as its constraint: empty for us-east-1. Answered from every region."""
    bucket = s3.buckets.get_anywhere(params)
    return {} if bucket.region == _US_EAST_1 else {"LocationConstraint": bucket.region}
