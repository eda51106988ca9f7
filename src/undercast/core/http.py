"""One HTTP message each way, as data. Sockets are in `undercast.http`.

Header names are lower case; a repeated header's values are joined with ",", as SigV4 canonicalises them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import field

from undercast.core.body import BodyStream
from undercast.core.record import record


def _nothing() -> None:
    """For a request without a connection."""


@record
class HttpRequest:
    """A request whose head has been read. `target` is the raw request target, still percent-encoded."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: BodyStream
    secure: bool = False
    tls_version: str = ""
    """"1.2" or "1.3"; "" without TLS."""
    peer: str = ""
    environment_id: str | None = None
    """The execution environment on whose listener the connection arrived (I10); None for the front door."""
    end_with_client: Callable[[], None] = _nothing
    """Says that the answer is of no use to anybody when the client has gone: the handler is cancelled then."""

    @property
    def path(self) -> str:
        """The target up to the first "?"."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target behind the first "?"."""
        return self.target.partition("?")[2]


@record
class HttpResponse:
    """A response. `body` is bytes, or an iterator that is written as it yields (chunked unless `length` is known)."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    """Content-Length of a streamed body, or of the body that a HEAD response leaves out."""
    close: bool = field(default=False)
    """Close the connection behind this response."""


HttpHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]
