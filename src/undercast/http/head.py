"""The head of a response as bytes: status line, headers, framing.

Pure. The handler never frames a message: content-length, transfer-encoding, connection and date are set here only.
AWS: RFC 9110 and RFC 9112; AWS follows them.
"""

import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType

FRAMING = frozenset(("content-length", "transfer-encoding", "connection", "keep-alive", "date"))
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STATUS_LINES: Mapping[int, str] = MappingProxyType(
    {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
)


class DateLine:
    """The Date header, made once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._line = ""

    def at(self, now: float) -> str:
        """`Date: ...` with its line end, for host-clock seconds."""
        second = int(now)
        if second != self._second:
            self._second, self._line = second, f"Date: {http_date(second)}\r\n"
        return self._line


def http_date(second: int) -> str:
    """IMF-fixdate of RFC 9110. By hand: strftime follows the locale and the email package is ten times slower."""
    at = time.gmtime(second)
    day = f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year}"
    return f"{day} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"


def encode_head(status: int, headers: Iterable[tuple[str, str]], framing: str) -> bytes:
    """The whole head. `framing` holds the protocol's own header lines, each with its line end.

    Raises ValueError when a header would break out of its line.
    """
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n"]
    for name, value in headers:
        if name.lower() not in FRAMING:
            lines.append(f"{name}: {value}\r\n")
    count = len(lines)
    text = "".join(lines)
    if text.count("\n") != count or text.count("\r") != count or "\0" in text:
        raise ValueError("a response header contains a line break")
    text = f"{text}{framing}\r\n"
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
