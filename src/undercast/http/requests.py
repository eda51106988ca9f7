"""Reads requests out of a connection's bytes: parser callbacks, framing, and the limits on head and body.

No I/O. What cannot become a request becomes an exchange with a `refusal`, answered in its turn, behind which nothing
more is read. AWS: RFC 9112 (framing, pipelining); a request with both framings is refused (request smuggling).
"""

import logging
from collections import deque
from functools import lru_cache

import httptools

from undercast.core.errors import ServiceError
from undercast.core.http import HttpResponse
from undercast.http.exchange import Exchange, Flow
from undercast.http.limits import HttpLimits

log = logging.getLogger(__name__)

_LINE_OVERHEAD = 4
FRAMING_EACH = 16
"""Bytes around each byte of a chunked body, beyond the size of a head: a chunk of one byte takes five."""
_USUAL_NAME_BYTES = 48
"""Longer names are not remembered: whoever sends them fills no memory."""


def refusal(status: int, text: str) -> HttpResponse:
    """The response to what is not a servable request; the connection ends with it."""
    headers = (("content-type", "text/plain"),)
    return HttpResponse(status=status, headers=headers, body=f"{text}\n".encode(), close=True)


class RequestReader:
    """The reading half of a connection. `queue` holds the requests that were not started yet, in order."""

    __slots__ = (
        "_feed_bytes",
        "_flow",
        "_framing_bytes",
        "_head_bytes",
        "_headers",
        "_limits",
        "_parser",
        "_repeated_bytes",
        "_resumes",
        "_trailer_bytes",
        "_url",
        "closed",
        "in_head",
        "queue",
        "receiving",
    )

    def __init__(self, limits: HttpLimits, flow: Flow) -> None:
        self._limits = limits
        self._flow = flow
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._url = b""
        self._head_bytes = 0
        self._feed_bytes = 0
        self._repeated_bytes = 0
        self._trailer_bytes = 0
        self._framing_bytes = 0
        self._resumes = False
        self.queue: deque[Exchange] = deque()
        self.receiving: Exchange | None = None
        """The request whose body is still coming; it may be started already."""
        self.in_head = False
        """Whether a request has begun whose head is not complete."""
        self.closed = False
        """Whether nothing behind what was read matters any more."""

    def feed(self, data: bytes) -> None:
        """Parse what arrived."""
        if self.closed:
            return
        self._feed_bytes = len(data)
        chunked = self.receiving if self.receiving is not None and self.receiving.chunked else None
        before = chunked.received_bytes if chunked is not None else 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            log.error("reading a request failed", exc_info=error.__context__ or error)
            self._refuse(500, "Internal error")
        except httptools.HttpParserError as error:
            self._refuse(400, f"Bad request: {error}")
        if self.in_head and not self.closed:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.max_head_bytes:
                self._refuse(431, "Request header fields too large")
        elif chunked is not None and chunked is self.receiving:
            self._count_framing(chunked, len(data) - chunked.received_bytes + before)

    def end(self) -> None:
        """The client will send nothing more."""
        if not self.closed and self.receiving is not None:
            text = "You did not provide the number of bytes specified by the Content-Length HTTP header"
            self.fail_body(ServiceError("IncompleteBody", text, 400))
        self.closed = True

    def time_out(self) -> None:
        """The client has been silent in the middle of a request."""
        if self.receiving is not None:
            text = (
                "Your socket connection to the server was not read from or written to within the timeout period. "
                "Idle connections will be closed."
            )
            self.fail_body(ServiceError("RequestTimeout", text, 400), status=408)
        else:
            self._refuse(408, "The request did not arrive in time")

    def fail_body(self, error: ServiceError, status: int = 400) -> None:
        """The body that is coming will not be complete; its reader gets the error."""
        exchange, self.receiving, self.closed = self.receiving, None, True
        if exchange is not None:
            exchange.keep_alive = False
            if exchange.gathers:
                exchange.refusal = refusal(status, error.message)
            exchange.fail(error)

    def _refuse(self, status: int, text: str) -> None:
        if self.closed:
            return
        if self.receiving is not None:
            self.fail_body(ServiceError("InvalidRequest", text, status), status)
            return
        exchange = Exchange("", "", {}, self._flow)
        exchange.keep_alive = False
        exchange.refusal = refusal(status, text)
        self.queue.append(exchange)
        self.closed = True

    # Callbacks of httptools, which are the hot path: plain code, no further calls.

    def on_message_begin(self) -> None:
        """httptools: a request line begins."""
        if self.closed:
            return
        self.in_head = True
        self._headers = {}
        self._url = b""
        self._repeated_bytes = 0

    def on_url(self, url: bytes) -> None:
        """httptools: the request target, or a part of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header, or one trailer behind a chunked body."""
        if not self.in_head:
            self._add_trailer(name, value)
            return
        if self.closed:
            return
        headers = self._headers
        key = _key(name) if len(name) <= _USUAL_NAME_BYTES else name.decode("latin-1").lower()
        text = value.decode("latin-1").rstrip(" \t")
        if key not in headers:
            headers[key] = text
            return
        headers[key] = f"{headers[key]},{text}"
        self._repeated_bytes += len(name) + _LINE_OVERHEAD
        if self._repeated_bytes > self._limits.max_head_bytes:
            # Before the head is complete: joining ever more values would cost the square of their number.
            self._refuse(431, "Request header fields too large")

    def on_headers_complete(self) -> None:
        """httptools: the head is complete."""
        if self.closed:
            return
        parser, headers, limits = self._parser, self._headers, self._limits
        target = self._url.decode("latin-1")
        if not target.startswith("/") and "://" in target:
            target = self._origin_form(target)
        exchange = Exchange(parser.get_method().decode(), target, headers, self._flow)
        self.in_head = False
        self.queue.append(exchange)
        self.receiving = exchange
        too_many = len(headers) > limits.max_headers
        if too_many or (self._head_bytes + self._feed_bytes > limits.max_head_bytes and self._too_large()):
            self.fail_body(ServiceError("RequestHeaderSectionTooLarge", "Request header fields too large", 431), 431)
            return
        self._head_bytes = 0
        if len(self.queue) > limits.max_pipelined:
            self.fail_body(ServiceError("SlowDown", "Too many pipelined requests", 429), 429)
            return
        if "connection" in headers or not parser.should_keep_alive() or parser.should_upgrade():
            self._connection_options(exchange)
        length = headers.get("content-length")
        if length is not None or "transfer-encoding" in headers or "expect" in headers:
            self._frame(exchange, length)

    def on_body(self, part: bytes) -> None:
        """httptools: bytes of the body."""
        exchange = self.receiving
        if exchange is None:
            return
        exchange.feed(part)
        if exchange.received_bytes > exchange.limit_bytes:
            text = "Your proposed upload exceeds the maximum allowed size"
            self.fail_body(ServiceError("EntityTooLarge", text, 413), 413)

    def on_message_complete(self) -> None:
        """httptools: the request is complete."""
        exchange = self.receiving
        if exchange is None or self._resumes:
            return
        self.receiving = None
        exchange.finish()
        if not exchange.keep_alive:
            self.closed = True

    def _origin_form(self, target: str) -> str:
        """RFC 9112, 3.2.2: a client that takes us for a proxy names the host in the target, which overrides Host."""
        host, _, rest = target.partition("://")[2].partition("/")
        self._headers["host"] = host
        return f"/{rest}"

    def _too_large(self) -> bool:
        size = sum(len(name) + len(value) + _LINE_OVERHEAD for name, value in self._headers.items())
        return size + self._repeated_bytes + len(self._url) > self._limits.max_head_bytes

    def _connection_options(self, exchange: Exchange) -> None:
        parser, headers = self._parser, self._headers
        if exchange.method == "CONNECT":
            self.fail_body(ServiceError("MethodNotAllowed", "CONNECT is not served", 405), 405)
            return
        version = parser.get_http_version()
        exchange.http10 = version == "1.0"
        if version not in ("1.0", "1.1"):
            self.fail_body(ServiceError("InvalidRequest", "HTTP version not supported", 505), 505)
        elif "upgrade" in headers:
            options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
            exchange.keep_alive = "close" not in options and not exchange.http10
        else:
            exchange.keep_alive = parser.should_keep_alive()

    def _frame(self, exchange: Exchange, length: str | None) -> None:
        limits, headers = self._limits, self._headers
        exchange.limit_bytes = limits.max_body_bytes
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                self.fail_body(ServiceError("NotImplemented", "Only chunked transfer encoding is served", 501), 501)
                return
            exchange.chunked, exchange.gathers, exchange.declared_bytes = True, False, None
            self._framing_bytes = 0
        elif length is not None:
            declared = int(length)
            exchange.declared_bytes = declared
            if declared > limits.max_body_bytes:
                exchange.gathers = True
                text = "Your proposed upload exceeds the maximum allowed size"
                self.fail_body(ServiceError("EntityTooLarge", text, 413), 413)
                return
            exchange.gathers = declared <= limits.gathered_body_bytes
        if "expect" in headers and not exchange.http10:
            if headers["expect"].lower() != "100-continue":
                exchange.gathers = True
                self.fail_body(ServiceError("InvalidRequest", "Unknown expectation", 417), 417)
            elif exchange.declared_bytes != 0:
                exchange.expects_continue, exchange.asks_at_once = True, exchange.gathers
                exchange.gathers = False
        self._resumes = "upgrade" in headers and exchange.declared_bytes != 0 and self._parser.should_upgrade()

    def _count_framing(self, exchange: Exchange, more_bytes: int) -> None:
        """Sizes and extensions of chunks cost their sender no body (CVE-2023-39326)."""
        self._framing_bytes += more_bytes
        if self._framing_bytes > self._limits.max_head_bytes + FRAMING_EACH * exchange.received_bytes:
            self.fail_body(ServiceError("InvalidRequest", "Too much between the chunks of a body", 400))

    def _add_trailer(self, name: bytes, value: bytes) -> None:
        exchange = self.receiving
        if exchange is None:
            return
        self._trailer_bytes += len(name) + len(value) + _LINE_OVERHEAD
        if self._trailer_bytes > self._limits.max_head_bytes:
            self.fail_body(ServiceError("InvalidRequest", "Trailers too large", 431), 431)
            return
        if exchange.trailers is None:
            exchange.trailers = {}
        exchange.trailers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def lend(self, exchange: Exchange) -> bool:
        """Whether the rest of a body may be received past the parser; then `body_received` or `take_back` follows."""
        return exchange is self.receiving and exchange.left_bytes > 0 and not exchange.chunked and not self._resumes

    def body_received(self) -> None:
        """The last byte of a lent body has come."""
        self._parser = httptools.HttpRequestParser(self)
        self.on_message_complete()

    def take_back(self, exchange: Exchange) -> None:
        """Nobody receives a lent body any more: what is left of it is parsed again."""
        self._parse_rest(b"Content-Length: %d" % exchange.left_bytes)

    def _parse_rest(self, framing: bytes) -> None:
        """Begin in the middle of a body, behind a head that is made up."""
        self._parser = httptools.HttpRequestParser(_BehindMadeUp(self))
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n\r\n" % framing)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """We never upgrade. Java's client offers h2c on every request; the parser then skips the body, we must not."""
        if not self._resumes:
            self.feed(rest) if rest else None
            return
        self._resumes = False
        exchange = self.receiving
        framing = b"Transfer-Encoding: chunked"
        if exchange is not None and not exchange.chunked:
            framing = b"Content-Length: %d" % (exchange.declared_bytes or 0)
        self._parse_rest(framing)
        if rest:
            self.feed(rest)


@lru_cache(maxsize=512)
def _key(name: bytes) -> str:
    return name.decode("latin-1").lower()


class _BehindMadeUp:
    """Callbacks of a parser that takes over in the middle of a request: all but its first, made-up head count."""

    def __init__(self, reader: RequestReader) -> None:
        self._reader = reader
        self._made_up = True
        self.on_body = reader.on_body
        self.on_message_complete = reader.on_message_complete

    def on_message_begin(self) -> None:
        if not self._made_up:
            self._reader.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._made_up:
            self._reader.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._made_up:
            self._reader.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._made_up:
            self._reader.on_headers_complete()
        self._made_up = False
