"""The streams of an HTTP/2 connection: a request each, what it holds in memory, and the two heads.

No I/O. AWS: RFC 9113, section 8.3.
"""

import asyncio
from dataclasses import dataclass, field

from undercast.core.body import BodyStream
from undercast.core.http import HttpRequest, HttpResponse
from undercast.core.record import record
from undercast.http.head import FRAMING, http_date
from undercast.http.hpack import ENTRY_BYTES

NEVER = float("inf")
Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Held:
    """What the requests in hand of one listener hold in memory."""

    size_bytes: int = 0
    unread_bytes: int = 0
    """Of responses, while their clients do not read."""

    def leave_unread(self, size_bytes: int, limit_bytes: int | None) -> bool:
        """Count a response that waits; False where it is one too many."""
        self.unread_bytes += size_bytes
        return limit_bytes is None or self.unread_bytes <= limit_bytes


@dataclass(slots=True, eq=False)
class Stream:
    """One request and its response."""

    id: int
    window: int
    """How much the client takes of the response's body now."""
    headers: Headers = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    size: int = 0
    """Of the body, as far as it has come."""
    held: int = 0
    """Of headers and body, what is in memory."""
    due: float = NEVER
    """Loop time when more than `seen` must have come."""
    seen: int = 0
    task: asyncio.Task[None] | None = None
    live: bool = False
    """Whether the answer is of no use when its client has gone."""
    gone: bool = False
    """Whether the client wants no answer any more; the handler runs on."""

    @property
    def head_bytes(self) -> int:
        """What its headers take."""
        return sum(len(name) + len(value) + ENTRY_BYTES for name, value in self.headers)

    @property
    def is_head(self) -> bool:
        """Whether only the headers of the answer are asked for."""
        return any(name == ":method" and value == "HEAD" for name, value in self.headers)

    def end_with_client(self) -> None:
        """See `HttpRequest.end_with_client`."""
        self.live = True


@record
class Origin:
    """Where the requests of one connection come from."""

    secure: bool
    tls_version: str
    peer: str
    environment_id: str | None


def tls_version(transport: asyncio.BaseTransport) -> str:
    """Of a connection: "1.3"; "" without TLS."""
    tls = transport.get_extra_info("ssl_object")
    return (tls.version() or "").removeprefix("TLSv") if tls is not None else ""


def request_of(stream: Stream, origin: Origin) -> HttpRequest:
    """What the handler gets; the body is the request's from here."""
    pseudo: dict[str, str] = {}
    headers: dict[str, str] = {}
    for name, value in stream.headers:
        if name.startswith(":"):
            pseudo[name] = value
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    if ":authority" in pseudo:
        # Under both names: AWS's SDK for JavaScript signs it as ":authority".
        headers["host"] = headers[":authority"] = pseudo[":authority"]
    body, stream.body = bytes(stream.body), bytearray()
    return HttpRequest(
        method=pseudo.get(":method", "GET"),
        target=pseudo.get(":path", "/"),
        headers=headers,
        body=BodyStream.of(body),
        secure=origin.secure,
        tls_version=origin.tls_version,
        peer=origin.peer,
        environment_id=origin.environment_id,
        end_with_client=stream.end_with_client,
    )


def head_of(response: HttpResponse, now: float) -> Headers:
    """The header list of a response."""
    headers = [(":status", str(response.status)), ("date", http_date(int(now)))]
    return headers + [(name, value) for name, value in response.headers if name.lower() not in FRAMING]


def set_aside(held: Held, limit_bytes: int, stream: Stream, size_bytes: int) -> bool:
    """Count what a stream is about to keep; False where the listener has no room for it."""
    if held.size_bytes + size_bytes > limit_bytes:
        return False
    held.size_bytes += size_bytes
    stream.held += size_bytes
    return True


def release(held: Held, stream: Stream) -> None:
    """Nothing of it is kept any more."""
    held.size_bytes -= stream.held
    stream.held = 0
