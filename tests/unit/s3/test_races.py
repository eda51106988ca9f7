"""Calls that wait for the store: what was checked before is checked again, and what is much holds nobody up.

AWS: S3 User Guide, "Amazon S3 data consistency model"; bucket names are given anew as soon as a bucket is deleted.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.state import busy_thread, held
from tests.unit.s3.bench import Bench
from undercast.core.body import BodyStream
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.services.s3 import reading

OTHER = "999999999999"
PUBLIC = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bkt/*"}]})  # fmt: skip
OPEN = {"BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}
CLOSED = dict.fromkeys(OPEN, True)


async def change_hands(s3: Bench) -> None:
    """ "bkt" is deleted, and made by another account, which puts its own object there."""
    await s3.call("DeleteObject", Bucket="bkt", Key="a")
    await s3.call("DeleteBucket", Bucket="bkt")
    other = s3.as_account(OTHER)
    await other.call("CreateBucket", Bucket="bkt")
    await other.put("a", b"secret")


@pytest.mark.parametrize("operation", ["CopyObject", "UploadPartCopy"])
async def test_a_copy_does_not_read_what_another_account_has_there_now(
    s3: Bench, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is found again where it went: in the caller's bucket, not in the next one of its name."""
    await s3.call("CreateBucket", Bucket="mine")
    await s3.put("a", b"first")
    where: dict[str, Any] = {"Bucket": "mine", "Key": "c"}
    if operation == "UploadPartCopy":
        upload = await s3.call("CreateMultipartUpload", **where)
        where |= {"UploadId": upload["UploadId"], "PartNumber": 1}
    else:
        where |= {"ChecksumAlgorithm": "SHA1"}
    body_of, looks = reading.body_of, [0]

    async def too_late(*of: Any) -> BodyStream:
        looks[0] += 1
        if looks[0] == 1:
            await change_hands(s3)
        return await body_of(*of)

    monkeypatch.setattr(reading, "body_of", too_late)
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        await s3.call(operation, **where, CopySource="bkt/a")


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject"])
async def test_a_read_that_asks_for_its_key_reads_nothing_of_another_account(s3: Bench, operation: str) -> None:
    """While KMS answers, the bucket becomes another's."""

    async def kms(
        ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
    ) -> dict[str, Any]:
        if operation == "Decrypt":
            await change_hands(s3)
        return {"KeyId": "k", "CiphertextBlob": b"k", "Plaintext": b"k"}

    sealed = replace(s3, ctx=replace(s3.ctx, caller=kms))
    await sealed.put("a", b"first", ServerSideEncryption="aws:kms", SSEKMSKeyId="k")
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        await sealed.call(operation, Bucket="bkt", Key="a", ChecksumMode="ENABLED")


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("PutObjectTagging", {"Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}),
        ("DeleteObjectTagging", {}),
        ("PutObjectAcl", {"ACL": "private"}),
        ("DeleteObject", {}),
        ("CopyObject", {"Bucket": "mine", "CopySource": "bkt/a"}),
    ],
)
async def test_a_change_that_waits_does_not_meet_another_accounts_object(
    s3: Bench, operation: str, params: dict[str, Any]
) -> None:
    """The row it was allowed to change is gone; that of this name is another's."""
    await s3.call("CreateBucket", Bucket="mine")
    ownership = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    await s3.call("PutBucketOwnershipControls", Bucket="bkt", OwnershipControls=ownership)
    await s3.put("a", b"first")
    bucket = s3.s3.buckets.find("bkt")
    await change_hands(s3)
    other = s3.s3.buckets.find("bkt")
    assert bucket is not None and other is not None
    s3.s3.buckets._cache["bkt"] = bucket  # as the caller has looked at it before
    call = s3.call(operation, **{"Bucket": "bkt", "Key": "a", **params})
    async with held(s3.state.database):
        task = asyncio.ensure_future(call)
        for _ in range(20):
            await asyncio.sleep(0)
        s3.s3.buckets._cache["bkt"] = other
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        await task
    got = await s3.as_account(OTHER).get("a")
    assert (got["Body"], "TagCount" in got) == (b"secret", False)


async def test_a_public_policy_that_waits_meets_the_block_that_came_before(s3: Bench) -> None:
    """Both would have been answered with success: a public policy, where those are blocked."""
    await s3.call("PutPublicAccessBlock", Bucket="bkt", PublicAccessBlockConfiguration=OPEN)
    async with held(s3.state.database):
        block = asyncio.ensure_future(
            s3.call("PutPublicAccessBlock", Bucket="bkt", PublicAccessBlockConfiguration=CLOSED)
        )
        policy = asyncio.ensure_future(s3.call("PutBucketPolicy", Bucket="bkt", Policy=PUBLIC))
        for _ in range(20):
            await asyncio.sleep(0)
    await block
    with pytest.raises(ServiceError, match="BlockPublicPolicy"):
        await policy
    with pytest.raises(ServiceError, match="NoSuchBucketPolicy"):
        await s3.call("GetBucketPolicy", Bucket="bkt")


async def test_a_bucket_has_no_acl_where_those_are_disabled(s3: Bench) -> None:
    """Whichever of the two comes first, the other is refused."""
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    writer = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    await s3.call("PutPublicAccessBlock", Bucket="bkt", PublicAccessBlockConfiguration=OPEN)
    await s3.call("PutBucketOwnershipControls", Bucket="bkt", OwnershipControls=writer)
    async with held(s3.state.database):
        first = asyncio.ensure_future(s3.call("PutBucketOwnershipControls", Bucket="bkt", OwnershipControls=enforced))
        second = asyncio.ensure_future(s3.call("PutBucketAcl", Bucket="bkt", ACL="public-read"))
        for _ in range(20):
            await asyncio.sleep(0)
    await first
    with pytest.raises(ServiceError, match="AccessControlListNotSupported"):
        await second
    await s3.call("PutBucketOwnershipControls", Bucket="bkt", OwnershipControls=writer)
    async with held(s3.state.database):
        first = asyncio.ensure_future(s3.call("PutBucketAcl", Bucket="bkt", ACL="public-read"))
        second = asyncio.ensure_future(s3.call("PutBucketOwnershipControls", Bucket="bkt", OwnershipControls=enforced))
        for _ in range(20):
            await asyncio.sleep(0)
    await first
    with pytest.raises(ServiceError, match="InvalidBucketAclWithObjectOwnership"):
        await second


async def test_a_put_tells_the_version_that_it_has_made(s3: Bench) -> None:
    """Versioning was enabled while it waited."""
    async with held(s3.state.database):
        enabled = asyncio.ensure_future(
            s3.call("PutBucketVersioning", Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
        )
        put = asyncio.ensure_future(s3.put("a", b"first"))
        for _ in range(20):
            await asyncio.sleep(0)
    await enabled
    version = (await put).get("VersionId")
    assert version == (await s3.get("a")).get("VersionId")


async def parts(s3: Bench, key: str, count: int) -> dict[str, Any]:
    """An upload of so many parts, all of one blob."""
    created = await s3.call("CreateMultipartUpload", Bucket="bkt", Key=key)
    upload = {"Bucket": "bkt", "Key": key, "UploadId": created["UploadId"]}
    for number in range(1, count + 1):
        await s3.call("UploadPart", **upload, PartNumber=number, Body=BodyStream.of(b"x"))
    return upload


@pytest.mark.parametrize("operation", ["AbortMultipartUpload", "DeleteBucket"])
@pytest.mark.parametrize(("count", "inline"), [(50, True), (51, False)])
async def test_an_upload_of_many_parts_goes_in_the_stores_thread(
    s3: Bench, operation: str, count: int, inline: bool
) -> None:
    """10,000 parts took the event loop 136 ms."""
    upload = await parts(s3, "big", count)
    params = upload if operation.startswith("Abort") else {"Bucket": "bkt"}
    async with busy_thread(s3.state.database):
        task = asyncio.ensure_future(s3.call(operation, **params))
        for _ in range(20):
            await asyncio.sleep(0)
        assert task.done() is inline
    await task
    assert s3.state.database.read_now(lambda tx: tx.all("SELECT 1 FROM s3_upload_part")) == []


@pytest.mark.parametrize("operation", ["PutObject", "CopyObject", "DeleteObject", "DeleteObjects"])
async def test_an_object_of_many_parts_goes_in_the_stores_thread(s3: Bench, operation: str) -> None:
    """By whatever takes its place."""
    await s3.put("a", b"first")
    upload = await parts(s3, "big", 51)
    await s3.state.database.write(lambda tx: tx.execute("UPDATE s3_upload_part SET size_bytes = 5242880"))
    wanted = await s3.call("ListParts", **upload)
    chosen = [{"PartNumber": one["PartNumber"], "ETag": one["ETag"]} for one in wanted["Parts"]]
    await s3.call("CompleteMultipartUpload", **upload, MultipartUpload={"Parts": chosen})
    params: dict[str, dict[str, Any]] = {
        "PutObject": {"Key": "big", "Body": BodyStream.of(b"x")},
        "CopyObject": {"Key": "big", "CopySource": "bkt/a"},
        "DeleteObject": {"Key": "big"},
        "DeleteObjects": {"Delete": {"Objects": [{"Key": "big"}]}},
    }
    async with busy_thread(s3.state.database):
        task = asyncio.ensure_future(s3.call(operation, Bucket="bkt", **params[operation]))
        for _ in range(200):
            await asyncio.sleep(0)
        assert not task.done()
    await task
    assert s3.state.database.read_now(lambda tx: tx.all("SELECT 1 FROM s3_object_part")) == []
