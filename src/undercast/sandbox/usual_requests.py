"""The requests that a runtime makes again and again, known by their bytes.

It asks for its next event in the same bytes each time, and of its answers only the request id, the length and the
payload differ. To read them byte by byte costs as much as to serve them. Pure; whatever is not exactly like a request
that the parser has accepted is the parser's.
AWS: Lambda Developer Guide, "Using the Lambda runtime API".
"""

import re

from undercast.sandbox.runtime_messages import MAX_PAYLOAD_BYTES, Message

_POST = b"POST "
_RESPONSE = b"response"
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: ?([0-9]{1,7})\r\n", re.IGNORECASE)
_FRAMED_OTHERWISE = b"transfer-encoding"
MOST_BYTES = 2048
"""Of a head that is kept: one that is longer is nothing usual."""


class UsualRequests:
    """Of one connection. It learns from whole requests only: one read was one request, and its connection goes on."""

    __slots__ = ("_asks", "_before", "_behind", "_content_type", "_next")

    def __init__(self) -> None:
        self._asks: Message | None = None
        self._next = b""
        """The bytes that `_asks` came in."""
        self._content_type = ""
        self._before = b""
        """Of an answer, what is between its request id and its length."""
        self._behind = b""
        """What is between its length and its payload."""

    def parted(self, data: bytes) -> tuple[bytes, Message | None]:
        """What was read, without the `next` behind it, and that `next`; of a runtime that asks before it knows that its
        answer was accepted. What begins with no POST is no answer: it is left whole."""
        asks = self._asks
        if asks is None or not asks.if_accepted or not data.endswith(self._next) or not data.startswith(_POST):
            return data, None
        return data[: -len(self._next)], asks

    def learn(self, data: bytes, message: Message) -> None:
        """The parser has read this message out of these bytes, and nothing else."""
        if message.method == b"GET" and message.url.endswith(b"/next") and len(data) <= MOST_BYTES:
            self._asks, self._next = message, data
        elif message.method == b"POST" and message.url.endswith(b"/response") and message.is_plain:
            self._learn_answer(data, message)

    def _learn_answer(self, data: bytes, message: Message) -> None:
        at = len(_POST) + len(message.url) - len(_RESPONSE)
        end = data.find(_END, 0, MOST_BYTES) + len(_END)
        length = _LENGTH.search(data, at, end)
        if length is None or not data.startswith(_POST + message.url) or _FRAMED_OTHERWISE in data[:end].lower():
            return
        self._before, self._behind = data[at : length.start(1)], data[length.end(1) : end]
        self._content_type = message.content_type

    def read(self, data: bytes, answered: bytes) -> Message | None:
        """The message, where the bytes are one whole usual request. `answered` is the path that an answer begins with.

        An answer is to the invocation that runs, or it is none.
        """
        if data == self._next:
            return self._asks
        before, at = self._before, len(_POST) + len(answered)
        if not before or not data.startswith(before, at) or not data.startswith(answered, len(_POST)):
            return None
        begin = at + len(before)
        end = data.find(b"\r", begin, begin + 8)
        digits, payload_at = data[begin:end], end + len(self._behind)
        if not digits.isdigit() or not data.startswith(self._behind, end) or not data.startswith(_POST):
            return None
        if len(data) - payload_at != int(digits):
            return None
        message = Message()
        message.method, message.url = b"POST", answered + _RESPONSE
        message.content_type = self._content_type
        message.limit, message.body = MAX_PAYLOAD_BYTES, data[payload_at:]
        return message
