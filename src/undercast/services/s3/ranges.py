"""The Range header of GetObject and UploadPartCopy.

Pure. What is not one well-formed byte range is ignored, as HTTP and S3 want it.
AWS: S3 API Reference, GetObject ("Range"); RFC 9110, section 14.
"""

import re

from undercast.core.record import record
from undercast.services.s3.errors import InvalidArgument, InvalidRange

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_COPY_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)")


@record(kw_only=False)
class ByteRange:
    """`length` bytes from `start` of an object of `total` bytes."""

    start: int
    length: int
    total: int

    @property
    def content_range(self) -> str:
        """The Content-Range header."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.total}"


def requested(header: str | None, total: int) -> ByteRange | None:
    """The range that a Range header asks for; None: the whole object. Raises InvalidRange (416)."""
    match = _RANGE.fullmatch(header.strip()) if header is not None else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if first == "":
        length = min(int(last), total)
        start = total - length
    else:
        start = int(first)
        end = min(int(last), total - 1) if last else total - 1
        if last and int(last) < start:
            return None
        length = end - start + 1
    if start >= total or length <= 0:
        members = {"RangeRequested": (header or "").strip(), "ActualObjectSize": str(total)}
        raise InvalidRange(members=members, headers={"Content-Range": f"bytes */{total}"})
    return ByteRange(start, length, total)


def copied(header: str | None, total: int) -> ByteRange:
    """The range of x-amz-copy-source-range. Raises InvalidArgument."""
    if header is None:
        return ByteRange(0, total, total)
    match = _COPY_RANGE.fullmatch(header)
    if match is None:
        text = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
zero-based offsets of the first and last bytes to copy"
        raise InvalidArgument(text, members={"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": header})
    start, end = int(match[1]), int(match[2])
    if end < start or end >= total:
        text = f"Range specified is not valid for source object of size: {total}"  # versitygw issue 610
        raise InvalidArgument(text, members={"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": header})
    return ByteRange(start, end - start + 1, total)
