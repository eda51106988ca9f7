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
_NO_SIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)
"""A function may have given SIGPIPE its default back: a connection that has ended must not end the process."""


class _Client:
    """Blocking, without a limit of time: `next` waits for hours. One thread at a time."""

    def __init__(self) -> None:
        self._address = self._agent = ""
        self._next = b""
        self._socket: _socket.socket | None = None

    def initialize_client(self, user_agent: str) -> None:
        """The address is read now, as AWS's module does."""
        self._address = os.environ["AWS_LAMBDA_RUNTIME_API"]
        self._agent = user_agent
        self._next = f"GET {_PATH}next HTTP/1.1\r\n{self._head()}User-Agent: {user_agent}\r\n\r\n".encode()

    def next(self) -> tuple[bytes, dict[str, str | int | None]]:
        """Wait for an event: its payload, and its headers, None for each that is missing."""
        try:
            status, headers, payload = self._ask(self._next)
        except OSError:
            raise RuntimeError("Failed to get next") from None
        if not 200 <= status < 300:
            raise RuntimeError("Failed to get next")
        found: dict[str, str | int | None] = {name: headers.get(low) or None for low, name in _NAMES.items()}
        found["Lambda-Runtime-Deadline-Ms"] = int(headers[_DEADLINE])
        return payload, found

    def post_invocation_result(
        self, request_id: str, data: bytes, content_type: str, invocation_id: str | None = None
    ) -> None:
        """Answer an invocation."""
        head = f"content-type: {content_type or 'text/html'}\r\n"
        if not self._post(f"{request_id}/response", head, invocation_id, data):
            raise RuntimeError("Failed to post invocation response")

    def post_error(self, request_id: str, error: str, xray_cause: str, invocation_id: str | None = None) -> None:
        """Answer it with an error, both as JSON."""
        head = "content-type: application/json\r\n"
        if xray_cause:
            head += f"lambda-runtime-function-xray-error-cause: {xray_cause}\r\n"
        if not self._post(f"{request_id}/error", head, invocation_id, error.encode()):
            raise RuntimeError("Failed to post invocation error")

    def _post(self, what: str, head: str, invocation_id: str | None, data: bytes) -> bool:
        if invocation_id:
            head += f"User-Agent: {self._agent}\r\nlambda-runtime-invocation-id: {invocation_id}\r\n"
        else:
            head += f"User-Agent: {self._agent}\r\n"
        request = f"POST {_PATH}{what} HTTP/1.1\r\n{self._head()}{head}content-length: {len(data)}\r\n\r\n".encode()
        try:
            status, _, body = self._ask(request, data)
        except OSError:
            return False
        if 200 <= status < 300:
            return True
        text = f"Failed to post handler success response. Http response code: {status}. "
        os.write(1, f"[ERROR] [{int(time.time() * 1000)}] LAMBDA_RUNTIME {text}".encode() + body + b"\n")
        return False

    def _head(self) -> str:
        return f"Host: {self._address}\r\nAccept: */*\r\n"

    def _ask(self, head: bytes, data: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """Status, headers by their names in lower case, body. A connection that fails is not used again."""
        try:
            connection = self._socket or self._connect()
            if len(data) <= _JOIN_BYTES:
                connection.sendall(head + data, _NO_SIGNAL)
            else:
                connection.sendall(head, _NO_SIGNAL)
                connection.sendall(data, _NO_SIGNAL)
            return _answer(connection)
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
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()


def _answer(connection: _socket.socket) -> tuple[int, dict[str, str], bytes]:
    read = _read(connection, _READ_BYTES)
    while b"\r\n\r\n" not in read:
        read += _read(connection, _READ_BYTES)
    end = read.index(b"\r\n\r\n")
    status, *lines = read[:end].decode("utf-8", "replace").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    parts, left = [read[end + 4 :]], int(headers.get("content-length", "0"))
    left -= len(parts[0])
    while left > 0:
        parts.append(_read(connection, min(left, _MOST_READ_BYTES)))
        left -= len(parts[-1])
    return int(status[9:12]), headers, parts[0] if len(parts) == 1 else b"".join(parts)


def _read(connection: _socket.socket, size: int) -> bytes:
    data = connection.recv(size)
    if not data:
        raise ConnectionError("the Runtime API has closed the connection")
    return data


_client = _Client()
initialize_client, next = _client.initialize_client, _client.next  # the module's interface: `next` is its name there
post_invocation_result, post_error = _client.post_invocation_result, _client.post_error
