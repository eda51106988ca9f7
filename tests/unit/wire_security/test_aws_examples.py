"""The worked examples of AWS's own documentation, byte for byte: no signer of ours or botocore's takes part.

AWS: S3 API Reference, "Examples: Signature Calculations in AWS Signature Version 4", "Authenticating Requests: Using
Query Parameters", "Signature Calculations: Transferring Payload in Multiple Chunks", and "... trailing headers".
"""

import asyncio
from calendar import timegm

import pytest

from tests.unit.wire_security.signing import SignedRequest
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire.sigv4 import verify
from undercast.wire.verified import verified_body

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = float(timegm((2013, 5, 24, 0, 0, 0)))
SCOPE = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def example(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> SignedRequest:
    request = HttpRequest(method=method, target=target, headers=headers, body=BodyStream.of(body))
    return SignedRequest(request=request, service="s3")


def authorization(signed_headers: str, signature: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders={signed_headers},Signature={signature}"


def with_header_signature(
    method: str, target: str, headers: dict[str, str], signature: str, *, host: str = "examplebucket.s3.amazonaws.com"
) -> SignedRequest:
    headers = {"host": host, "x-amz-date": "20130524T000000Z", **headers}
    signed = ";".join(sorted(headers))
    return example(method, target, {**headers, "authorization": authorization(signed, signature)})


def test_get_object() -> None:
    """Example: GET Object."""
    signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    headers = {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY}
    verify(with_header_signature("GET", "/test.txt", headers, signature), SECRET, NOW)


def test_put_object() -> None:
    """Example: PUT Object, whose key has a dollar sign."""
    signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    headers = {
        "date": "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
    }
    call = with_header_signature("PUT", "/test$file.text", headers, signature)
    call = call.with_request(body=BodyStream.of(b"Welcome to Amazon S3."))
    assert verified_body(call, verify(call, SECRET, NOW)).buffered == b"Welcome to Amazon S3."


def test_get_bucket_lifecycle() -> None:
    """Example: GET Bucket Lifecycle: a query parameter without a value."""
    signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    verify(with_header_signature("GET", "/?lifecycle", {"x-amz-content-sha256": EMPTY}, signature), SECRET, NOW)


def test_list_objects() -> None:
    """Example: Get Bucket (List Objects)."""
    signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    headers = {"x-amz-content-sha256": EMPTY}
    verify(with_header_signature("GET", "/?max-keys=2&prefix=J", headers, signature), SECRET, NOW)


def test_presigned_url() -> None:
    """Authenticating Requests: Using Query Parameters."""
    target = (
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3"
        "%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    call = example("GET", target, {"host": "examplebucket.s3.amazonaws.com"})
    verify(call, SECRET, NOW + 86_399)
    with pytest.raises(ServiceError, match="Request has expired"):
        verify(call, SECRET, NOW + 86_401)


def chunked(seed: str, headers: dict[str, str], chunks: tuple[str, str, str], trailer: bytes) -> SignedRequest:
    """65 KiB of "a" in chunks of 64 KiB and 1 KiB."""
    first, second, last = (signature.encode() for signature in chunks)
    body = (
        b"10000;chunk-signature=" + first + b"\r\n" + b"a" * 65536 + b"\r\n"
        b"400;chunk-signature=" + second + b"\r\n" + b"a" * 1024 + b"\r\n"
        b"0;chunk-signature=" + last + b"\r\n" + trailer + b"\r\n"
    )
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        **headers,
    }
    call = with_header_signature("PUT", "/examplebucket/chunkObject.txt", headers, seed, host="s3.amazonaws.com")
    return call.with_request(body=BodyStream.of(body))


def payload(call: SignedRequest) -> tuple[bytes, dict[str, str]]:
    async def read() -> tuple[bytes, dict[str, str]]:
        body = verified_body(call, verify(call, SECRET, NOW))
        return await body.read(), dict(body.trailers)

    return asyncio.run(read())


def test_chunked_upload() -> None:
    """Example: PUT Object in chunks."""
    call = chunked(
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        {"content-length": "66824", "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
        (
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
        b"",
    )
    assert len(call.request.body.buffered or b"") == 66824
    assert payload(call) == (b"a" * 66560, {})


def test_chunked_upload_with_trailer() -> None:
    """Example: PUT Object in chunks with a trailing CRC32C."""
    call = chunked(
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        {
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "x-amz-trailer": "x-amz-checksum-crc32c",
        },
        (
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ),
        b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
        b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
    )
    assert payload(call) == (b"a" * 66560, {"x-amz-checksum-crc32c": "sOO8/Q=="})
