"""aws-chunked: a payload in chunks, each perhaps signed with the signature before it, with trailing headers.

Pure and incremental; holds no more than one line. A chunk's bytes are handed on as they come, its signature is checked
at its end, so whoever reads must not commit before the end of the payload.
AWS: S3 API Reference, "Signature Calculations: Transferring Payload in Multiple Chunks", "Including trailing headers".
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

from undercast.core.errors import ServiceError
from undercast.wire.sigv4 import SigningKey
from undercast.wire.sigv4_errors import s3_mismatch

MIN_CHUNK_BYTES = 8192
_MAX_LINE_BYTES = 4096
_MAX_TRAILER_BYTES = 16 * 1024
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class ChunkDecoder:
    """Takes the encoded bytes and gives the payload. With a key, every chunk and the trailer must be signed."""

    def __init__(self, key: SigningKey | None, *, signs_trailer: bool = False) -> None:
        self._key = key
        self._signs_trailer = signs_trailer
        self._previous = key.signature.signature if key else ""
        self._state: Literal["size", "data", "data end", "trailer", "done"] = "size"
        self._line = b""
        self._left = 0
        self._claimed = ""
        self._hash = hashlib.sha256()
        self._short: tuple[int, int] | None = None
        self._chunks = 0
        self._trailer_bytes = 0
        self._is_open = False
        """Whether a trailing header has ended in a mere newline: a line end follows. minio-go writes it so, and was
        tried at S3 (minio-go pull request 1817)."""
        self._trailer_lines: list[str] = []
        self.decoded_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The payload in these bytes. Raises S3's error for what is malformed or not as signed."""
        parts: list[bytes] = []
        at, size = 0, len(data)
        while at < size:
            if self._state == "data":
                part = data[at : at + self._left] if at or self._left < size else data
                at += len(part)
                self._take(part)
                parts.append(part)
                continue
            end = data.find(b"\n", at)
            piece = data[at:] if end < 0 else data[at:end]
            self._line += piece
            if len(self._line) > _MAX_LINE_BYTES or self._state == "done":
                raise _malformed()
            if end < 0:
                break
            at = end + 1
            line, self._line = self._line, b""
            if line.endswith(b"\r"):
                self._take_line(line[:-1])
            elif self._state == "trailer" and line:
                self._take_line(line)
                self._is_open = True
            else:
                raise _malformed()
        return parts

    def end(self) -> Mapping[str, str]:
        """The trailing headers, once the payload is complete. Raises IncompleteBody when it is not."""
        if self._state != "done":
            raise ServiceError("IncompleteBody", "The request body terminated unexpectedly")
        trailers = {}
        for line in self._trailer_lines:
            name, separator, value = line.partition(":")
            if not separator:
                raise malformed_trailer()
            trailers[name.strip().lower()] = value.strip()
        if self._key and self._signs_trailer:
            self._check_trailer(trailers.pop("x-amz-trailer-signature", ""))
        else:
            trailers.pop("x-amz-trailer-signature", None)
        return trailers

    def _take(self, part: bytes) -> None:
        self._left -= len(part)
        self.decoded_bytes += len(part)
        if self._key:
            self._hash.update(part)
        if not self._left:
            self._state = "data end"

    def _take_line(self, line: bytes) -> None:
        if self._state == "size":
            self._begin_chunk(line)
        elif self._state == "data end":
            if line:
                raise _malformed()
            self._check_chunk()
            self._state = "size"
        elif self._is_open:
            if line:
                raise malformed_trailer()
            self._is_open = False
        elif line:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > _MAX_TRAILER_BYTES:
                raise malformed_trailer()
            self._trailer_lines.append(line.decode("latin-1"))
        else:
            self._state = "done"

    def _begin_chunk(self, line: bytes) -> None:
        digits, _, extension = line.partition(b";")
        size = _hexadecimal(digits.strip())
        name, _, value = extension.strip().partition(b"=")
        self._claimed = value.decode("latin-1") if name == b"chunk-signature" else ""
        if size is None:
            raise _malformed()
        if size and self._short:
            chunk, short = self._short
            text = "Only the last chunk is allowed to have a size less than 8192 bytes"
            members = {"Chunk": str(chunk), "BadChunkSize": str(short)}
            raise ServiceError("InvalidChunkSizeError", text, 403, members=members)
        self._chunks += 1
        if size < MIN_CHUNK_BYTES:
            self._short = (self._chunks, size)
        self._left = size
        if size:
            self._state = "data"
        else:
            self._check_chunk()
            self._state = "trailer"

    def _check_chunk(self) -> None:
        key = self._key
        if key is None:
            return
        digest, self._hash = self._hash.hexdigest(), hashlib.sha256()
        date = key.signature.amz_date
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{key.scope}\n{self._previous}\n{_EMPTY_SHA256}\n{digest}"
        self._check(key, text, self._claimed)

    def _check_trailer(self, claimed: str) -> None:
        key = self._key
        if key is None:
            return
        signed = "".join(f"{line}\n" for line in self._trailer_lines if not _is_signature(line))
        digest = hashlib.sha256(signed.encode("latin-1")).hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{key.signature.amz_date}\n{key.scope}\n{self._previous}\n{digest}"
        self._check(key, text, claimed)

    def _check(self, key: SigningKey, text: str, claimed: str) -> None:
        expected = key.sign(text)
        if not hmac.compare_digest(expected.encode(), claimed.encode()):
            raise s3_mismatch(key.signature.access_key_id, claimed, text, "")
        self._previous = expected


def malformed_trailer() -> ServiceError:
    """Trailing headers that are not what x-amz-trailer announced."""
    text = "The request contained trailing data that was not well-formed or did not conform to our published schema."
    return ServiceError("MalformedTrailerError", text)


def _malformed() -> ServiceError:
    return ServiceError("InvalidRequest", "The body is not encoded as aws-chunked.")


def _is_signature(line: str) -> bool:
    return line.lower().startswith("x-amz-trailer-signature:")


def _hexadecimal(digits: bytes) -> int | None:
    if not digits or len(digits) > 16 or digits.strip(b"0123456789abcdefABCDEF"):
        return None
    return int(digits, 16)
