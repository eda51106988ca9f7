"""Multipart upload: parts, order, sizes, checksums, copies of parts, listings, abort."""

import base64
import hashlib
import zlib
from dataclasses import replace
from typing import Any

import pytest
from awscrt import checksums as crt

from tests.unit.s3.bench import Bench
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.services.s3 import reading

MIB = 1024 * 1024
FIRST, SECOND = b"a" * (5 * MIB), b"b" * 1000


async def _begin(s3: Bench, key: str = "big", **params: Any) -> dict[str, Any]:
    created = await s3.call("CreateMultipartUpload", Bucket="bkt", Key=key, **params)
    return {"Bucket": "bkt", "Key": key, "UploadId": created["UploadId"]}


async def _parts(s3: Bench, upload: dict[str, Any], *bodies: bytes, **params: Any) -> list[dict[str, Any]]:
    found = []
    for number, body in enumerate(bodies, 1):
        sent = await s3.call("UploadPart", **upload, PartNumber=number, Body=BodyStream.of(body), **params)
        found.append({**sent, "PartNumber": number})
    return found


async def _complete(s3: Bench, upload: dict[str, Any], parts: list[dict[str, Any]], **params: Any) -> dict[str, Any]:
    return await s3.call("CompleteMultipartUpload", **upload, MultipartUpload={"Parts": parts}, **params)


async def test_parts_become_one_object(s3: Bench) -> None:
    """The ETag is the MD5 of the parts' MD5s with their number behind it."""
    upload = await _begin(s3, ContentType="text/plain", Metadata={"k": "v"}, Tagging="t=1")
    done = await _complete(s3, upload, await _parts(s3, upload, FIRST, SECOND))
    digests = hashlib.md5(FIRST).digest() + hashlib.md5(SECOND).digest()
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'
    assert done["ChecksumType"] == "FULL_OBJECT"
    whole = crt.crc64nvme(SECOND, crt.crc64nvme(FIRST)).to_bytes(8, "big")
    assert done["ChecksumCRC64NVME"] == base64.b64encode(whole).decode()
    got = await s3.get("big")
    assert got["Body"] == FIRST + SECOND
    assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("text/plain", {"k": "v"}, 1)


async def test_the_answer_says_where_the_object_is(s3: Bench) -> None:
    """A bucket that the host names stands in no path."""
    for endpoint, expected in (
        ("http://localhost:4566", "http://localhost:4566/bkt/a%2Fb+c"),
        ("http://bkt.localhost:4566", "http://bkt.localhost:4566/a%2Fb+c"),
    ):
        bench = replace(s3, ctx=replace(s3.ctx, endpoint=endpoint))
        upload = await _begin(bench, "a/b c")
        parts = await _parts(bench, upload, b"x")
        assert (await _complete(bench, upload, parts))["Location"] == expected


async def test_ranges_and_parts_of_a_multipart_object(s3: Bench) -> None:
    """A range may cross parts; PartNumber gives one part and PartsCount."""
    upload = await _begin(s3)
    await _complete(s3, upload, await _parts(s3, upload, FIRST, SECOND))
    edge = len(FIRST)
    assert (await s3.get("big", Range=f"bytes={edge - 2}-{edge + 1}"))["Body"] == b"aabb"
    assert (await s3.get("big", Range="bytes=-3"))["Body"] == b"bbb"
    got = await s3.get("big", PartNumber=2)
    assert (got["Body"], got["PartsCount"]) == (SECOND, 2)
    assert got["ContentRange"] == f"bytes {edge}-{edge + 999}/{edge + 1000}"
    with pytest.raises(ServiceError, match="InvalidPartNumber"):
        await s3.get("big", PartNumber=3)


async def test_completing_copies_nothing(s3: Bench) -> None:
    """The object refers to the parts' blobs; the reference of an unused part ends."""
    upload = await _begin(s3)
    parts = await _parts(s3, upload, FIRST, SECOND, b"unused")
    await _complete(s3, upload, parts[:2])
    rows = s3.state.database.read_now(lambda tx: tx.all("SELECT id, refs FROM blob"))
    assert {row["id"]: row["refs"] for row in rows} == {
        hashlib.sha256(FIRST).hexdigest(): 1,
        hashlib.sha256(SECOND).hexdigest(): 1,
    }
    await s3.call("DeleteObject", Bucket="bkt", Key="big")
    assert s3.state.database.read_now(lambda tx: tx.all("SELECT id FROM blob")) == []
    assert s3.state.database.read_now(lambda tx: tx.all("SELECT * FROM s3_object_part")) == []


async def test_wrong_lists_of_parts(s3: Bench) -> None:
    """InvalidPartOrder, InvalidPart, EntityTooSmall, InvalidRequest; the upload stays open."""
    upload = await _begin(s3)
    one, two, three = await _parts(s3, upload, FIRST, b"small", SECOND)
    with pytest.raises(ServiceError, match="InvalidPartOrder"):
        await _complete(s3, upload, [two, one])
    with pytest.raises(ServiceError, match="InvalidPart:"):
        await _complete(s3, upload, [{**one, "ETag": two["ETag"]}])
    with pytest.raises(ServiceError, match="InvalidPart:"):
        await _complete(s3, upload, [{"PartNumber": 9, "ETag": one["ETag"]}])
    with pytest.raises(ServiceError, match="InvalidArgument: PartNumber must be >= 1") as raised:
        await _complete(s3, upload, [{**one, "PartNumber": 0}])
    assert raised.value.members == {"ArgumentName": "PartNumber", "ArgumentValue": "0"}
    with pytest.raises(ServiceError) as raised:
        await _complete(s3, upload, [one, two, three])
    assert raised.value.code == "EntityTooSmall"
    assert raised.value.members["MinSizeAllowed"] == "5242880" and raised.value.members["PartNumber"] == "2"
    with pytest.raises(ServiceError, match="InvalidRequest: You must specify at least one part"):
        await _complete(s3, upload, [])
    await _complete(s3, upload, [one, three])


async def test_completing_again_answers_the_same(s3: Bench) -> None:
    """A client whose answer was lost asks again and must not see an error, nor a second event."""
    await s3.notify("s3:ObjectCreated:*")
    upload = await _begin(s3)
    parts = await _parts(s3, upload, SECOND)
    first = await _complete(s3, upload, parts)
    assert await _complete(s3, upload, parts) == first
    assert len(s3.deliveries()) == 1
    with pytest.raises(ServiceError, match="NoSuchUpload"):
        await _complete(s3, {**upload, "UploadId": "none"}, parts)


async def test_composite_checksums(s3: Bench) -> None:
    """SHA and requested CRC checksums are composite: the checksum of the parts' checksums, "-N"."""
    upload = await _begin(s3, ChecksumAlgorithm="SHA256")
    parts = await _parts(s3, upload, FIRST, SECOND, ChecksumAlgorithm="SHA256")
    with pytest.raises(ServiceError, match="must include the checksum for each part"):
        await _complete(s3, upload, [{"PartNumber": 1, "ETag": parts[0]["ETag"]}])
    done = await _complete(s3, upload, parts)
    raw = hashlib.sha256(hashlib.sha256(FIRST).digest() + hashlib.sha256(SECOND).digest()).digest()
    assert (done["ChecksumSHA256"], done["ChecksumType"]) == (f"{base64.b64encode(raw).decode()}-2", "COMPOSITE")
    got = await s3.call("GetObjectAttributes", Bucket="bkt", Key="big", ObjectAttributes=["ObjectParts", "Checksum"])
    assert got["ObjectParts"]["TotalPartsCount"] == 2
    assert [part["Size"] for part in got["ObjectParts"]["Parts"]] == [len(FIRST), len(SECOND)]
    asked = {"Bucket": "bkt", "Key": "big", "ObjectAttributes": ["ObjectParts"]}
    one = (await s3.call("GetObjectAttributes", **asked, MaxParts=1))["ObjectParts"]
    assert (one["IsTruncated"], one["NextPartNumberMarker"], len(one["Parts"])) == (True, 1, 1)
    assert (await s3.call("GetObjectAttributes", **asked, MaxParts=0))["ObjectParts"]["Parts"] == []
    for member, name in (("MaxParts", "max-parts"), ("PartNumberMarker", "part-number-marker")):
        with pytest.raises(ServiceError, match=f"InvalidArgument: Argument {name} must be an integer between 0 and"):
            await s3.call("GetObjectAttributes", **asked, **{member: -1})
    assert got["Checksum"]["ChecksumSHA256"] == base64.b64encode(raw).decode()


async def test_a_checksum_of_another_algorithm_than_the_uploads_is_refused(s3: Bench) -> None:
    """InvalidPart in a part, as aws-sdk-go-v2 issue 3005 shows; "Checksum Type mismatch occurred" for the whole."""
    upload = await _begin(s3, ChecksumAlgorithm="SHA256")
    parts = await _parts(s3, upload, SECOND, ChecksumAlgorithm="SHA256")
    crc = {"ChecksumCRC32": "AAAAAA=="}
    with pytest.raises(ServiceError, match="expected checksum Type: sha256, actual checksum Type: crc32"):
        await _complete(s3, upload, parts, **crc)
    with pytest.raises(ServiceError, match="InvalidArgument: Invalid Base64 or multiple checksums"):
        await _complete(s3, upload, [{**parts[0], **crc}])
    plain = {name: parts[0][name] for name in ("PartNumber", "ETag")}
    for other in (crc, {"ChecksumSHA512": "AAAA"}):
        with pytest.raises(ServiceError, match="InvalidPart:"):
            await _complete(s3, upload, [{**plain, **other}])
    assert (await _complete(s3, upload, parts))["ChecksumType"] == "COMPOSITE"


CRC = base64.b64encode(zlib.crc32(SECOND).to_bytes(4, "big")).decode()
SHA = base64.b64encode(hashlib.sha256(SECOND).digest()).decode()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "Invalid copy source bucket name"),
        ("/", "Invalid copy source bucket name"),
        ("bkt", "Invalid copy source object key"),
        ("bkt/a?version=1", "Copy Source must mention the source bucket and key"),
    ],
)
async def test_a_copy_source_names_bucket_and_key(s3: Bench, source: str, told: str) -> None:
    """InvalidArgument says which of them is missing, in both copies."""
    upload = await _begin(s3)
    for operation, rest in (
        ("CopyObject", {"Bucket": "bkt", "Key": "c"}),
        ("UploadPartCopy", {**upload, "PartNumber": 1}),
    ):
        with pytest.raises(ServiceError, match=f"InvalidArgument: {told}"):
            await s3.call(operation, **rest, CopySource=source)


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
async def test_a_part_has_the_uploads_checksum(s3: Bench, kind: str) -> None:
    """Of another algorithm never; none where S3 can add it. Both as S3 answers them: checksums.RECORDED."""
    upload = await _begin(s3, ChecksumAlgorithm="CRC32", ChecksumType=kind)
    told = "InvalidRequest: Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: "
    with pytest.raises(ServiceError, match=f"{told}sha256"):
        await _parts(s3, upload, SECOND, ChecksumSHA256=SHA)
    if kind == "COMPOSITE":
        with pytest.raises(ServiceError, match=f"{told}null"):
            await _parts(s3, upload, SECOND)
    else:
        assert (await _parts(s3, upload, SECOND))[0]["ChecksumCRC32"] == CRC
    assert (await _parts(s3, upload, SECOND, ChecksumCRC32=CRC))[0]["ChecksumCRC32"] == CRC


async def test_a_part_may_have_any_checksum_where_none_was_asked_for(s3: Bench) -> None:
    """S3 adds its own CRC64NVME and verifies what comes."""
    upload = await _begin(s3)
    assert "ChecksumCRC64NVME" in (await _parts(s3, upload, SECOND, ChecksumSHA256=SHA))[0]
    with pytest.raises(ServiceError, match="BadDigest: The CRC32 you specified did not match"):
        await _parts(s3, upload, SECOND, ChecksumCRC32="AAAAAA==")


@pytest.mark.parametrize("value", ["AAAA", "AAAAAB==", "not base64"])
async def test_a_parts_checksum_that_is_none_is_named(s3: Bench, value: str) -> None:
    """The wrong length, another spelling of four bytes, no base64 (checksums.RECORDED)."""
    upload = await _begin(s3, ChecksumAlgorithm="CRC32")
    parts = await _parts(s3, upload, SECOND, ChecksumCRC32=CRC)
    with pytest.raises(ServiceError, match="InvalidArgument: Invalid Base64 or multiple checksums") as refused:
        await _complete(s3, upload, [{**parts[0], "ChecksumCRC32": value}])
    assert refused.value.members == {"ArgumentName": "Checksum", "ArgumentValue": f"CRC32:{value};"}


async def test_the_checksum_of_a_composite_object_is_checked(s3: Bench) -> None:
    """With or without the number of parts; what is none, and another number (checksums.RECORDED)."""
    upload = await _begin(s3, ChecksumAlgorithm="CRC32")
    parts = await _parts(s3, upload, SECOND, ChecksumCRC32=CRC)
    right = base64.b64encode(zlib.crc32(base64.b64decode(CRC)).to_bytes(4, "big")).decode()
    for value in ("AAAA", f"{right}-a"):
        with pytest.raises(ServiceError, match="InvalidRequest: Value for x-amz-checksum-crc32 header is invalid"):
            await _complete(s3, upload, parts, ChecksumCRC32=value)
    for value in ("AAAAAA==", f"{right}-2"):
        with pytest.raises(ServiceError, match="BadDigest: The crc32 you specified did not match the calculated"):
            await _complete(s3, upload, parts, ChecksumCRC32=value)
    assert (await _complete(s3, upload, parts, ChecksumCRC32=right))["ChecksumCRC32"] == f"{right}-1"


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"ChecksumType": "FOO"}, "Value for x-amz-checksum-type header is invalid"),
        (
            {"ChecksumType": "FULL_OBJECT"},
            "x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm",
        ),
        ({"ChecksumAlgorithm": "NONE"}, r"Checksum algorithm provided is unsupported.*\[CRC32, CRC32C, SHA1, SHA256\]"),
        ({"ChecksumAlgorithm": "CRC32,SHA1"}, "Invalid types are specified in x-amz-checksum-algorithm header"),
    ],
)
async def test_unknown_checksums_are_refused(s3: Bench, params: dict[str, Any], told: str) -> None:
    """x-amz-checksum-type is COMPOSITE or FULL_OBJECT, and no header of its own (checksums.RECORDED)."""
    with pytest.raises(ServiceError, match=f"InvalidRequest: .*{told}"):
        await _begin(s3, **params)


async def test_an_algorithm_that_is_missing_here_is_named(s3: Bench) -> None:
    """One of AWS's that we lack is no mistake of the client's."""
    with pytest.raises(ServiceError, match="ChecksumAlgorithm=XXHASH3") as refused:
        await _begin(s3, ChecksumAlgorithm="XXHASH3")
    assert refused.value.status == 501


async def test_full_object_crc32(s3: Bench) -> None:
    """CRCs of parts combine to the CRC of the whole without reading it."""
    upload = await _begin(s3, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = await _parts(s3, upload, FIRST, SECOND)
    expected = base64.b64encode(zlib.crc32(FIRST + SECOND).to_bytes(4, "big")).decode()
    with pytest.raises(ServiceError, match="BadDigest"):
        await _complete(s3, upload, parts, ChecksumCRC32="AAAAAA==")
    assert (await _complete(s3, upload, parts, ChecksumCRC32=expected))["ChecksumCRC32"] == expected
    with pytest.raises(ServiceError, match="cannot be used with the sha1"):
        await _begin(s3, ChecksumAlgorithm="SHA1", ChecksumType="FULL_OBJECT")


async def test_the_size_a_client_expects_is_checked(s3: Bench) -> None:
    """x-amz-mp-object-size."""
    upload = await _begin(s3)
    parts = await _parts(s3, upload, SECOND)
    with pytest.raises(ServiceError, match="x-amz-mp-object-size"):
        await _complete(s3, upload, parts, MpuObjectSize=1)
    with pytest.raises(
        ServiceError, match="InvalidRequest: Value for x-amz-mp-object-size header is less than zero: '-1'"
    ):
        await _complete(s3, upload, parts, MpuObjectSize=-1)
    await _complete(s3, upload, parts, MpuObjectSize=len(SECOND))


async def test_a_part_can_be_replaced(s3: Bench) -> None:
    """The last upload of a part number wins."""
    upload = await _begin(s3)
    await _parts(s3, upload, b"old")
    parts = await _parts(s3, upload, b"new")
    await _complete(s3, upload, parts)
    assert (await s3.get("big"))["Body"] == b"new"
    for number in (0, 10001):
        with pytest.raises(ServiceError, match="between 1 and 10000, inclusive"):
            await s3.call("UploadPart", **(await _begin(s3)), PartNumber=number, Body=b"")


async def test_parts_are_copied_from_objects(s3: Bench) -> None:
    """UploadPartCopy with and without a range; the range must lie in the object."""
    await s3.put("src", FIRST + SECOND)
    upload = await _begin(s3)
    copied = await s3.call(
        "UploadPartCopy", **upload, PartNumber=1, CopySource="bkt/src", CopySourceRange=f"bytes=0-{len(FIRST) - 1}"
    )
    assert copied["CopyPartResult"]["ETag"] == f'"{hashlib.md5(FIRST).hexdigest()}"'
    rest = await s3.call("UploadPartCopy", **upload, PartNumber=2, CopySource="bkt/src", CopySourceRange="bytes=5-9")
    parts = [{"PartNumber": n, "ETag": p["CopyPartResult"]["ETag"]} for n, p in ((1, copied), (2, rest))]
    await _complete(s3, upload, parts)
    assert (await s3.get("big"))["Body"] == FIRST + b"aaaaa"
    upload = await _begin(s3)
    with pytest.raises(ServiceError, match="Range specified is not valid"):
        await s3.call(
            "UploadPartCopy", **upload, PartNumber=1, CopySource="bkt/src", CopySourceRange="bytes=0-99999999"
        )
    with pytest.raises(ServiceError, match="first-last"):
        await s3.call("UploadPartCopy", **upload, PartNumber=1, CopySource="bkt/src", CopySourceRange="bytes=5-")


@pytest.mark.parametrize("operation", ["CopyObject", "UploadPartCopy"])
async def test_a_copy_reads_again_where_its_source_went(
    s3: Bench, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object is overwritten between the look at it and the opening of its bytes: the copy is one of the new."""
    await s3.put("src", FIRST)
    body_of, looks = reading.body_of, [0]

    async def too_late(*of: Any) -> BodyStream:
        looks[0] += 1
        if looks[0] == 1:
            await s3.put("src", SECOND)
        return await body_of(*of)

    monkeypatch.setattr(reading, "body_of", too_late)
    if operation == "CopyObject":
        copied = await s3.call(operation, Bucket="bkt", Key="c", CopySource="bkt/src", ChecksumAlgorithm="SHA1")
        etag = copied["CopyObjectResult"]["ETag"]
    else:
        copied = await s3.call(operation, **(await _begin(s3)), PartNumber=1, CopySource="bkt/src")
        etag = copied["CopyPartResult"]["ETag"]
    assert (looks[0], etag) == (2, f'"{hashlib.md5(SECOND).hexdigest()}"')


async def test_a_copy_of_a_multipart_object_has_a_plain_etag(s3: Bench) -> None:
    """S3 User Guide, "Checking object integrity": a copied object's ETag is the MD5 of its data."""
    upload = await _begin(s3)
    await _complete(s3, upload, await _parts(s3, upload, FIRST, SECOND))
    got = await s3.call("CopyObject", Bucket="bkt", Key="copy", CopySource="bkt/big")
    assert got["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(FIRST + SECOND).hexdigest()}"'
    assert (await s3.get("copy"))["Body"] == FIRST + SECOND


async def test_an_aborted_upload_leaves_nothing(s3: Bench) -> None:
    """After abort every call on the id is NoSuchUpload."""
    upload = await _begin(s3)
    parts = await _parts(s3, upload, FIRST)
    await s3.call("AbortMultipartUpload", **upload)
    assert s3.state.database.read_now(lambda tx: tx.all("SELECT id FROM blob")) == []
    for operation in ("AbortMultipartUpload", "ListParts"):
        with pytest.raises(ServiceError, match="NoSuchUpload"):
            await s3.call(operation, **upload)
    with pytest.raises(ServiceError, match="NoSuchUpload"):
        await _complete(s3, upload, parts)


async def test_uploads_and_parts_are_listed(s3: Bench) -> None:
    """Uploads by key and time; parts by number, page by page."""
    first, second = await _begin(s3, "k"), await _begin(s3, "k")
    other = await _begin(s3, "d/x", ChecksumAlgorithm="CRC32")
    got = await s3.call("ListMultipartUploads", Bucket="bkt")
    assert [entry["UploadId"] for entry in got["Uploads"]] == [u["UploadId"] for u in (other, first, second)]
    assert got["Uploads"][0]["ChecksumAlgorithm"] == "CRC32" and "ChecksumAlgorithm" not in got["Uploads"][1]
    got = await s3.call("ListMultipartUploads", Bucket="bkt", MaxUploads=2, Delimiter="/")
    assert (got["CommonPrefixes"], got["NextUploadIdMarker"]) == ([{"Prefix": "d/"}], first["UploadId"])
    markers = {"KeyMarker": got["NextKeyMarker"], "UploadIdMarker": got["NextUploadIdMarker"]}
    got = await s3.call("ListMultipartUploads", Bucket="bkt", Delimiter="/", **markers)
    assert [entry["UploadId"] for entry in got["Uploads"]] == [second["UploadId"]]
    await _parts(s3, first, b"1", b"22", b"333")
    got = await s3.call("ListParts", **first, MaxParts=2)
    assert ([part["Size"] for part in got["Parts"]], got["IsTruncated"], got["NextPartNumberMarker"]) == (
        [1, 2],
        True,
        2,
    )
    got = await s3.call("ListParts", **first, PartNumberMarker=2)
    assert ([part["Size"] for part in got["Parts"]], got["IsTruncated"]) == ([3], False)


@pytest.mark.parametrize(
    ("operation", "params", "told", "named"),
    [
        (
            "ListParts",
            {"PartNumberMarker": -1},
            "Argument part-number-marker must be an integer between 0 and 2147483647",
            ("part-number-marker", "-1"),
        ),
        (
            "ListMultipartUploads",
            {"KeyMarker": "k", "UploadIdMarker": "xyz"},
            "Invalid uploadId marker",
            ("upload-id-marker", "xyz"),
        ),
    ],
)
async def test_markers_that_can_be_none(
    s3: Bench, operation: str, params: dict[str, Any], told: str, named: tuple[str, str]
) -> None:
    """InvalidArgument; an upload-id-marker without a key-marker is passed over."""
    upload = await _begin(s3)
    with pytest.raises(ServiceError, match=f"InvalidArgument: {told}") as raised:
        await s3.call(operation, **upload, **params)
    assert raised.value.members == {"ArgumentName": named[0], "ArgumentValue": named[1]}
    await s3.call("ListMultipartUploads", Bucket="bkt", UploadIdMarker="xyz")
    await s3.call("AbortMultipartUpload", **upload)
