"""Objects: put, get, ranges, conditions, headers, copies, conditional writes."""

import asyncio
import base64
import hashlib
import threading
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes import START
from tests.state import halted_before_commit
from tests.unit.s3.bench import Bench
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.services.s3.service import MANIFEST
from undercast.store.database import Tx


async def test_an_object_comes_back_as_it_was_put(s3: Bench) -> None:
    """The ETag of a put is the quoted MD5; SSE-S3 and CRC64NVME are the defaults since 2023 and 2024."""
    put = await s3.put("a", b"hello", ContentType="text/plain", Metadata={"Name": "välue"})
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert put["ServerSideEncryption"] == "AES256"
    assert put["ChecksumCRC64NVME"] == "M3eFcAZSQlc=" and put["ChecksumType"] == "FULL_OBJECT"
    got = await s3.get("a", ChecksumMode="ENABLED")
    assert (got["Body"], got["ContentLength"], got["ContentType"]) == (b"hello", 5, "text/plain")
    assert got["Metadata"] == {"name": "välue"}
    assert got["ChecksumCRC64NVME"] == put["ChecksumCRC64NVME"]
    assert got["LastModified"] == datetime.fromtimestamp(START, UTC)
    assert "VersionId" not in got


@pytest.mark.parametrize("key", ["a b", "../x", "a//b", "/lead", "ключ/☃/🦊", "a+b", "%2F", "a\nb", "."])
async def test_keys_stay_what_they_are(s3: Bench, key: str) -> None:
    """S3 never normalises a key."""
    await s3.put(key, b"1")
    assert await s3.keys() == [key]
    assert (await s3.get(key))["Body"] == b"1"


@pytest.mark.parametrize(
    ("header", "body", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=-20", b"0123456789", "bytes 0-9/10"),
        ("bytes=5-500", b"56789", "bytes 5-9/10"),
    ],
)
async def test_a_range_is_answered_with_206(s3: Bench, header: str, body: bytes, content_range: str) -> None:
    """RFC 9110, section 14; a checksum comes with all bytes only (checksums.RECORDED)."""
    await s3.put("a", b"0123456789")
    got = await s3.get("a", Range=header, ChecksumMode="ENABLED")
    assert s3.last[-1].status == 206
    assert (got["Body"], got["ContentRange"], got["ContentLength"]) == (body, content_range, len(body))
    assert ("ChecksumCRC64NVME" in got) == ("ChecksumType" in got) == (len(body) == 10)


@pytest.mark.parametrize("header", ["bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=5-2", "bytes=-"])
async def test_a_malformed_range_is_ignored(s3: Bench, header: str) -> None:
    """S3 answers the whole object with 200."""
    await s3.put("a", b"0123456789")
    got = await s3.get("a", Range=header)
    assert (s3.last[-1].status, got["Body"]) == (None, b"0123456789")


@pytest.mark.parametrize(("body", "header"), [(b"", "bytes=0-5"), (b"abc", "bytes=3-"), (b"abc", "bytes=-0")])
async def test_an_unsatisfiable_range_is_416(s3: Bench, body: bytes, header: str) -> None:
    """s3manager asks an empty object for bytes=0-5242879 and expects InvalidRange (S1-05)."""
    await s3.put("a", body)
    with pytest.raises(ServiceError) as raised:
        await s3.get("a", Range=header)
    assert (raised.value.code, raised.value.status) == ("InvalidRange", 416)
    assert raised.value.headers["Content-Range"] == f"bytes */{len(body)}"
    assert raised.value.members["ActualObjectSize"] == str(len(body))


LATER = datetime.fromtimestamp(START, UTC) + timedelta(hours=1)
EARLIER = datetime.fromtimestamp(START, UTC) - timedelta(hours=1)
SAME = '"9dd4e461268c8034f5c8564e155c67a6"'
OTHER = '"00000000000000000000000000000000"'


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        ({"IfMatch": SAME}, None),
        ({"IfMatch": "*"}, None),
        ({"IfMatch": f"{OTHER}, {SAME}"}, None),
        ({"IfMatch": OTHER}, "PreconditionFailed"),
        ({"IfNoneMatch": SAME}, "NotModified"),
        ({"IfNoneMatch": OTHER}, None),
        ({"IfModifiedSince": datetime.fromtimestamp(START, UTC)}, "NotModified"),
        ({"IfModifiedSince": LATER}, None),
        ({"IfModifiedSince": EARLIER}, None),
        ({"IfUnmodifiedSince": EARLIER}, "PreconditionFailed"),
        ({"IfUnmodifiedSince": LATER}, None),
        ({"IfMatch": SAME, "IfUnmodifiedSince": EARLIER}, None),
        ({"IfNoneMatch": SAME, "IfModifiedSince": EARLIER}, "NotModified"),
        ({"IfNoneMatch": OTHER, "IfModifiedSince": LATER}, None),
        ({"IfMatch": OTHER, "IfNoneMatch": SAME}, "PreconditionFailed"),
    ],
)
@pytest.mark.parametrize("operation", ["GetObject", "HeadObject"])
async def test_conditional_reads(s3: Bench, operation: str, conditions: dict[str, object], code: str | None) -> None:
    """API_GetObject: If-Match true with If-Unmodified-Since false is 200; If-None-Match false is 304."""
    await s3.put("a", b"x")
    if code is None:
        assert (await s3.call(operation, Bucket="bkt", Key="a", **conditions))["ETag"] == SAME
        return
    with pytest.raises(ServiceError) as raised:
        await s3.call(operation, Bucket="bkt", Key="a", **conditions)
    assert raised.value.code == code
    assert raised.value.status == (304 if code == "NotModified" else 412)
    if code == "NotModified":
        assert raised.value.headers == {"ETag": SAME, "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}


async def test_response_overrides_replace_the_stored_headers(s3: Bench) -> None:
    """API_GetObject, "Overriding response header values"."""
    await s3.put("a", ContentType="text/plain", CacheControl="no-store")
    got = await s3.get("a", ResponseContentType="image/png", ResponseContentDisposition="attachment")
    assert (got["ContentType"], got["CacheControl"]) == ("image/png", "no-store")
    assert got["ContentDisposition"] == "attachment"


async def test_conditional_writes(s3: Bench) -> None:
    """If-None-Match: * creates only; If-Match replaces only what is known (S3 User Guide, "Conditional writes")."""
    first = await s3.put("a", b"1", IfNoneMatch="*")
    with pytest.raises(ServiceError, match="PreconditionFailed"):
        await s3.put("a", b"2", IfNoneMatch="*")
    with pytest.raises(ServiceError, match="PreconditionFailed"):
        await s3.put("a", b"2", IfMatch=OTHER)
    await s3.put("a", b"2", IfMatch=first["ETag"])
    assert (await s3.get("a"))["Body"] == b"2"
    with pytest.raises(ServiceError, match="NoSuchKey"):
        await s3.put("missing", b"2", IfMatch=first["ETag"])
    with pytest.raises(ServiceError, match="NotImplemented"):
        await s3.put("a", b"2", IfNoneMatch=first["ETag"])


async def test_checksums_are_verified_and_kept(s3: Bench) -> None:
    """A sent checksum becomes the object's; a wrong one is BadDigest and leaves nothing."""
    crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    put = await s3.put("a", b"hello", ChecksumCRC32=crc)
    assert put["ChecksumCRC32"] == crc and "ChecksumCRC64NVME" not in put
    sha = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    assert (await s3.put("a", b"hello", ChecksumAlgorithm="SHA256"))["ChecksumSHA256"] == sha
    with pytest.raises(ServiceError, match="BadDigest: The CRC32 you specified did not match"):
        await s3.put("a", b"other", ChecksumCRC32=crc)
    with pytest.raises(ServiceError, match="InvalidRequest"):
        await s3.put("a", b"hello", ChecksumCRC32="AAAA")
    with pytest.raises(ServiceError, match="ChecksumAlgorithm=SHA512"):
        await s3.put("a", b"hello", ChecksumAlgorithm="SHA512")
    assert (await s3.get("a"))["Body"] == b"hello"


async def test_content_md5_is_verified(s3: Bench) -> None:
    """BadDigest for another digest, InvalidDigest for what is none."""
    await s3.put("a", b"x", ContentMD5=base64.b64encode(hashlib.md5(b"x").digest()).decode())
    with pytest.raises(ServiceError, match="BadDigest"):
        await s3.put("a", b"y", ContentMD5=base64.b64encode(hashlib.md5(b"x").digest()).decode())
    with pytest.raises(ServiceError, match="InvalidDigest"):
        await s3.put("a", b"y", ContentMD5="x")


async def test_a_body_that_fails_leaves_the_old_object(s3: Bench) -> None:
    """Verification raises at the end of the stream, before any commit (I1)."""

    async def broken() -> "object":
        yield b"half"
        raise ServiceError("BadDigest", "payload hash")

    await s3.put("a", b"old")
    with pytest.raises(ServiceError, match="payload hash"):
        await s3.call("PutObject", Bucket="bkt", Key="a", Body=BodyStream(broken(), None))  # type: ignore[arg-type]
    assert (await s3.get("a"))["Body"] == b"old"


async def test_limits_of_keys_and_metadata(s3: Bench) -> None:
    """1,024 bytes of UTF-8 for a key, 2 KB for user metadata."""
    await s3.put("é" * 512)
    with pytest.raises(ServiceError, match="KeyTooLongError"):
        await s3.put("é" * 512 + "a")
    await s3.put("a", Metadata={"k": "v" * 2047})
    with pytest.raises(ServiceError, match="MetadataTooLarge"):
        await s3.put("a", Metadata={"k": "v" * 2048})


async def test_aws_chunked_is_no_content_encoding(s3: Bench) -> None:
    """S3 stores Content-Encoding without the transfer's own aws-chunked."""
    await s3.put("a", ContentEncoding="aws-chunked,gzip")
    await s3.put("b", ContentEncoding="aws-chunked")
    assert (await s3.get("a"))["ContentEncoding"] == "gzip"
    assert "ContentEncoding" not in await s3.get("b")


async def test_archived_objects_cannot_be_read(s3: Bench) -> None:
    """API_GetObject: InvalidObjectState until the object is restored."""
    await s3.put("a", StorageClass="GLACIER")
    assert (await s3.call("HeadObject", Bucket="bkt", Key="a"))["StorageClass"] == "GLACIER"
    with pytest.raises(ServiceError, match="InvalidObjectState"):
        await s3.get("a")
    with pytest.raises(ServiceError, match="InvalidStorageClass"):
        await s3.put("a", StorageClass="OUTPOSTS")


async def test_a_large_object_streams_and_survives_its_deletion(s3: Bench) -> None:
    """An answer that has begun is finished even when the object is deleted meanwhile."""
    data = bytes(range(256)) * 4096
    await s3.put("a", data)
    reply = await MANIFEST.operations["GetObject"](s3.s3, s3.ctx, {"Bucket": "bkt", "Key": "a"})
    await s3.call("DeleteObject", Bucket="bkt", Key="a")
    body = reply.output["Body"]  # type: ignore[union-attr]
    assert body.length == len(data)
    assert await body.read() == data


async def test_a_copy_source_is_encoded_as_a_query_is(s3: Bench) -> None:
    """A "+" is a space: Go CDK's s3blob sends it so, and AWS finds no key "a+b" without %2B (aws-sdk-js issue 1821)."""
    await s3.put("a b", b"space")
    await s3.put("a+b", b"plus")
    for source, found in (("bkt%2Fa+b", b"space"), ("bkt/a%20b", b"space"), ("bkt/a%2Bb", b"plus")):
        await s3.call("CopyObject", Bucket="bkt", Key="c", CopySource=source)
        assert (await s3.get("c"))["Body"] == found


async def test_a_copy_refers_to_the_same_blob(s3: Bench) -> None:
    """CopyObject keeps metadata, headers and tags unless told to replace them; not the storage class."""
    await s3.put(
        "a", b"data" * 20000, ContentType="text/plain", Metadata={"k": "v"}, Tagging="t=1", StorageClass="STANDARD_IA"
    )
    copied = await s3.call("CopyObject", Bucket="bkt", Key="c", CopySource="bkt/a")
    got = await s3.get("c")
    assert copied["CopyObjectResult"]["ETag"] == got["ETag"]
    assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("text/plain", {"k": "v"}, 1)
    assert "StorageClass" not in got
    rows = s3.state.database.read_now(lambda tx: tx.all("SELECT refs FROM blob"))
    assert [row["refs"] for row in rows] == [2]
    await s3.call("DeleteObject", Bucket="bkt", Key="a")
    assert (await s3.get("c"))["Body"] == b"data" * 20000


async def test_a_copy_of_what_is_overwritten_meanwhile_is_what_it_read(s3: Bench) -> None:
    """A read sees an object whole, old or new (S3 User Guide, "Amazon S3 data consistency model"); so does a copy."""
    old = b"old" * 200_000  # hashed in a thread: the put comes in between
    await s3.put("a", old, Metadata={"which": "old"})
    copy = s3.call("CopyObject", Bucket="bkt", Key="c", CopySource="bkt/a", ChecksumAlgorithm="SHA1")
    copied: dict[str, Any]
    copied, _ = await asyncio.gather(copy, s3.put("a", b"new", Metadata={"which": "new"}))
    got = await s3.get("c")
    assert (got["Body"], got["Metadata"], got["ETag"]) == (old, {"which": "old"}, copied["CopyObjectResult"]["ETag"])
    assert (await s3.get("a"))["Body"] == b"new"


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "SHA1"])
async def test_a_copy_that_waits_for_the_store_takes_the_source_of_then(s3: Bench, algorithm: str) -> None:
    """Its blob is still there; where the new source lacks the checksum that was asked for, its bytes are read."""
    await s3.put("a", b"old")
    entered, free = threading.Event(), threading.Event()

    def hold(_: Tx) -> None:
        entered.set()
        free.wait(20)

    holding = asyncio.create_task(s3.state.database.write(hold, long=True))
    assert await asyncio.to_thread(entered.wait, 20)
    put = asyncio.create_task(s3.put("a", b"new", ChecksumAlgorithm=algorithm))
    call = s3.call("CopyObject", Bucket="bkt", Key="c", CopySource="bkt/a", ChecksumAlgorithm="CRC64NVME")
    copy = asyncio.create_task(call)
    for _ in range(20):
        await asyncio.sleep(0)  # both wait behind the writer
    free.set()
    await asyncio.gather(holding, put, copy)
    got = await s3.get("c", ChecksumMode="ENABLED")
    assert (got["Body"], "ChecksumCRC64NVME" in got) == (b"new", True)


@pytest.mark.parametrize("operation", ["PutObject", "CopyObject", "CreateMultipartUpload"])
async def test_a_redirect_leads_to_a_key_or_a_url(s3: Bench, operation: str) -> None:
    """PutObject, "x-amz-website-redirect-location"; a copy's is that of its request."""
    await s3.put("a", WebsiteRedirectLocation="/there")
    source = {"CopySource": "bkt/a"} if operation == "CopyObject" else {}
    with pytest.raises(ServiceError, match="must have a prefix of"):
        await s3.call(operation, Bucket="bkt", Key="b", WebsiteRedirectLocation="javascript:alert(1)", **source)
    await s3.call("CopyObject", Bucket="bkt", Key="c", CopySource="bkt/a")
    await s3.call("CopyObject", Bucket="bkt", Key="d", CopySource="bkt/a", WebsiteRedirectLocation="https://d.example")
    assert "WebsiteRedirectLocation" not in await s3.get("c")
    assert (await s3.get("d"))["WebsiteRedirectLocation"] == "https://d.example"


async def test_copy_directives_replace(s3: Bench) -> None:
    """MetadataDirective and TaggingDirective REPLACE take the request's values."""
    await s3.put("a", ContentType="text/plain", Metadata={"k": "v"}, Tagging="t=1")
    await s3.call(
        "CopyObject", Bucket="bkt", Key="ü ö", CopySource="/bkt/a", MetadataDirective="REPLACE", Metadata={"n": "w"},
        TaggingDirective="REPLACE", Tagging="x=1&y=2",
    )  # fmt: skip
    got = await s3.get("ü ö")
    assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("binary/octet-stream", {"n": "w"}, 2)
    await s3.call("CopyObject", Bucket="bkt", Key="d", CopySource="bkt/%C3%BC%20%C3%B6", ChecksumAlgorithm="SHA1")
    assert "ChecksumSHA1" in await s3.call("HeadObject", Bucket="bkt", Key="d", ChecksumMode="ENABLED")


async def test_a_copy_onto_itself_must_change_something(s3: Bench) -> None:
    """AWS's InvalidRequest in its words."""
    await s3.put("a")
    with pytest.raises(ServiceError, match="illegal because it is trying to copy an object to itself"):
        await s3.call("CopyObject", Bucket="bkt", Key="a", CopySource="bkt/a")
    await s3.call("CopyObject", Bucket="bkt", Key="a", CopySource="bkt/a", StorageClass="STANDARD_IA")
    assert (await s3.get("a"))["StorageClass"] == "STANDARD_IA"


async def test_copy_conditions_and_missing_sources(s3: Bench) -> None:
    """Every failed x-amz-copy-source-if-... is 412, never 304."""
    await s3.put("a")
    for conditions in ({"CopySourceIfMatch": OTHER}, {"CopySourceIfNoneMatch": SAME}):
        with pytest.raises(ServiceError, match="PreconditionFailed"):
            await s3.call("CopyObject", Bucket="bkt", Key="c", CopySource="bkt/a", **conditions)
    for source, code in (("bkt/missing", "NoSuchKey"), ("nob/a", "NoSuchBucket"), ("bkt", "InvalidArgument")):
        with pytest.raises(ServiceError, match=code):
            await s3.call("CopyObject", Bucket="bkt", Key="c", CopySource=source)


async def test_object_attributes(s3: Bench) -> None:
    """GetObjectAttributes gives the ETag without quotes, and only what was asked for."""
    await s3.put("a", b"hello")
    got = await s3.call(
        "GetObjectAttributes", Bucket="bkt", Key="a", ObjectAttributes=["ETag", "ObjectSize", "Checksum"]
    )
    assert (got["ETag"], got["ObjectSize"]) == (hashlib.md5(b"hello").hexdigest(), 5)
    assert got["Checksum"]["ChecksumType"] == "FULL_OBJECT" and "StorageClass" not in got


async def test_part_number_of_an_object_without_parts(s3: Bench) -> None:
    """Part 1 is the object, as 206; any other is 416 InvalidPartNumber."""
    await s3.put("a", b"hello")
    got = await s3.get("a", PartNumber=1)
    assert (s3.last[-1].status, got["Body"], "PartsCount" in got) == (206, b"hello", False)
    with pytest.raises(ServiceError, match="InvalidPartNumber"):
        await s3.get("a", PartNumber=2)
    for number in (-1, 0, 10_001):  # openstack/swift, test_obj.py, "part_num_invalid"
        with pytest.raises(
            ServiceError, match="Part number must be an integer between 1 and 10000, inclusive"
        ) as raised:
            await s3.get("a", PartNumber=number)
        assert raised.value.members == {"ArgumentName": "partNumber", "ArgumentValue": str(number)}
    with pytest.raises(ServiceError, match="Cannot specify both Range header and partNumber"):
        await s3.get("a", PartNumber=1, Range="bytes=0-1")


async def test_missing_things(s3: Bench) -> None:
    """NoSuchKey names the key, NoSuchBucket the bucket, both 404."""
    with pytest.raises(ServiceError) as raised:
        await s3.get("nope")
    assert (raised.value.code, raised.value.status, raised.value.members) == ("NoSuchKey", 404, {"Key": "nope"})
    with pytest.raises(ServiceError) as raised:
        await s3.get("nope", bucket="nob")
    assert (raised.value.code, raised.value.members) == ("NoSuchBucket", {"BucketName": "nob"})
    with pytest.raises(ServiceError, match="AccessDenied"):
        await s3.put("a", ExpectedBucketOwner="999999999999")


@pytest.mark.parametrize(
    ("operation", "params", "text"),
    [
        ("CopyObject", {"MetadataDirective": "FOO"}, "InvalidArgument: Unknown metadata directive."),
        ("CopyObject", {"TaggingDirective": "BAR"}, "InvalidArgument: Unknown tagging directive."),
        ("GetObjectAttributes", {"ObjectAttributes": ["Foo"]}, "InvalidArgument: Invalid attribute name specified."),
    ],
)
async def test_unknown_values_are_refused(s3: Bench, operation: str, params: dict[str, Any], text: str) -> None:
    """A mistyped value is an error, not the default."""
    await s3.put("a")
    source = {"CopySource": "bkt/a"} if operation == "CopyObject" else {}
    with pytest.raises(ServiceError, match=text):
        await s3.call(operation, Bucket="bkt", Key="a", **source, **params)


async def test_what_was_read_before_a_long_delete_committed_is_not_kept(s3: Bench) -> None:
    """DeleteObjects of many keys runs in the store thread; whoever reads one meanwhile reads it anew afterwards."""
    await s3.put("gone")
    objects = [{"Key": "gone"}, *({"Key": f"none-{number}"} for number in range(200))]
    deleting = s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": objects})
    async with halted_before_commit(s3.state.database, deleting):
        assert (await s3.get("gone"))["Body"] == b"x"
    with pytest.raises(ServiceError, match="NoSuchKey"):
        await s3.get("gone")
