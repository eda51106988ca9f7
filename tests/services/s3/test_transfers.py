"""Large objects: multipart through boto3's transfer manager and by hand, and a body that streams."""

import base64
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def test_a_file_goes_up_in_parts_and_comes_back(s3: Any, bucket: str, tmp_path: Path) -> None:
    """S1-05 and S1-06: 12 MiB in 5 MiB parts, ETag with -3, downloaded by ranges, byte for byte."""
    source, target = tmp_path / "up", tmp_path / "down"
    source.write_bytes(os.urandom(12 * MIB))
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=5)
    s3.upload_file(str(source), bucket, "big", Config=config, ExtraArgs={"ContentType": "x/y"})
    head = s3.head_object(Bucket=bucket, Key="big")
    assert head["ETag"].endswith('-3"') and head["ContentType"] == "x/y"
    s3.download_file(bucket, "big", str(target), Config=config)
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()


def test_a_large_body_that_is_not_what_its_head_says_leaves_nothing(s3: Any, bucket: str) -> None:
    """S3 User Guide, "Checking object integrity": payload hash, CRC-32 and Content-MD5 are held at the body's end."""
    data, wrong = os.urandom(3 * MIB + 1), base64.b64encode(bytes(16)).decode()

    def tampered(request: Any, **_: Any) -> None:
        request.body = bytes(len(data))

    def refusal(**members: Any) -> str:
        with pytest.raises(ClientError) as error:
            s3.put_object(Bucket=bucket, Key="a", Body=data, **members)
        return str(error.value.response["Error"]["Code"])

    assert refusal(ContentMD5=wrong) == "BadDigest"
    assert refusal(ChecksumCRC32=base64.b64encode(bytes(4)).decode()) == "BadDigest"
    s3.meta.events.register("before-send.s3.PutObject", tampered)
    try:
        assert refusal() == "XAmzContentSHA256Mismatch"
    finally:
        s3.meta.events.unregister("before-send.s3.PutObject", tampered)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.put_object(Bucket=bucket, Key="a", Body=data)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == data


def test_multipart_by_hand(s3: Any, bucket: str) -> None:
    """Create, upload, list, copy a part, complete; parts are readable by number."""
    s3.put_object(Bucket=bucket, Key="src", Body=b"s" * 6 * MIB)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    where = {"Bucket": bucket, "Key": "m", "UploadId": upload}
    one = s3.upload_part_copy(
        **where, PartNumber=1, CopySource=f"{bucket}/src", CopySourceRange=f"bytes=0-{5 * MIB - 1}"
    )
    two = s3.upload_part(**where, PartNumber=2, Body=b"tail")
    assert [part["Size"] for part in s3.list_parts(**where)["Parts"]] == [5 * MIB, 4]
    assert [entry["UploadId"] for entry in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    parts = [
        {"PartNumber": 1, **_identity(one["CopyPartResult"])},
        {"PartNumber": 2, **_identity(two)},
    ]
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts[::-1]})
    assert error.value.response["Error"]["Code"] == "InvalidPartOrder"
    done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert done["ETag"].endswith('-2"') and done["Bucket"] == bucket
    assert s3.get_object(Bucket=bucket, Key="m", PartNumber=2)["Body"].read() == b"tail"
    with pytest.raises(s3.exceptions.NoSuchUpload):
        s3.abort_multipart_upload(Bucket=bucket, Key="m", UploadId="x" * 20)


def _identity(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name == "ETag" or name.startswith("ChecksumCRC")}


def test_a_body_of_many_megabytes_streams(s3: Any, bucket: str) -> None:
    """A put of 40 MiB in one request, read back in pieces."""
    data = os.urandom(MIB) * 40
    s3.put_object(Bucket=bucket, Key="large", Body=io.BytesIO(data))
    digest = hashlib.sha256()
    for piece in s3.get_object(Bucket=bucket, Key="large")["Body"].iter_chunks(MIB):
        digest.update(piece)
    assert digest.digest() == hashlib.sha256(data).digest()
