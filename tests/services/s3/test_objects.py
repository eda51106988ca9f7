"""Objects as boto3 sees them: bodies, keys, ranges, conditions, metadata, checksums, copies, tags."""

import base64
import hashlib
import http.client
import io
import urllib.request
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform

KEYS = ["a b/c+d", "../x", "a//b", "/lead", "ключ/☃🦊", "%2F", "a?b&c=d#e", "trail/", "~-._!$'()*,;:@", "a\nb"]


def _code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_put_get_head_delete(s3: Any, bucket: str) -> None:
    """The round trip, with content headers, metadata and the defaults of today."""
    put = s3.put_object(
        Bucket=bucket, Key="a.txt", Body=b"hello", ContentType="text/plain", CacheControl="no-store",
        ContentDisposition="attachment", ContentLanguage="de", Metadata={"name": "value"},
        Expires=datetime(2030, 1, 2, tzinfo=UTC),
    )  # fmt: skip
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert put["ServerSideEncryption"] == "AES256"
    got = s3.get_object(Bucket=bucket, Key="a.txt")
    assert got["Body"].read() == b"hello"
    head = s3.head_object(Bucket=bucket, Key="a.txt")
    for answer in (got, head):
        assert (answer["ContentLength"], answer["ContentType"], answer["ETag"]) == (5, "text/plain", put["ETag"])
        assert (answer["CacheControl"], answer["ContentLanguage"]) == ("no-store", "de")
        assert answer["ExpiresString"] == "Wed, 02 Jan 2030 00:00:00 GMT"
        assert (answer["Metadata"], answer["AcceptRanges"]) == ({"name": "value"}, "bytes")
    assert s3.delete_object(Bucket=bucket, Key="a.txt")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="a.txt")
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="a.txt")
    assert _code(error) == ("404", 404)


@pytest.mark.parametrize("key", KEYS)
def test_keys_stay_what_they_are(s3: Any, bucket: str, key: str) -> None:
    """Unicode, spaces, "..", "//" and a leading slash survive the wire both ways."""
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == key.encode()
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy"}]})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_ranges(s3: Any, bucket: str) -> None:
    """206 with Content-Range; 416 for what is not there, also of an empty object (S1-05)."""
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="a", Range="bytes=2-4")
    assert (got["Body"].read(), got["ContentRange"], got["ContentLength"]) == (b"234", "bytes 2-4/10", 3)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.get_object(Bucket=bucket, Key="a", Range="bytes=-3")["Body"].read() == b"789"
    assert s3.head_object(Bucket=bucket, Key="a", Range="bytes=2-4")["ContentLength"] == 3
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""
    for key, header in (("a", "bytes=10-"), ("empty", "bytes=0-5242879")):
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket=bucket, Key=key, Range=header)
        assert _code(error) == ("InvalidRange", 416)


def test_conditions(s3: Any, bucket: str) -> None:
    """304 and 412 on reads, 412 on writes."""
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"x")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="a", IfNoneMatch=etag)
    assert _code(error) == ("304", 304)
    assert error.value.response["ResponseMetadata"]["HTTPHeaders"]["etag"] == etag
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="a", IfMatch='"x"')
    assert _code(error) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="a", IfNoneMatch=etag)
    assert _code(error) == ("304", 304)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="a", Body=b"y", IfNoneMatch="*")
    assert _code(error) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@pytest.mark.parametrize("size", [10, 300_000])
def test_checksums_travel_both_ways(s3: Any, bucket: str, algorithm: str, size: int) -> None:
    """boto3 sends the checksum and verifies the one that comes back."""
    data = b"z" * size
    sent = s3.put_object(Bucket=bucket, Key="a", Body=io.BytesIO(data), ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert got["Body"].read() == data
    assert got[f"Checksum{algorithm}"] == sent[f"Checksum{algorithm}"]
    assert got["ChecksumType"] == "FULL_OBJECT"


def test_a_checksum_is_asked_for_by_one_word(s3: Any, bucket: str) -> None:
    """ENABLED is all that the model's ChecksumMode has; AWS's C runtime writes it in small letters."""
    s3.put_object(Bucket=bucket, Key="a", Body=b"data")
    for read in (s3.get_object, s3.head_object):
        assert "ChecksumType" in read(Bucket=bucket, Key="a", ChecksumMode="enabled")
    with pytest.raises(ClientError, match="Value for x-amz-checksum-mode header is invalid") as error:
        s3.get_object(Bucket=bucket, Key="a", ChecksumMode="DISABLED")
    assert _code(error) == ("InvalidRequest", 400)
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="a", ChecksumMode="DISABLED")
    assert _code(error) == ("400", 400)


def test_a_wrong_checksum_is_refused(s3: Any, bucket: str) -> None:
    """BadDigest for Content-MD5, and nothing is stored."""
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="a", Body=b"data", ContentMD5=wrong)
    assert _code(error) == ("BadDigest", 400)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_copies(s3: Any, bucket: str) -> None:
    """Metadata and tags travel, directives replace, the self-copy error has AWS's text."""
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", Metadata={"k": "v"}, Tagging="t=1", ContentType="text/plain")
    copied = s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")["CopyObjectResult"]
    head = s3.head_object(Bucket=bucket, Key="b")
    assert (head["Metadata"], head["ContentType"], head["ETag"]) == ({"k": "v"}, "text/plain", copied["ETag"])
    assert s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(
        Bucket=bucket, Key="b", CopySource=f"{bucket}/a", MetadataDirective="REPLACE", Metadata={"n": "w"},
        TaggingDirective="REPLACE", Tagging="",
    )  # fmt: skip
    assert s3.head_object(Bucket=bucket, Key="b")["Metadata"] == {"n": "w"}
    with pytest.raises(ClientError, match="illegal because it is trying to copy an object to itself"):
        s3.copy_object(Bucket=bucket, Key="a", CopySource=f"{bucket}/a")
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/missing")
    assert _code(error) == ("NoSuchKey", 404)


def test_versions(s3: Any, bucket: str) -> None:
    """Version ids, delete markers and their headers."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="a", Body=b"2")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="a")
    assert marker["DeleteMarker"] is True
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="a")
    assert error.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert s3.get_object(Bucket=bucket, Key="a", VersionId=first)["Body"].read() == b"1"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="a", VersionId=marker["VersionId"])
    assert _code(error) == ("MethodNotAllowed", 405)
    listed = s3.list_object_versions(Bucket=bucket)
    assert [entry["VersionId"] for entry in listed["Versions"]] == [second, first]
    assert [entry["VersionId"] for entry in listed["DeleteMarkers"]] == [marker["VersionId"]]


def test_object_attributes_and_tags(s3: Any, bucket: str) -> None:
    """GetObjectAttributes and the tagging operations."""
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    got = s3.get_object_attributes(Bucket=bucket, Key="a", ObjectAttributes=["ETag", "ObjectSize", "StorageClass"])
    assert (got["ETag"], got["ObjectSize"], got["StorageClass"]) == (
        hashlib.md5(b"hello").hexdigest(), 5, "STANDARD"
    )  # fmt: skip
    tags = [{"Key": "k", "Value": "v"}]
    s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == tags
    assert s3.get_object(Bucket=bucket, Key="a")["TagCount"] == 1
    s3.delete_object_tagging(Bucket=bucket, Key="a")
    assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == []


def test_refused_parameters_name_themselves(s3: Any, bucket: str) -> None:
    """I9: what we lack is an error that says so."""
    with pytest.raises(ClientError, match="ObjectLockMode") as error:
        s3.put_object(Bucket=bucket, Key="a", Body=b"", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=9e9)
    assert _code(error) == ("NotImplemented", 501)


def test_presigned_urls(platform: RunningPlatform, account: str, bucket: str) -> None:
    """A presigned PUT and GET work without further credentials, with response overrides in the query."""
    s3 = platform.client("s3", account=account, signature_version="s3v4")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b"})
    with urllib.request.urlopen(urllib.request.Request(url, b"body", method="PUT"), timeout=30) as answer:
        assert answer.status == 200
    params = {"Bucket": bucket, "Key": "a b", "ResponseContentType": "image/png"}
    with urllib.request.urlopen(s3.generate_presigned_url("get_object", Params=params), timeout=30) as answer:
        assert (answer.read(), answer.headers["content-type"]) == (b"body", "image/png")


def test_virtual_hosts_reach_the_same_objects(platform: RunningPlatform, account: str, s3: Any, bucket: str) -> None:
    """BUCKET.localhost is path style's /BUCKET. The name need not resolve: only the Host header counts."""
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    virtual = platform.client("s3", account=account, signature_version="s3v4", s3={"addressing_style": "virtual"})
    url = urlsplit(virtual.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"}))
    assert url.hostname == f"{bucket}.localhost"
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=30)
    connection.request("GET", f"{url.path}?{url.query}", headers={"Host": url.netloc})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"x")
    connection.close()
