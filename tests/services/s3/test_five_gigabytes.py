"""The largest object that one PUT may carry: 5 GB up and down in flat memory."""

import hashlib
import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.machine import lacking
from tests.memory import Peak
from tests.platform import RunningPlatform

MIB = 1 << 20
LARGEST = 5 << 30
ALLOWED_GROWTH_KIB = 64 * 1024


def pieces(total: int) -> Iterator[bytes]:
    """MiBs that differ, so that none can be kept for another."""
    for number in range(total // MIB):
        yield number.to_bytes(8, "big") * (MIB // 8)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_gigabytes_go_up_and_down_in_flat_memory(platform: RunningPlatform, s3: Any, bucket: str) -> None:
    """S3 User Guide, "Uploading objects": a single PUT takes up to 5 GB."""
    if psutil.disk_usage(str(platform.data)).free < 2 * LARGEST:
        lacking("too little free disk")
    s3.put_object(Bucket=bucket, Key="warm", Body=bytes(8 * MIB))
    peak = Peak(platform.process.pid)
    url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"}))
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=600)
    target = f"{url.path}?{url.query}"
    connection.request("PUT", target, body=pieces(LARGEST), headers={"Content-Length": str(LARGEST)})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    connection.close()
    sent, got = hashlib.sha256(), hashlib.sha256()
    for piece in pieces(LARGEST):
        sent.update(piece)
    for piece in s3.get_object(Bucket=bucket, Key="k")["Body"].iter_chunks(MIB):
        got.update(piece)
    assert got.digest() == sent.digest()
    assert peak.grown_kib() < ALLOWED_GROWTH_KIB
    s3.delete_object(Bucket=bucket, Key="k")
