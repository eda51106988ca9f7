"""Bodies against what their senders say about them; botocore and awscrt are the senders."""

import asyncio
import base64
import hashlib
import io
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire_security.signing import ACCESS_KEY, REGION, SECRET, SignedRequest, received, sign
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.wire.aws_chunked import ChunkDecoder
from undercast.wire.checksums import DIGEST_BYTES, new_checksum
from undercast.wire.sigv4 import DerivedKey, SigningKey, verify
from undercast.wire.verified import verified_body

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128")
TRAILING = tuple(name for name in ALGORITHMS if name != "MD5")
"""botocore computes no trailing MD5."""
PAYLOAD = b"The quick brown fox jumps over the lazy dog. " * 1000


def s3_client(scheme: str = "https", **config: Any) -> Any:
    return boto3.client(
        "s3",
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET,
        endpoint_url=f"{scheme}://s3.example.com",
        config=Config(s3={"addressing_style": "path"}, **config),
    )


def put(client: Any, body: Any, **params: Any) -> SignedRequest:
    """What the client sends for PutObject."""
    client.meta.events.register("before-send.s3", _keep)
    with pytest.raises(_Sent) as caught:
        client.put_object(Bucket="b", Key="k", Body=body, **params)
    request, data = caught.value.args
    return received(request, "s3", "rest-xml", BodyStream.of(data))


class _Sent(Exception):
    """Carries what would have been sent."""


def _keep(request: Any, **_: Any) -> None:
    raw = request.body
    raise _Sent(request, raw if isinstance(raw, bytes) else raw.read())


def streamed(call: SignedRequest, size: int) -> SignedRequest:
    """The same with a body that arrives in pieces of so many bytes."""
    data = call.request.body.buffered or b""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]

    return call.with_request(body=BodyStream(pieces(), len(data)))


def read(call: SignedRequest, key: SigningKey | None = None) -> tuple[bytes, dict[str, str]]:
    async def run() -> tuple[bytes, dict[str, str]]:
        body = verified_body(call, key)
        return await body.read(), dict(body.trailers)

    return asyncio.run(run())


def refused(call: SignedRequest, key: SigningKey | None = None) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        read(call, key)
    return caught.value


def base64_of(algorithm: str, data: bytes) -> str:
    checksum = new_checksum(algorithm.lower())
    checksum.update(data)
    return base64.b64encode(checksum.digest()).decode()


def known(call: SignedRequest) -> SigningKey:
    return verify(call, SECRET, time.time())


@pytest.mark.parametrize("algorithm", TRAILING)
@pytest.mark.parametrize("piece", [0, 1000])
def test_a_trailing_checksum_of_each_algorithm_is_verified(algorithm: str, piece: int) -> None:
    """STREAMING-UNSIGNED-PAYLOAD-TRAILER is what SDKs send over TLS for a stream."""
    call = put(s3_client(), io.BytesIO(PAYLOAD), ChecksumAlgorithm=algorithm)
    assert call.request.headers["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    arriving = streamed(call, piece) if piece else call
    data, trailers = read(arriving, known(call))
    assert data == PAYLOAD
    assert trailers == {f"x-amz-checksum-{algorithm.lower()}": base64_of(algorithm, PAYLOAD)}


@pytest.mark.parametrize("algorithm", TRAILING)
def test_a_wrong_trailing_checksum_is_bad_digest(algorithm: str) -> None:
    """S3: BadDigest "The CRC32 you specified did not match the calculated checksum."."""
    call = put(s3_client(), io.BytesIO(PAYLOAD), ChecksumAlgorithm=algorithm)
    data = (call.request.body.buffered or b"").replace(b"quick", b"slick", 1)
    error = refused(call.with_request(body=BodyStream.of(data)))
    assert error.code == "BadDigest"
    assert error.message == f"The {algorithm} you specified did not match the calculated checksum."


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_in_the_head_is_verified(algorithm: str) -> None:
    """x-amz-checksum-* of a body whose checksum the client knew beforehand."""
    stated = base64_of(algorithm, PAYLOAD)
    call = put(s3_client(), PAYLOAD, **{f"Checksum{algorithm}": stated})
    assert read(call, known(call)) == (PAYLOAD, {f"x-amz-checksum-{algorithm.lower()}": stated})
    changed = call.with_request(body=BodyStream.of(PAYLOAD + b"x"))
    changed = changed.with_headers(x_amz_content_sha256="UNSIGNED-PAYLOAD")
    assert refused(changed).code == "BadDigest"


def test_a_checksum_of_another_length_is_refused() -> None:
    """S3: InvalidRequest "Value for x-amz-checksum-crc32 header is invalid."."""
    call = put(s3_client(), PAYLOAD, ChecksumCRC32=base64_of("CRC32", PAYLOAD))
    error = refused(call.with_headers(x_amz_checksum_crc32="AAAA"))
    assert (error.code, error.message) == ("InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid.")


def test_a_checksum_in_another_spelling_is_refused() -> None:
    """S3 takes base64 whose last bits are zero; "AAAAAB==" is the same four bytes."""
    call = put(s3_client(), PAYLOAD, ChecksumCRC32=base64_of("CRC32", PAYLOAD))
    error = refused(call.with_headers(x_amz_checksum_crc32="AAAAAB=="))
    assert (error.code, error.message) == ("InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid.")


def test_what_the_sdk_announces_is_there() -> None:
    """PutObject, "x-amz-sdk-checksum-algorithm": with its checksum, in a header or a trailer; else 400."""
    lone = sign("S3SigV4Auth", service="s3", method="PUT", data=PAYLOAD, protocol="rest-xml")
    error = refused(lone.with_headers(x_amz_sdk_checksum_algorithm="crc32"))
    text = "specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
    assert (error.code, error.message) == ("InvalidRequest", f"x-amz-sdk-checksum-algorithm {text}")
    headed = put(s3_client(), PAYLOAD, ChecksumCRC32=base64_of("CRC32", PAYLOAD))
    trailed = put(s3_client(), io.BytesIO(PAYLOAD), ChecksumAlgorithm="CRC32")
    for call in (headed, trailed):
        error = refused(call.with_headers(x_amz_sdk_checksum_algorithm="SHA1"))
        assert (error.code, error.message) == (
            "InvalidRequest",
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        )
        assert read(call.with_headers(x_amz_sdk_checksum_algorithm="crc32"))[0] == PAYLOAD


def test_two_checksums_are_refused() -> None:
    """S3: "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."."""
    call = put(s3_client(), PAYLOAD, ChecksumCRC32=base64_of("CRC32", PAYLOAD))
    assert refused(call.with_headers(x_amz_checksum_sha1=base64_of("SHA1", PAYLOAD))).code == "InvalidRequest"


def test_the_checksum_of_complete_multipart_upload_is_the_objects() -> None:
    """x-amz-checksum-* of CompleteMultipartUpload states the object, not the XML in the body."""
    call = put(s3_client(), PAYLOAD, ChecksumCRC32=base64_of("CRC32", PAYLOAD))
    other = call.with_headers(x_amz_checksum_crc32=base64_of("CRC32", b"the object"))
    assert refused(other).code == "BadDigest"
    complete = SignedRequest(
        request=other.request, service="s3", operation="CompleteMultipartUpload", protocol="rest-xml"
    )
    assert read(complete)[0] == PAYLOAD


def test_content_md5_is_verified() -> None:
    """S3: BadDigest with both digests; InvalidDigest when it is no MD5 at all."""
    md5 = base64.b64encode(hashlib.md5(PAYLOAD).digest()).decode()
    call = put(s3_client(), PAYLOAD, ContentMD5=md5)
    assert read(call, known(call))[0] == PAYLOAD
    other = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    error = refused(call.with_headers(content_md5=other))
    assert (error.code, error.message) == ("BadDigest", "The Content-MD5 you specified did not match what we received.")
    assert error.members == {"ExpectedDigest": other, "CalculatedDigest": md5}
    error = refused(call.with_headers(content_md5="AAAA"))
    assert (error.code, error.members) == ("InvalidDigest", {"Content-MD5": "AAAA"})
    assert read(call.with_headers(content_md5="AAAA").with_request(method="GET"))[0] == PAYLOAD


@pytest.mark.parametrize(
    "operation", ["DeleteObjects", "PutBucketCors", "PutBucketLifecycleConfiguration", "PutBucketTagging"]
)
def test_some_documents_come_with_a_digest_only(operation: str) -> None:
    """S3: InvalidRequest without Content-MD5 and x-amz-checksum-*; either will do."""
    lone = replace(sign("S3SigV4Auth", service="s3", data=PAYLOAD, protocol="rest-xml"), operation=operation)
    error = refused(lone)
    text = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
    assert (error.code, error.message) == ("InvalidRequest", text)
    assert read(lone.with_headers(content_md5=base64_of("MD5", PAYLOAD)))[0] == PAYLOAD
    assert read(lone.with_headers(x_amz_checksum_crc32=base64_of("CRC32", PAYLOAD)))[0] == PAYLOAD
    assert read(replace(lone, operation="PutObjectTagging"))[0] == PAYLOAD


@pytest.mark.parametrize("piece", [0, 7])
def test_the_payload_hash_in_the_head_is_verified(piece: int) -> None:
    """S3: XAmzContentSHA256Mismatch, also when we do not hold the secret."""
    call = sign("S3SigV4Auth", service="s3", method="PUT", data=b"hello", protocol="rest-xml")
    call = SignedRequest(request=call.request, service="s3")
    arriving = streamed(call, piece) if piece else call
    assert read(arriving, known(call))[0] == b"hello"
    changed = call.with_request(body=BodyStream.of(b"Hello"))
    error = refused(streamed(changed, piece) if piece else changed)
    assert (error.code, error.status) == ("XAmzContentSHA256Mismatch", 400)
    assert error.members["S3ComputedContentSHA256"] == hashlib.sha256(b"Hello").hexdigest()


@pytest.mark.parametrize("value", ["", "abc", "STREAMING-NONSENSE", "F" * 64])
def test_a_payload_hash_that_is_none_is_refused(value: str) -> None:
    """S3: InvalidArgument, which lists what x-amz-content-sha256 may be."""
    call = put(s3_client(), PAYLOAD).with_headers(x_amz_content_sha256=value)
    assert refused(call).code == "InvalidArgument"


def test_a_signature_over_a_streamed_body_is_checked_at_its_end() -> None:
    """CreateFunction: no payload hash in the head, so the signature is known to be right only at the end."""
    data = b'{"FunctionName": "f"}'
    call = sign("SigV4Auth", service="lambda", data=data, protocol="rest-json")
    arriving = streamed(call, 5)
    assert read(arriving, known(arriving))[0] == data
    changed = streamed(call.with_request(body=BodyStream.of(data.replace(b"f", b"g"))), 5)
    assert refused(changed, known(changed)).code == "InvalidSignatureException"


def test_a_body_without_claims_is_handed_on_untouched() -> None:
    """The warm invoke of a key that we do not hold hashes nothing."""
    call = sign("SigV4Auth", service="lambda", data=b"{}", protocol="rest-json")
    assert verified_body(call, None) is call.request.body


def test_large_bodies_are_hashed_off_the_loop() -> None:
    """Pieces above 256 KiB go through a thread; the result is the same."""
    data = PAYLOAD * 30
    call = put(s3_client(), io.BytesIO(data), ChecksumAlgorithm="CRC64NVME")
    assert read(streamed(call, 600_000), known(call))[0] == data
    assert read(call, known(call))[0] == data


# Signed chunks. botocore does not send them, so the signer here follows the S3 API reference step by step.


def signed_chunks(
    payload: bytes, *, chunk: int = 8192, trailer: tuple[str, str] | None = None
) -> tuple[SignedRequest, SigningKey]:
    mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else "")
    headers = {
        "x-amz-content-sha256": mode,
        "x-amz-decoded-content-length": str(len(payload)),
        "content-encoding": "aws-chunked",
        **({"x-amz-trailer": trailer[0]} if trailer else {}),
    }
    call = sign("S3SigV4Auth", service="s3", method="PUT", headers=headers, data=b"", protocol="rest-xml")
    call = SignedRequest(request=call.request, service="s3").with_headers(x_amz_content_sha256=mode)
    call = resigned(call, mode)
    key = known(call)
    claims = key.signature
    previous, encoded = claims.signature, b""
    pieces = [payload[at : at + chunk] for at in range(0, len(payload), chunk)]
    for piece in [*pieces, b""]:
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{claims.amz_date}\n{key.scope}\n{previous}\n{sha256(b'')}\n{sha256(piece)}"
        previous = key.sign(text)
        encoded += b"%x;chunk-signature=%s\r\n" % (len(piece), previous.encode())
        encoded += piece + b"\r\n" if piece else b""
    if trailer:
        line = f"{trailer[0]}:{trailer[1]}"
        signed = f"{line}\n".encode()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{claims.amz_date}\n{key.scope}\n{previous}\n{sha256(signed)}"
        encoded += f"{line}\r\nx-amz-trailer-signature:{key.sign(text)}\r\n".encode()
    return call.with_request(body=BodyStream.of(encoded + b"\r\n")), key


def resigned(call: SignedRequest, payload_hash: str) -> SignedRequest:
    """botocore signs the hash of the data; a chunked upload signs the name of its mode instead."""
    with pytest.raises(ServiceError) as caught:
        known(call)
    canonical = caught.value.members["CanonicalRequest"]
    assert canonical.endswith(payload_hash)
    claims = call.signature
    assert claims is not None
    text = caught.value.members["StringToSign"]
    key = SigningKey(key=DerivedKey(SECRET, claims), signature=claims, protocol="rest-xml")
    header = call.request.headers["authorization"].replace(claims.signature, key.sign(text))
    return call.with_headers(authorization=header)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("piece", [0, 1, 4096, 10_000])
def test_signed_chunks_are_accepted(piece: int) -> None:
    """STREAMING-AWS4-HMAC-SHA256-PAYLOAD, whatever pieces the network makes of it."""
    payload = PAYLOAD[:20_000]
    call, key = signed_chunks(payload)
    assert read(streamed(call, piece) if piece else call, key)[0] == payload


def test_signed_chunks_with_a_signed_trailer_are_accepted() -> None:
    """STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER: x-amz-trailer-signature covers the trailing headers."""
    trailer = ("x-amz-checksum-crc32c", base64_of("CRC32C", PAYLOAD))
    call, key = signed_chunks(PAYLOAD, trailer=trailer)
    assert read(call, key) == (PAYLOAD, dict([trailer]))


@pytest.mark.parametrize("piece", [0, 1])
def test_a_trailing_header_may_end_in_a_newline_and_a_line_end(piece: int) -> None:
    """minio-go writes "\\n\\r\\n" behind the checksum, which S3 takes; its signature is over the same text."""
    value = base64_of("CRC32C", PAYLOAD)
    call, key = signed_chunks(PAYLOAD, trailer=("x-amz-checksum-crc32c", value))
    encoded = (call.request.body.buffered or b"").replace(f"{value}\r\n".encode(), f"{value}\n\r\n".encode())
    call = call.with_request(body=BodyStream.of(encoded))
    assert read(streamed(call, piece) if piece else call, key) == (PAYLOAD, {"x-amz-checksum-crc32c": value})


@pytest.mark.parametrize("old", [b"quick", b"chunk-signature=", b"x-amz-trailer-signature:"])
def test_signed_chunks_break_when_tampered_with(old: bytes) -> None:
    """Each chunk's signature covers its bytes and the signature before it; the trailer's covers the last."""
    call, key = signed_chunks(PAYLOAD, trailer=("x-amz-checksum-crc32", base64_of("CRC32", PAYLOAD)))
    encoded = call.request.body.buffered or b""
    at = encoded.index(old) + len(old)
    changed = encoded[:at] + (b"0" if encoded[at : at + 1] != b"0" else b"1") + encoded[at + 1 :]
    error = refused(call.with_request(body=BodyStream.of(changed)), key)
    assert (error.code, error.status) == ("SignatureDoesNotMatch", 403)


def test_dropping_a_whole_chunk_breaks_the_chain() -> None:
    """The chain of signatures notices a chunk that is gone."""
    call, key = signed_chunks(PAYLOAD[: 3 * 8192])
    encoded = call.request.body.buffered or b""
    second = encoded.index(b"\r\n2000;") + 2
    third = encoded.index(b"\r\n2000;", second) + 2
    call = call.with_headers(x_amz_decoded_content_length=str(2 * 8192))
    body = BodyStream.of(encoded[:second] + encoded[third:])
    assert refused(call.with_request(body=body), key).code == "SignatureDoesNotMatch"


def test_signed_chunks_are_decoded_without_the_secret() -> None:
    """A key that we did not issue: framing and checksums are checked, signatures cannot be."""
    call, _ = signed_chunks(PAYLOAD, trailer=("x-amz-checksum-sha1", base64_of("SHA1", PAYLOAD)))
    assert read(call)[0] == PAYLOAD


def test_only_the_last_chunk_may_be_small() -> None:
    """S3: InvalidChunkSizeError "Only the last chunk is allowed to have a size less than 8192 bytes"."""
    call, key = signed_chunks(PAYLOAD[:9000], chunk=4096)
    error = refused(call, key)
    assert (error.code, error.status) == ("InvalidChunkSizeError", 403)
    assert error.members == {"Chunk": "1", "BadChunkSize": "4096"}


def chunked(body: bytes, length: int, trailer: str | None = None) -> SignedRequest:
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(length),
    }
    if trailer:
        headers["x-amz-trailer"] = trailer
    call = put(s3_client(), b"")
    return call.with_request(body=BodyStream.of(body), headers=headers)


@pytest.mark.parametrize(
    ("body", "length", "trailer", "code"),
    [
        (b"5\r\nhello\r\n0\r\n\r\n", 6, None, "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\n", 5, None, "IncompleteBody"),
        (b"5\r\nhel", 5, None, "IncompleteBody"),
        (b"", 5, None, "IncompleteBody"),
        (b"5\nhello\r\n0\r\n\r\n", 5, None, "InvalidRequest"),
        (b"5\r\nhelloo\r\n0\r\n\r\n", 5, None, "InvalidRequest"),
        (b"xyz\r\nhello\r\n0\r\n\r\n", 5, None, "InvalidRequest"),
        (b"-5\r\nhello\r\n0\r\n\r\n", 5, None, "InvalidRequest"),
        (b"5\r\nhello\r\n0\r\n\r\nmore", 5, None, "InvalidRequest"),
        (b"A" * 10_000, 5, None, "InvalidRequest"),
        (b"5\r\nhello\r\n0\r\n\r\n", 5, "x-amz-checksum-crc32", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", 5, None, "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n", 5, None, "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\na:b\nc:d\r\n\r\n", 5, None, "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\na:b\n\r\n", 5, None, "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\n\n", 5, None, "InvalidRequest"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:!\r\n\r\n", 5, "x-amz-checksum-crc32", "InvalidRequest"),
        (b"5\r\nhello\r\n0\r\n" + b"a:b\r\n" * 9000 + b"\r\n", 5, None, "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\n\r\n", 5, "x-amz-meta-a", "InvalidRequest"),
    ],
)
def test_a_broken_chunked_body_is_refused(body: bytes, length: int, trailer: str | None, code: str) -> None:
    """S3 API, "List of error codes"."""
    assert refused(chunked(body, length, trailer)).code == code
    assert refused(streamed(chunked(body, length, trailer), 3)).code == code


def test_a_chunked_body_states_its_length() -> None:
    """S3: MissingContentLength without x-amz-decoded-content-length; BodyStream.length is the payload's."""
    call = chunked(b"5\r\nhello\r\n0\r\n\r\n", 5)
    assert verified_body(streamed(call, 100), None).length == 5
    headers = {name: value for name, value in call.request.headers.items() if "decoded" not in name}
    assert refused(call.with_request(headers=headers)).status == 411
    assert refused(call.with_headers(x_amz_decoded_content_length="1e3")).code == "InvalidArgument"


@given(
    payload=st.binary(max_size=40_000),
    cuts=st.lists(st.integers(min_value=1, max_value=9000), min_size=1, max_size=20),
    signed=st.booleans(),
)
@settings(max_examples=60)
def test_any_cut_of_a_chunked_body_decodes_to_the_payload(payload: bytes, cuts: list[int], signed: bool) -> None:
    """The decoder's state does not depend on where the network cuts."""
    call, key = signed_chunks(payload)
    encoded = call.request.body.buffered or b""
    decoder = ChunkDecoder(key if signed else None)
    decoded, at, turn = b"", 0, 0
    while at < len(encoded):
        size = cuts[turn % len(cuts)]
        decoded += b"".join(decoder.feed(encoded[at : at + size]))
        at, turn = at + size, turn + 1
    assert (decoded, decoder.end()) == (payload, {})


@given(data=st.binary(max_size=300), cut=st.integers(min_value=1, max_value=300))
@settings(max_examples=300)
def test_no_bytes_crash_the_chunk_decoder(data: bytes, cut: int) -> None:
    """Whatever arrives is a payload or one of S3's errors."""
    decoder = ChunkDecoder(None)
    try:
        for at in range(0, len(data), cut):
            decoder.feed(data[at : at + cut])
        decoder.end()
    except ServiceError as error:
        assert error.status < 500


def test_every_algorithm_has_its_digest_length() -> None:
    """The tests above cover every algorithm of the table."""
    assert {name.lower() for name in ALGORITHMS} == set(DIGEST_BYTES)
    for name, size in DIGEST_BYTES.items():
        assert len(base64.b64decode(base64_of(name, b"x"))) == size


class _HashedUrl(S3SigV4QueryAuth):
    """Presigns for one payload, as clients may; botocore's own signs for any."""

    def payload(self, request: Any) -> str:
        """Its hash, which is the last line of the canonical request."""
        return hashlib.sha256(b"good").hexdigest()


@pytest.mark.parametrize("piece", [0, 2])
@pytest.mark.parametrize("header", [None, "UNSIGNED-PAYLOAD", hashlib.sha256(b"evil").hexdigest()])
def test_a_presigned_hash_is_that_of_the_payload(header: str | None, piece: int) -> None:
    """X-Amz-Content-Sha256 in the query is signed, and no header takes its place. Bodies in memory and in pieces."""
    url = f"https://b.s3.amazonaws.com/k?X-Amz-Content-Sha256={hashlib.sha256(b'good').hexdigest()}"
    request = AWSRequest(method="PUT", url=url)
    _HashedUrl(Credentials(ACCESS_KEY, SECRET), "s3", REGION).add_auth(request)
    bare = received(request.prepare(), "s3", "rest-xml")
    call, evil = (bare.with_request(body=BodyStream.of(body)) for body in (b"good", b"evil"))
    if header is not None:
        call, evil = (one.with_headers(x_amz_content_sha256=header) for one in (call, evil))
    if piece:
        call, evil = (streamed(one, piece) for one in (call, evil))
    assert read(call, known(call))[0] == b"good"
    assert refused(evil, known(evil)).code == "XAmzContentSHA256Mismatch"
