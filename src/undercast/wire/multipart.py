"""multipart/form-data, read as it arrives: the fields into memory, then the file as a stream.

Pure but for the body that it reads, and that no faster than its reader asks. What follows the file is ignored.
AWS: S3 API Reference, "POST Object"; RFC 7578.
"""

import re
from collections.abc import AsyncIterator, Mapping

from undercast.core.errors import ServiceError
from undercast.core.record import record

MAX_BYTES_BEFORE_FILE = 20 * 1024
_BOUNDARY = re.compile(r'(?i);\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))')
_DISPOSITION = re.compile(r"(?im)^content-disposition:[ \t]*form-data[ \t]*;(.*)$")
_PARAMETER = re.compile(r'(?i)(?:^|[;\s])(name|filename)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')


@record
class Form:
    """The fields before the file, names in lower case, and the file's name; None when no file came."""

    fields: Mapping[str, str]
    filename: str | None


class FormReader:
    """Reads one body: `form` first, then `file`."""

    def __init__(self, body: AsyncIterator[bytes], content_type: str) -> None:
        found = _BOUNDARY.search(content_type)
        if found is None:
            raise malformed()
        self._body = body
        self._delimiter = b"\r\n--" + (found[1] or found[2]).encode("latin-1", "replace")
        self._buffer = bytearray(b"\r\n")  # as if a line ended before the first delimiter
        self._left = MAX_BYTES_BEFORE_FILE

    async def form(self) -> Form:
        """Everything up to the file's first byte. Raises S3's error for what is no form or too large."""
        fields: dict[str, str] = {}
        await self._take(self._delimiter)
        while True:
            while len(self._buffer) < 2:
                self._buffer += await self._next()
            if self._buffer.startswith(b"--"):
                return Form(fields=fields, filename=None)
            await self._take(b"\r\n")
            name, filename = _named(_text(await self._take(b"\r\n\r\n")))
            if name.lower() == "file":
                return Form(fields=fields, filename=filename)
            fields[name.lower()] = _text(await self._take(self._delimiter))

    async def file(self) -> AsyncIterator[bytes]:
        """The file's bytes. Raises MalformedPOSTRequest when the body ends before it does."""
        held, kept = bytes(self._buffer), len(self._delimiter) - 1
        while (end := held.find(self._delimiter)) < 0:
            if len(held) > kept:
                yield held[:-kept]
                held = held[-kept:]
            held += await self._next()
        if end:
            yield held[:end]
        async for _ in self._body:
            pass  # read, so that the connection can serve another request

    async def _take(self, mark: bytes) -> bytes:
        """The bytes before the mark, which goes as well."""
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > self._left:
                raise _fields_too_large()
            self._buffer += await self._next()
        self._left -= at + len(mark)
        if self._left < 0:
            raise _fields_too_large()
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return taken

    async def _next(self) -> bytes:
        data = await anext(self._body, None)
        if data is None:
            raise malformed()
        return data


def malformed() -> ServiceError:
    """A body that is no form."""
    text = "The body of your POST request is not well-formed multipart/form-data."
    return ServiceError("MalformedPOSTRequest", text)


def _fields_too_large() -> ServiceError:
    text = "Your POST request fields preceding the upload file were too large."
    return ServiceError("MaxPostPreDataLengthExceededError", text)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise malformed() from None


def _named(head: str) -> tuple[str, str]:
    """A part's field name, and the last part of its file name: some browsers send the whole path."""
    disposition = _DISPOSITION.search(head)
    if disposition is None:
        raise malformed()
    found = {
        match[1].lower(): match[2].replace('\\"', '"') if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(disposition[1])
    }
    if not found.get("name"):
        raise malformed()
    return found["name"], re.split(r"[/\\]", found.get("filename", ""))[-1]
