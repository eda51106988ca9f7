"""What is under awslambdaric: requests to the Runtime API on one kept connection.

Stands in for awslambdaric's compiled module of this name, which asks the system 20 times for an invocation; all that a
function sees is still awslambdaric's. Its calls, answers, errors, log line and requests are that module's; a test
compares both. Standard library only, and `_socket` itself: what a function does to `socket` does not concern it.
AWS: Lambda Developer Guide, "Using the Lambda runtime API"; aws-lambda-python-runtime-interface-client,
runtime_client.cpp, and aws-lambda-cpp below it.
"""

import _socket
import os
import time

_PATH = "/2018-06-01/runtime/invocation/"
_NAMES = {
    name.lower(): name
    for name in (
        "Lambda-Runtime-Aws-Request-Id",
        "Lambda-Runtime-Trace-Id",
        "Lambda-Runtime-Invoked-Function-Arn",
        "Lambda-Runtime-Client-Context",
        "Content-Type",
        "Lambda-Runtime-Cognito-Identity",
        "Lambda-Runtime-Aws-Tenant-Id",
        "Lambda-Runtime-Invocation-Id",
    )
}
_DEADLINE = "lambda-runtime-deadline-ms"
_READ_BYTES, _MOST_READ_BYTES = 65536, 1 << 20
_JOIN_BYTES = 65536
"""A payload up to here is sent together with its head."""
_WITHOUT_BODY = (204, 304)
_NOT_ACCEPTED = "Failed to post invocation response"
_DIRECT = "127.0.0.1:9001"
"""Here the platform itself listens. Elsewhere may be a proxy, and it may hand two requests on at once."""
_NO_SIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)
"""A function may have given SIGPIPE its default back: a connection that has ended must not end the process."""


class _Client:
    """Blocking, without a limit of time: `next` waits for hours. One thread at a time."""

    def __init__(self) -> None:
        self._address = self._agent = ""
        self._next = b""
        self._socket: _socket.socket | None = None
        self._owed = False
        """Whether the acceptance of an answer is still to be read: it comes with the next event, in one piece."""
        self._rest = b""
        """What has been read behind it."""
        self._begun = False
        """Whether something of the last answer was read."""

    def initialize_client(self, user_agent: str) -> None:
        """The address is read now, as AWS's module does."""
        self._address = os.environ["AWS_LAMBDA_RUNTIME_API"]
        self._agent = user_agent
        head = f"User-Agent: {user_agent}\r\n"
        if self._address == _DIRECT:
            head += "Undercast-If-Accepted: 1\r\n"
        self._next = f"GET {_PATH}next HTTP/1.1\r\n{self._head()}{head}\r\n".encode()

    def next(self) -> tuple[bytes, dict[str, str | int | None]]:
        """Wait for an event: its payload, and its headers, None for each that is missing."""
        try:
            status, headers, payload = self._event()
        except OSError:
            raise RuntimeError("Failed to get next") from None
        if not 200 <= status < 300:
            raise RuntimeError("Failed to get next")
        found: dict[str, str | int | None] = {name: headers.get(low) or None for low, name in _NAMES.items()}
        found["Lambda-Runtime-Deadline-Ms"] = int(headers[_DEADLINE])
        return payload, found

    def _event(self) -> tuple[int, dict[str, str], bytes]:
        """What `next` is answered. Asked again where a proxy ends a kept connection meanwhile, as libcurl does."""
        kept = self._address != _DIRECT and self._socket is not None
        self._begun = False
        try:
            self._send(self._next)
            if not self._was_accepted():
                raise RuntimeError(_NOT_ACCEPTED)
            return self._answer()
        except OSError:
            if not kept or self._begun:
                raise
        self._send(self._next)
        return self._answer()

    def post_invocation_result(
        self, request_id: str, data: bytes, content_type: str, invocation_id: str | None = None
    ) -> None:
        """Answer an invocation."""
        head = f"content-type: {content_type or 'text/html'}\r\n"
        later = self._address == _DIRECT and len(data) <= _JOIN_BYTES
        if not self._post(f"{request_id}/response", head, invocation_id, data, later=later):
            raise RuntimeError(_NOT_ACCEPTED)

    def post_error(self, request_id: str, error: str, xray_cause: str, invocation_id: str | None = None) -> None:
        """Answer it with an error, both as JSON."""
        head = "content-type: application/json\r\n"
        if xray_cause:
            head += f"lambda-runtime-function-xray-error-cause: {xray_cause}\r\n"
        if not self._post(f"{request_id}/error", head, invocation_id, error.encode()):
            raise RuntimeError("Failed to post invocation error")

    def _post(self, what: str, head: str, invocation_id: str | None, data: bytes, *, later: bool = False) -> bool:
        """Whether it was accepted; `later`: whether it was sent, the acceptance is read with the next event."""
        head += f"User-Agent: {self._agent}\r\n"
        if invocation_id:
            head += f"lambda-runtime-invocation-id: {invocation_id}\r\n"
        request = f"POST {_PATH}{what} HTTP/1.1\r\n{self._head()}{head}content-length: {len(data)}\r\n\r\n".encode()
        try:
            if not self._was_accepted():
                return False
            self._send(request, data)
            self._owed = later
            return later or self._is_accepted()
        except OSError:
            return False

    def _was_accepted(self) -> bool:
        """The answer before, if that is still to be read; what was asked behind a refused one is not answered."""
        owed, self._owed = self._owed, False
        if owed and not self._is_accepted():
            self._close()
            return False
        return True

    def _is_accepted(self) -> bool:
        """Read what became of an answer."""
        status, _, body = self._answer()
        if 200 <= status < 300:
            return True
        text = f"Failed to post handler success response. Http response code: {status}. "
        os.write(1, f"[ERROR] [{int(time.time() * 1000)}] LAMBDA_RUNTIME {text}".encode() + body + b"\n")
        return False

    def _head(self) -> str:
        return f"Host: {self._address}\r\nAccept: */*\r\n"

    def _send(self, head: bytes, data: bytes = b"") -> None:
        try:
            if self._address != _DIRECT and self._socket is not None and _has_ended(self._socket):
                self._close()
            connection = self._socket or self._connect()
            if len(data) <= _JOIN_BYTES:
                connection.sendall(head + data, _NO_SIGNAL)
            else:
                connection.sendall(head, _NO_SIGNAL)
                connection.sendall(data, _NO_SIGNAL)
        except BaseException:
            self._close()
            raise

    def _answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by their names in lower case, body. A connection that fails is not used again."""
        connection, read, self._rest = self._socket, self._rest, b""
        try:
            if connection is None:
                raise ConnectionError("the connection to the Runtime API was closed")
            while b"\r\n\r\n" not in read:
                self._begun = bool(read)
                read += _read(connection, _READ_BYTES)
            self._begun = True
            head, _, body = read.partition(b"\r\n\r\n")
            status, *lines = head.decode("utf-8", "replace").split("\r\n")
            headers = _fields(lines)
            length = int(headers.get("content-length", "-1"))
            ends = status.startswith("HTTP/1.0") or headers.get("connection", "").lower() == "close"
            if "transfer-encoding" in headers:
                body, self._rest, trailers = _read_chunks(connection, body)
                headers |= _fields(trailers)
            elif length < 0 and int(status[9:12]) not in _WITHOUT_BODY:
                body, ends = _read_to_end(connection, body), True
            elif len(body) < length:
                body = _read_whole(connection, body, length)
            elif len(body) > length:
                body, self._rest = body[: max(length, 0)], body[max(length, 0) :]
            if ends:
                self._close()
            return int(status[9:12]), headers, body
        except BaseException:
            self._close()
            raise

    def _connect(self) -> _socket.socket:
        host, _, port = self._address.partition(":")
        connection = self._socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        connection.settimeout(None)
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        connection.connect((host, int(port)))
        return connection

    def _close(self) -> None:
        connection, self._socket, self._owed, self._rest = self._socket, None, False, b""
        if connection is not None:
            connection.close()


def _has_ended(connection: _socket.socket) -> bool:
    """Whether a proxy has closed it: Node's does so where a handler runs for more than 5 s. libcurl looks, too."""
    try:
        return not connection.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def _fields(lines: list[str]) -> dict[str, str]:
    """By their names in lower case."""
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return fields


def _read_chunks(connection: _socket.socket, read: bytes) -> tuple[bytes, bytes, list[str]]:
    """The body, what was read behind it, and its trailers, which libcurl takes for headers. RFC 9112, 7.1."""
    parts = []
    while True:
        line, read = _read_line(connection, read)
        digits = line.partition(b";")[0].strip()
        try:
            size = int(digits, 16) if digits.isalnum() else -1
        except ValueError:
            size = -1
        if size < 0:
            raise ConnectionError("the Runtime API has sent what is no chunk")
        if not size:
            break
        if len(read) < size + 2:
            read = _read_whole(connection, read, size + 2)
        parts.append(read[:size])
        read = read[size + 2 :]
    trailers: list[str] = []
    while True:
        line, read = _read_line(connection, read)
        if not line:
            return b"".join(parts), read, trailers
        trailers.append(line.decode("utf-8", "replace"))


def _read_line(connection: _socket.socket, read: bytes) -> tuple[bytes, bytes]:
    while b"\r\n" not in read:
        read += _read(connection, _READ_BYTES)
    line, _, rest = read.partition(b"\r\n")
    return line, rest


def _read_to_end(connection: _socket.socket, begun: bytes) -> bytes:
    """A body without a length ends with its connection. RFC 9112, 6.3."""
    parts = [begun]
    while parts[-1] or len(parts) == 1:
        parts.append(connection.recv(_READ_BYTES))
    return b"".join(parts)


def _read_whole(connection: _socket.socket, begun: bytes, length: int) -> bytes:
    parts, left = [begun], length - len(begun)
    while left > 0:
        parts.append(_read(connection, min(left, _MOST_READ_BYTES)))
        left -= len(parts[-1])
    return b"".join(parts)


def _read(connection: _socket.socket, size: int) -> bytes:
    data = connection.recv(size)
    if not data:
        raise ConnectionError("the Runtime API has closed the connection")
    return data


_client = _Client()
initialize_client, next = _client.initialize_client, _client.next  # the module's interface: `next` is its name there
post_invocation_result, post_error = _client.post_invocation_result, _client.post_error
