"""The requests of a boto3 client, made before the clock starts and sent over one raw keep-alive connection.

boto3 serializes and signs each anew and is stopped where it would send it, so that a server gets the bytes it gets from
boto3: what boto3 itself takes is not in the time. Bodies in memory only (no `Expect: 100-continue`).
"""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from benchmarks import bench_lambda


class _Made(Exception):
    """A request is signed; it leaves by another way."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


class RawSender:
    """Sends what `call` asks of `client`."""

    def __init__(self, subject: Any, client: Any, call: Callable[[str], object]) -> None:
        self._address = f"{subject.host}:{subject.port}"
        self._connection = bench_lambda.RawConn(subject.host, subject.port, b"")
        self._events, self._call = client.meta.events, call

    def __call__(self, name: str) -> int:
        """Returns behind the answer; the clock starts before the first byte."""
        self._connection.payload = self._bytes(self._signed(name))
        began = time.time_ns()
        status, body = self._connection.call()
        if status != 200:
            raise RuntimeError(f"{name} was answered {status} {body[:300]!r}")
        return began

    def _signed(self, name: str) -> Any:
        self._events.register_first("before-send", _taken)
        try:
            self._call(name)
        except _Made as made:
            return made.request
        finally:
            self._events.unregister("before-send", _taken)
        raise RuntimeError(f"{name}: boto3 sent its request")

    def _bytes(self, request: Any) -> bytes:
        url, body = urlsplit(request.url), request.body
        body = body.encode() if isinstance(body, str) else body
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {key: value.decode() if isinstance(value, bytes) else value for key, value in request.headers.items()}
        headers |= {"host": self._address, "Accept-Encoding": "identity", "Content-Length": str(len(body))}
        head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        return f"{request.method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body


def _taken(request: Any, **_: Any) -> None:
    raise _Made(request)


def invoke_ms(name: str, connection: Any) -> float:
    """How long one invoke of an echo takes over a `RawConn`. Raises RuntimeError for what is no echo."""
    began = time.perf_counter()
    status, body = connection.call()
    took = (time.perf_counter() - began) * 1000
    if status != 200 or json.loads(body) != bench_lambda.EVENT:
        raise RuntimeError(f"{name} answered {status} {body[:200]!r}")
    return took
