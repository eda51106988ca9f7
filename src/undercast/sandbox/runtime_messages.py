"""One request of a runtime or an extension as it is being read, and the answer in it.

Pure. What is of no use is counted and dropped, so that memory stays flat.
AWS: Lambda Developer Guide, "Using the Lambda runtime API", "Lambda quotas".
"""

from typing import NamedTuple

from undercast.sandbox.response_stream import MAX_STREAM_BYTES, ResponseStream

MAX_PAYLOAD_BYTES = 6_291_556
"""Lambda Developer Guide, "Lambda quotas": 6 MB of payload; the recorded byte limit."""


class Answer(NamedTuple):
    """What a runtime posted. `error_type` is None for a result; for an error it is the runtime's word for it or ""."""

    payload: bytes
    error_type: str | None = None
    too_large: bool = False
    limit_bytes: int = MAX_PAYLOAD_BYTES


class Message:
    """One request as it is being read."""

    __slots__ = (
        "_size",
        "body",
        "content_type",
        "continued",
        "error_body",
        "error_type",
        "extension_headers",
        "if_accepted",
        "limit",
        "method",
        "streams",
        "to",
        "too_large",
        "unread",
        "url",
    )

    def __init__(self) -> None:
        self.url = b""
        self.method = b""
        self.error_type = ""
        self.error_body = b""
        self.unread = 0
        """Bytes that came since the last piece of body and were neither that nor the message's end."""
        self.limit = 0
        """Of the body, known at the end of the head; 0 when it is of no use."""
        self.extension_headers: dict[str, str] | None = None
        """By what follows "lambda-extension-" in their names."""
        self.continued = False
        self.if_accepted = False
        """Of a `next`: it is none where the answer before it on its connection was refused."""
        self.content_type = ""
        """Of an answer; known where it streams."""
        self.streams = False
        """Whether the runtime says that it answers piece by piece."""
        self.to: ResponseStream | None = None
        """Where its pieces go at once."""
        self.too_large = False
        self.body: bytes | bytearray = b""
        self._size = 0

    def add(self, part: bytes) -> None:
        """Take a piece of body; above the limit it is read and dropped, so that memory stays flat."""
        self._size += len(part)
        if self._size > (self.limit or MAX_PAYLOAD_BYTES):
            self.too_large = True
            self.body = b""
        elif not self.limit:
            return
        elif not self.body:
            self.body = part
        else:
            if isinstance(self.body, bytes):
                self.body = bytearray(self.body)
            self.body += part

    @property
    def is_plain(self) -> bool:
        """Whether its head says nothing but what is asked for, and of what length and type its body is."""
        return not (self.error_type or self.error_body or self.continued or self.streams or self.extension_headers)

    def header(self, name: str) -> str:
        """A header of an extension, "" where it is missing: `name` is what follows "Lambda-Extension-", lower case."""
        return self.extension_headers.get(name, "") if self.extension_headers is not None else ""

    def answer(self, *, is_error: bool) -> Answer:
        """The body as an answer. A streamed response may name its error in trailers."""
        body = bytes(self.body)
        if is_error:
            return Answer(body, self.error_type, self.too_large)
        limit = MAX_PAYLOAD_BYTES if self.to is None else MAX_STREAM_BYTES
        if self.error_type:
            return Answer(self.error_body or body, self.error_type, self.too_large, limit)
        return Answer(body, None, self.too_large, limit)
