# mypy: ignore-errors
"""Requests to the Runtime API, for `undercast_runtime_client`: one kept connection, Python 2.7 and 3.6 upwards.

What answers may be a proxy (AWS_LAMBDA_RUNTIME_API of an extension): its answers may come in chunks or without a
length, and it may end the connection between two requests, or while the next event is waited for. What is done then is
what libcurl does below awslambdaric, and `runtime_client` in its place. RFC 9112, 6 and 7.1.
"""

from __future__ import unicode_literals

import errno
import socket
import sys

_DIRECT = "127.0.0.1:9001"  # the platform itself: it ends no connection
_NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)  # a function may have given SIGPIPE its default back
_WITHOUT_BODY = (204, 304)
_MOST = 1 << 20


class Connection(object):
    """Blocking, without timeouts: an event is waited for for hours. One thread at a time."""

    def __init__(self, address):
        host, _, port = address.partition(":")
        self._address = (host, int(port or 80))
        self._host = address
        self._socket = None
        self._buffer = b""
        self._begun = False

    def ask_again(self, path):
        """GET; once more where a proxy ends a kept connection before it has begun to answer."""
        kept = self._socket is not None and self._host != _DIRECT
        self._begun = False
        try:
            return self.request("GET", path, None, ())
        except (IOError, OSError):
            if not kept or self._begun:
                raise
        return self.request("GET", path, None, ())

    def request(self, method, path, body, headers):
        """Status, headers by lower-case name, body. A connection that fails is not used again."""
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: %s" % self._host]
        lines.append("User-Agent: undercast-python/%d.%d.%d" % sys.version_info[:3])
        lines.extend("%s: %s" % header for header in headers)
        if body is not None:
            lines.append("Content-Length: %d" % len(body))
        message = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + (body or b"")
        try:
            self._connect()
            self._socket.sendall(message, _NO_SIGNAL)
            return self._answer()
        except BaseException:
            self._close()
            raise

    def _connect(self):
        if self._socket is not None and self._host != _DIRECT and _has_ended(self._socket):
            self._close()
        if self._socket is None:
            self._socket = socket.create_connection(self._address)
            self._socket.settimeout(None)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _close(self):
        connection, self._socket, self._buffer = self._socket, None, b""
        if connection is not None:
            connection.close()

    def _answer(self):
        self._begun = bool(self._buffer)
        lines = self._lines()
        status = int(lines[0].split()[1])
        headers = _fields(lines[1:])
        length = int(headers.get("content-length", "-1"))
        ends = lines[0].startswith("HTTP/1.0") or headers.get("connection", "").lower() == "close"
        if "transfer-encoding" in headers:
            body = self._chunks(headers)
        elif length < 0 and status not in _WITHOUT_BODY:
            body, ends = self._to_the_end(), True
        else:
            body = self._exactly(max(length, 0))
        if ends:
            self._close()
        return status, headers, body

    def _chunks(self, headers):
        """The body. Its trailers are headers, as libcurl has it."""
        parts = []
        while True:
            digits = self._line().partition(b";")[0].strip()
            try:
                size = int(digits, 16) if digits.isalnum() else -1
            except ValueError:
                size = -1
            if size < 0:
                raise IOError("the Runtime API has sent what is no chunk")
            if not size:
                break
            parts.append(self._exactly(size))
            self._exactly(2)
        while True:
            line = self._line()
            if not line:
                return b"".join(parts)
            headers.update(_fields([line.decode("utf-8", "replace")]))

    def _lines(self):
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head.decode("utf-8", "replace").split("\r\n")

    def _line(self):
        while b"\r\n" not in self._buffer:
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _exactly(self, length):
        parts, have = [self._buffer], len(self._buffer)
        while have < length:
            parts.append(self._read(min(_MOST, length - have)))
            have += len(parts[-1])
        whole = b"".join(parts)
        self._buffer = whole[length:]
        return whole[:length]

    def _to_the_end(self):
        parts = [self._buffer]
        while parts[-1] or len(parts) == 1:
            parts.append(self._socket.recv(_MOST))
        return b"".join(parts)

    def _receive(self):
        self._buffer += self._read(65536)

    def _read(self, size):
        part = self._socket.recv(size)
        if not part:
            raise IOError("the Runtime API closed the connection")
        self._begun = True
        return part


def _fields(lines):
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def _has_ended(connection):
    """Whether a proxy has closed it: Node's does so where a handler runs for more than 5 s."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except socket.error as error:
        return error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK)
