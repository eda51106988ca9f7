"""Versioning: version ids, delete markers, the null version of a suspended bucket; batch deletes."""

from typing import Any

import pytest

from tests.unit.s3.bench import Bench
from undercast.core.errors import ServiceError

UNKNOWN = "MhhyTHhmZ4cxSi4Y9SMe5P7UJAz7HLJ9"
"""An id that no version has."""


async def _set(s3: Bench, status: str) -> None:
    await s3.call("PutBucketVersioning", Bucket="bkt", VersioningConfiguration={"Status": status})


async def _history(s3: Bench, **params: Any) -> list[tuple[str, str, bool, bool]]:
    """(key, version id, is marker, is latest) as ListObjectVersions gives them, re-joined in order of time."""
    got = await s3.call("ListObjectVersions", Bucket="bkt", **params)
    found = [(entry["Key"], entry["VersionId"], False, entry["IsLatest"]) for entry in got["Versions"]]
    return found + [(entry["Key"], entry["VersionId"], True, entry["IsLatest"]) for entry in got["DeleteMarkers"]]


async def test_every_put_makes_a_version(s3: Bench) -> None:
    """Old versions stay readable by their id; the newest answers without one."""
    await _set(s3, "Enabled")
    first = await s3.put("a", b"1")
    second = await s3.put("a", b"2")
    assert first["VersionId"] != second["VersionId"]
    assert (await s3.get("a"))["VersionId"] == second["VersionId"]
    assert (await s3.get("a", VersionId=first["VersionId"]))["Body"] == b"1"
    assert await _history(s3) == [("a", second["VersionId"], False, True), ("a", first["VersionId"], False, False)]
    with pytest.raises(ServiceError, match="NoSuchVersion"):
        await s3.get("a", VersionId=UNKNOWN)


async def test_a_delete_adds_a_marker(s3: Bench) -> None:
    """S3 User Guide, "Working with delete markers": 404 with x-amz-delete-marker; 405 for the marker itself."""
    await _set(s3, "Enabled")
    put = await s3.put("a", b"1")
    deleted = await s3.call("DeleteObject", Bucket="bkt", Key="a")
    assert deleted["DeleteMarker"] is True
    with pytest.raises(ServiceError) as raised:
        await s3.get("a")
    assert raised.value.code == "NoSuchKey"
    assert raised.value.headers == {"x-amz-delete-marker": "true", "x-amz-version-id": deleted["VersionId"]}
    with pytest.raises(ServiceError) as raised:
        await s3.get("a", VersionId=deleted["VersionId"])
    assert (raised.value.code, raised.value.status) == ("MethodNotAllowed", 405)
    assert raised.value.headers["Allow"] == "DELETE"
    assert await s3.keys() == []
    removed = await s3.call("DeleteObject", Bucket="bkt", Key="a", VersionId=deleted["VersionId"])
    assert removed == {"VersionId": deleted["VersionId"], "DeleteMarker": True}
    assert (await s3.get("a"))["VersionId"] == put["VersionId"]
    assert await s3.keys() == ["a"]


async def test_removing_the_newest_version_brings_back_the_one_before(s3: Bench) -> None:
    """Deleting by version id is final."""
    await _set(s3, "Enabled")
    await s3.put("a", b"1")
    second = await s3.put("a", b"2")
    await s3.call("DeleteObject", Bucket="bkt", Key="a", VersionId=second["VersionId"])
    assert (await s3.get("a"))["Body"] == b"1"
    assert (await s3.call("DeleteObject", Bucket="bkt", Key="a", VersionId=UNKNOWN))["VersionId"] == UNKNOWN


@pytest.mark.parametrize(
    "operation", ["GetObject", "HeadObject", "GetObjectAcl", "GetObjectTagging", "DeleteObjectTagging", "DeleteObject"]
)
async def test_what_can_be_no_versions_id_is_named(s3: Bench, operation: str) -> None:
    """Also in a bucket without versions, where a delete with an empty id took the object."""
    await s3.put("a")
    for version_id, told in (("abc", "Invalid version id specified"), ("", "Version id cannot be the empty string")):
        with pytest.raises(ServiceError, match=f"InvalidArgument: {told}") as raised:
            await s3.call(operation, Bucket="bkt", Key="a", VersionId=version_id)
        assert raised.value.members == {"ArgumentName": "versionId", "ArgumentValue": version_id}
    assert await s3.keys() == ["a"]


async def test_a_batch_delete_knows_no_such_version(s3: Bench) -> None:
    """An entry whose id can be none is an error of its own; an id that is only not there counts as deleted."""
    await s3.put("a")
    objects = [{"Key": "a", "VersionId": version_id} for version_id in ("abc", "", UNKNOWN)]
    got = await s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": objects})
    assert [(error["VersionId"], error["Code"]) for error in got["Errors"]] == [
        ("abc", "NoSuchVersion"),
        ("", "NoSuchVersion"),
    ]
    assert got["Deleted"] == [{"Key": "a", "VersionId": UNKNOWN}]
    assert await s3.keys() == ["a"]


async def test_a_copy_source_is_no_delete_marker_and_has_a_versions_id(s3: Bench) -> None:
    """S3 says of an id that is none: InvalidRequest without more to CopyObject, what is wrong to UploadPartCopy."""
    await _set(s3, "Enabled")
    await s3.put("a")
    marker = (await s3.call("DeleteObject", Bucket="bkt", Key="a"))["VersionId"]
    upload = await s3.call("CreateMultipartUpload", Bucket="bkt", Key="b")
    part = {"PartNumber": 1, "UploadId": upload["UploadId"]}
    refers = "InvalidRequest: The source of a copy request may not specifically refer to a delete marker by version id."
    for version_id, copy, part_copy in (
        (marker, refers, refers),
        ("abc", "InvalidRequest: Invalid Request", "InvalidArgument: Invalid version id specified"),
        ("", "InvalidArgument: Version id cannot be the empty string", "Version id cannot be the empty string"),
        (UNKNOWN, "NoSuchVersion", "NoSuchVersion"),
    ):
        source = f"bkt/a?versionId={version_id}"
        with pytest.raises(ServiceError, match=copy):
            await s3.call("CopyObject", Bucket="bkt", Key="b", CopySource=source)
        with pytest.raises(ServiceError, match=part_copy) as raised:
            await s3.call("UploadPartCopy", Bucket="bkt", Key="b", CopySource=source, **part)
        if raised.value.code == "InvalidArgument":
            assert raised.value.members == {"ArgumentName": "x-amz-copy-source", "ArgumentValue": version_id}
    with pytest.raises(ServiceError, match="NoSuchKey") as raised:
        await s3.call("CopyObject", Bucket="bkt", Key="b", CopySource="bkt/a")
    assert raised.value.headers["x-amz-delete-marker"] == "true"
    await s3.call("AbortMultipartUpload", Bucket="bkt", Key="b", UploadId=upload["UploadId"])


async def test_a_delete_marker_takes_no_acl(s3: Bench) -> None:
    """405 for PutObjectAcl, with the marker's id or without."""
    await s3.call(
        "PutBucketOwnershipControls", Bucket="bkt", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    await _set(s3, "Enabled")
    await s3.put("a")
    marker = (await s3.call("DeleteObject", Bucket="bkt", Key="a"))["VersionId"]
    for named in ({}, {"VersionId": marker}):
        with pytest.raises(ServiceError, match="MethodNotAllowed") as raised:
            await s3.call("PutObjectAcl", Bucket="bkt", Key="a", ACL="private", **named)
        assert raised.value.members == {"Method": "PUT", "ResourceType": "DeleteMarker"}
        assert raised.value.headers["Allow"] == "DELETE"


async def test_a_version_marker_has_a_versions_id(s3: Bench) -> None:
    """ListObjectVersions; the texts are S3's."""
    for marker, told in (("abc", "Invalid version id specified"), ("", "A version-id marker cannot be empty.")):
        with pytest.raises(ServiceError, match=told) as raised:
            await s3.call("ListObjectVersions", Bucket="bkt", KeyMarker="a", VersionIdMarker=marker)
        assert raised.value.members == {"ArgumentName": "version-id-marker", "ArgumentValue": marker}
    for marker in ("null", UNKNOWN):
        await s3.call("ListObjectVersions", Bucket="bkt", KeyMarker="a", VersionIdMarker=marker)


async def test_an_object_from_before_versioning_is_the_null_version(s3: Bench) -> None:
    """S3 User Guide, "How S3 Versioning works": existing objects get the version id null."""
    await s3.put("a", b"0")
    await _set(s3, "Enabled")
    assert (await s3.get("a"))["VersionId"] == "null"
    newer = await s3.put("a", b"1")
    assert await _history(s3) == [("a", newer["VersionId"], False, True), ("a", "null", False, False)]


async def test_a_suspended_bucket_replaces_only_its_null_version(s3: Bench) -> None:
    """S3 User Guide, "Working with objects in a versioning-suspended bucket"."""
    await _set(s3, "Enabled")
    kept = await s3.put("a", b"1")
    await _set(s3, "Suspended")
    assert "VersionId" not in await s3.put("a", b"2")
    assert "VersionId" not in await s3.put("a", b"3")
    assert (await s3.get("a"))["VersionId"] == "null"
    assert await _history(s3) == [("a", "null", False, True), ("a", kept["VersionId"], False, False)]
    assert await s3.call("DeleteObject", Bucket="bkt", Key="a") == {"VersionId": "null", "DeleteMarker": True}
    assert sorted(await _history(s3)) == sorted([("a", "null", True, True), ("a", kept["VersionId"], False, False)])
    assert (await s3.get("a", VersionId=kept["VersionId"]))["Body"] == b"1"


async def test_versions_are_listed_page_by_page(s3: Bench) -> None:
    """NextKeyMarker and NextVersionIdMarker go on inside a key."""
    await _set(s3, "Enabled")
    expected = []
    for key in ("a", "b"):
        ids = [(await s3.put(key, bytes([n])))["VersionId"] for n in range(3)]
        expected += [(key, version_id) for version_id in reversed(ids)]
    found: list[tuple[str, str]] = []
    marker: dict[str, str] = {}
    while True:
        got = await s3.call("ListObjectVersions", Bucket="bkt", MaxKeys=2, **marker)
        found += [(entry["Key"], entry["VersionId"]) for entry in got["Versions"]]
        if not got["IsTruncated"]:
            break
        marker = {"KeyMarker": got["NextKeyMarker"], "VersionIdMarker": got["NextVersionIdMarker"]}
    assert found == expected


async def test_versioning_is_empty_until_it_is_set(s3: Bench) -> None:
    """GetBucketVersioning of a new bucket is empty XML."""
    assert await s3.call("GetBucketVersioning", Bucket="bkt") == {}
    await _set(s3, "Suspended")
    assert await s3.call("GetBucketVersioning", Bucket="bkt") == {"Status": "Suspended"}
    with pytest.raises(ServiceError, match="IllegalVersioningConfigurationException"):
        await _set(s3, "Off")
    with pytest.raises(ServiceError, match="MFADelete"):
        configuration = {"Status": "Enabled", "MFADelete": "Enabled"}
        await s3.call("PutBucketVersioning", Bucket="bkt", VersioningConfiguration=configuration)


async def test_a_batch_delete_reports_each_key(s3: Bench) -> None:
    """A key that is not there counts as deleted; Quiet shows errors only."""
    for key in ("a", "b"):
        await s3.put(key)
    objects = [{"Key": "a"}, {"Key": "none"}, {"Key": "b", "ETag": '"wrong"'}]
    got = await s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": objects})
    assert got["Deleted"] == [{"Key": "a"}, {"Key": "none"}]
    assert [(error["Key"], error["Code"]) for error in got["Errors"]] == [("b", "PreconditionFailed")]
    got = await s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": [{"Key": "b"}], "Quiet": True})
    assert got == {}
    with pytest.raises(ServiceError, match="MalformedXML"):  # botocore's model: an ObjectKey has one character at least
        await s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": [{"Key": ""}]})
    assert await s3.keys() == []


async def test_a_batch_of_a_thousand_keys(s3: Bench) -> None:
    """1,000 keys are the limit; one more is MalformedXML."""
    with pytest.raises(ServiceError, match=r"Delete\.Objects\.Size"):
        await s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": [{"Key": "a", "Size": 1}]})
    keys = [f"k{number:04}" for number in range(1000)]
    for key in keys[:60]:
        await s3.put(key)
    got = await s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": [{"Key": key} for key in keys]})
    assert len(got["Deleted"]) == 1000
    assert await s3.keys() == []
    with pytest.raises(ServiceError, match="MalformedXML"):
        await s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": [{"Key": key} for key in [*keys, "x"]]})


async def test_a_batch_delete_in_a_versioned_bucket_names_the_markers(s3: Bench) -> None:
    """DeletedObject has DeleteMarkerVersionId for a marker that was made."""
    await _set(s3, "Enabled")
    put = await s3.put("a")
    got = await s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": [{"Key": "a"}]})
    entry = got["Deleted"][0]
    assert entry["DeleteMarker"] is True and entry["DeleteMarkerVersionId"] != put["VersionId"]


async def test_a_conditional_delete(s3: Bench) -> None:
    """If-Match on DeleteObject: 412 when the ETag is another."""
    put = await s3.put("a")
    with pytest.raises(ServiceError, match="PreconditionFailed"):
        await s3.call("DeleteObject", Bucket="bkt", Key="a", IfMatch='"other"')
    await s3.call("DeleteObject", Bucket="bkt", Key="a", IfMatch=put["ETag"])
    assert await s3.keys() == []
